"""`jfsq list WHAT`: what there is to choose from.

In    policies, laws, profiles, knowledge, engines or scenarios
Out   a row each, from the registries themselves, so the list cannot be out of date
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from jfsq_simpy.cli import options, output
from jfsq_simpy.errors import JfsqError, ScenarioError


class What(StrEnum):
    """What can be listed."""

    policies = "policies"
    laws = "laws"
    profiles = "profiles"
    knowledge = "knowledge"
    engines = "engines"
    scenarios = "scenarios"


# columns a terminal has room for, where there are more
IN_TEXT = {What.policies: ["name", "parameters", "what it is", "messages a job", "engines", "exact law"]}

Directory = Annotated[
    Path,
    typer.Option(
        metavar="DIRECTORY",
        parser=options.named("--directory", "say where scenarios are, for example --directory scenarios"),
        help="scenarios: where they are looked for.",
    ),
]


def listing(
    what: Annotated[What, typer.Argument(help="What to list.", show_default=False)],
    directory: Directory = Path("scenarios"),
    json_: options.Json = False,
) -> None:
    """List policies, laws, rate profiles, what dispatchers may know, engines or scenarios."""
    rows = list(_scenarios(directory)) if what is What.scenarios else list(ROWS[what]())
    if json_:
        output.document({what.value: rows})
        return
    from jfsq_simpy.views import tables

    if not rows:
        output.note(f"No {what.value} in {directory}.")
        return
    columns = IN_TEXT.get(what, list(rows[0]))
    table = tables.listing(columns, [{k: _cell(v) for k, v in row.items()} for row in rows])
    table.columns[0].no_wrap = True  # names are there to be copied
    output.show(table)
    if what is What.engines:
        from jfsq_simpy.engines import missing

        output.note(missing() or "All of them run here.")
    if what in IN_TEXT:
        output.note(f"--json has more of each: {', '.join(k for k in rows[0] if k not in columns)}.")


def _policies() -> Iterator[dict[str, Any]]:
    """Their cards; who runs them is asked of the engines and of `exact`, for a small fleet of two speeds."""
    from jfsq_simpy.engines import able
    from jfsq_simpy.exact import is_solvable
    from jfsq_simpy.policies import CARDS, POLICIES
    from jfsq_simpy.rates import two_speed
    from jfsq_simpy.system import System

    for row in _registered(POLICIES, skip=()):
        card = CARDS[row["name"]]
        small = System(two_speed(4, ratio=2), load=0.5, places=2, policy={"name": row["name"], **card.example})
        yield {
            **row,
            "ties": card.ties,
            "must know": card.knows,
            "messages a job": card.messages,
            "stable for": card.stability,
            "cost of a decision": card.cost,
            "engines": able(small),
            "exact law": is_solvable(small),
            "closed forms": card.exact,
            "source": card.source,
            "example": dict(card.example),
        }


def _laws() -> Iterator[dict[str, Any]]:
    from jfsq_simpy.laws import LAWS

    yield from _registered(LAWS, skip=())


def _profiles() -> Iterator[dict[str, Any]]:
    from jfsq_simpy.rates import PROFILES

    for row in _registered(PROFILES, skip=("n_servers",)):
        yield {**row, "parameters": ["file"]} if row["name"] == "file" else row  # a scenario says `file`, the function `path`


def _knowledge() -> Iterator[dict[str, Any]]:
    from jfsq_simpy.knowledge import QUEUES

    for row in _registered(QUEUES, skip=()):
        yield {"name": row["name"], "key": "queues", **row}


def _engines() -> Iterator[dict[str, Any]]:
    from jfsq_simpy.engines import ENGINES

    for engine in ENGINES.values():
        yield {
            "name": engine.name,
            "view": engine.view,
            "compiled": engine.compiled,
            "available": engine.available,
            "runs": engine.runs,
            "arrivals per second and core": engine.speed,
            "bytes a server": engine.memory,
        }


def _scenarios(directory: Path) -> Iterator[dict[str, Any]]:
    from jfsq_simpy.scenario import Scenario

    if not directory.is_dir():
        raise ScenarioError(f"{directory}: is no directory; say where scenarios are, for example --directory scenarios.")
    for path in sorted(directory.glob("*.toml")):
        try:
            scenario = Scenario.read(path)
            yield {"file": str(path), "question": scenario.question, "points": len(scenario.points())}
        except JfsqError as error:
            yield {"file": str(path), "question": f"(cannot be read: {error})", "points": 0}


ROWS: Mapping[What, Callable[[], Iterator[dict[str, Any]]]] = {
    What.policies: _policies,
    What.laws: _laws,
    What.profiles: _profiles,
    What.knowledge: _knowledge,
    What.engines: _engines,
}


def _registered(registry: Mapping[str, Callable[..., Any]], skip: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for name, make in registry.items():
        parameters = [_parameter(p) for p in inspect.signature(make).parameters.values() if p.name not in skip]
        yield {"name": name, "parameters": parameters, "what it is": _first_sentence(make)}


def _parameter(p: inspect.Parameter) -> str:
    return p.name if p.default in (inspect.Parameter.empty, None) else f"{p.name} = {p.default!r}"


def _first_sentence(thing: Callable[..., Any]) -> str:
    paragraph = (inspect.getdoc(thing) or "").split("\n\n")[0]
    return " ".join(paragraph.split())


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
