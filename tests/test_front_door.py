"""The front door: quick, complete, and its verbs stay verbs whichever rooms were entered first."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

import jfsq_simpy

ROOT = Path(__file__).parents[1]
VERBS = ("compare", "replay", "simulate")
HEAVY = ("numpy", "scipy", "pandas", "pyarrow", "pydantic", "numba", "rich", "typer", "matplotlib", "joblib", "simpy")
ENTERED = (
    "import jfsq_simpy.simulate",
    "import jfsq_simpy.compare.paired, jfsq_simpy.replay.log",
    "from jfsq_simpy import simulate, compare, replay",
    "from jfsq_simpy.cli.main import execute; execute(['list', 'profiles', '--json'])",
    "import importlib; [importlib.import_module(f'jfsq_simpy.{v}') for v in ('replay', 'simulate', 'compare')]",
    "import jfsq_simpy.simulate as room, jfsq_simpy; jfsq_simpy.replay; import jfsq_simpy.compare.verb",
)


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_public_name_is_there_and_typed() -> None:
    for name in jfsq_simpy.__all__:
        assert getattr(jfsq_simpy, name) is not None
    assert set(jfsq_simpy.__all__) <= set(dir(jfsq_simpy))
    seen = (ROOT / "jfsq_simpy/__init__.py").read_text().partition("if TYPE_CHECKING:")[2].partition("\n__all__")[0]
    assert all(name in seen for name in jfsq_simpy.__all__), "what type checkers read has every name"


def test_a_room_that_is_not_public_is_found_by_its_name_too() -> None:
    assert jfsq_simpy.metrics.METRICS
    with pytest.raises(AttributeError, match="jfsq_simpy' has no attribute 'simulat'"):
        _ = jfsq_simpy.simulat
    assert not hasattr(jfsq_simpy, "_no_such_thing")


@pytest.mark.parametrize("first", ENTERED)
def test_a_verb_is_a_verb_whichever_room_was_entered_first(first: str) -> None:
    system = "jfsq_simpy.System([1.5, 0.5], load=0.5, places=2)"
    code = f"""
{first}
import jfsq_simpy, types
kinds = [type(getattr(jfsq_simpy, v)).__name__ for v in {VERBS}]
assert kinds == ["function"] * 3, kinds
jfsq_simpy.simulate({system}, jobs=50, replications=2, engine="process", workers=1, rng=1)
import jfsq_simpy.simulate, jfsq_simpy.compare, jfsq_simpy.replay
assert jfsq_simpy.simulate.__name__ == "simulate" and callable(jfsq_simpy.compare) and callable(jfsq_simpy.replay)
from jfsq_simpy import simulate
assert isinstance(simulate, types.FunctionType)
"""
    python(code)


def test_here_and_now_too() -> None:
    """In this process, where a test runner has imported every room in an order of its own."""
    for one, other in itertools.permutations(VERBS, 2):
        setattr(jfsq_simpy, one, sys.modules.get(f"jfsq_simpy.{one}") or getattr(jfsq_simpy, one))
        assert all(isinstance(getattr(jfsq_simpy, verb), types.FunctionType) for verb in (one, other))


def test_importing_it_brings_in_nothing_heavy() -> None:
    brought = python(f"import sys, jfsq_simpy; print([name for name in {HEAVY} if name in sys.modules])")
    assert brought.strip() == "[]"


def test_help_and_lists_bring_in_only_what_they_show() -> None:
    """What costs the time, rather than the time: that depends on who else uses the machine."""
    for words, allowed in (
        (["--help"], {"typer"}),
        (["run", "--help"], {"typer", "pydantic"}),  # some versions of typer check arguments by it
        (["list", "profiles"], {"typer", "pydantic", "numpy", "rich"}),
        (["list", "laws"], {"typer", "pydantic", "numpy", "rich", "scipy"}),
        (["list", "policies", "--json"], {"typer", "pydantic", "numpy", "scipy", "numba", "simpy", "joblib"}),
    ):
        code = f"""
import sys
from jfsq_simpy.cli.main import execute
assert execute({words}) == 0
print("|", sorted(name for name in {(*HEAVY, "scipy.stats", "scipy.sparse", "scipy.special")} if name in sys.modules))
"""
        brought = set(eval(python(code).rpartition("|")[2]))
        assert brought <= allowed, f"jfsq {' '.join(words)} brings in {sorted(brought - allowed)}"
