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
    """Jobs all replications measure together (warm-ups come on top), and about how long that takes."""

    jobs: float
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
    jobs = seconds = 0.0
    used: dict[str, bool] = {}
    for point in points:
        card = engines.choose(point.plan.engine, point.system, trace=False)
        engine, used[card.name] = card.name, card.compiled
        mine = point.plan.expected_jobs(point.system) * len(point.plan.replications)
        jobs += mine
        together = len(point.plan.replications)
        speed = LOCKSTEP_STEPS * min(together, ABREAST) if engine == "lockstep" else JOBS_PER_SECOND[engine]
        seconds += mine / speed / (workers if len(points) > 1 else min(workers, together))
    return Forecast(jobs, seconds, " and ".join(used), workers, any(used.values()))
