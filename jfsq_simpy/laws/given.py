"""Laws the user brings: a scipy distribution, a sample of measured values, a function.

In    a frozen scipy.stats distribution (or its name and parameters), an array, or f(rng, n) -> array
Out   laws of mean 1; `factor` is the mean the given values had, so factor * draw is in the user's unit
Rule  rescaling is allowed here because sizes have no other unit than their mean; what was divided by is kept
Cost  the sample 5 ns a draw; scipy and functions what they take
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jfsq_simpy.errors import ModelError
from jfsq_simpy.laws.law import FloatArray, Law, checked_draws
from jfsq_simpy.laws.parameters import fingerprint, number, numbers_in, rescaled
from jfsq_simpy.laws.registry import is_frozen_scipy

PROBE = 4_096  # draws a user's function is tried with when it becomes a law


class FromScipy(Law):
    """Any frozen scipy.stats distribution, divided by its mean. Variance: scipy's, over the squared mean.

    Parameters
    ----------
    distribution : frozen distribution, or the name of one in scipy.stats
    parameters : its parameters by name, when a name is given

    Errors: ModelError when the mean is not finite and above 0, or when values below 0 are possible.
    The variance may be infinite.

    >>> FromScipy("burr12", {"c": 3, "d": 2}).describe()["parameters"]
    {'c': 3, 'd': 2}
    """

    name = "scipy"
    example = '{law = "scipy", distribution = "burr12", parameters = {c = 3.0, d = 2.0}}'

    def __init__(self, distribution: Any, parameters: Mapping[str, float] | None = None) -> None:
        if isinstance(distribution, str):
            distribution = _frozen_by_name(distribution, parameters or {})
        elif parameters is not None or not is_frozen_scipy(distribution):
            raise ModelError(
                f"law 'scipy': distribution = {distribution!r} must be a frozen scipy.stats distribution, such as "
                "stats.burr12(3, 2), or a name with a table of parameters."
            )
        self._frozen = distribution
        self.distribution = str(distribution.dist.name)
        self.parameters = _parameters_by_name(distribution)
        self._factor = _checked_mean(distribution)

    @property
    def factor(self) -> float:
        """The mean of the distribution as given."""
        return self._factor

    @property
    def variance(self) -> float:
        return float(self._frozen.var()) / self._factor**2

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        return np.asarray(self._frozen.rvs(size=n, random_state=rng), dtype=np.float64) / self._factor

    def __eq__(self, other: object) -> bool:
        # histograms and distributions of one's own may share name and parameters; their moments tell them apart
        return super().__eq__(other) and isinstance(other, FromScipy) and self._moments == other._moments

    __hash__ = Law.__hash__

    @property
    def _moments(self) -> tuple[float, float]:
        return self._factor, self.variance


def _frozen_by_name(name: str, parameters: Mapping[str, float]) -> Any:
    from scipy import stats  # a second to import, so only where it is asked for

    family = getattr(stats, name, None)
    if not isinstance(family, (stats.rv_continuous, stats.rv_discrete)):
        raise ModelError(f"law 'scipy': scipy.stats has no distribution {name!r}; its documentation lists them.")
    if not isinstance(parameters, Mapping):
        raise ModelError(
            f"law 'scipy': parameters = {parameters!r} must be a table of names and numbers, such as {{c = 3.0, d = 2.0}}."
        )
    for key, value in parameters.items():
        number(f"law 'scipy': parameters.{key}", value, f"a parameter of {name}")
    try:
        return family(**parameters)
    except TypeError as error:
        raise ModelError(f"law 'scipy': {name} takes {family.shapes or 'no shapes'} and loc, scale: {error}.") from None


def _parameters_by_name(frozen: Any) -> dict[str, Any]:
    """Positional parameters of a frozen distribution under their names, as plain numbers where they are numbers."""
    shapes = [word.strip() for word in (frozen.dist.shapes or "").split(",") if word.strip()]
    named = {**dict(zip([*shapes, "loc", "scale"], frozen.args, strict=False)), **frozen.kwds}
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in named.items()}


def _checked_mean(frozen: Any) -> float:
    said = f"law 'scipy': {frozen.dist.name}({', '.join(f'{k}={v}' for k, v in _parameters_by_name(frozen).items())})"
    with np.errstate(all="ignore"):
        mean, low = np.asarray(frozen.mean()), np.asarray(frozen.support()[0])
    if mean.ndim or low.ndim:
        raise ModelError(f"{said} holds arrays of parameters, so it is many distributions; give one.")
    if not np.isfinite(mean):
        raise ModelError(f"{said} has mean {mean}, so it cannot be rescaled to mean 1; check its parameters, or cut off its tail.")
    if not low >= 0:
        raise ModelError(f"{said} can be negative (its values start at {low}), and sizes and gaps cannot; shift or truncate it.")
    if mean == 0:
        raise ModelError(f"{said} is always 0, so it cannot be rescaled to mean 1.")
    return rescaled(float(mean))


class Empirical(Law):
    """Draws with equal chances from measured values, divided by their mean. Variance: that of the values (over n).

    Each draw is independent; to keep the order of the measurements see `recorded_sizes` and `recorded_gaps`.

    >>> law = Empirical([2.0, 4.0, 6.0])
    >>> law.factor, round(law.variance, 4)
    (4.0, 0.1667)
    """

    name = "empirical"
    example = '{law = "empirical", values = [0.3, 0.9, 1.1, 4.0]}'

    def __init__(self, values: ArrayLike) -> None:
        values = numbers_in("law 'empirical': values", values, least=0.0)
        self.n = values.size
        self.factor = math.fsum(values.tolist()) / self.n
        if self.factor == 0:
            raise ModelError("law 'empirical': values are all 0, so they cannot be rescaled to mean 1.")
        self.sha256 = fingerprint(values)  # a record holds no data, but tells data apart
        self._values = values / self.factor

    @property
    def variance(self) -> float:
        return float(np.mean((self._values - 1) ** 2))

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        return self._values[rng.integers(0, self.n, n)]

    def laplace(self, s: float) -> float:
        return float(np.mean(np.exp(-s * self._values)))


class FromFunction(Law):
    """A user's function as a law; see `from_function`."""

    def __init__(self, function: Callable[[np.random.Generator, int], ArrayLike], name: str, variance: float | None) -> None:
        self.name = name
        self.function = f"{getattr(function, '__module__', '?')}.{_name_of(function)}"
        self.given_variance = variance
        self._function = function

    @property
    def variance(self) -> float:
        if self.given_variance is None:
            raise ModelError(
                f"law {self.name!r}: its variance is not known; give it: from_function({_name_of(self._function)}, variance=...)."
            )
        return self.given_variance

    @property
    def source(self) -> str:
        return _name_of(self._function)

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        return self._function(rng, n)  # type: ignore[return-value]  # whoever draws a block checks it

    def describe(self) -> dict[str, Any]:
        return {"law": self.name, "function": self.function, "variance": self.given_variance}

    def __eq__(self, other: object) -> bool:
        # two lambdas may share a name, so it is the function itself that counts
        return isinstance(other, FromFunction) and self._function == other._function and self.describe() == other.describe()

    __hash__ = Law.__hash__


def from_function(
    function: Callable[[np.random.Generator, int], ArrayLike], name: str | None = None, variance: float | None = None
) -> Law:
    """A law from `function(rng, n)`, which gives n independent draws of mean 1, all >= 0, as an array (n,).

    Parameters
    ----------
    function : draws from `rng` (a numpy Generator) alone, all n at once
    name : what records and messages call it; default the function's own name
    variance : of one draw; only formulas that use it need it. math.inf for a tail without one.

    The function is tried twice on 4,096 draws. ModelError when it gives a wrong shape or a value that is
    no size, when the same generator gives other draws (it then uses randomness of its own, and no run
    could be repeated), or when the mean is not 1 by ten standard errors (not asked of an infinite variance,
    where a sample mean proves nothing).

    >>> from_function(lambda rng, n: rng.triangular(0, 1, 2, n), name="triangle", variance=1 / 6)
    triangle(function='jfsq_simpy.laws.given.<lambda>', variance=0.16666666666666666)
    """
    if not callable(function) or isinstance(function, type):
        raise ModelError(f"laws.from_function takes a function of (rng, n); it was given {function!r}.")
    if variance is not None and variance != math.inf:
        variance = number("laws.from_function: variance", variance, "the variance of one draw, math.inf or None", least=0)
    law = FromFunction(function, name or _name_of(function), variance)
    _check_repeatable_with_mean_one(law)
    return law


def _check_repeatable_with_mean_one(law: FromFunction) -> None:
    first, second = (checked_draws(law, law.draw(np.random.default_rng(0), PROBE), PROBE) for _ in range(2))
    if not np.array_equal(first, second):
        raise ModelError(
            f"law {law.name!r}: {law.source} gave other draws from the same generator; it must take all its randomness from the "
            "rng it is handed, else no run could be repeated."
        )
    mean, error = float(first.mean()), float(first.std()) / math.sqrt(PROBE)
    if law.given_variance != math.inf and abs(mean - 1) > max(10 * error, 1e-9):
        raise ModelError(
            f"law {law.name!r}: {law.source} has mean {mean:.4g} (over {PROBE} draws) and must have mean 1: divide by its mean, "
            "and let the rates or the load carry the unit."
        )


def _name_of(function: Any) -> str:
    """The name a user would look for: of a partial, that of the function inside."""
    inner = getattr(function, "func", function)
    named = inner if inspect.isroutine(inner) else type(inner)
    return str(getattr(named, "__qualname__", named))
