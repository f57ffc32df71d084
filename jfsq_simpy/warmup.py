"""How long to wait before measuring.

In    the path of jobs present, averaged over pilot replications
Out   a truncation point by MSER-5, and a warning when the pilots were too short to tell
Rule  chosen by pilots before measuring starts and then fixed: otherwise replication 7 could not be
      rerun alone, and the measured data would choose their own start
Cost  O(snapshots)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from jfsq_simpy.draws import FIRST_PILOT
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import SNAPSHOTS_PER_UNIT, Observables, Outcome, Window

BATCH = 5
SHORTEST = 64.0  # time units: shortest pilot, unless the run itself is shorter
MOST_PILOTS = 8
PILOT_JOBS = 200_000  # about as many jobs, over all pilots, are enough to see a transient

PilotRun = Callable[[int, Window, Observables], Outcome]


@dataclass(frozen=True)
class WarmupChoice:
    """The chosen warm-up in time units, what it rests on, and a warning or None."""

    time: float
    pilots: int
    pilot_length: float
    warning: str | None = None


def relaxation_time(system: System) -> float:
    """The order of the time the number of jobs needs to forget: max(1, N^(2 alpha - 1)) time units.

    Below Halfin-Whitt a few service times; above it the queue moves on the time scale N^(2 alpha - 1).
    """
    if system.alpha is None:
        return 1.0
    return float(max(1.0, system.n_servers ** (2 * system.alpha - 1)))


def mser5(path: FloatArray) -> int:
    """How many leading entries to cut: MSER-5, the truncation that minimises the standard error's square.

    Looks at the first half only; a minimum at its end means the path is too short to tell.
    Source: White, Cobb & Spratt (2000). O(n).

    >>> mser5(np.concatenate([np.zeros(50), np.ones(950)]))
    50
    """
    means = path[: path.size // BATCH * BATCH].reshape(-1, BATCH).mean(axis=1)
    n = means.size
    if n < 2:
        return 0
    left = n - np.arange(n // 2 + 1)
    tail_sum = np.cumsum(means[::-1])[::-1][: left.size]
    tail_squares = np.cumsum((means**2)[::-1])[::-1][: left.size]
    score = (tail_squares - tail_sum**2 / left) / left**2
    return int(np.argmin(score)) * BATCH


def choose_warmup(system: System, length: float, pilot: PilotRun) -> WarmupChoice:
    """The warm-up for a run of `length` time units, twice the MSER-5 point of pilot runs.

    `pilot(number, window, observe)` runs one pilot replication. Pilots are as long as eight relaxation
    times, but never longer than the run they are for.
    """
    relaxation = relaxation_time(system)
    pilot_length = min(max(SHORTEST, 8 * relaxation), max(length, 8.0))
    n_pilots = int(np.clip(PILOT_JOBS / (system.arrival_rate * pilot_length), 1, MOST_PILOTS))
    window = Window(0.0, pilot_length)
    paths = [pilot(FIRST_PILOT + i, window, Observables(path=True)).tallies[0].path for i in range(n_pilots)]
    shortest = min(p.size for p in paths)
    cut = mser5(np.mean([p[:shortest] for p in paths], axis=0))
    per_unit = shortest / pilot_length if shortest else SNAPSHOTS_PER_UNIT
    time = 2.0 * cut / per_unit
    too_short = cut > 0.4 * shortest or pilot_length < 4 * relaxation
    warning = None
    if too_short:
        warning = (
            f"the run ({length:.4g} time units) is too short to tell when it has warmed up: the number of jobs forgets on the "
            f'time scale N^(2 alpha - 1), here about {relaxation:.3g} time units; give a longer horizon, or start = "busy".'
        )
    return WarmupChoice(float(np.ceil(time)), n_pilots, pilot_length, warning)
