"""Where words go: results to standard output, everything else to standard error.

In    texts, tables, documents
Out   the two streams
Rule  with --json standard output is one JSON document and nothing else; errors are one line each
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

from jfsq_simpy.cli.status import Status

if TYPE_CHECKING:
    from rich.console import Console

NARROWEST = 120  # columns a table may have where the terminal does not say (a pipe, a file)


def document(content: Any) -> None:
    """One JSON document."""
    print(json.dumps(content, indent=2, allow_nan=False))


def show(renderable: Any) -> None:
    """A table or a line, for people."""
    from rich.table import Table

    screen = console()
    if isinstance(renderable, Table):
        from jfsq_simpy.views.sheet import fit

        screen.width = fit(renderable, screen)
    screen.print(renderable)


def headline(text: str) -> None:
    """A line above a table, for people."""
    from rich.text import Text

    show(Text(f"\n{text}", style="bold"))


def note(text: str) -> None:
    """A remark beside the results."""
    print(text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """A remark that matters for what the results mean."""
    note(f"warning: {text}")


def complain(text: str, status: Status) -> int:
    """One line that says what went wrong (and where in the code, if JFSQ_TRACEBACK is set); the exit code."""
    if os.environ.get("JFSQ_TRACEBACK"):
        traceback.print_exc()
    note(f"jfsq: {' '.join(text.split())}")
    return status


def console(*, stderr: bool = False) -> Console:
    """A terminal, or what stands in for one. Brackets are brackets: texts from files and errors are no markup."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else NARROWEST, soft_wrap=False, highlight=False, markup=False)
