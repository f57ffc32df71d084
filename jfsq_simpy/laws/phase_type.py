"""Phase types: the time a small Markov chain takes to leave, from the smooth Erlang to any law as a limit.

In    phases and their rates, or a squared coefficient of variation
Out   laws of mean 1 with `.phases` = (initial law, subgenerator), which makes M/PH/1 and PH/M/1 solvable
Rule  from every phase there must be a way out; a subgenerator has exits where its rows sum below 0
Cost  Erlang, hyperexponential and Coxian 10 to 40 ns a draw; a general phase type about 70 ns a phase passed
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jfsq_simpy.errors import ModelError
from jfsq_simpy.laws.law import FloatArray, Law
from jfsq_simpy.laws.parameters import LARGEST, SMALLEST, exactly_one, number, numbers_in, probabilities, rescaled, whole
from jfsq_simpy.laws.simple import ByScv

MOST_VISITS = 10_000  # phases a draw may pass on average: beyond, a block would take minutes


class Erlang(Law):
    """The sum of k equal exponential phases: smoother than exponential. Variance 1/k.

    >>> Erlang(4).scv
    0.25
    """

    name = "erlang"
    example = '{law = "erlang", k = 4}'

    def __init__(self, k: int) -> None:
        self.k = whole("law 'erlang': k", k, "the number of exponential phases", least=1, most=10**9)

    @property
    def variance(self) -> float:
        return 1 / self.k

    @property
    def phases(self) -> tuple[FloatArray, FloatArray]:
        return _first(self.k), self.k * (np.eye(self.k, k=1) - np.eye(self.k))

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        return rng.standard_gamma(self.k, n) / self.k

    def laplace(self, s: float) -> float:
        return math.exp(-self.k * math.log1p(s / self.k))


class Hyperexponential(ByScv):
    """One of two exponentials, each carrying half of the mean ("balanced means"): bursty. Variance scv >= 1.

    A draw is fast (rate 2p) with probability p = (1 + sqrt((scv - 1) / (scv + 1))) / 2, else slow (rate 2 (1 - p)).

    >>> Hyperexponential(scv=4).laplace(0.0)
    1.0
    """

    name = "hyperexponential"
    example = '{law = "hyperexponential", scv = 4.0}'
    least = 1.0

    @property
    def weights(self) -> tuple[float, float]:
        """The probabilities of a fast and of a slow draw."""
        root = math.sqrt((self._scv - 1) / (self._scv + 1))
        # (1 - root) / 2 would lose digits to cancellation at a large scv
        return (1 + root) / 2, 1 / ((self._scv + 1) * (1 + root))

    @property
    def phases(self) -> tuple[FloatArray, FloatArray]:
        weights = np.array(self.weights)
        return weights, np.diag(-2 * weights)

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        fast, slow = self.weights
        rates = np.where(rng.random(n) < fast, 2 * fast, 2 * slow)
        return rng.standard_exponential(n) / rates

    def laplace(self, s: float) -> float:
        return sum(w * 2 * w / (2 * w + s) for w in self.weights)


class Coxian2(Law):
    """An exponential phase, then with probability `second` another one. Any variance from 1/2 up.

    Mean 1/rate1 + second/rate2, to which both rates are scaled; variance at mean 1:
    1/rate1^2 + second (2 - second) / rate2^2.

    Parameters
    ----------
    rate1, rate2 : floats > 0    rates of the two phases, in any unit
    second : float in [0, 1]     probability that the second phase follows
    scv : float >= 1/2 instead   then rate1 = 2, rate2 = 1/scv, second = 1/(2 scv): half of the mean in each phase

    >>> Coxian2(scv=2.0)
    coxian2(rate1=2.0, rate2=0.5, second=0.25)
    """

    name = "coxian2"
    example = '{law = "coxian2", scv = 2.0}'

    def __init__(
        self,
        rate1: float | None = None,
        rate2: float | None = None,
        second: float | None = None,
        *,
        scv: float | None = None,
    ) -> None:
        three = None if rate1 is None and rate2 is None and second is None else (rate1, rate2, second)
        if exactly_one(self.name, **{"scv": scv, "(rate1, rate2, second)": three}) == "scv":
            scv = number("law 'coxian2': scv", scv, "two phases cannot vary less than an Erlang of two", least=0.5, most=1e6)
            rate1, rate2, second = 2.0, 1 / scv, 1 / (2 * scv)
        rate1 = number("law 'coxian2': rate1", rate1, "the rate of the first phase", least=SMALLEST, most=LARGEST)
        rate2 = number("law 'coxian2': rate2", rate2, "the rate of the second phase", least=SMALLEST, most=LARGEST)
        second = number("law 'coxian2': second", second, "the probability of a second phase", least=0, most=1)
        mean = rescaled(1 / rate1 + second / rate2)
        self.rate1, self.rate2, self.second = rate1 * mean, rate2 * mean, second

    @property
    def variance(self) -> float:
        return 1 / self.rate1**2 + self.second * (2 - self.second) / self.rate2**2

    @property
    def phases(self) -> tuple[FloatArray, FloatArray]:
        return _first(2), np.array([[-self.rate1, self.rate1 * self.second], [0.0, -self.rate2]])

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        first, second = rng.standard_exponential(n), rng.standard_exponential(n)
        return first / self.rate1 + np.where(rng.random(n) < self.second, second / self.rate2, 0.0)

    def laplace(self, s: float) -> float:
        return self.rate1 / (self.rate1 + s) * (1 - self.second + self.second * self.rate2 / (self.rate2 + s))


class PhaseType(Law):
    """The time to leave a Markov chain on m phases, with any initial law and subgenerator.

    With x = (-T)^-1 1 the mean is a.x, to which T is scaled, and the variance 2 a.(-T)^-1 x - 1.

    Parameters
    ----------
    initial : list (m,)            probabilities of the first phase, sum 1
    subgenerator : table (m, m)    T: rate from phase i to j off the diagonal, minus the total rate out of i
                                   on it; what a row lacks to 0 is the rate of leaving for good

    Errors: ModelError when these are not a phase type, or when some phase has no way out.
    Cost: a draw takes as many steps as its path has phases; use `erlang` for long chains.

    >>> PhaseType([1, 0], [[-2, 2], [0, -2]]).variance
    0.5
    """

    name = "phase_type"
    example = '{law = "phase_type", initial = [0.6, 0.4], subgenerator = [[-3.0, 1.0], [0.5, -0.8]]}'

    def __init__(self, initial: ArrayLike, subgenerator: ArrayLike) -> None:
        self._initial = probabilities("law 'phase_type': initial", initial)
        given = numbers_in("law 'phase_type': subgenerator", subgenerator, ndim=2)
        _check_subgenerator(given, self._initial.size)
        self._subgenerator = given * rescaled(_mean_time(self._initial, given))
        visits = float(self._initial @ np.linalg.solve(-self._subgenerator, -np.diag(self._subgenerator)))
        if visits > MOST_VISITS:
            raise ModelError(
                f"law 'phase_type': a draw passes {visits:.3g} phases on average; above {MOST_VISITS:,} no run would end."
            )

    def describe(self) -> dict[str, Any]:
        return {"law": self.name, "initial": self._initial.tolist(), "subgenerator": self._subgenerator.tolist()}

    @cached_property
    def _variance(self) -> float:
        once = np.linalg.solve(-self._subgenerator, np.ones(self._initial.size))
        return float(2 * self._initial @ np.linalg.solve(-self._subgenerator, once) - 1)

    @property
    def variance(self) -> float:
        return self._variance

    @property
    def phases(self) -> tuple[FloatArray, FloatArray]:
        return self._initial.copy(), self._subgenerator.copy()

    @cached_property
    def _steps(self) -> FloatArray:
        """Row i: cumulative probabilities of the phase after i, (m, m); above the last entry the chain leaves."""
        rates = -np.diag(self._subgenerator)
        moves = self._subgenerator / rates[:, None]
        np.fill_diagonal(moves, 0.0)
        leaving = np.maximum(1 - moves.sum(axis=1), 0.0)
        leaving[leaving < 1e-9] = 0.0  # rows that sum to 0 but for rounding do not leave
        return cumulative(np.column_stack([moves, leaving]))[:, :-1]

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        """All n paths abreast: each pass moves the paths still inside by one phase."""
        means = -1 / np.diag(self._subgenerator)
        total, inside = np.zeros(n), np.arange(n)
        phase = pick(cumulative(self._initial[None, :]), rng.random(n))
        while inside.size:
            total[inside] += rng.standard_exponential(inside.size) * means[phase]
            phase = pick(self._steps[phase], rng.random(inside.size))
            stays = phase < means.size
            inside, phase = inside[stays], phase[stays]
        return total

    def laplace(self, s: float) -> float:
        exits = -self._subgenerator.sum(axis=1)
        return float(self._initial @ np.linalg.solve(s * np.eye(exits.size) - self._subgenerator, exits))


def cumulative(rows: FloatArray) -> FloatArray:
    """Cumulative sums of probability rows; exactly 1 from the last possible entry on: rounding picks nothing impossible."""
    sums: FloatArray = np.cumsum(rows, axis=-1)
    last = rows.shape[-1] - 1 - np.argmax(rows[..., ::-1] > 0, axis=-1)
    sums[np.arange(rows.shape[-1]) >= last[..., None]] = 1.0
    return sums


def pick(sums: FloatArray, u: FloatArray) -> NDArray[np.intp]:
    """The index that a uniform number picks from each row of cumulative sums (m,) or (n, m)."""
    return np.asarray(np.count_nonzero(u[:, None] >= sums, axis=-1))


def _first(m: int) -> FloatArray:
    """All probability on the first of m phases."""
    start = np.zeros(m)
    start[0] = 1.0
    return start


def _mean_time(initial: FloatArray, t: FloatArray) -> float:
    try:
        mean = float(initial @ np.linalg.solve(-t, np.ones(len(t))))
    except np.linalg.LinAlgError:
        mean = math.nan
    if not 0 < mean < math.inf:
        raise ModelError("law 'phase_type': the rates lie too many powers of ten apart; drop the slowest or the fastest.")
    return mean


def _check_subgenerator(t: FloatArray, m: int) -> None:
    place = "law 'phase_type': subgenerator"
    if t.shape != (m, m):
        raise ModelError(f"{place} has shape {t.shape}; with {m} initial probabilities it must be ({m}, {m}).")
    diagonal = np.diag(t)
    if np.any(diagonal >= 0):
        i = int(np.argmax(diagonal >= 0))
        raise ModelError(f"{place}[{i}, {i}] = {diagonal[i]:g} must be below 0: minus the total rate out of phase {i}.")
    off = t - np.diag(diagonal)
    if np.any(off < 0):
        i, j = (int(k) for k in np.argwhere(off < 0)[0])
        raise ModelError(f"{place}[{i}, {j}] = {t[i, j]:g} must be at or above 0: the rate from phase {i} to {j}.")
    exits = -t.sum(axis=1)
    if np.any(exits < 1e-9 * diagonal):
        i = int(np.argmax(exits < 1e-9 * diagonal))
        raise ModelError(
            f"{place}: row {i} sums to {-exits[i]:g}; it must be at or below 0, what it lacks being the rate of leaving."
        )
    _check_ways_out(place, off > 0, exits > -1e-9 * diagonal)


def _check_ways_out(place: str, moves: Any, leaves: Any) -> None:
    """Every phase must lead to one that leaves, else the mean is infinite. m passes over an (m, m) table."""
    for _ in range(len(leaves)):
        leaves = leaves | (moves & leaves).any(axis=1)
    if not leaves.all():
        i = int(np.argmin(leaves))
        raise ModelError(f"{place}: from phase {i} there is no way out, so the mean would be infinite; let some row sum below 0.")
