"""An installation's own check: engines against each other, and against exact values.

In    nothing but a seed
Out   one Finding a check: what was compared, the verdict, how it came out
Rule  twin engines must agree to the last bit on the same draws; across views, and against exact values,
      agreement is in law, judged at a stated chance of a false alarm
Cost  under a minute, compilation included
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy

from jfsq_simpy import engines, exact, metrics, rates
from jfsq_simpy.draws import Seed
from jfsq_simpy.engines import ENGINES
from jfsq_simpy.jobs.sinks import MemorySink
from jfsq_simpy.simulate import simulate
from jfsq_simpy.system import System
from jfsq_simpy.tally import Observables, Outcome, Window, merged

FALSE_ALARM = 1e-6  # of a whole verification: a red line means a bug, not bad luck
RANDOM_SYSTEMS = 24
METRICS = ("waiting_probability", "blocking_probability", "mean_wait", "mean_jobs", "busy_capacity")


@dataclass(frozen=True)
class Finding:
    """One check: `verdict` is "agrees", "differs" or "not run"."""

    check: str
    verdict: str
    detail: str
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """JSON's shape."""
        return asdict(self)


def verify(seed: int = 2026) -> Iterator[Finding]:
    """Every check in turn; the caller decides what to do with the findings.

    >>> findings = verify()
    >>> next(findings).verdict in ("agrees", "not run")
    True
    """
    yield _timed("jobs view: process = events", lambda: _jobs_twins(seed))
    yield _timed("chain view: lockstep = chain, server by server", lambda: _chain_twins(seed, "servers"))
    yield _timed("chain view: lockstep = chain, by speed class", lambda: _chain_twins(seed, "classes"))
    for name in ENGINES:
        yield _timed(f"{name} against exact values", partial(_against_exact, name, seed))
    yield _timed("jobs view against chain view, N = 200", lambda: _across_views(seed))
    yield _timed("a replication rerun alone", lambda: _rerun(seed))


def _timed(check: str, run: Callable[[], tuple[str, str]]) -> Finding:
    before = time.perf_counter()
    verdict, detail = run()
    return Finding(check, verdict, detail, time.perf_counter() - before)


# ---- twins, to the last bit ----------------------------------------------------------------------------------


def _jobs_twins(seed: int) -> tuple[str, str]:
    if missing := _missing("events"):
        return missing
    jobs = 0
    for k, system in enumerate(random_systems(seed, laws=True)):
        ours, theirs = (_recorded(ENGINES[name], system, seed, k) for name in ("process", "events"))
        if difference := _difference(ours, theirs):
            return "differs", f"{difference} of {system!r}, seed {seed}, replication {k}"
        jobs += ours[0].arrivals
    return "agrees", f"{RANDOM_SYSTEMS} random systems, {jobs:,} jobs: every record and count equal to the last bit"


def _chain_twins(seed: int, form: str) -> tuple[str, str]:
    if missing := _missing("chain"):
        return missing
    window, observe, events = Window(3.0, 30.0, batches=2), Observables(path=True), 0
    for k, system in enumerate(random_systems(seed, laws=False)):
        lockstep = ENGINES["lockstep"].load().run(system, Seed.of(seed), [k], window, observe=observe, form=form)[0]
        compiled = ENGINES["chain"].load().run(system, Seed.of(seed), k, window, observe=observe, form=form)
        if lockstep.tallies != compiled.tallies:
            return "differs", f"counts of {system!r}, seed {seed}, replication {k}"
        events += lockstep.arrivals
    return "agrees", f"{RANDOM_SYSTEMS} random systems, {events:,} jobs: every count and path equal to the last bit"


def _recorded(engine: engines.Engine, system: System, seed: int, k: int) -> tuple[Outcome, dict[str, Any]]:
    sink = MemorySink()
    outcome = engine.load().run(
        system, Seed.of(seed), k, Window(3.0, 60.0, batches=2), start="busy" if k % 2 else "empty", sink=sink
    )
    return outcome, sink.columns()


def _difference(ours: tuple[Outcome, dict[str, Any]], theirs: tuple[Outcome, dict[str, Any]]) -> str | None:
    for name, column in ours[1].items():
        if not np.array_equal(column, theirs[1][name], equal_nan=column.dtype.kind == "f"):
            return f"column {name}"
    return None if ours[0].tallies == theirs[0].tallies else "counts"


def random_systems(seed: int, *, laws: bool) -> Iterator[System]:
    """Small systems of every kind: ties, one place, overload; with `laws`, times that collide, sizes of any law, stale boards."""
    rng = np.random.default_rng([seed, 1])
    sizes: list[Any] = ["exponential", "deterministic", {"law": "hyperexponential", "scv": 4}, {"law": "erlang", "k": 2}]
    gaps: list[Any] = ["poisson", "deterministic", {"law": "batch", "size": 2}]
    known: list[Any] = ["perfect", {"dispatchers": 3}, {"dispatchers": 3, "queues": {"name": "refreshed", "every": 0.5}}]
    for _ in range(RANDOM_SYSTEMS):
        speeds = rng.choice([1.0, 1.0, 2.0, 3.5], size=rng.integers(1, 20))
        yield System(
            rates=rates.from_speeds(speeds),
            load=float(rng.choice([0.4, 0.8, 0.95, 1.4])),
            places=int(rng.integers(1, 6)),
            policy=str(rng.choice(["jfsq", "jfsq", "jsq", "random"])),
            size=sizes[rng.integers(len(sizes))] if laws else "exponential",
            arrivals=gaps[rng.integers(len(gaps))] if laws else "poisson",
            knowledge=known[rng.integers(len(known))] if laws else "perfect",
        )


# ---- laws ----------------------------------------------------------------------------------------------------


def small_systems() -> list[System]:
    """Systems small enough for `exact`, one of each kind."""
    return [
        System(rates=[1.0], load=0.8, places=2),
        System(rates=[1.5, 1.0, 0.5], load=0.9, places=3),
        System(rates=[1.5, 1.0, 0.5], load=0.9, places=2, policy="jsq"),
        System(rates=rates.two_speed(8, ratio=3), load=0.85, places=2),
        System(rates=[2.0, 0.7, 0.3], load=1.3, places=1),
    ]


def _against_exact(name: str, seed: int) -> tuple[str, str]:
    if missing := _missing(name):
        return missing
    worst, systems = 0.0, small_systems()
    allowed = float(scipy.stats.norm.isf(FALSE_ALARM / (2 * len(ENGINES) * len(systems) * len(METRICS))))
    for system in systems:
        jobs = 40_000 if ENGINES[name].compiled else 3_000
        run = simulate(system, jobs=jobs, warmup=60, replications=12, engine=name, rng=seed, workers=1)
        law = exact.solve(system)
        for metric in METRICS:
            values = np.array([_alone(run, r, metric) for r in range(12)])
            z = _deviate(values - law[metric])
            worst = max(worst, abs(z))
            if abs(z) > allowed:
                return "differs", f"{metric} of {system!r}: {values.mean():.6g}, exactly {law[metric]:.6g} (z = {z:.1f})"
    return "agrees", f"{len(systems)} systems x {len(METRICS)} metrics, largest |z| = {worst:.1f} (allowed {allowed:.1f})"


def _across_views(seed: int) -> tuple[str, str]:
    system = System(rates=rates.linear(200, ratio=3), alpha=0.5, places=5)
    names = [next(n for n in pair if ENGINES[n].available) for pair in (("events", "process"), ("chain", "lockstep"))]
    jobs = 100_000 if all(ENGINES[n].compiled for n in names) else 10_000
    runs = [simulate(system, jobs=jobs, warmup=30, replications=12, engine=n, rng=seed + i) for i, n in enumerate(names)]
    allowed = float(scipy.stats.norm.isf(FALSE_ALARM / (2 * len(METRICS))))
    worst = 0.0
    for metric in METRICS:
        # independent seeds, so the differences replication by replication are independent too
        z = _deviate(np.array([_alone(runs[0], r, metric) - _alone(runs[1], r, metric) for r in range(12)]))
        worst = max(worst, abs(z))
        if abs(z) > allowed:
            return (
                "differs",
                f"{metric}: {runs[0][metric].value:.6g} ({names[0]}), {runs[1][metric].value:.6g} ({names[1]}), z = {z:.1f}",
            )
    return "agrees", f"{names[0]} and {names[1]}, {len(METRICS)} metrics, largest |z| = {worst:.1f} (allowed {allowed:.1f})"


def _alone(run: Any, r: int, metric: str) -> float:
    return metrics.METRICS[metric](metrics.averages(run.system, run.groups, merged(run.tallies[r])))


def _deviate(x: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Student's t of the mean of x as the normal deviate of the same tail; 0 when nothing varies about 0."""
    error = float(x.std(ddof=1)) / math.sqrt(x.size)
    if error == 0:
        return 0.0 if x.mean() == 0 else math.inf
    t = float(x.mean()) / error
    return math.copysign(float(scipy.stats.norm.isf(scipy.stats.t.sf(abs(t), x.size - 1))), t)


def _rerun(seed: int) -> tuple[str, str]:
    system, wanted = small_systems()[1], 7
    together = simulate(system, jobs=500, warmup=10, replications=8, rng=seed)
    alone = simulate(system, jobs=500, warmup=10, replications=[wanted], batches=1, rng=seed)
    if together.tallies[wanted] != alone.tallies[0]:
        return "differs", f"replication {wanted} of {system!r} is not the same alone and among others"
    return "agrees", f"replication {wanted} alone gives the counts it gave among 8"


def _missing(name: str) -> tuple[str, str] | None:
    return None if ENGINES[name].available else ("not run", "needs Numba: pip install 'jfsq_simpy[fast]'")


def failed(findings: Sequence[Finding]) -> bool:
    """Whether any check found a difference."""
    return any(f.verdict == "differs" for f in findings)
