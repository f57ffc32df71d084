"""Laws whose tails outweigh the exponential's: lognormal, Weibull, bounded Pareto.

In    a squared coefficient of variation, or a shape
Out   laws of mean 1 with closed-form moments
Rule  the heavier the tail, the longer a run must be: at scv = 100 the mean of a million draws is
      known to 1 %, and its largest draw carries a visible share of it
Cost  10 to 30 ns a draw
"""

from __future__ import annotations

import math

import numpy as np

from jfsq_simpy.laws.law import FloatArray, Law
from jfsq_simpy.laws.parameters import exactly_one, number
from jfsq_simpy.laws.simple import ByScv


class Lognormal(ByScv):
    """exp of a normal with variance log(1 + scv): what measured request sizes often look like. Variance scv.

    >>> Lognormal(scv=4).variance
    4.0
    """

    name = "lognormal"
    example = '{law = "lognormal", scv = 4.0}'

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        spread = math.log1p(self._scv)
        return np.exp(math.sqrt(spread) * rng.standard_normal(n) - spread / 2)


class Weibull(Law):
    """Weibull with survival exp(-(x/scale)^shape); shape < 1 is heavier than exponential, 1 is exponential.

    Variance Gamma(1 + 2/shape) / Gamma(1 + 1/shape)^2 - 1.

    Parameters
    ----------
    shape : float, 0.05 to 1000
    scv : float instead; the shape with that variance is found to rounding

    >>> Weibull(shape=0.5).variance
    5.0
    """

    name = "weibull"
    example = '{law = "weibull", shape = 0.5}'
    least_shape, most_shape = 0.05, 1000.0  # scv from 1.4e11 (a mean no run would show) to 1.6e-6

    def __init__(self, shape: float | None = None, *, scv: float | None = None) -> None:
        if exactly_one(self.name, shape=shape, scv=scv) == "scv":
            least, most = _weibull_variance(self.most_shape), _weibull_variance(self.least_shape)
            shape = _weibull_shape(number("law 'weibull': scv", scv, "the variance at mean 1", least=least, most=most), self)
        why = "smaller is heavier; 1 is the exponential"
        self.shape = number("law 'weibull': shape", shape, why, least=self.least_shape, most=self.most_shape)

    @property
    def variance(self) -> float:
        return _weibull_variance(self.shape)

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        return rng.weibull(self.shape, n) / math.gamma(1 + 1 / self.shape)


def _weibull_variance(shape: float) -> float:
    return math.expm1(math.lgamma(1 + 2 / shape) - 2 * math.lgamma(1 + 1 / shape))


def _weibull_shape(scv: float, law: Weibull) -> float:
    """The shape whose variance is `scv`, by halving: the variance falls as the shape grows."""
    low, high = law.least_shape, law.most_shape
    while low < (middle := math.sqrt(low * high)) < high:
        low, high = (middle, high) if _weibull_variance(middle) > scv else (low, middle)
    return middle


class BoundedPareto(Law):
    """Density proportional to x^(-shape - 1) between two ends whose ratio is given: heavy-tailed job sizes, cut off.

    With I(c) = integral of x^(c-1) from 1 to `ratio`, the mean at lower end 1 is I(1 - shape) / I(-shape),
    the second moment I(2 - shape) / I(-shape); the lower end is then chosen so that the mean is 1.

    Parameters
    ----------
    shape : float, 0.01 to 100   near 1 for the sizes of files and of cluster jobs
    ratio : float, 1.01 to 1e12   upper end over lower end

    >>> law = BoundedPareto(shape=1.5, ratio=1000)
    >>> round(law.low, 4), round(law.high, 1), round(law.variance, 2)
    (0.3442, 344.2, 9.88)
    """

    name = "bounded_pareto"
    example = '{law = "bounded_pareto", shape = 1.5, ratio = 1000.0}'

    def __init__(self, shape: float, ratio: float) -> None:
        self.shape = number("law 'bounded_pareto': shape", shape, "the exponent of the tail", least=0.01, most=100)
        # at ratio 1 the law is deterministic, and close to it the variance would be lost in rounding
        self.ratio = number("law 'bounded_pareto': ratio", ratio, "the upper end over the lower end", least=1.01, most=1e12)

    @property
    def low(self) -> float:
        """The lower end."""
        return self._power_integral(-self.shape) / self._power_integral(1 - self.shape)

    @property
    def high(self) -> float:
        """The upper end."""
        return self.low * self.ratio

    @property
    def variance(self) -> float:
        zeroth, first, second = (self._power_integral(k - self.shape) for k in range(3))
        return second * zeroth / first**2 - 1

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        share_below = -math.expm1(-self.shape * math.log(self.ratio))  # of the unbounded Pareto law
        return self.low * np.exp(np.log1p(-share_below * rng.random(n)) / -self.shape)

    def _power_integral(self, c: float) -> float:
        """Integral of x^(c-1) over [1, ratio], divided by log(ratio); no special case at c = 0 but the limit itself."""
        z = c * math.log(self.ratio)
        return math.expm1(z) / z if z else 1.0
