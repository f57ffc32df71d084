"""Ctrl-C at any time, imports included: one line, exit code 3, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = "[system]\nservers = 2\nload = 0.5\nplaces = 2\nrates = {profile = 'homogeneous'}\n[run]\njobs = 100\nreplications = 2\n"
AT_IMPORT = """
import os, sys
sys.modules.pop("signal", None)  # some installations have it in memory when they start

def ring():
    os.kill(os.getpid(), 2)  # SIGINT

class Unheard:
    def __del__(self):  # Python drops what is raised here
        ring()

class Bell:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            {how}()

sys.meta_path.insert(0, Bell())
sys.argv = ["jfsq", *{words!r}]
from jfsq_simpy.__main__ import main
main()
"""


def interrupted(tmp_path: Path, module: str, words: list[str], how: str = "ring") -> str:
    """What a command says when Ctrl-C comes just as it begins to import a module."""
    (tmp_path / "small.toml").write_text(SMALL)
    done = subprocess.run(
        [sys.executable, "-c", AT_IMPORT.format(module=module, words=words, how=how)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("signal", ["--help"]),  # the first that is not built in
        ("typer", ["--help"]),
        ("jfsq_simpy.cli.bounds", ["--help"]),
        ("numpy", ["list", "laws"]),
        ("numpy._core.multiarray", ["list", "laws"]),  # whose makers wrap what goes wrong here in an error of their own
        ("scipy", ["list", "policies"]),
        ("jfsq_simpy.scenario", ["run", "small.toml"]),
        ("pydantic", ["exact", "small.toml"]),
        ("scipy.stats", ["run", "small.toml", "-q"]),
    ],
)
def test_while_something_is_imported(tmp_path: Path, module: str, words: list[str]) -> None:
    said = interrupted(tmp_path, module, words)
    assert said.count("\n") == 1
    assert said.startswith("jfsq: interrupted")


def test_where_python_drops_the_exception(tmp_path: Path) -> None:
    """The exception is dropped; the wish to stop is not."""
    said = interrupted(tmp_path, "numpy", ["verify"], how="Unheard")
    assert said.endswith("jfsq: interrupted.\n")
    assert "Traceback" not in said
    assert "ignored" not in said


def test_it_ends_so_where_there_is_nowhere_to_say_it() -> None:
    leave = "import os; os.close(2); from jfsq_simpy.__main__ import _leave; _leave()"
    assert subprocess.run([sys.executable, "-c", leave], env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60).returncode == 3
