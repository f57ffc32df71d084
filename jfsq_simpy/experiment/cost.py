"""What a grid will cost, before it is run.

In    points, how many workers
Out   Forecast: jobs and seconds, to the nearest order of magnitude or better
Rule  said, never relied on: the speeds are those of an ordinary core and a thousand servers
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jfsq_simpy import engines
from jfsq_simpy.experiment.plan import Point
from jfsq_simpy.workers import available_cores

JOBS_PER_SECOND = {"process": 5e4, "events": 1e7, "chain": 3e7}
ABREAST = 64  # replications a lockstep task advances together: below, fewer take hardly less time
LOCKSTEP_STEPS = 3e4  # a second; each advances all replications that run abreast


@dataclass(frozen=True)
class Forecast:
    """Jobs to simulate, all replications together, those that warm up among them; and about how long that takes."""

    jobs: float
    warming: float  # jobs of warm-ups, and of the pilots that choose them
    seconds: float
    engines: str
    workers: int
    compiles: bool

    @property
    def beside(self) -> str:
        """What comes on top, in words."""
        return " (a first run compiles its engine, which takes some seconds more)" if self.compiles else ""


def forecast(points: Sequence[Point], workers: int | None = None) -> Forecast:
    """What running every replication of every point amounts to. A precision may ask for more."""
    workers = workers or available_cores()
    jobs = warming = seconds = 0.0
    used: dict[str, bool] = {}
    for point in points:
        card = engines.choose(point.plan.engine, point.system, trace=False)
        used[card.name] = card.compiled
        together, plan, system = len(point.plan.replications), point.plan, point.system
        before, pilots = plan.warmup_jobs(system) * together, plan.pilot_jobs(system)
        mine = plan.expected_jobs(system) * together + before
        jobs, warming = jobs + mine + pilots, warming + before + pilots
        side_by_side = workers if len(points) > 1 else min(workers, together)
        seconds += mine / _speed(card.name, together) / side_by_side
        seconds += pilots / _speed(card.name, 1) / (workers if len(points) > 1 else 1)  # one after the other
    return Forecast(jobs, warming, seconds, " and ".join(used), workers, any(used.values()))


def _speed(engine: str, together: int) -> float:
    return LOCKSTEP_STEPS * min(together, ABREAST) if engine == "lockstep" else JOBS_PER_SECOND[engine]
