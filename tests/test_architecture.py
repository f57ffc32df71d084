"""The order of the rooms: a room imports only rooms above it in the list."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "jfsq_simpy"

# From the core outwards. A room is a module or a package of that name directly under jfsq_simpy.
ROOMS = [
    "errors",
    "workers",
    "rates",
    "laws",
    "policies",
    "beliefs",
    "knowledge",
    "breakdowns",
    "system",
    "draws",
    "tally",
    "metrics",
    "identities",
    "jobs",
    "chain",
    "engines",
    "estimate",
    "balance",
    "controls",
    "trace_analysis",
    "warmup",
    "run",
    "stopping",
    "simulate",
    "replay",
    "exact",
    "theory",
    "experiment",
    # A scenario *has* a verb, run, so it comes after the experiments it starts; the rooms it reads files for
    # (laws, rates, system) never look back at it.
    "scenario",
    "compare",
    "verify",
    "views",
    "cli",
    "__main__",
]
ONLY_IN_VIEWS = {"matplotlib", "seaborn"}
ONLY_FOR_SCREENS = {"rich", "typer"}


def imports(source: str, module: str) -> Iterator[tuple[int, str]]:
    """Every module a source imports, wherever it does so, as (line, absolute dotted name)."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")[: -node.level]
                base = ".".join([*parents, base]).rstrip(".")
            # `from jfsq_simpy import tally` names a room, `from jfsq_simpy import System` the front door
            rooms = {alias.name for alias in node.names} & set(ROOMS) if base == "jfsq_simpy" else set()
            yield from ((node.lineno, f"{base}.{room}") for room in sorted(rooms))
            if len(rooms) < len(node.names):
                yield node.lineno, base


def room_of(module: str) -> str | None:
    """The room a dotted name belongs to; None for the package itself and for other packages."""
    parts = module.split(".")
    return parts[1] if parts[0] == "jfsq_simpy" and len(parts) > 1 else None


def breaches(source: str, module: str) -> list[str]:
    """What a source imports against the order."""
    here = room_of(module)
    if here is None:  # the package's own front door
        return []
    found = []
    for line, name in imports(source, module):
        there, outside = room_of(name), name.partition(".")[0]
        if there in ROOMS and ROOMS.index(there) > ROOMS.index(here):
            found.append(f"{module}:{line} imports {name}, but {there} comes after {here}")
        if name == "jfsq_simpy" and here != "cli":
            found.append(f"{module}:{line} imports the front door, which imports every room")
        if outside in ONLY_IN_VIEWS and here != "views":
            found.append(f"{module}:{line} imports {outside}, which only views may")
        if outside in ONLY_FOR_SCREENS and here not in ("views", "cli"):
            found.append(f"{module}:{line} imports {outside}, which only views and cli may")
    return found


def modules() -> list[tuple[str, Path]]:
    files = sorted(PACKAGE.rglob("*.py"))
    return [(".".join(f.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"), f) for f in files]


@pytest.mark.parametrize(("module", "path"), modules(), ids=[m for m, _ in modules()])
def test_a_room_imports_only_rooms_above_it(module: str, path: Path) -> None:
    assert breaches(path.read_text(), module) == []


def test_every_room_is_in_the_list() -> None:
    there = {room_of(module) for module, _ in modules()} - {None}
    assert there <= set(ROOMS), f"add these to ROOMS where they belong: {sorted(r for r in there - set(ROOMS) if r)}"


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from jfsq_simpy.theory import bounds", "jfsq_simpy.chain.jump"),
        ("from jfsq_simpy import simulate", "jfsq_simpy.tally"),
        ("def f():\n    import jfsq_simpy.views.tables", "jfsq_simpy.experiment.grid"),
        ("from ..theory import bounds", "jfsq_simpy.jobs.process"),
        ("from jfsq_simpy import System", "jfsq_simpy.tally"),
        ("import seaborn as sns", "jfsq_simpy.estimate"),
        ("from rich.table import Table", "jfsq_simpy.run"),
    ],
)
def test_a_breach_is_seen(source: str, module: str) -> None:
    assert breaches(source, module)
