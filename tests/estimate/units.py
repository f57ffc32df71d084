"""Units made by hand: tallies with the counts a test needs, and samples of them."""

import numpy as np

from jfsq_simpy import System
from jfsq_simpy.estimate import Sample
from jfsq_simpy.tally import Tally, groups_of

FALSE_ALARM = 1e-6
SYSTEM = System([1.5, 0.5], load=0.8, places=2)


def tally(joins, blocked=0, levels=((1, 0, 0), (1, 0, 0)), snapshots=1, **counts) -> Tally:
    return Tally(np.array(joins, np.int64), np.array(levels, np.int64), blocked=blocked, snapshots=snapshots, **counts)


def sample(units, what="replications", looks=1000.0, system=SYSTEM, level=0.95) -> Sample:
    return Sample(system, groups_of(system), units, level, what, looks)


def waits_and_jobs(rng, n) -> list[Tally]:
    """Units whose number of jobs varies together with how many of them wait."""
    jobs = rng.integers(200, 400, n)
    waiting = rng.binomial(jobs, np.clip(jobs / 1000, 0, 1))
    return [tally([[j - w, w], [0, 0]]) for j, w in zip(jobs.tolist(), waiting.tolist(), strict=True)]


NONE_SEEN = [tally([[10, 0], [0, 0]]) for _ in range(5)]
