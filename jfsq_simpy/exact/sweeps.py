"""The stationary law by sweeps: balance every state in turn, up and down the number of jobs, until nothing moves.

In    a Chain too large to eliminate
Out   its stationary probabilities, and an estimate of their relative error
Rule  the error is measured as the worst *relative* change of any state (Hilbert's metric), in which a
      sweep adds only its rounding: a state of probability 1e-30 must settle like any other
Cost  O(transitions) a sweep; a few hundred sweeps, more when speeds differ by orders of magnitude

Each sweep sets every state's probability to its inflow over its outflow (Gauss-Seidel: sums of positive
terms), level by level. What sweeps alone would take for ever to move, mass between levels, is set in one
go: jobs present, watched alone, is a birth and death process (aggregation and disaggregation). And while
far from settled, every few sweeps the slowest change still to come is added at once (Aitken), in logarithms,
so that probabilities stay positive; the last stretch is pure sweeps, and they alone judge the error.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from jfsq_simpy.errors import TooLargeError
from jfsq_simpy.exact.generator import Chain
from jfsq_simpy.rates import FloatArray

WANTED = 1e-12  # relative error at which to stop
ACCEPTED = 1e-10  # worst that is handed out, when rounding allows no better
ROUNDING = 3e-15  # change from sweep to sweep that rounding alone makes
TINY = 1e-290  # below, floats lose digits; such states are not asked to settle
MOST_SWEEPS = 20_000
STRIDE = 12  # sweeps between extrapolations
WINDOW = 25  # pure sweeps over which the rate of settling is judged in the end
NEAR = 1e-10  # changes below this are left to pure sweeps
BOLDEST = 5.0  # widest relative change, as a logarithm, an extrapolation may make


class _Progress:
    """How fast the largest relative change shrinks, and what error that leaves."""

    def __init__(self) -> None:
        self.sweeps = 0
        self.changes: list[float] = []  # since the last extrapolation
        self.rate = 0.0

    def add(self, change: float) -> None:
        self.sweeps += 1
        self.changes.append(change)
        back = min(len(self.changes) - 1, WINDOW)
        if back > 0 and self.changes[-1 - back] > 100 * ROUNDING:
            self.rate = (max(change, ROUNDING) / self.changes[-1 - back]) ** (1.0 / back)

    @property
    def error(self) -> float:
        """Changes still to come, as a geometric series: change / (1 - rate)."""
        if self.rate >= 1 or len(self.changes) <= WINDOW:
            return np.inf
        return max(self.changes[-1], ROUNDING) / (1.0 - self.rate)

    @property
    def done(self) -> bool:
        return len(self.changes) > WINDOW and (self.error <= WANTED or self.changes[-1] <= ROUNDING)

    @property
    def may_extrapolate(self) -> bool:
        return len(self.changes) >= STRIDE and self.changes[-1] > NEAR and self.rate < 1

    @property
    def hopeless(self) -> bool:
        """Whether the sweeps still needed, judged now and then, are too many."""
        if self.sweeps % 1000 or not 0 < self.rate < 1:
            return self.sweeps > MOST_SWEEPS
        to_go = math.log(max(self.changes[-1] / WANTED, 1.0)) / -math.log(self.rate)
        return self.sweeps + to_go > MOST_SWEEPS


def stationary(chain: Chain) -> tuple[FloatArray, dict[str, Any]]:
    """The stationary probabilities, float array (n_states,), and facts: sweeps taken, relative error estimated.

    Errors: TooLargeError when the chain would not settle within 20,000 sweeps.
    """
    levels = _Levels(chain)
    shape, log_ratio = levels.balanced(np.ones(chain.n_states))
    progress = _Progress()
    while not progress.done:
        after, log_ratio_after = levels.swept(shape, log_ratio)
        log_change = levels.log_change(shape, after, log_ratio_after - log_ratio)
        progress.add(float(np.ptp(log_change)))
        shape, log_ratio = after, log_ratio_after
        if progress.may_extrapolate:
            ahead = log_change * (progress.rate / (1.0 - progress.rate))
            if np.ptp(ahead) < BOLDEST:
                shape, log_ratio = levels.balanced(shape * np.exp(ahead - ahead.max()))
                progress.changes.clear()
        if progress.hopeless:
            raise _does_not_settle(chain, f"its changes shrink by a factor {progress.rate:.6f} a sweep")
    if progress.error > ACCEPTED:
        raise _does_not_settle(chain, f"rounding hides its slowest change: relative error about {progress.error:.1e}")
    return levels.joined(shape, log_ratio), {"sweeps": progress.sweeps, "relative_error": progress.error}


class _Levels:
    """The chain cut by jobs present: a shape within each level, and how much heavier each is than the one below.

    Levels are scaled one by one, so that a level of probability 1e-400 is as good as any other.
    """

    def __init__(self, chain: Chain) -> None:
        self.up, self.down = chain.up, chain.down
        self.starts, self.sizes = chain.first[:-1], np.diff(chain.first)
        self.states = [slice(a, b) for a, b in zip(chain.first[:-1], chain.first[1:], strict=True)]
        over_outflow = scipy.sparse.diags_array(1.0 / (self.up + self.down))
        from_below, from_above = (over_outflow @ chain.arrivals.T).tocsr(), (over_outflow @ chain.services.T).tocsr()
        pairs = list(zip(self.states[:-1], self.states[1:], strict=True))
        self.from_below = [from_below[high, low].tocsr() for low, high in pairs]
        self.from_above = [from_above[low, high].tocsr() for low, high in pairs]

    def swept(self, shape: FloatArray, log_ratio: FloatArray) -> tuple[FloatArray, FloatArray]:
        """After one sweep up and down the levels, and their masses balanced."""
        x, ratio, upwards = shape.copy(), np.exp(log_ratio), range(len(self.states))
        for j in (*upwards, *reversed(upwards[:-1])):
            inflow = np.zeros(self.sizes[j])
            if j > 0:
                inflow += self.from_below[j - 1] @ x[self.states[j - 1]] / ratio[j]
            if j < len(self.from_above):
                inflow += self.from_above[j] @ x[self.states[j + 1]] * ratio[j + 1]
            x[self.states[j]] = inflow
        return self.balanced(x)

    def balanced(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Shapes of mass 1, and the logarithm of each level's mass over that of the level below: flow up = flow down."""
        shape = x / np.repeat(self._sums(x), self.sizes)
        up, down = self._sums(shape * self.up), self._sums(shape * self.down)
        return shape, np.concatenate([[0.0], np.log(up[:-1] / down[1:])])

    def log_change(self, before: FloatArray, after: FloatArray, log_ratio_change: FloatArray) -> FloatArray:
        """By how much each state's logarithm changed, up to one constant; 0 for states too small to have digits."""
        ratio = np.divide(after, before, out=np.ones_like(before), where=before > TINY)
        return np.log(ratio) + np.repeat(np.cumsum(log_ratio_change), self.sizes)

    def joined(self, shape: FloatArray, log_ratio: FloatArray) -> FloatArray:
        return shape * np.repeat(normalised(np.cumsum(log_ratio, dtype=np.longdouble)), self.sizes)

    def _sums(self, x: FloatArray) -> FloatArray:
        return np.asarray(np.add.reduceat(x, self.starts))


def normalised(log_weights: NDArray[np.floating[Any]]) -> FloatArray:
    """Weights that sum to 1, from their logarithms (in extended precision where they are large)."""
    weights = np.exp(log_weights - log_weights.max())
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def birth_death(up: FloatArray, down: FloatArray) -> FloatArray:
    """The stationary law of a birth and death process: up[j] from j to j + 1, down[j] back.

    >>> birth_death(np.array([1.0, 1.0]), np.array([1.0, 2.0]))
    array([0.4, 0.4, 0.2])
    """
    ratio = np.log(np.divide(up, down, dtype=np.longdouble))
    return normalised(np.concatenate([[0.0], np.cumsum(ratio)]))


def _does_not_settle(chain: Chain, why: str) -> TooLargeError:
    return TooLargeError(
        f"the chain of {chain.n_states:,} states does not settle within {MOST_SWEEPS:,} sweeps ({why}): speeds differ too much "
        "for its size. Use fewer servers, fewer places or fewer speed classes, so that it can be eliminated; or simulate."
    )
