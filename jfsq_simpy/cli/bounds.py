"""`jfsq bounds FILE`: what the paper says about a scenario before anything is measured.

In    a scenario file and overrides
Out   parameters, conditions with both sides, every bound in every reading, and how far it is from saying something
Rule  nothing is simulated; a point the paper is silent about is said with its reason and does not hide the others
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from jfsq_simpy.cli import options, output
from jfsq_simpy.cli.status import Status
from jfsq_simpy.errors import JfsqError

if TYPE_CHECKING:
    from jfsq_simpy.experiment import Point
    from jfsq_simpy.theory.report import BoundsReport

Order = Annotated[int, typer.Option(min=1, metavar="R", help="The order r of the moment in Theorem 2, and of its conditions.")]


def bounds(
    file: options.File,
    set_: options.Set = None,
    order: Order = 1,
    json_: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """The paper's parameters, conditions and bounds, and from which N on each bound says something."""
    from jfsq_simpy.experiment.results import plain
    from jfsq_simpy.scenario import Scenario

    scenario = Scenario.read(file, options.settings(set_))
    reports, silent = _reports(scenario.points(), order)
    if not reports:
        raise type(silent[0][1])(f"{file}: {silent[0][1]}")
    if json_:
        points = [{"point": dict(point.labels), **report.to_dict()} for point, report in reports]
        points += [{"point": dict(point.labels), "error": str(error)} for point, error in silent]
        output.document(plain({"scenario": scenario.origin(), "order": order, "points": points}))
    else:
        for point, report in reports:
            tell(point, report)
            if not quiet:
                for text in report.notes:
                    output.note(f"note: {text}")
    for point, error in silent:
        output.note(f"{point}: {error}")
    if silent:
        raise typer.Exit(Status.INPUT)


def tell(point: Point, report: BoundsReport) -> None:
    """Three tables a point."""
    from jfsq_simpy.views import theory_tables as tables

    if point.labels:
        output.headline(str(point))
    for table in (tables.parameters, tables.conditions, tables.bounds):
        output.show(table(report))


def _reports(points: list[Point], order: int) -> tuple[list[tuple[Point, BoundsReport]], list[tuple[Point, JfsqError]]]:
    """What can be said, and what cannot with its reason."""
    from jfsq_simpy import theory

    said: list[tuple[Point, BoundsReport]] = []
    silent: list[tuple[Point, JfsqError]] = []
    for point in points:
        try:
            said.append((point, theory.bounds(point.system, order)))
        except JfsqError as error:
            silent.append((point, error))
    return said, silent
