"""How a fleet grows: the rates at N1, N2 and the ends, for any N however large.

In    a profile (shares and speeds of classes, linear, geometric, pareto), or a System whose shares are kept
Out   Parameters at any log N
Rule  a family fixes the *shape* of the fleet; N1 and N2 move towards the slow end as the load grows
Cost  O(speed classes) a call
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jfsq_simpy.errors import ModelError
from jfsq_simpy.rates import FloatArray, Rates
from jfsq_simpy.tally import MOST_CLASSES
from jfsq_simpy.theory.geometry import LARGEST_LOG, Parameters
from jfsq_simpy.theory.scope import default_delta, default_epsilon


class Family(ABC):
    """A fleet for every N: servers in order of speed are points x in [0, 1], the fastest at 0.

    `reach` is the largest log N at which its rates are still floats.
    """

    reach: float = 1e5

    @abstractmethod
    def speed(self, x: float, log_n: float) -> float:
        """The rate of the server at share x; mean 1 over x."""

    @abstractmethod
    def share(self, spare: float) -> float:
        """1 - N2/N: the share of slowest servers whose capacity is the share `spare` of the total."""

    def fastest(self, log_n: float) -> float:
        """mu_1."""
        return self.speed(0.0, log_n)

    def slowest(self, log_n: float) -> float:
        """mu_N, or the limit it falls to."""
        return self.speed(1.0, log_n)

    def parameters(
        self,
        *,
        log_n: float,
        alpha: float,
        places: int,
        order: int = 1,
        epsilon: float | None = None,
        delta: float | None = None,
    ) -> Parameters:
        """The paper's parameters of this fleet with N = e^log_n servers."""
        slow_share = self.share(math.exp(-alpha * log_n))
        mu_n2 = self.speed(1.0 - slow_share, log_n)
        slowest = self.slowest(log_n)
        if epsilon is None:
            epsilon = default_epsilon(alpha, places, mu_n2, slowest)
        elif epsilon > slowest * (1 + 1e-12):
            raise ModelError(f"epsilon = {epsilon} must be at most the slowest rate of the fleet, {slowest:.6g}.")
        delta = default_delta(slowest) if delta is None else delta
        n = math.exp(log_n) if log_n < LARGEST_LOG else math.inf
        beyond_n1 = self.share(delta)
        return Parameters.of(
            log_n=log_n,
            alpha=alpha,
            places=places,
            order=order,
            mu_1=self.fastest(log_n),
            mu_n1=self.speed(1.0 - beyond_n1, log_n),
            mu_n2=mu_n2,
            mu_cut=slowest,
            slowest=slowest,
            epsilon=epsilon,
            delta=delta,
            n1=n - n * beyond_n1 if n < math.inf else math.inf,
            n2=n - n * slow_share if n < math.inf else math.inf,
        )


@dataclass(frozen=True)
class Classes(Family):
    """Speed classes with fixed shares of the servers; `speeds` in any unit, rescaled to mean 1.

    >>> Classes((0.5, 0.5), (3.0, 1.0)).speed(0.2, log_n=10.0)
    1.5
    """

    shares: tuple[float, ...]
    speeds: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.shares) != len(self.speeds) or not self.shares or min(self.shares) <= 0 or min(self.speeds) <= 0:
            raise ModelError("a family of classes needs one share > 0 and one speed > 0 for each class.")
        pairs = sorted(zip(self.speeds, self.shares, strict=True), reverse=True)
        total = math.fsum(self.shares)
        mean = math.fsum(s * w for s, w in pairs) / total
        object.__setattr__(self, "shares", tuple(w / total for _, w in pairs))
        object.__setattr__(self, "speeds", tuple(s / mean for s, _ in pairs))

    @cached_property
    def _edges(self) -> FloatArray:
        return np.cumsum(self.shares)

    @cached_property
    def _from_the_slow_end(self) -> tuple[FloatArray, FloatArray]:
        shares, speeds = np.array(self.shares[::-1]), np.array(self.speeds[::-1])
        return np.append(0.0, np.cumsum(shares)), np.append(0.0, np.cumsum(shares * speeds))

    def speed(self, x: float, log_n: float) -> float:
        k = int(np.searchsorted(self._edges, x, side="right"))
        return self.speeds[min(k, len(self.speeds) - 1)]

    def share(self, spare: float) -> float:
        servers, capacity = self._from_the_slow_end
        k = min(int(np.searchsorted(capacity, spare, side="right")), len(self.speeds)) - 1
        return float(servers[k] + (spare - capacity[k]) / self.speeds[-1 - k])


@dataclass(frozen=True)
class Curve(Family):
    """Rates falling along a curve from `ratio` to 1: "linear" in equal steps, "geometric" by a constant factor."""

    shape: str
    ratio: float

    def __post_init__(self) -> None:
        if self.shape not in ("linear", "geometric") or not self.ratio > 1:
            raise ModelError(f'a curve is "linear" or "geometric" with ratio > 1; it is {self.shape!r} with ratio {self.ratio}.')

    def speed(self, x: float, log_n: float) -> float:
        if self.shape == "linear":
            return (self.ratio - (self.ratio - 1) * x) * 2 / (self.ratio + 1)
        return math.exp((1 - x) * math.log(self.ratio)) * math.log(self.ratio) / (self.ratio - 1)

    def share(self, spare: float) -> float:
        steep = self.ratio - 1
        if self.shape == "linear":  # s + steep s^2 / 2 = spare (ratio + 1) / 2, the root without cancellation
            c = spare * (self.ratio + 1) / 2
            return 2 * c / (1 + math.sqrt(1 + 2 * steep * c))
        return math.log1p(spare * steep) / math.log(self.ratio)


@dataclass(frozen=True)
class Pareto(Family):
    """Quantiles of a Pareto law: the fastest server's rate grows like N^(1/shape)."""

    exponent: float

    def __post_init__(self) -> None:
        if not self.exponent > 1:
            raise ModelError(f"shape = {self.exponent} must be above 1: below, the law has no mean.")
        object.__setattr__(self, "reach", LARGEST_LOG * self.exponent)

    def speed(self, x: float, log_n: float) -> float:
        half_a_server = -log_n - math.log(2)
        log_x = max(math.log(x), half_a_server) if x > 0 else half_a_server
        return (1 - 1 / self.exponent) * math.exp(-log_x / self.exponent)

    def share(self, spare: float) -> float:
        # capacity of the fastest x is x^(1 - 1/shape)
        return -math.expm1(math.log1p(-spare) / (1 - 1 / self.exponent))


HOMOGENEOUS = Classes((1.0,), (1.0,))


def like(rates: Rates) -> Family:
    """The family that keeps the shares of speed classes of a fleet as N grows.

    Above 4,096 classes adjacent ones are put together, all but the fastest server.
    """
    if rates.n_classes <= MOST_CLASSES:
        return Classes(tuple((rates.counts / rates.n_servers).tolist()), tuple(rates.speeds.tolist()))
    edges = np.unique(np.linspace(1, rates.n_classes, MOST_CLASSES).astype(np.int64))
    starts = np.concatenate([[0], edges[:-1]])
    counts = np.add.reduceat(rates.counts, starts)
    speeds = np.add.reduceat(rates.speeds * rates.counts, starts) / counts
    return Classes(tuple((counts / rates.n_servers).tolist()), tuple(speeds.tolist()))


def two_speed(ratio: float, fast_share: float = 0.5) -> Family:
    """A share of fast servers, the rest slower by `ratio`."""
    return Classes((fast_share, 1 - fast_share), (ratio, 1.0))


def linear(ratio: float) -> Family:
    """Rates in equal steps, fastest over slowest `ratio`."""
    return Curve("linear", ratio) if ratio > 1 else HOMOGENEOUS


def geometric(ratio: float) -> Family:
    """Rates falling by a constant factor, fastest over slowest `ratio`."""
    return Curve("geometric", ratio) if ratio > 1 else HOMOGENEOUS


def pareto(shape: float) -> Family:
    """Pareto quantiles."""
    return Pareto(shape)
