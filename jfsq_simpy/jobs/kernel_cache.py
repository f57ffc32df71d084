"""Compiled kernels kept on disk, for as long as everything they were made of stays the same.

In    a compiled function
Out   the same, which looks for its machine code in a folder before it compiles, and leaves it there
Rule  a kernel's code holds that of the helpers it calls and the constants it reads, wherever they are written.
      So the folder's name is a fingerprint of every source kernels are made of: after an edit or an upgrade
      nothing old is found. A file that cannot be read is as good as none, one that cannot be written is not missed
Cost  a few milliseconds once a process, to read the sources; some 10 MB on disk a version

Numba's own cache looks at the kernel's own source file alone, and its index names files by numbers, which two
processes may give out twice.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
ROOMS = ("jobs", "chain")  # where kernels are
MAKES_KERNELS = re.compile(r"^\s*@(compiled|part|intrinsic)\b", re.MULTILINE)
IMPORTS = re.compile(r"^from jfsq_simpy\.?([\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)
VERSIONS_KEPT = 4  # of the newest; whoever goes back and forth between two need not compile each time
DAY = 86_400.0  # seconds


def kept(fast: Any) -> Any:
    """The compiled function with its machine code kept on disk; as it is where there is no place to write."""
    folder = folder_of_kernels()
    if folder is not None and hasattr(fast, "enable_caching"):  # a plain function where compilation is switched off
        with suppress(ImportError, AttributeError, TypeError):  # another Numba than those known: compile each time
            fast._cache = _cache_class()(fast.py_func, folder)
    return fast


# ---- what kernels are made of --------------------------------------------------------------------------------


def kernel_sources(package: Path = PACKAGE) -> list[Path]:
    """The files with kernels, what they import from the two rooms, and so on; of other rooms what they import themselves.

    What a package's page hands on is looked up where the page takes it from.

    >>> {"bits.py", "kernels.py", "first.py", "bins.py"} <= {path.name for path in kernel_sources()}
    True
    """
    texts = {path: path.read_text("utf-8") for room in ROOMS for path in (package / room).glob("*.py")}
    makers = {path for path, text in texts.items() if MAKES_KERNELS.search(text)}
    inside, outside, waiting = set[Path](), set[Path](), sorted(makers)
    while waiting:
        path = waiting.pop()
        if path not in inside:
            inside.add(path)
            for other in _imported(texts[path], package):
                if other in texts:
                    waiting.append(other)
                elif path in makers:
                    outside.add(other)
    return [*sorted(inside), *sorted(outside)]


def _imported(text: str, package: Path, wanted: set[str] | None = None, pages: tuple[Path, ...] = ()) -> Iterator[Path]:
    """The files a source imports names from, all names or those wanted.

    A package hands names on: then also the files its page takes these names from. `pages` have been turned to.
    """
    for place, listed in IMPORTS.findall(text):
        names = set(re.findall(r"\w+", listed))
        taken = names if wanted is None else names & wanted
        module = package.joinpath(*place.split("."))
        page = module / "__init__.py"
        # a name may be a module itself, or be taken from a module or a package
        by_name = [module / f"{name}.py" for name in sorted(taken)]
        if taken:
            yield from (path for path in (*by_name, module.with_suffix(".py"), page) if path.is_file())
        if taken and page.is_file() and page not in pages:  # packages may take from one another
            yield from _imported(page.read_text("utf-8"), package, taken, (*pages, page))


def fingerprint(sources: Iterable[Path]) -> str:
    """32 hexadecimal digits that change with any of the sources, and with the versions that compile them."""
    versions = [sys.version_info[:2], *(import_module(name).__version__ for name in ("numba", "numpy"))]
    seen = hashlib.sha256(repr(versions).encode())
    for path in sources:
        text = path.read_bytes()
        seen.update(f"{path.name} {len(text)} ".encode() + text)
    return seen.hexdigest()[:32]


# ---- where they are kept -------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def folder_of_kernels() -> Path | None:
    """This version's folder, made if need be; None if nothing can be written anywhere."""
    sources = kernel_sources()
    if not sources:  # the package is in an archive: there is nothing to take a fingerprint of
        return None
    name = f"kernels-{fingerprint(sources)}"
    return next((folder for parent in _places() if (folder := _opened(parent, name)) is not None), None)


def _places() -> Iterator[Path]:
    """Where versions may be kept: where the user says, beside the package's sources, in the user's own cache."""
    here = f"jfsq_simpy-{hashlib.sha256(os.fsencode(PACKAGE)).hexdigest()[:16]}"
    if os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(os.environ["NUMBA_CACHE_DIR"]) / here
    yield PACKAGE / "__pycache__"
    with suppress(RuntimeError, ImportError):  # a user without a home
        folders = import_module("numba.misc.appdirs").AppDirs("jfsq_simpy", appauthor=False)
        yield Path(folders.user_cache_dir) / here


def _opened(parent: Path, name: str) -> Path | None:
    """The folder, ready to be written to; None if it cannot be."""
    folder = parent / name
    try:
        new = not folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        if new:
            _tidy(parent, folder)
        elif time.time() - folder.stat().st_mtime > DAY:
            os.utime(folder)  # in use
    except OSError:
        return None
    return folder


def _tidy(parent: Path, newest: Path) -> None:
    """Remove all but the versions used last. Who still runs one of them compiles again, no worse."""
    others = [folder for folder in parent.glob("kernels-*") if folder != newest]
    with suppress(OSError):
        others.sort(key=lambda folder: folder.stat().st_mtime)
    for folder in others[: len(others) - VERSIONS_KEPT + 1]:
        shutil.rmtree(folder, ignore_errors=True)


# ---- one function's files ------------------------------------------------------------------------------------


class _Files:
    """A file for each set of argument types and processor: no index, so two processes cannot spoil each other's.

    Takes the place of Numba's `IndexDataCacheFile`.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name

    def path(self, key: Any) -> Path:
        return self.folder / f"{self.name}.{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.kernel"

    def load(self, key: Any) -> Any:
        """What was saved under a key; None if nothing is there that can be read."""
        try:
            written_for, data = pickle.loads(self.path(key).read_bytes())
        except Exception:  # not there, or torn: unpickling may raise anything
            return None
        return data if written_for == repr(key) else None

    def save(self, key: Any, data: Any) -> None:
        """Write, as one step for whoever reads; without a word if that cannot be done."""
        dumps = import_module("numba.core.serialize").dumps  # the pickle that `pickle.loads` undoes, types by name
        draft = self.folder / f"{uuid.uuid4().hex}.draft"
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)  # another process may have tidied up
            try:
                draft.write_bytes(dumps((repr(key), data)))
                os.replace(draft, self.path(key))
            finally:
                draft.unlink(missing_ok=True)

    def flush(self) -> None:
        """Forget every file of the function."""
        for path in self.folder.glob(f"{self.name}.*.kernel"):
            path.unlink(missing_ok=True)


@lru_cache(maxsize=1)
def _cache_class() -> Any:
    """Numba's cache of a function, on our files."""
    numbas: Any = import_module("numba.core.caching")

    class Locator(numbas._CacheLocator):  # type: ignore[misc]  # Numba has no types
        """Says where a function's files are."""

        def __init__(self, function: Any) -> None:
            self.function = function
            self._py_file = function.__code__.co_filename  # named in Numba's warnings

        def get_cache_path(self) -> str:
            return str(folder_of_kernels())

        def get_source_stamp(self) -> str:
            return "in the folder's name"

        def get_disambiguator(self) -> str:
            return f"{Path(self._py_file).parent.name}-{self.function.__code__.co_firstlineno}"

        @classmethod
        def from_function(cls, py_func: Any, py_file: str) -> Locator:
            return cls(py_func)

    class Implementation(numbas.CompileResultCacheImpl):  # type: ignore[misc]
        _locator_classes = (Locator,)

    class KernelCache(numbas.FunctionCache):  # type: ignore[misc]
        _impl_class = Implementation

        def __init__(self, function: Any, folder: Path) -> None:
            super().__init__(function)
            self._cache_file = _Files(folder, self._impl.filename_base)

        def load_overload(self, sig: Any, target_context: Any) -> Any:
            try:
                return super().load_overload(sig, target_context)
            except Exception:  # what was read is no code of this machine's: compile
                return None

    return KernelCache
