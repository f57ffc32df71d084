"""`jfsq run FILE`: simulate what a scenario asks for, keep it, show it.

In    a scenario file and overrides
Out   a table or JSON; records and a figure in the results directory
Rule  a rerun adds only what is missing; what is done when the user stops is kept
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from jfsq_simpy.cli import options, output
from jfsq_simpy.cli.status import Status

if TYPE_CHECKING:
    from jfsq_simpy.experiment import Results
    from jfsq_simpy.scenario import Scenario


def run(
    file: options.File,
    set_: options.Set = None,
    engine: options.Engine = None,
    seed: options.Seed = None,
    replications: options.Replications = None,
    out: options.Out = None,
    workers: options.Workers = None,
    json_: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Simulate a scenario: estimates with intervals, every replication kept, a rerun adds what is missing."""
    from jfsq_simpy.cli.progress import Reporter
    from jfsq_simpy.scenario import Scenario

    scenario = Scenario.read(file, options.settings(set_, engine=engine, seed=seed, replications=replications))
    directory = options.directory(out, scenario.name)
    with Reporter(scenario, directory, workers, quiet=quiet) as reporter:
        results = scenario.run(directory, workers=workers, progress=reporter.progress)
    figure = draw(results, directory)
    if json_:
        output.document({**results.to_dict(), "figure": str(figure) if figure else None})
    else:
        tell(results, scenario)
    if not quiet:
        _say_where(results, directory, figure)
    if not results.precise:
        raise typer.Exit(Status.FAILED)


def draw(results: Results, directory: Path) -> Path | None:
    """The figure of a sweep over fleet sizes: p_W against N."""
    sizes = {p.point.labels.get("system.servers") for p in results}
    if None in sizes or len(sizes) < 2:
        return None
    from jfsq_simpy.views import figures

    return figures.save(figures.against_fleet_size(results), directory / "waiting_probability.png")


def tell(results: Results, scenario: Scenario) -> None:
    """The question and the table that answers it."""
    from jfsq_simpy.views import tables

    if scenario.question:
        output.headline(scenario.question)
    output.show(tables.estimates(results))


def _say_where(results: Results, directory: Path, figure: Path | None) -> None:
    for text in dict.fromkeys(w for p in results for w in p.run.warnings):
        points = [str(p.point) for p in results if text in p.run.warnings]
        output.warn(f"{text} ({points[0]}{f' and {len(points) - 1} more' if len(points) > 1 else ''})")
    for text in results.notes:
        output.note(f"note: {text}")
    output.note(f"Results are kept in {directory}" + (f", the figure in {figure}." if figure else "."))
