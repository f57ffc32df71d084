"""Kernels kept on disk: found again, and never when anything they were made of has changed."""

from __future__ import annotations

import ast
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jfsq_simpy.jobs import kernel_cache

pytest.importorskip("numba")

PACKAGE = kernel_cache.PACKAGE

INNER = """
from typing import NamedTuple
import numpy as np
from jfsq_simpy.jobs.compiling import compiled

STEP = 10

class Pair(NamedTuple):
    values: np.ndarray
    step: int

@compiled
def add(pair, n):
    return pair.values[0] + pair.step * n
"""
OUTER = """
from jfsq_simpy.jobs.compiling import compiled
from jfsq_simpy.jobs.inner import STEP, Pair, add

@compiled
def outer(pair):
    return add(pair, 1) + 100 * STEP
"""
RUN = """
import sys
import numpy as np
from jfsq_simpy.jobs import kernel_cache, outer
from jfsq_simpy.jobs.inner import Pair
print(outer.outer(Pair(np.arange(3.0) + 1, 7)), sum(outer.outer.stats.cache_hits.values()), kernel_cache.folder_of_kernels())
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A package of this name with the files the cache is made of, one kernel, and its helper in another file."""
    package = tmp_path / "jfsq_simpy"
    (package / "jobs").mkdir(parents=True)
    (package / "chain").mkdir()
    for name in ("jobs/compiling.py", "jobs/kernel_cache.py"):
        shutil.copy(PACKAGE / name, package / name)
    for name, text in (("__init__", ""), ("jobs/__init__", ""), ("jobs/inner", INNER), ("jobs/outer", OUTER)):
        (package / f"{name}.py").write_text(text)
    return package


def started(package: Path, program: str = RUN, **more: str) -> subprocess.Popen[str]:
    home = {"HOME": str(package.parent / "home"), "XDG_CACHE_HOME": str(package.parent / "cache")}
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    environment |= {"PYTHONPATH": str(package.parent), **home, **more}
    command = [sys.executable, "-B", "-c", program]
    return subprocess.Popen(command, env=environment, cwd=package.parent, stdout=subprocess.PIPE, text=True)


def run(package: Path, program: str = RUN, **more: str) -> tuple[float, bool, Path | None]:
    """What the kernel says, whether its code was found on disk, and in which folder."""
    process = started(package, program, **more)
    printed, _ = process.communicate()
    assert process.returncode == 0
    value, found, folder = printed.split()
    return float(value), found == "1", None if folder == "None" else Path(folder)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_kernel_is_compiled_once_and_again_when_a_helper_or_a_constant_elsewhere_changes(copy: Path) -> None:
    assert run(copy)[:2] == (1008.0, False)
    assert run(copy)[:2] == (1008.0, True)
    edit(copy / "jobs/inner.py", "pair.step * n", "pair.step * n * 2")
    assert run(copy)[:2] == (1015.0, False)
    edit(copy / "jobs/inner.py", "STEP = 10", "STEP = 20")
    assert run(copy)[:2] == (2015.0, False)
    edit(copy / "jobs/inner.py", "STEP = 20", "STEP = 10")
    assert run(copy)[:2] == (1015.0, True)  # the version before is still there


def test_a_constant_that_another_rooms_page_hands_on_is_followed_to_where_it_is_written(copy: Path) -> None:
    room = copy / "room"
    (room / "inside").mkdir(parents=True)
    files = {
        "__init__": "from jfsq_simpy.room import other\nfrom jfsq_simpy.room.inside import (\n    STEP,\n    LENGTH,\n)\n",
        "other": "from jfsq_simpy.room.beyond import WIDTH\n",
        "beyond": "WIDTH = 1\n",
        "inside/__init__": "from jfsq_simpy.room.inside.lengths import LENGTH\nfrom jfsq_simpy.room.inside.steps import STEP\n",
        "inside/lengths": "LENGTH = 1\n",
        "inside/steps": "STEP = 10\n",
    }
    for name, text in files.items():
        (room / f"{name}.py").write_text(text)
    edit(copy / "jobs/outer.py", "inner import STEP, Pair, add", "inner import Pair, add\nfrom jfsq_simpy.room import STEP")
    followed = [path.relative_to(room).as_posix() for path in kernel_cache.kernel_sources(copy) if room in path.parents]
    assert followed == ["__init__.py", "inside/__init__.py", "inside/steps.py"]
    assert run(copy)[:2] == (1008.0, False)
    assert run(copy)[:2] == (1008.0, True)
    edit(room / "inside/steps.py", "STEP = 10", "STEP = 20")
    assert run(copy)[:2] == (2008.0, False)
    edit(room / "inside/lengths.py", "LENGTH = 1", "LENGTH = 2")  # no kernel is made of it
    assert run(copy)[:2] == (2008.0, True)


def test_an_argument_whose_class_has_gone_is_no_hindrance(copy: Path) -> None:
    run(copy)
    for name in ("inner", "outer"):
        edit(copy / f"jobs/{name}.py", "Pair", "Couple")
    assert run(copy, RUN.replace("Pair", "Couple"))[:2] == (1008.0, False)


def test_of_many_versions_the_newest_stay(tmp_path: Path) -> None:
    for i in range(6):
        (tmp_path / f"kernels-{i}").mkdir()
        os.utime(tmp_path / f"kernels-{i}", (i, i))
    assert kernel_cache._opened(tmp_path, "kernels-new") == tmp_path / "kernels-new"
    assert {path.name for path in tmp_path.iterdir()} == {"kernels-new", "kernels-3", "kernels-4", "kernels-5"}


def test_a_torn_file_is_as_good_as_none(tmp_path: Path) -> None:
    files = kernel_cache._Files(tmp_path / "new", "a kernel")
    files.save(("one", 1), "code")
    files.save(("two", 2), "other code")
    assert (files.load(("one", 1)), files.load(("two", 2)), files.load("three")) == ("code", "other code", None)
    whole = files.path(("one", 1)).read_bytes()
    for part in (b"", whole[:20], b"something else"):
        files.path(("one", 1)).write_bytes(part)
        assert files.load(("one", 1)) is None
    files.path(("one", 1)).write_bytes(files.path(("two", 2)).read_bytes())  # a file in the place of another
    assert files.load(("one", 1)) is None
    files.flush()
    assert not list(files.folder.iterdir())


def test_code_is_kept_elsewhere_or_nowhere_where_the_package_cannot_be_written_to(copy: Path) -> None:
    (copy / "__pycache__").write_text("in the way")  # a folder cannot be made here, even by an administrator
    value, _, folder = run(copy)
    assert value == 1008.0
    assert folder is not None
    assert copy.parent / "cache" in folder.parents
    (copy.parent / "no").write_text("in the way")
    assert run(copy, XDG_CACHE_HOME=str(copy.parent / "no")) == (1008.0, False, None)


def test_the_users_own_cache_folder_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    assert next(kernel_cache._places()) == PACKAGE / "__pycache__"
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/mine")
    assert next(kernel_cache._places()).parent == Path("/mine")


def test_two_processes_at_once(copy: Path) -> None:
    both = [started(copy), started(copy)]
    for process in both:
        printed, _ = process.communicate()
        assert printed.startswith("1008.0 ")
    assert run(copy)[:2] == (1008.0, True)
    assert not list(copy.rglob("*.draft"))


# ---- the package's own kernels -------------------------------------------------------------------------------


def modules_with_kernels() -> list[Path]:
    found = []
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        if path.parent.name in ("jobs", "chain") and path.name != "__init__.py":
            module = importlib.import_module(name)
            if any(hasattr(v, "py_func") and v.py_func.__module__ == name for v in vars(module).values()):
                found.append(path)
    return found


def test_every_kernel_and_all_it_imports_is_in_the_fingerprint() -> None:
    sources, makers = kernel_cache.kernel_sources(), modules_with_kernels()
    assert {"kernels.py", "choices.py", "bits.py", "first.py", "uniform.py"} <= {path.name for path in makers}
    for path in makers:
        assert path in sources
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jfsq_simpy."):
                module = PACKAGE.parent.joinpath(*(node.module or "").split("."))
                files = [module / f"{alias.name}.py" for alias in node.names if (module / f"{alias.name}.py").is_file()]
                whole = module.with_suffix(".py") if module.with_suffix(".py").is_file() else module / "__init__.py"
                assert set(files or [whole]) <= set(sources), f"{path.name} takes from {node.module}"


def test_no_kernel_is_compiled_past_the_cache() -> None:
    for path in PACKAGE.rglob("*.py"):
        calls = path.read_text().count("numba.njit(") + path.read_text().count("cache=True")
        assert calls == (path.relative_to(PACKAGE).as_posix() in ("jobs/compiling.py",)), path
