"""States as counts, and where an arrival goes from them: what drifts and generators are computed on.

In    a System and Units (exact.states.units_of: speed classes, cut where one likes)
Out   every state of a small system, routing probabilities, the paper's functions of a state
Rule  a unit is a run of servers nobody tells apart; Lemmas 1 and 2 look at the first N1 or N2 servers,
      so their states need cuts there (`cuts=range(N)` makes every server its own unit: the full chain)
Cost  O(states x cells), vectorised
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.errors import TooLargeError
from jfsq_simpy.exact.states import StateSpace, Units, n_states, units_of
from jfsq_simpy.policies.probabilities import cell_probabilities
from jfsq_simpy.rates import FloatArray, IntArray
from jfsq_simpy.system import System

Levels = NDArray[np.integer[Any]]

MOST_STATES = 2_000_000

__all__ = ["Levels", "blocked_share", "busy", "capacity", "every_state", "jobs", "routing", "units_of", "waiting"]


def every_state(units: Units, places: int) -> IntArray:
    """int array (n_states, n_units, places + 1): every way servers can hold 0 .. b jobs.

    Errors: TooLargeError above 2,000,000 states.

    >>> from jfsq_simpy import rates
    >>> every_state(units_of(rates.two_speed(4, ratio=3)), places=2).shape
    (36, 2, 3)
    """
    total = n_states(units.sizes, places)
    if total > MOST_STATES:
        raise TooLargeError(
            f"{total:,} states are too many to look at one by one (at most {MOST_STATES:,}); "
            "use fewer servers, fewer speed classes or fewer places."
        )
    return StateSpace(units, places).counts(np.arange(total))


def routing(system: System, levels: Levels, units: Units) -> FloatArray:
    """P(an arrival is sent to a server of unit u that holds l jobs), at each given state.

    `levels` int array (..., n_units, places + 1). Returns floats of the same shape, summing to 1 over
    the last two axes; entries at level b are arrivals that are blocked. Errors: ModelError where counts
    do not decide. Source: section 2.

    >>> from jfsq_simpy import rates
    >>> jfsq = System(rates.two_speed(4, ratio=3), load=0.5, places=2)
    >>> routing(jfsq, np.array([[0, 2, 0], [0, 1, 1]]), units_of(jfsq.rates))
    array([[0., 1., 0.],
           [0., 0., 0.]])
    """
    levels = np.asarray(levels)
    ranks = system.policy.rank_table(system.rates, system.places)[units.speed_class]
    flat = levels.reshape(-1, *levels.shape[-2:])
    return cell_probabilities(system.policy, ranks, units.speeds, flat).reshape(levels.shape)


def blocked_share(system: System, levels: Levels, units: Units) -> FloatArray:
    """A_b: the probability that an arrival finds its server full, float array (...). Below (10)."""
    shares: FloatArray = routing(system, levels, units)[..., -1].sum(axis=-1)
    return shares


# ---- functions of a state ------------------------------------------------------------------------------------


def jobs(levels: Levels) -> IntArray:
    """Jobs present, int array (...)."""
    total: IntArray = (levels * np.arange(levels.shape[-1])).sum(axis=(-2, -1))
    return total


def busy(levels: Levels) -> IntArray:
    """Busy servers, int array (...)."""
    total: IntArray = levels[..., 1:].sum(axis=(-2, -1))
    return total


def waiting(levels: Levels) -> IntArray:
    """Q_W, jobs present and not in service, int array (...)."""
    return jobs(levels) - busy(levels)


def capacity(levels: Levels, units: Units) -> FloatArray:
    """The summed rates of busy servers, float array (...)."""
    total: FloatArray = levels[..., 1:].sum(axis=-1) @ units.speeds
    return total
