"""How long to wait before measuring.

In    the path of jobs present, averaged over pilot replications
Out   a truncation point by MSER-5, and a warning when the pilots were too short to tell
Rule  chosen by pilots before measuring starts and then fixed: otherwise replication 7 could not be
      rerun alone, and the measured data would choose their own start
Cost  O(snapshots)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jfsq_simpy.draws import FIRST_PILOT
from jfsq_simpy.policies import AskAll, AskWork, IdleFirst, OneQueue
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Observables, Outcome, Window

BATCH = 5
SHORTEST = 64.0  # time units: shortest pilot, unless the run itself is shorter
MOST_PILOTS = 8
PILOT_JOBS = 200_000  # about as many jobs, over all pilots, are enough to see a transient
MOST_DOUBLINGS = 3
LATEST_CUT = 0.4  # of the pilots: MSER looks at the first half only, and a minimum near its end tells nothing
USUAL_JOBS = 100_000  # of a replication whose length nobody names
MOST_USUAL_JOBS = 100_000_000  # a second or two of the compiled chain
MOST_VARIABILITY = 100.0  # beyond, as with infinite variance, no warm-up can be said to be enough

PilotRun = Callable[[int, Window, Observables], Outcome]


@dataclass(frozen=True)
class WarmupChoice:
    """The chosen warm-up in time units, what it rests on, and a warning or None."""

    time: float
    pilots: int
    pilot_length: float
    warning: str | None = None


def relaxation_time(system: System) -> float:
    """About how long the system takes to forget its state by a factor e (1 / spectral gap), in time units.

    A slow server forgets in 1 / mu_N. All servers together, once none is idle, are one queue of rate N
    with N (b - 1) waiting places: an M/M/1 queue forgets in 1 / (N (1 - sqrt(load))^2), that is about
    4 N^(2 alpha - 1), or before that when its places are few. Policies that may join a busy server
    while another is idle leave each server to forget as a queue of its own. More variable arrivals and
    sizes slow a queue down in proportion. O(speed classes). Between 0.8 and 2.1 times the true value on
    small systems under JFSQ below load 1, to 3 times above: rather too long than too short. Servers that
    fail are slower by their availability, and forget whether they are up in 1 / (1 / mean_up + 1 / mean_down).
    Beliefs that drift begin at the truth and forget that in the drift's memory.

    >>> from jfsq_simpy import rates
    >>> relaxation_time(System(rates.homogeneous(10_000), alpha=0.75, places=5)) > 300
    True
    """
    rates, load, places = system.rates, system.load / system.availability, system.places
    queue = 1 / (rates.n_servers * _gap(load, rates.n_servers * (places - 1) + 1))
    looks = isinstance(system.policy.query, (AskAll, AskWork, IdleFirst, OneQueue)) and system.knowledge.true_queues
    if not looks or not system.policy.full_last:
        alone = rates.speeds * _gap(load / rates.speeds, places)
        queue = max(queue, 1 / float(alone.min()))
    variability = np.clip((system.size.scv + system.arrivals.scv) / 2, 1.0, MOST_VARIABILITY)
    forgets = float(1 / rates.slowest + queue * variability)
    speeds = system.knowledge.speeds
    if speeds is not None and speeds.drift is not None:
        forgets += speeds.drift.memory
    if system.breakdowns is None:
        return forgets
    up, down = system.breakdowns.mean_up, system.breakdowns.mean_down
    return forgets / system.availability + 1 / (1 / up + 1 / down)


def looks_of(system: System, replications: int, length: float) -> float:
    """How many independent glances at a system so many replications of `length` time units amount to.

    A look takes the system, its arrivals and what is believed of speeds to forget the one before, and a job to
    come and see. Beliefs that are drawn once a replication are looked at once a replication.

    >>> from jfsq_simpy import rates
    >>> system = System(rates.homogeneous(10), load=0.5, places=2)
    >>> looks_of(system, 10, 1000.0) > 1000, looks_of(system.replaced(knowledge={"speeds": {"noise": 0.5}}), 10, 1000.0)
    (True, 10.0)
    """
    speeds = system.knowledge.speeds
    a_look = relaxation_time(system) + (1 + system.arrivals.memory) / system.arrival_rate
    found = replications * length / a_look
    return min(found, float(replications)) if speeds is not None and speeds.noise else found


def usual_length(system: System) -> float:
    """How long a replication measures where nobody says, in time units: 100,000 jobs, or ten relaxation times if those are longer.

    Ten relaxation times are cut at 10^8 jobs: far above Halfin-Whitt they can be more than anybody waits for,
    and then the warm-up warns.

    >>> from jfsq_simpy import rates
    >>> small, large = (System(rates.homogeneous(n), alpha=0.5, places=5) for n in (100, 1_000_000))
    >>> round(usual_length(small) * small.arrival_rate), usual_length(large) > 40      # not 0.1
    (100000, True)
    """
    ten = min(10 * relaxation_time(system), MOST_USUAL_JOBS / system.arrival_rate)
    return max(USUAL_JOBS / system.arrival_rate, ten)


def filling_time(system: System) -> float:
    """How long an overloaded system takes to fill its places, in time units; 0 below load 1."""
    if system.load < 1:
        return 0.0
    drifting = system.places / (system.load - 1) if system.load > 1 else math.inf
    return min(drifting, system.n_servers * system.places**2 / 2)  # near load 1 it wanders there by itself


def _gap(load: Any, states: int) -> Any:
    """The spectral gap of an M/M/1 queue of rate 1 with states 0 .. `states`; exact. Source: Morse (1958)."""
    root = np.sqrt(load)
    return ((1 - load) / (1 + root)) ** 2 + 4 * root * np.sin(np.pi / (2 * (states + 1))) ** 2


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
    means = means - means.mean()  # or squares of large numbers would cancel
    left = n - np.arange(n // 2 + 1)
    tail_sum = np.cumsum(means[::-1])[::-1][: left.size]
    tail_squares = np.cumsum((means**2)[::-1])[::-1][: left.size]
    spread = tail_squares - tail_sum**2 / left
    spread[spread < 1e-12 * tail_squares[0]] = 0.0  # rounding; of several that do not vary at all the first is taken
    return int(np.argmin(spread / left**2)) * BATCH


def choose_warmup(system: System, length: float, pilot: PilotRun, start: str = "empty") -> WarmupChoice:
    """The warm-up for a run of `length` time units: twice the MSER-5 point of pilot runs.

    `pilot(number, window, observe)` runs one pilot replication. Pilots are as long as eight relaxation
    times, but never longer than the run they are for; while they look too short to tell, they are made
    twice as long. MSER-5 is noisy and may cut too early, so two relaxation times are waited for in any
    case, unless that is more than a quarter of the run.
    """
    relaxation, longest = relaxation_time(system), max(length, 8.0)
    pilot_length = _first_length(system, length)
    n_pilots, cut, share = _pilots(system, pilot_length, pilot)
    for _ in range(MOST_DOUBLINGS):
        if share <= LATEST_CUT or pilot_length >= longest:
            break
        pilot_length = min(2 * pilot_length, longest)
        n_pilots, cut, share = _pilots(system, pilot_length, pilot)
    time = max(math.ceil(2 * cut), least_warmup(system, length))
    too_short = share > LATEST_CUT or pilot_length < 4 * relaxation
    return WarmupChoice(float(time), n_pilots, pilot_length, _warning(length, relaxation, start) if too_short else None)


def least_warmup(system: System, length: float) -> float:
    """What `choose_warmup` waits for in any case, in time units: about what it will be, before pilots have run."""
    return float(math.ceil(min(2 * relaxation_time(system), length / 4)))


def pilot_time(system: System, length: float) -> float:
    """How long the first pilots simulate, all together, in time units; more, where they look too short to tell."""
    each = _first_length(system, length)
    return _how_many(system, each) * each


def _first_length(system: System, length: float) -> float:
    return min(max(SHORTEST, 8 * relaxation_time(system), 4 * filling_time(system)), max(length, 8.0))


def _how_many(system: System, length: float) -> int:
    return int(np.clip(PILOT_JOBS / (system.arrival_rate * length), 1, MOST_PILOTS))


def _pilots(system: System, length: float, pilot: PilotRun) -> tuple[int, float, float]:
    """How many pilots ran, where MSER-5 cuts their mean path, in time units and as a share of it."""
    n = _how_many(system, length)
    window, observe = Window(0.0, length), Observables(path=True)
    paths = [pilot(FIRST_PILOT + i, window, observe).tallies[0].path for i in range(n)]
    shortest = min(p.size for p in paths)
    if shortest == 0:
        return n, 0.0, 0.0
    share = mser5(np.mean([p[:shortest] for p in paths], axis=0)) / shortest
    return n, share * length, share


def _warning(length: float, relaxation: float, start: str) -> str:
    or_busy = ', or start = "busy"' if start == "empty" else ""
    return (
        f"the run ({length:.4g} time units) is too short to tell when it has warmed up: the system forgets its start in about "
        f"{relaxation:.3g} time units (above Halfin-Whitt that grows like N^(2 alpha - 1)); give a longer horizon{or_busy}."
    )
