"""`jfsq scaling FILE`: how fast waiting vanishes in N, beside the order Theorem 1 gives.

In    a scenario file that sweeps system.servers, and overrides
Out   for each combination of the other swept keys: the log-log slopes of p_W and E[W] with intervals, and the order's
Rule  all N of a seed see the same jobs, so the replication is the unit; an N where fewer than two replications saw
      anything has no logarithm, is left out, and is said
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jfsq_simpy.cli import options, output
from jfsq_simpy.errors import JfsqError, PlanError, ScenarioError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jfsq_simpy.experiment import Point, PointResult
    from jfsq_simpy.run import Run
    from jfsq_simpy.scenario import Scenario
    from jfsq_simpy.theory.scaling import Scaling

ALONG = "system.servers"
Row = tuple[dict[str, Any], str, "Scaling | None", str]


def scaling(
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
    """The log-log slopes of p_W and E[W] in N, with intervals, beside the orders Theorem 1 gives, for each alpha."""
    from jfsq_simpy.cli.progress import Reporter
    from jfsq_simpy.experiment.results import plain
    from jfsq_simpy.scenario import Scenario

    scenario = Scenario.read(file, options.settings(set_, engine=engine, seed=seed, replications=replications))
    _refuse_what_has_no_slope(scenario, str(file))
    directory = options.directory(out, scenario.name)
    with Reporter(scenario, directory, workers, quiet=quiet) as reporter:
        results = scenario.run(directory, workers=workers, progress=reporter.progress)
    rows = list(measured(results))
    if json_:
        output.document(
            plain({"scenario": scenario.origin(), "directory": str(directory), "slopes": [_document(row) for row in rows]})
        )
    else:
        tell(rows, scenario)
    if not quiet:
        output.note(f"Results are kept in {directory}.")


def tell(rows: list[Row], scenario: Scenario) -> None:
    """The question and the table of slopes."""
    from jfsq_simpy.views import theory_tables

    if scenario.question:
        output.headline(scenario.question)
    output.show(theory_tables.slopes(rows))


def measured(results: Iterable[PointResult]) -> Iterable[Row]:
    """A slope for each curve and metric, or why there is none."""
    from jfsq_simpy import theory
    from jfsq_simpy.theory.scaling import ORDERS

    for labels, curve in _curves(results):
        for metric in ORDERS:
            seen = [run for run in curve if _seen(run, metric) >= min(2, len(run.replications))]
            left_out = sorted(run.system.n_servers for run in curve if run not in seen)
            note = f"too little seen at N = {', '.join(f'{n:,}' for n in left_out)}, left out" if left_out else ""
            if len({run.system.n_servers for run in seen}) < 2:
                yield labels, metric, None, f"no slope: {note or 'one N only'}; measure longer"
                continue
            yield labels, metric, theory.scaling(seen, metric), note


def _curves(results: Iterable[PointResult]) -> list[tuple[dict[str, Any], list[Run]]]:
    """Points that differ in N alone, in the grid's order."""
    curves: list[tuple[dict[str, Any], list[Run]]] = []
    for p in results:
        labels = _others(p.point)
        for known, runs in curves:
            if known == labels:
                runs.append(p.run)
                break
        else:
            curves.append((labels, [p.run]))
    return curves


def _others(point: Point) -> dict[str, Any]:
    return {key: value for key, value in point.labels.items() if key != ALONG}


def _seen(run: Run, metric: str) -> int:
    """How many replications saw anything: one that is left out must not leave zero."""
    from jfsq_simpy.metrics import METRICS

    sample = run.sample
    return sum(METRICS[metric](sample.averages(tally)) > 0 for tally in sample.units)


def _refuse_what_has_no_slope(scenario: Scenario, source: str) -> None:
    """Everything that would make the slopes meaningless, before anything runs. Errors: ScenarioError, ModelError."""
    from jfsq_simpy.theory import Parameters

    points = scenario.points()
    sizes = {point.labels.get(ALONG) for point in points}
    if None in sizes or len(sizes) < 2:
        raise ScenarioError(
            f"{source}: a slope in N needs a sweep over at least two fleet sizes; say --set 'sweep.{ALONG}=[100, 1000, 10000]'."
        )
    alphas: list[float] = []
    for point in points:
        try:
            alphas.append(Parameters.from_system(point.system).alpha)
        except JfsqError as error:
            raise type(error)(f"{source}: {error} (at {point})") from None
    for point in points:
        at = [alpha for p, alpha in zip(points, alphas, strict=True) if _others(p) == _others(point)]
        if max(at) - min(at) > 1e-9:
            raise PlanError(
                f"{source}: at a fixed load alpha changes with N ({min(at):.3g} to {max(at):.3g}), "
                "but Theorem 1 speaks of one alpha as N grows; give system.alpha instead of system.load."
            )


def _document(row: Row) -> dict[str, Any]:
    labels, metric, found, note = row
    return {"point": labels, "metric": metric, "note": note, "scaling": found.to_dict() if found is not None else None}
