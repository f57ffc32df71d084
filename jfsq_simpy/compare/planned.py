"""Comparisons that a scenario file asks for, kept in a ledger like every run.

In    a scenario file, settings, policies (or those of its [compare] table)
Out   a Comparison for each point of the sweep
Rule  policies are one more axis of the sweep, so they are read, checked, run and kept as every point is; only
      engine and warm-up are then made common to those that are compared
Cost  that of the points; a finished comparison costs reading its records
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jfsq_simpy.compare.comparison import Comparison
from jfsq_simpy.compare.measures import as_measure
from jfsq_simpy.compare.together import check_replications, common_engines, common_warmup, named, spelled
from jfsq_simpy.engines import Engine
from jfsq_simpy.errors import PlanError, ScenarioError
from jfsq_simpy.experiment import Ledger, Point, PointResult, Progress, Results
from jfsq_simpy.experiment.record import key_of
from jfsq_simpy.experiment.results import plain
from jfsq_simpy.scenario import Scenario
from jfsq_simpy.scenario.tables import CompareTable
from jfsq_simpy.simulate import warmup_for
from jfsq_simpy.warmup import WarmupChoice

POLICY = "system.policy"  # the axis that is compared along


@dataclass(frozen=True)
class Compared:
    """One Comparison a point of the sweep, by the swept keys and their values, and the Results they rest on."""

    comparisons: list[tuple[dict[str, Any], Comparison]]
    results: Results

    def to_dict(self) -> dict[str, Any]:
        """The JSON document of `jfsq compare --json`."""
        kept = self.results.to_dict()
        points = [{"point": plain(labels), **comparison.to_dict()} for labels, comparison in self.comparisons]
        return {"scenario": kept["scenario"], "directory": kept["directory"], "comparisons": points, "notes": kept["notes"]}


def read(path: str | Path, settings: Sequence[str | tuple[str, Any]] = (), policies: Sequence[Any] | None = None) -> Scenario:
    """The scenario with the policies to compare as an axis of its sweep.

    `policies` : names or tables; by default those of [compare], or of a sweep over system.policy. Errors: ScenarioError.
    """
    scenario = Scenario.read(path, settings)
    wanted = policies or _asked(scenario).policies
    if wanted:
        scenario = Scenario.read(path, [*settings, (f"sweep.{POLICY}", list(wanted))])
    if not all(POLICY in point.labels for point in scenario.points()):
        raise ScenarioError(
            f'{path}: compare.policies is missing: which policies to compare, for example policies = ["jfsq", "jsq"] '
            "under [compare], or --policies jfsq,jsq."
        )
    return scenario


def plan(scenario: Scenario, out: str | Path | None = None) -> Planned:
    """How what `read` handed back will be run: engine and warm-up common to the policies of each point.

    Warm-ups are chosen here, by pilots, and kept in the directory `out`. Errors: PlanError, before any pilot.
    """
    ledger = Ledger(Path(out), scenario.origin(), scenario.text) if out is not None else None
    try:
        return _planned(scenario, ledger)
    except PlanError as error:
        raise PlanError(f"{scenario.source}: {error}") from None


@dataclass(frozen=True)
class Planned:
    """A scenario ready to run, and what there is to warn of at each of its points."""

    scenario: Scenario
    warnings: list[list[str]]

    @property
    def policies(self) -> list[str]:
        """Their names, as comparisons will show them."""
        return list(dict.fromkeys(spelled(point.labels[POLICY]) for point in self.scenario.points()))

    def run(
        self,
        out: str | Path | None = None,
        *,
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Compared:
        """Run every point and compare, policy by policy; the arguments are those of `Scenario.run`."""
        results = self.scenario.run(out, workers=workers, progress=progress)
        for result, said in zip(results, self.warnings, strict=True):
            result.run.warnings[:0] = said
        return compared(self.scenario, results)


def compared(scenario: Scenario, results: Results) -> Compared:
    """The Comparisons of results that are there already."""
    asked = _asked(scenario)
    against = spelled(asked.against) if asked.against else ""
    found = []
    for labels, group in _grouped(results):
        runs = {name: result.run for name, result in _by_policy(group).items()}
        found.append((labels, Comparison(runs, asked.metric, against)))
    return Compared(found, results)


# ---- parts ---------------------------------------------------------------------------------------------------


def _asked(scenario: Scenario) -> CompareTable:
    return CompareTable.model_validate(scenario.raw.get("compare", {}))


def _labels(point: Point | PointResult) -> Mapping[str, Any]:
    return point.labels if isinstance(point, Point) else point.point.labels


def _grouped(points: Sequence[Any]) -> list[tuple[dict[str, Any], list[Any]]]:
    """Points that differ in their policy alone, with the labels they share."""
    groups: list[tuple[dict[str, Any], list[Any]]] = []
    for point in points:
        shared = {k: v for k, v in _labels(point).items() if k != POLICY}
        group = next((members for labels, members in groups if labels == shared), None)
        if group is None:
            groups.append((shared, [point]))
        else:
            group.append(point)
    return groups


def _by_policy(points: Sequence[Any]) -> dict[str, Any]:
    return named(points, lambda point: spelled(_labels(point)[POLICY]))


def _planned(scenario: Scenario, ledger: Ledger | None) -> Planned:
    asked = _asked(scenario)
    as_measure(asked.metric)
    groups = [_by_policy(points) for _, points in _grouped(scenario.points())]
    chosen = [_checked(group, asked) for group in groups]
    made = [_common(group, engines, ledger) for group, engines in zip(groups, chosen, strict=True)]
    # in the order of the sweep, whichever key varies fastest
    planned = {
        id(point): found
        for group, points in zip(groups, made, strict=True)
        for point, found in zip(group.values(), points, strict=True)
    }
    ordered = [planned[id(point)] for point in scenario.points()]
    return Planned(scenario.with_points([point for point, _ in ordered]), [said for _, said in ordered])


def _checked(group: Mapping[str, Point], asked: CompareTable) -> dict[str, Engine]:
    """An engine for each policy, if they can be compared at all. Errors: PlanError."""
    plan = next(iter(group.values())).plan
    check_replications(len(plan.replications))
    if plan.precision is not None:
        raise PlanError(
            "run.precision adds replications to one policy and not to another, and a comparison pairs them; remove it, and "
            "give run.replications and run.jobs."
        )
    if asked.against is not None and spelled(asked.against) not in group:
        raise PlanError(f"compare.against = {spelled(asked.against)} is not among the policies; there are {', '.join(group)}.")
    return common_engines({name: point.system for name, point in group.items()}, plan.engine)


def _common(group: Mapping[str, Point], chosen: Mapping[str, Engine], ledger: Ledger | None) -> list[tuple[Point, list[str]]]:
    """The points with an engine each and one warm-up, and what there is to warn of."""
    points = {name: replace(p, plan=replace(p.plan, engine=chosen[name].name)) for name, p in group.items()}
    if any(point.plan.warmup != "auto" for point in points.values()):
        return [(point, []) for point in points.values()]
    longest, said = common_warmup({name: _warmup(point, chosen[name], ledger) for name, point in points.items()})
    return [(replace(p, plan=replace(p.plan, warmup=longest)), [said[name]] if name in said else []) for name, p in points.items()]


def _warmup(point: Point, engine: Engine, ledger: Ledger | None) -> WarmupChoice:
    """As a run of this point alone would choose it; remembered, so that pilots run once."""
    key = key_of(point, engine.view)
    known = ledger.warmup(key) if ledger is not None else None
    if known is not None:
        return known
    length = point.plan.length(point.system)
    choice = warmup_for(point.system, length, engine=engine.name, rng=point.plan.seed, start=point.plan.start)
    if ledger is not None:
        ledger.keep_warmup(key, choice)
    return choice
