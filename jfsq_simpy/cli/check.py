"""`jfsq check FILE`: a scenario held against everything the theory says about it.

In    a scenario file and overrides
Out   metric by metric: measured, exact, limit curve, bound, verdict; what must balance; exit code 1 if a claim fails
Rule  small systems are solved exactly, others run with everything the theory wants counted; records are kept as
      `jfsq run` keeps them, and a rerun adds only what is missing
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jfsq_simpy.cli import options, output
from jfsq_simpy.cli.status import Status

if TYPE_CHECKING:
    from jfsq_simpy.exact import ExactLaw
    from jfsq_simpy.experiment import Point
    from jfsq_simpy.run import Run
    from jfsq_simpy.scenario import Scenario
    from jfsq_simpy.system import System
    from jfsq_simpy.theory.report import CheckReport


class Evidence(StrEnum):
    """Where the numbers come from."""

    AUTO = "auto"
    EXACT = "exact"
    RUN = "run"


By = Annotated[Evidence, typer.Option(help="Where the numbers come from: auto solves what is small and runs the rest.")]


def check(
    file: options.File,
    by: By = Evidence.AUTO,
    set_: options.Set = None,
    engine: options.Engine = None,
    seed: options.Seed = None,
    replications: options.Replications = None,
    out: options.Out = None,
    workers: options.Workers = None,
    json_: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Hold a scenario against theory: assumptions, bounds, exact values, identities, each with a verdict."""
    from jfsq_simpy import theory
    from jfsq_simpy.experiment.results import plain
    from jfsq_simpy.scenario import Scenario

    scenario = Scenario.read(file, options.settings(set_, engine=engine, seed=seed, replications=replications))
    directory = options.directory(out, scenario.name)
    points = scenario.points()
    laws = [_law(point.system, by, file) for point in points]
    to_run = [
        replace(p, plan=replace(p.plan, observe=theory.observables(p.system)))
        for p, law in zip(points, laws, strict=True)
        if law is None
    ]
    runs = iter(_runs(scenario.with_points(to_run), directory, workers, quiet=quiet) if to_run else [])
    found = [law if law is not None else next(runs) for law in laws]
    reports = [theory.check(point.system, evidence) for point, evidence in zip(points, found, strict=True)]
    if json_:
        told = [_document(*row) for row in zip(points, found, reports, strict=True)]
        failed = any(report.failed for report in reports)
        output.document(plain({"scenario": scenario.origin(), "failed": failed, "points": told}))
    else:
        for row in zip(points, found, reports, strict=True):
            tell(*row)
    if not quiet:
        _notes(points, reports)
        if to_run:
            output.note(f"Results are kept in {directory}.")
    if any(report.failed for report in reports):
        raise typer.Exit(Status.FAILED)


def tell(point: Point, evidence: Run | ExactLaw, report: CheckReport) -> None:
    """What was measured, beside what is claimed."""
    from jfsq_simpy.views import theory_tables as tables

    output.headline(f"{point}: {_how(evidence)}")
    output.show(tables.metrics(report))
    output.show(tables.identities(report))
    if report.failures or report.warnings:
        output.headline("what does not hold")
        output.show(tables.judged(report))


def _law(system: System, by: Evidence, file: Path) -> ExactLaw | None:
    """The exact law where it is wanted and can be had. Errors: those of `exact`, where it is insisted on."""
    from jfsq_simpy.errors import JfsqError, ModelError, TooLargeError
    from jfsq_simpy.exact import solve
    from jfsq_simpy.theory.check import is_small

    if by is Evidence.RUN or (by is Evidence.AUTO and not is_small(system)):
        return None
    try:
        return solve(system)
    except (ModelError, TooLargeError) as error:
        if by is Evidence.AUTO:  # a policy whose routing probabilities are not known, or index ties
            return None
        raise type(error)(f"{file}: {error}") from None
    except JfsqError as error:
        raise type(error)(f"{file}: {error}") from None


def _runs(scenario: Scenario, directory: Path, workers: int | None, *, quiet: bool) -> list[Run]:
    from jfsq_simpy.cli.progress import Reporter

    with Reporter(scenario, directory, workers, quiet=quiet) as reporter:
        return [p.run for p in scenario.run(directory, workers=workers, progress=reporter.progress)]


def _how(evidence: Run | ExactLaw) -> str:
    from jfsq_simpy.run import Run
    from jfsq_simpy.views.numbers import count

    if isinstance(evidence, Run):
        return f"{len(evidence.replications)} replications, {count(evidence.jobs)} jobs, engine {evidence.engine}"
    return f"solved exactly, {evidence.n_states:,} states"


def _document(point: Point, evidence: Run | ExactLaw, report: CheckReport) -> dict[str, object]:
    from jfsq_simpy.run import Run

    run = isinstance(evidence, Run)
    how = {"evidence": "run" if run else "exact", "engine": evidence.engine if isinstance(evidence, Run) else "exact"}
    by_metric = report.by_metric().to_dict("records")
    return {"point": dict(point.labels), **how, **report.to_dict(), "metrics": by_metric}


def _notes(points: list[Point], reports: list[CheckReport]) -> None:
    for text in dict.fromkeys(text for report in reports for text in report.notes):
        where = [str(p) for p, report in zip(points, reports, strict=True) if text in report.notes]
        more = f" ({where[0]}{f' and {len(where) - 1} more' if len(where) > 1 else ''})" if len(points) > 1 else ""
        output.note(f"note: {text}{more}")
