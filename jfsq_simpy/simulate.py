"""The verb: a System and a plan go in, a Run with estimates comes out.

In    a System, how long, how often, with which seed
Out   a Run: estimates by metric name, distributions, a table, everything needed to rerun
Rule  the warm-up is fixed before measuring starts, so any replication can be rerun alone
Cost  said by `Run.jobs` and `Run.seconds` (compilation not counted)
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from jfsq_simpy import engines
from jfsq_simpy.controls import surges_of
from jfsq_simpy.draws import Seed
from jfsq_simpy.engines import Engine, Progress
from jfsq_simpy.errors import PlanError
from jfsq_simpy.jobs.records import Sink
from jfsq_simpy.jobs.trace import open_sink
from jfsq_simpy.run import Run
from jfsq_simpy.stopping import Precision, is_reached, more_wanted, why_not
from jfsq_simpy.system import System
from jfsq_simpy.tally import NOTHING, Observables, Outcome, Window
from jfsq_simpy.warmup import WarmupChoice, choose_warmup, usual_length

if TYPE_CHECKING:
    from pathlib import Path

REPLICATIONS = 10
BATCHES = 32  # of a single replication, whose batches are then the units
STARTS = ("empty", "busy")


def simulate(
    system: System,
    *,
    horizon: float | None = None,
    jobs: float | None = None,
    precision: Mapping[str, Any] | None = None,
    warmup: float | str = "auto",
    replications: int | Sequence[int] | None = None,
    engine: str = "auto",
    rng: Any = None,
    trace: bool | str | Path = False,
    observe: Observables = NOTHING,
    start: str = "empty",
    batches: int | None = None,
    drain: float = math.inf,
    level: float = 0.95,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Run:
    """Simulate a system and estimate every metric.

    Parameters
    ----------
    system : System
    horizon, jobs : how long to measure a replication, in time units after the warm-up or as the
        expected number of arrivals (one of the two; with `precision` neither is needed: 100,000 jobs then,
        or ten relaxation times, `warmup.usual_length`)
    precision : {"metric": ..., "relative": 0.05, "max_seconds": 600}, optional; adds replications until
        the interval's half width is that share of the value, or the time is up, or the metric was never
        seen and could not be known in that time (`stopping`). In the chain view surges of arrivals are
        counted too, and all numbers of the run corrected by them (`Run.controlled`)
    warmup : "auto" (pilot replications, MSER-5) or time units
    replications : how many (default 10; 1 with a trace), or the numbers to run, say [99]
    engine : "auto", "process", "events", "lockstep", "chain"
    rng : int, SeedSequence, Generator or None (fresh entropy, recorded in `Run.seed`)
    trace : True keeps every job's record in memory, a path writes it to a Parquet file; `Run.trace` reads it
    observe : Observables to count at snapshots
    start : "empty", or "busy": each of the N2 fastest servers holds one job at time 0
    batches : parts of a replication tallied apart; default 32 for a single replication, else 1
    drain : how long after the window to wait for its jobs to leave
    level : of the confidence intervals
    workers : replications side by side (default: all cores); results do not depend on it
    progress : called with (replications done, replications in all)

    Returns a Run; times are in mean service times of the average server. Errors: ModelError, PlanError, and DataError
    where a trace cannot be written. Cost: see `engines`, 10^5 (to be read) to 5 x 10^7 (compiled) arrivals per second
    and core; compiled kernels take some seconds the first time. Source: section 2.

    >>> from jfsq_simpy import System
    >>> run = simulate(System(rates=[1.0], load=0.5, places=2), horizon=500, engine="process", rng=1, replications=4, workers=1)
    >>> run.waiting_probability.low < 3 / 7 < run.waiting_probability.high  # M/M/1/2: rho (1 + rho) / (1 + rho + rho^2)
    True
    """
    _check_plan(start, level, drain, workers, batches, observe, trace)
    goal = None if precision is None else _precision(precision, trace)
    numbers = _numbers(replications, trace)
    if goal is not None and horizon is None and jobs is None:
        horizon = usual_length(system)
    length = window_length(system, horizon, jobs)
    seed, chosen = Seed.of(rng), engines.choose(engine, system, trace=trace is not False)
    planned = Window(_warmup_time(warmup), length, batches or (BATCHES if len(numbers) == 1 else 1), drain)
    observe = observed_for(system, chosen, observe, precise=goal is not None)
    engines.compile_for(chosen, system)
    warm = WarmupChoice(planned.warmup, 0, 0.0)
    if _is_auto(warmup):
        warm = choose_warmup(system, length, _pilot(chosen, system, seed, start), start)
    window = replace(planned, warmup=warm.time)
    before = time.perf_counter()

    def measure(these: Sequence[int], sinks: Sequence[Sink] | None = None) -> list[Outcome]:
        return engines.run_replications(
            chosen, system, seed, these, window, observe=observe, start=start, sinks=sinks, workers=workers, progress=progress
        )

    if trace is False:
        outcomes, recorded = measure(numbers), None
    else:
        with open_sink(trace, system, seed=seed, replications=numbers, engine=chosen.name, window=window) as recording:
            outcomes = measure(numbers, [recording.of(n) for n in numbers])
            recorded = recording.commit()
    run = Run.from_outcomes(
        system,
        outcomes,
        engine=chosen.name,
        seed=seed,
        window=window,
        replications=numbers,
        observe=observe,
        start=start,
        level=level,
        seconds=time.perf_counter() - before,
        warnings=[warm.warning] if warm.warning else [],
    )
    run.trace = recorded
    return run if goal is None else _until_precise(run, goal, measure, before)


def observed_for(system: System, engine: Engine, observe: Observables, *, precise: bool) -> Observables:
    """What a run counts at snapshots: surges too where a precision is wanted and the engine can. Errors: PlanError."""
    if engine.view == "chain":
        return replace(observe, surges=surges_of(system)) if precise and not observe.surges else observe
    if observe.surges:
        raise PlanError(f'observe.surges are counted in the chain view, and engine {engine.name} is not: take engine = "chain".')
    return observe


def window_length(system: System, horizon: float | None, jobs: float | None) -> float:
    """Time units to measure: the horizon, or the time in which `jobs` arrivals are expected. Errors: PlanError."""
    if (horizon is None) == (jobs is None):
        raise PlanError("give horizon (time units after the warm-up) or jobs (expected arrivals a replication): one of the two.")
    if horizon is not None:
        if not (_is_number(horizon) and 0 < horizon < math.inf):
            raise PlanError(f"horizon = {horizon!r} must be a finite time above 0: it is how long to measure after the warm-up.")
        return float(horizon)
    if not (_is_number(jobs) and 0 < jobs < math.inf):
        raise PlanError(f"jobs = {jobs!r} must be a finite number above 0: arrivals expected in a replication.")
    return float(jobs) / system.arrival_rate


def warmup_for(
    system: System, length: float, *, engine: str = "auto", rng: Any = None, start: str = "empty", trace: bool = False
) -> WarmupChoice:
    """The warm-up `simulate` would choose: a function of system, seed, engine's view, start and length alone."""
    chosen = engines.choose(engine, system, trace=trace)
    return choose_warmup(system, length, _pilot(chosen, system, Seed.of(rng), start), start)


def _pilot(engine: Engine, system: System, seed: Seed, start: str) -> Callable[[int, Window, Observables], Outcome]:
    def pilot(number: int, window: Window, observe: Observables) -> Outcome:
        return engines.run_replications(engine, system, seed, [number], window, observe=observe, start=start, workers=1)[0]

    return pilot


def _precision(precision: Mapping[str, Any], trace: Any) -> Precision:
    if trace is not False:
        raise PlanError("precision adds replications as it goes, and a trace is of replications fixed before; give one of the two.")
    known = {f.name for f in fields(Precision)}
    if not isinstance(precision, Mapping) or set(precision) - known or "metric" not in precision:
        raise PlanError(
            f"precision = {precision!r} must name a metric, and may give relative and max_seconds, for example "
            '{"metric": "waiting_probability", "relative": 0.05, "max_seconds": 600}.'
        )
    return Precision(**precision)


def _until_precise(run: Run, goal: Precision, measure: Callable[[Sequence[int]], list[Outcome]], began: float) -> Run:
    while True:
        estimate, n = run[goal.metric], len(run.replications)
        if is_reached(goal, estimate):
            return replace(run, precise=True)
        spent = time.perf_counter() - began
        more = more_wanted(goal, estimate, n, cost=spent, spent=spent)
        if not more:
            said = why_not(goal, estimate, n, cost=spent, spent=spent)
            return replace(run, precise=False, warnings=[*run.warnings, said])
        first = max(run.replications) + 1
        numbers = list(range(first, first + more))
        run = run.extended(measure(numbers), numbers, time.perf_counter() - began)


# ---- a plan that is one --------------------------------------------------------------------------------------


def _check_plan(start: Any, level: Any, drain: Any, workers: Any, batches: Any, observe: Any, trace: Any) -> None:
    if start not in STARTS:
        raise PlanError(f'start = {start!r} must be "empty" or "busy" (one job at each of the N2 fastest servers).')
    if not (_is_number(level) and 0 < level < 1):
        raise PlanError(f"level = {level} must lie between 0 and 1: the confidence level of the intervals, for example 0.95.")
    if not (_is_number(drain) and drain >= 0):
        raise PlanError(f"drain = {drain} must be a time at or above 0: how long after the window to wait for its jobs to leave.")
    for name, value in (("workers", workers), ("batches", batches)):
        if value is not None and not (_is_whole(value) and value >= 1):
            raise PlanError(f"{name} = {value!r} must be a whole number, at least 1.")
    if not isinstance(observe, Observables):
        raise PlanError(f"observe = {observe!r} must be a tally.Observables, for example Observables(path=True).")
    if not isinstance(trace, (bool, str, os.PathLike)):
        raise PlanError(f"trace = {trace!r} must be True (keep it in memory) or the path of a Parquet file to write.")


def _numbers(replications: Any, trace: Any) -> list[int]:
    if replications is None:
        replications = 1 if trace is not False else REPLICATIONS
    if _is_whole(replications):
        if replications < 1:
            raise PlanError(f"replications = {replications} must be at least 1, or a list of replication numbers.")
        return list(range(int(replications)))
    numbers = list(replications) if isinstance(replications, (Sequence, np.ndarray, range)) else []
    if not numbers or not all(_is_whole(n) and 0 <= n < 2**31 for n in numbers) or len(set(numbers)) != len(numbers):
        raise PlanError(f"replications = {replications!r} must be how many, or a list of different numbers from 0 to 2^31 - 1.")
    return [int(n) for n in numbers]


def _is_auto(warmup: Any) -> bool:
    return isinstance(warmup, str) and warmup == "auto"


def _warmup_time(warmup: Any) -> float:
    """The time units given; 0 as long as pilots have not chosen."""
    if _is_auto(warmup):
        return 0.0
    if not _is_number(warmup):
        raise PlanError(f'warmup = {warmup!r} must be "auto" or a number of time units.')
    return float(warmup)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
