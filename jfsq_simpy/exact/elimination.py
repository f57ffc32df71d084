"""The stationary law by elimination without a subtraction (Grassmann, Taksar and Heyman), jobs by jobs.

In    a Chain
Out   its stationary probabilities, each with nearly all its digits, however small or stiff
Rule  a diagonal is never computed as a difference: what leaves a set of states is kept as its own
      nonnegative numbers, so every step adds, multiplies or divides
Cost  sum over j of (states with j jobs)^3 multiplications, (states with j jobs)^2 floats of memory

Watching the chain only while it has at most j jobs, for j falling to 0, leaves at each step one dense
block to invert. The block's inverse is an expected time, so it is nonnegative, and is built from the
inverses of its halves by products of nonnegative matrices alone.
"""

from __future__ import annotations

import numpy as np

from jfsq_simpy.exact.generator import Chain
from jfsq_simpy.rates import FloatArray

SMALL = 24  # below, states are taken out one at a time: halving would only cost calls


def work(chain: Chain) -> float:
    """How many multiplications `stationary` takes, to a factor of about 2."""
    return float((np.diff(chain.first).astype(np.float64) ** 3).sum())


def memory(chain: Chain) -> float:
    """Bytes `stationary` keeps."""
    sizes = np.diff(chain.first).astype(np.float64)
    return 8.0 * float((sizes[1:] * sizes[:-1]).sum())


def stationary(chain: Chain) -> FloatArray:
    """The stationary probabilities, float array (n_states,), by block elimination.

    Every entry above about 1e-290 of the largest in its level is right to about 1e-13 relative.
    """
    level = [slice(a, b) for a, b in zip(chain.first[:-1], chain.first[1:], strict=True)]
    visits: list[FloatArray] = [np.zeros((0, 0))] * len(level)
    within = np.zeros((level[-1].stop - level[-1].start,) * 2)
    for j in range(chain.most_jobs, 0, -1):
        time = expected_times(within, chain.down[level[j]])
        # visits[j][s, t]: time in t (j jobs) before j - 1 jobs are back, per unit of time spent in s (j - 1 jobs)
        visits[j] = chain.arrivals[level[j - 1], level[j]] @ time
        within = visits[j] @ chain.services[level[j], level[j - 1]]
        np.fill_diagonal(within, 0.0)  # back where it began: no move
    return _unfolded(visits)


def expected_times(rates: FloatArray, exits: FloatArray) -> FloatArray:
    """Expected time in each state before leaving the set, by state of entry: inverse of a diagonally dominant matrix.

    Parameters
    ----------
    rates : float array (n, n)   rates between the states, diagonal not looked at
    exits : float array (n,)     rates of leaving the set; from every state some exit must be reachable

    Returns float array (n, n), all >= 0, without a subtraction: the second half of the states is taken
    out, the first is solved with detours through it, then the second is put back. O(n^3), in matrix products.

    >>> expected_times(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([1.0, 0.0]))
    array([[1., 1.],
           [1., 2.]])
    """
    n = exits.size
    if n == 1:
        return np.asarray(1.0 / exits[:, None])
    h = n // 2 if n > SMALL else n - 1
    out = np.empty((n, n))
    second = expected_times(rates[h:, h:], exits[h:] + rates[h:, :h].sum(axis=1))
    detour = rates[:h, h:] @ second
    out[:h, :h] = first = expected_times(rates[:h, :h] + detour @ rates[h:, :h], exits[:h] + detour @ exits[h:])
    back = second @ rates[h:, :h]
    out[:h, h:] = first @ detour
    out[h:, :h] = back @ first
    out[h:, h:] = second + back @ out[:h, h:]
    return out


def _unfolded(visits: list[FloatArray]) -> FloatArray:
    """From the empty state upwards; each level is scaled on its own, so nothing over- or underflows."""
    shapes = [np.ones(1)]
    logs = [0.0]
    for step in visits[1:]:
        shape = shapes[-1] @ step
        mass = float(shape.sum())
        shapes.append(shape / mass)
        logs.append(logs[-1] + np.log(mass))
    return joined(shapes, np.array(logs))


def joined(shapes: list[FloatArray], log_masses: FloatArray) -> FloatArray:
    """One probability vector from conditional ones and the logarithms of their weights."""
    weights = np.exp(log_masses - log_masses.max())
    weights /= weights.sum()
    return np.concatenate([w * shape for w, shape in zip(weights, shapes, strict=True)])
