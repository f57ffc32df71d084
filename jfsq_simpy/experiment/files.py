"""Files that are whole or not there.

In    a path and its text or bytes
Out   the file, or DataError
Rule  written under a temporary name in the same directory, flushed to disk, then renamed: a reader, a
      crash or a full disk never meets half a file under a final name
Cost  one fsync a file
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from jfsq_simpy.errors import DataError


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file in one step. Errors: DataError, and then nothing is left behind."""
    data = content.encode() if isinstance(content, str) else content
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError):
            raise DataError(f"{path}: cannot be written ({reason(error)}); free some space or choose another place.") from None
        raise


def make_directory(path: Path) -> None:
    """Make a directory that can be written to. Errors: DataError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: results cannot be kept there ({reason(error)}); choose another directory with --out.") from None


def reason(error: Exception) -> str:
    """What the operating system says, without the number and the path."""
    return str(getattr(error, "strerror", None) or error)
