"""The verb: a System and a plan go in, a Run with estimates comes out.

In    a System, how long, how often, with which seed
Out   a Run: estimates by metric name, distributions, a table, everything needed to rerun
Rule  the warm-up is fixed before measuring starts, so any replication can be rerun alone
Cost  said by `Run.jobs` and `Run.seconds` (compilation not counted)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jfsq_simpy import engines
from jfsq_simpy.draws import Seed
from jfsq_simpy.engines import Engine, Progress
from jfsq_simpy.errors import PlanError
from jfsq_simpy.estimate import Estimate
from jfsq_simpy.jobs.trace import MemorySink, Trace
from jfsq_simpy.run import Run
from jfsq_simpy.system import System
from jfsq_simpy.tally import NOTHING, Observables, Outcome, Window
from jfsq_simpy.warmup import WarmupChoice, choose_warmup

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
        expected number of arrivals (one of the two)
    precision : {"metric": ..., "relative": ..., "max_seconds": ...}, optional; adds replications until
        the interval's half width is that share of the value, or the time is up
    warmup : "auto" (pilot replications, MSER-5) or time units
    replications : how many (default 10; 1 with a trace), or the numbers to run, say [99]
    engine : "auto", "process", "events", "lockstep", "chain"
    rng : int, SeedSequence, Generator or None (fresh entropy, recorded in `Run.seed`)
    trace : True keeps every job's record in memory, a path writes it to a Parquet file
    observe : Observables to count at snapshots
    start : "empty", or "busy": each of the N2 fastest servers holds one job at time 0
    batches : parts of a replication tallied apart; default 32 for a single replication, else 1
    drain : how long after the window to wait for its jobs to leave
    level : of the confidence intervals
    workers : replications side by side (default: all cores); results do not depend on it
    progress : called with (replications done, replications in all)

    Errors: ModelError, PlanError. Source: section 2.

    >>> from jfsq_simpy import System
    >>> run = simulate(System(rates=[1.0], load=0.5, places=2), horizon=500, engine="process", rng=1, replications=4, workers=1)
    >>> run.waiting_probability.low < 3 / 7 < run.waiting_probability.high  # M/M/1/2: rho (1 + rho) / (1 + rho + rho^2)
    True
    """
    _check_plan(replications, start, level)
    chosen = engines.choose(engine, system, trace=bool(trace))
    seed = Seed.of(rng)
    numbers = _numbers(replications, trace)
    length = window_length(system, horizon, jobs)
    engines.compile_for(chosen)
    pilot = _pilot(chosen, system, seed, start)
    warm = choose_warmup(system, length, pilot) if warmup == "auto" else WarmupChoice(_warmup_time(warmup), 0, 0.0)
    n_batches = batches or (BATCHES if len(numbers) == 1 else 1)
    window = Window(warm.time, length, n_batches, drain)
    sinks = [MemorySink() for _ in numbers] if trace else None
    before = time.perf_counter()

    def measure(these: Sequence[int]) -> list[Outcome]:
        return engines.run_replications(
            chosen, system, seed, these, window, observe=observe, start=start, sinks=sinks, workers=workers, progress=progress
        )

    outcomes = measure(numbers)
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
    if precision is not None:
        run = _until_precise(run, precision, measure, before)
    if sinks:
        run.trace = Trace(system, sinks[0].columns())
    return run


def window_length(system: System, horizon: float | None, jobs: float | None) -> float:
    """Time units to measure: the horizon, or the time in which `jobs` arrivals are expected."""
    if (horizon is None) == (jobs is None):
        raise PlanError("give horizon (time units after the warm-up) or jobs (expected arrivals a replication): one of the two.")
    if horizon is not None:
        return float(horizon)
    assert jobs is not None
    if not (math.isfinite(jobs) and jobs > 0):
        raise PlanError(f"jobs = {jobs} must be a finite number above 0: arrivals expected in a replication.")
    return jobs / system.arrival_rate


def warmup_for(
    system: System, length: float, *, engine: str = "auto", rng: Any = None, start: str = "empty", trace: bool = False
) -> WarmupChoice:
    """The warm-up `simulate` would choose: a function of system, seed, engine's view, start and length alone."""
    chosen = engines.choose(engine, system, trace=trace)
    return choose_warmup(system, length, _pilot(chosen, system, Seed.of(rng), start))


def _pilot(engine: Engine, system: System, seed: Seed, start: str) -> Callable[[int, Window, Observables], Outcome]:
    def pilot(number: int, window: Window, observe: Observables) -> Outcome:
        return engines.run_replications(engine, system, seed, [number], window, observe=observe, start=start, workers=1)[0]

    return pilot


def _until_precise(run: Run, precision: Mapping[str, Any], measure: Callable[[Sequence[int]], list[Outcome]], began: float) -> Run:
    metric, relative = str(precision["metric"]), float(precision["relative"])
    seconds = float(precision.get("max_seconds", math.inf))
    while not run[metric].half_width <= relative * run[metric].value:
        spent, n = time.perf_counter() - began, len(run.replications)
        estimate: Estimate = run[metric]
        goal = relative * estimate.value
        factor = (estimate.half_width / goal) ** 2 if goal > 0 else 2.0
        more = max(1, math.ceil(n * min(factor - 1, 1.0)))  # at most twice as many at a time: the width is itself an estimate
        affordable = math.floor((seconds - spent) / (spent / n))
        if affordable < 1:
            run.warnings.append(
                f"{metric}: half width {estimate.half_width:.3g} after {spent:.0f} s is above {relative:.3g} of its value "
                f"{estimate.value:.3g}; give more time (max_seconds) or a coarser goal (relative)."
            )
            run.precise = False
            return run
        numbers = range(max(run.replications) + 1, max(run.replications) + 1 + min(more, affordable))
        run = run.extended(measure(numbers), list(numbers), time.perf_counter() - began)
    run.precise = True
    return run


def _check_plan(replications: Any, start: str, level: float) -> None:
    if start not in STARTS:
        raise PlanError(f'start = {start!r} must be "empty" or "busy" (one job at each of the N2 fastest servers).')
    if not 0 < level < 1:
        raise PlanError(f"level = {level} must lie between 0 and 1: the confidence level of the intervals, for example 0.95.")
    if isinstance(replications, int) and (isinstance(replications, bool) or replications < 1):
        raise PlanError(f"replications = {replications} must be at least 1, or a list of replication numbers.")


def _numbers(replications: int | Sequence[int] | None, trace: Any) -> list[int]:
    if replications is None:
        replications = 1 if trace else REPLICATIONS
    numbers = list(range(replications)) if isinstance(replications, int) else [int(n) for n in replications]
    if not numbers or len(set(numbers)) != len(numbers) or min(numbers) < 0 or max(numbers) >= 2**31:
        raise PlanError(f"replications = {replications} must be different whole numbers from 0 to 2^31 - 1.")
    return numbers


def _warmup_time(warmup: float | str) -> float:
    try:
        return float(warmup)
    except ValueError:
        raise PlanError(f'warmup = {warmup!r} must be "auto" or a number of time units.') from None
