"""Arrival streams with memory: Markov-modulated Poisson (MMPP) and batches.

In    rates of the modulating states and how they switch; sizes of batches and the law between them
Out   gaps of mean 1 whose state (modulating state, jobs left in the batch) goes from block to block
Rule  speeds are counted in jobs, because gaps are in units of the mean gap: a state that lasts 1,000 mean
      gaps lasts 1,000 / (load N) units of time. A stream begins as if an arrival had just happened.
Cost  MMPP 40 ns a gap and 150 ns a switch of state; batches 20 ns a gap
"""

from __future__ import annotations

import math
from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jfsq_simpy.errors import ModelError
from jfsq_simpy.laws.law import FloatArray, Law, checked_draws
from jfsq_simpy.laws.parameters import exactly_one, number, numbers_in, rescaled, whole
from jfsq_simpy.laws.phase_type import cumulative
from jfsq_simpy.laws.registry import as_law

SWITCHES = 65_536  # switches of state drawn at a time, at most
LONGEST_STAY = 1e9  # mean gaps in a state; the clock then rounds to a millionth of one


class Stream(Law):
    """A law with memory, for gaps: `draw_block` carries it on, `draw` gives its first n gaps."""

    use = "gaps"

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        return self.draw_block(rng, n, self.start())[0]

    @abstractmethod
    def draw_block(self, rng: np.random.Generator, n: int, state: Any) -> tuple[FloatArray, Any]:
        """The next `n` gaps and the state after them."""


class MMPP(Stream):
    """A Poisson process whose rate switches with a Markov chain: bursts and lulls.

    Parameters
    ----------
    rates : list (m,)          arrival rate in each state, m >= 2; 0 is a silence
    switching : table (m, m)   generator of the chain: rate from state i to j off the diagonal, rows sum to 0

    Both in one unit of time, whichever: they are scaled together to a mean gap of 1.

    With D0 = switching - diag(rates), M = (-D0)^-1 and phi the law of the state an arrival leaves behind,
    the variance of a gap is 2 phi M M 1 - 1, and gaps k apart have covariance phi M (M diag(rates))^k M 1 - 1.
    Source: Fischer & Meier-Hellstern, The MMPP cookbook, Performance Evaluation 18 (1993).

    >>> quiet_and_busy = MMPP([0.5, 3.0], [[-0.01, 0.01], [0.04, -0.04]])
    >>> round(quiet_and_busy.variance, 3), round(quiet_and_busy.autocorrelation(1), 3)
    (2.29, 0.273)
    """

    name = "mmpp"
    example = '{law = "mmpp", rates = [0.5, 3.0], switching = [[-0.01, 0.01], [0.04, -0.04]]}'

    def __init__(self, rates: ArrayLike, switching: ArrayLike) -> None:
        rates = numbers_in("law 'mmpp': rates", rates, least=0.0)
        switching = numbers_in("law 'mmpp': switching", switching, ndim=2)
        _check_modulation(rates, switching)
        share = _stationary(switching)
        mean_rate = rescaled(float(share @ rates))
        self._rates, self._switching, self._share = rates / mean_rate, switching / mean_rate, share
        self._switches_per_gap = float(-share @ np.diag(self._switching))
        longest = -1 / np.diag(self._switching)
        if not longest.max() <= LONGEST_STAY:
            i = int(np.argmax(longest))
            raise ModelError(f"law 'mmpp': state {i} lasts {longest[i]:.3g} mean gaps, and no run does; let it switch faster.")
        if not self._switches_per_gap <= 100:
            raise ModelError(
                f"law 'mmpp': the state switches {self._switches_per_gap:.3g} times a gap; above 100 this is a Poisson process "
                'but for its cost. Use "poisson", or slow the switching down.'
            )

    def describe(self) -> dict[str, Any]:
        return {"law": self.name, "rates": self._rates.tolist(), "switching": self._switching.tolist()}

    @property
    def matrices(self) -> tuple[FloatArray, FloatArray]:
        """(D0, D1) of the Markovian arrival process, each (m, m): rates without and with an arrival."""
        arrivals = np.diag(self._rates)
        return self._switching - arrivals, arrivals

    @property
    def state_shares(self) -> FloatArray:
        """Share of time the chain spends in each state, (m,)."""
        return self._share.copy()

    @property
    def variance(self) -> float:
        return self._covariance(0)

    @property
    def memory(self) -> float:
        """The highest rate over the spectral gap of the switching: a state seldom seen may bring many of the jobs."""
        second = np.sort(np.linalg.eigvals(self._switching).real)[-2]
        return float(self._rates.max() / -second)

    def autocorrelation(self, lag: int) -> float:
        """Correlation of two gaps `lag` apart; 0 at every lag for a renewal process."""
        return self._covariance(lag) / self._covariance(0) if lag else 1.0

    def _covariance(self, lag: int) -> float:
        after_arrival, times = self._share * self._rates, np.linalg.inv(-self.matrices[0])
        if lag == 0:
            return float(2 * after_arrival @ times @ times.sum(axis=1) - 1)
        between = np.linalg.matrix_power(times @ self.matrices[1], lag)
        return float(after_arrival @ times @ between @ times.sum(axis=1) - 1)

    def draw_block(self, rng: np.random.Generator, n: int, state: int | None) -> tuple[FloatArray, int | None]:
        """A Poisson process of rate 1, read on a clock that runs at the rate of the state.

        Exponentials make the cumulated rate at each arrival; the path of the chain says when that much
        rate has cumulated. Memoryless holding times make the state at the last arrival all there is to carry.
        """
        if n == 0:
            return np.empty(0), state
        first = bisect_right(self._after_arrival, rng.random())  # drawn in every block, used in block 0
        wanted = np.cumsum(rng.standard_exponential(n))
        states, begun, cumulated = self._path(rng, first if state is None else state, float(wanted[-1]))
        # sojourn i covers cumulated rates in (cumulated[i], cumulated[i+1]]; silences cover none
        i = np.searchsorted(cumulated, wanted, side="left") - 1
        times = begun[i] + (wanted - cumulated[i]) / self._rates[states[i]]
        times = np.maximum.accumulate(times)  # at a switch of state, rounding could step back in the last bit
        return np.diff(times, prepend=0.0), int(states[i[-1]])

    def _path(self, rng: np.random.Generator, state: int, wanted: float) -> tuple[Any, FloatArray, FloatArray]:
        """States visited, the time each sojourn begins, and the rate cumulated by then (one entry more), up to `wanted`."""
        holding = -1 / np.diag(self._switching)
        visited: list[int] = []
        sojourns: list[FloatArray] = []
        cumulated, reached = [np.zeros(1)], 0.0
        while reached < wanted:
            few = min(SWITCHES, 64 + math.ceil(1.1 * (wanted - reached) * self._switches_per_gap))
            lengths, choices = rng.standard_exponential(few), rng.random(few)
            for choice in choices.tolist():
                visited.append(state)
                state = bisect_right(self._next_state[state], choice)
            latest = np.array(visited[-few:])
            sojourns.append(lengths * holding[latest])
            cumulated.append(reached + np.cumsum(sojourns[-1] * self._rates[latest]))
            reached = float(cumulated[-1][-1])
        begun = np.concatenate([np.zeros(1), np.cumsum(np.concatenate(sojourns))[:-1]])
        return np.array(visited), begun, np.concatenate(cumulated)

    @cached_property
    def _next_state(self) -> list[list[float]]:
        """Row i: cumulative probabilities of the state after i."""
        moves = np.maximum(self._switching, 0.0)
        return [row.tolist() for row in cumulative(moves / moves.sum(axis=1, keepdims=True))]

    @cached_property
    def _after_arrival(self) -> list[float]:
        """Cumulative law of the state an arrival leaves behind: states weigh by their rate."""
        weights = self._share * self._rates
        row: list[float] = cumulative((weights / weights.sum())[None, :])[0].tolist()
        return row


class Batch(Stream):
    """Jobs that come together: all gaps 0 inside a batch, `gaps` between batches, stretched by the mean batch size.

    Variance m (1 + v) - 1, with m the mean batch size and v the variance of `gaps`: of a gap taken at
    random from a long stream.

    Parameters
    ----------
    size : int             every batch has this many jobs; or
    mean_size : float      batch sizes are geometric on 1, 2, ... with this mean
    gaps : law             between batches, any law for gaps that has no end

    >>> Batch(size=10).variance
    19.0
    """

    name = "batch"
    example = '{law = "batch", mean_size = 5.0, gaps = {law = "erlang", k = 2}}'

    def __init__(
        self, size: int | None = None, *, mean_size: float | None = None, gaps: Law | str | Mapping[str, Any] = "poisson"
    ) -> None:
        if exactly_one(self.name, size=size, mean_size=mean_size) == "size":
            self.size = whole("law 'batch': size", size, "jobs in a batch", least=1, most=10**9)
        else:
            self.mean_size = number("law 'batch': mean_size", mean_size, "jobs in a batch, on average", least=1, most=1e9)
        self._mean_size = float(vars(self).get("size") or self.mean_size)
        self._gaps = as_law(gaps, "law 'batch': gaps")
        if self._gaps.use == "sizes" or self._gaps.length < math.inf:
            raise ModelError(f"law 'batch': gaps: law {self._gaps.name!r} is recorded, job by job; batches need a law without end.")

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "gaps": self._gaps.describe()}

    @property
    def variance(self) -> float:
        return self._mean_size * (1 + self._gaps.variance) - 1

    @property
    def memory(self) -> float:
        return self._mean_size * self._gaps.memory

    def start(self) -> tuple[int, Any]:
        return 0, self._gaps.start()

    def draw_block(self, rng: np.random.Generator, n: int, state: tuple[int, Any]) -> tuple[FloatArray, tuple[int, Any]]:
        """State: jobs still to come in the batch that is arriving, and the state of the law between batches."""
        left, inner = state
        sizes = self._sizes(rng, n)  # n batches are always enough
        begins = left + np.cumsum(sizes) - sizes
        begins = begins[begins < n]
        between, inner = self._gaps.draw_block(rng, begins.size, inner)
        gaps = np.zeros(n)
        gaps[begins] = self._mean_size * checked_draws(self._gaps, between, begins.size)
        after = int(begins[-1] + sizes[begins.size - 1]) if begins.size else left
        return gaps, (after - n, inner)

    def _sizes(self, rng: np.random.Generator, n: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        if "size" in vars(self):
            return np.full(n, self.size, dtype=np.int64)
        return rng.geometric(1 / self.mean_size, n)


def _check_modulation(rates: FloatArray, switching: FloatArray) -> None:
    m = rates.size
    if m < 2 or switching.shape != (m, m):
        raise ModelError(
            f"law 'mmpp': rates has {m} states and switching shape {switching.shape}; it takes m >= 2 states and an (m, m) table "
            '(one state alone is "poisson").'
        )
    if not rates.any():
        raise ModelError("law 'mmpp': rates are all 0, so nobody would ever arrive.")
    off = switching - np.diag(np.diag(switching))
    if np.any(off < 0):
        i, j = (int(k) for k in np.argwhere(off < 0)[0])
        raise ModelError(
            f"law 'mmpp': switching[{i}, {j}] = {switching[i, j]:g} must be at or above 0: the rate from state {i} to {j}."
        )
    sums = switching.sum(axis=1)
    wrong = np.abs(sums) > 1e-9 * off.sum(axis=1)
    if np.any(wrong):
        i = int(np.argmax(wrong))
        raise ModelError(
            f"law 'mmpp': switching row {i} sums to {sums[i]:g} and must sum to 0: the diagonal is minus the rates out."
        )
    reached = (off > 0) | np.eye(m, dtype=bool)
    for _ in range(m):
        reached = reached | (reached @ reached)
    if not reached.all():
        i, j = (int(k) for k in np.argwhere(~reached)[0])
        raise ModelError(f"law 'mmpp': state {j} is never reached from state {i}, so the long-run rate would depend on chance.")


def _stationary(generator: FloatArray) -> FloatArray:
    """Stationary law of an irreducible generator, without subtractions (Grassmann, Taksar & Heyman 1985). O(m^3)."""
    q = np.array(generator)
    m = len(q)
    for k in range(m - 1, 0, -1):
        q[:k, k] /= q[k, :k].sum()
        q[:k, :k] += np.outer(q[:k, k], q[k, :k])
    law: FloatArray = np.ones(m)
    for k in range(1, m):
        law[k] = law[:k] @ q[:k, k]
    total: float = law.sum()
    return law / total
