"""Laws with one parameter or none, and little spread: exponential, deterministic, uniform, gamma.

In    a squared coefficient of variation, or a width
Out   laws of mean 1 with closed-form moments and Laplace transforms
Rule  a law other than Exponential is never marked memoryless, even where its parameters make it
      exponential: along a sweep all points then go through the same engine
Cost  2 to 20 ns a draw
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jfsq_simpy.errors import ModelError
from jfsq_simpy.laws.law import FloatArray, Law
from jfsq_simpy.laws.parameters import SAME, exactly_one, number


class Exponential(Law):
    """Exponential sizes, as in the paper; exponential gaps make a Poisson process. Variance 1."""

    name = "exponential"
    example = '{law = "exponential"}'
    memoryless = True

    @property
    def variance(self) -> float:
        return 1.0

    @property
    def phases(self) -> tuple[FloatArray, FloatArray]:
        return np.ones(1), -np.ones((1, 1))

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        return rng.standard_exponential(n)

    def laplace(self, s: float) -> float:
        return 1 / (1 + s)


class Deterministic(Law):
    """Every draw is 1: equal jobs, or a metronome. Variance 0."""

    name = "deterministic"
    example = '{law = "deterministic"}'

    @property
    def variance(self) -> float:
        return 0.0

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        return np.ones(n)

    def laplace(self, s: float) -> float:
        return math.exp(-s)


class Uniform(Law):
    """Uniform on [1 - width/2, 1 + width/2]; variance width^2 / 12.

    Parameters
    ----------
    width : float in (0, 2]
    low, high : floats, 0 <= low < high with low + high = 2, instead of `width`

    >>> Uniform(low=0.5, high=1.5)
    uniform(width=1.0)
    """

    name = "uniform"
    example = '{law = "uniform", width = 1.0}'

    def __init__(self, width: float | None = None, *, low: float | None = None, high: float | None = None) -> None:
        ends = None if low is None and high is None else (low, high)
        if exactly_one(self.name, **{"width": width, "low and high": ends}) != "width":
            width = _width_between(low, high)
        self.width = number(
            "law 'uniform': width", width, "the ends are 1 - width/2 and 1 + width/2, and none may be negative", above=0, most=2
        )

    @property
    def variance(self) -> float:
        return self.width**2 / 12

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        return (1 - self.width / 2) + self.width * rng.random(n)

    def laplace(self, s: float) -> float:
        if s == 0:
            return 1.0
        low = 1 - self.width / 2
        return math.exp(-low * s) * -math.expm1(-self.width * s) / (self.width * s)


def _width_between(low: Any, high: Any) -> float:
    why = "the two ends of the uniform law"
    left = number("law 'uniform': low", low, why, least=0)
    right = number("law 'uniform': high", high, why, above=left)
    if abs(left + right - 2) > SAME:
        raise ModelError(
            f"law 'uniform': low = {left:g} and high = {right:g} have mean {(left + right) / 2:g}, but sizes and gaps have mean 1; "
            "divide both by that mean."
        )
    return right - left


class ByScv(Law):
    """A law whose only parameter is its squared coefficient of variation, from `least` to `most`."""

    # at 1e-9 draws differ from 1 by little more than rounding; at 1e6 no run of any use would show the mean
    least = 1e-9
    most = 1e6

    def __init__(self, scv: float) -> None:
        self._scv = number(
            f"law {self.name!r}: scv", scv, "the squared coefficient of variation, which is the variance at mean 1",
            least=self.least, most=self.most,
        )  # fmt: skip

    @property
    def variance(self) -> float:
        return self._scv

    def describe(self) -> dict[str, Any]:
        return {"law": self.name, "scv": self._scv}


class Gamma(ByScv):
    """Gamma with shape 1 / scv: smooth from near-constant (scv -> 0) to bursty (scv > 1). Variance scv.

    >>> Gamma(scv=2).laplace(0.5)
    0.7071067811865476
    """

    name = "gamma"
    example = '{law = "gamma", scv = 2.0}'

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        return rng.standard_gamma(1 / self._scv, n) * self._scv

    def laplace(self, s: float) -> float:
        return math.exp(-math.log1p(self._scv * s) / self._scv)
