"""`jfsq exact FILE`: the stationary law of every point, by linear algebra.

In    a scenario file and overrides
Out   the metrics of `run`, as plain numbers
Rule  a point too large to solve is said with its reason and does not hide the others
"""

from __future__ import annotations

import time
from typing import Any

import typer

from jfsq_simpy.cli import options, output
from jfsq_simpy.cli.status import Status
from jfsq_simpy.errors import JfsqError


def exact(file: options.File, set_: options.Set = None, json_: options.Json = False, quiet: options.Quiet = False) -> None:
    """Solve a scenario exactly: small systems, or large ones with few speed classes."""
    from jfsq_simpy.experiment.results import plain
    from jfsq_simpy.scenario import Scenario
    from jfsq_simpy.views import tables

    scenario = Scenario.read(file, options.settings(set_))
    solved = [(point, _solved(point.system)) for point in scenario.points()]
    refused = [(point, answer["error"]) for point, answer in solved if "error" in answer]
    if len(refused) == len(solved):
        raise type(refused[0][1])(f"{file}: {refused[0][1]}")
    if json_:
        points = [
            {"point": dict(point.labels), "system": point.system.describe(), **answer, "error": _text(answer.get("error"))}
            for point, answer in solved
        ]
        output.document(plain({"scenario": scenario.origin(), "points": points}))
    else:
        rows = [(point, answer["estimates"], answer["method"]) for point, answer in solved]
        output.show(tables.exact(rows))
    if not quiet:
        for point, error in refused:
            output.note(f"{point}: {error}")
    if refused:
        raise typer.Exit(Status.INPUT)


def _solved(system: Any) -> dict[str, Any]:
    from jfsq_simpy.exact import solve

    before = time.perf_counter()
    try:
        law = solve(system)
    except JfsqError as error:
        return {"engine": "exact", "method": "not solved", "states": None, "seconds": 0.0, "estimates": None, "error": error}
    seconds = time.perf_counter() - before
    return {
        "engine": "exact",
        "method": f"{law.method}, {law.n_states:,} states",
        "states": law.n_states,
        "seconds": seconds,
        "estimates": law.metrics(),
    }


def _text(error: JfsqError | None) -> str | None:
    return str(error) if error is not None else None
