"""Laws by name: what a scenario or a user writes becomes a Law.

In    a name, a table ({law = "erlang", k = 3}), a Law, or a frozen scipy.stats distribution
Out   a Law; ModelError with the nearest known name where there is none of that name
Rule  `LAWS` is filled by the package's `__init__`, so a law built on others by name (batches of them)
      can import this module without a cycle
"""

from __future__ import annotations

import difflib
import inspect
import numbers
from collections.abc import Callable, Mapping
from typing import Any

from jfsq_simpy.errors import ModelError
from jfsq_simpy.laws.law import Law
from jfsq_simpy.laws.trial import check_mean

LAWS: dict[str, Callable[..., Law]] = {}
SYNONYMS = {"poisson": "exponential"}  # what arrivals are called when their gaps are exponential


def as_law(spec: Any, what: str) -> Law:
    """A Law from a name, a table with key `law`, a frozen scipy.stats distribution, or a Law itself.

    `what` names the place in messages, which are ModelErrors of one line. A law of one's own is tried (`trial`).

    >>> as_law("poisson", "arrivals")
    exponential()
    >>> as_law({"law": "erlang", "k": 3}, "size").variance
    0.3333333333333333
    """
    if isinstance(spec, Law):
        if type(spec) not in LAWS.values():
            _check_variance(spec, what)
            check_mean(spec, what)
        return spec
    if isinstance(spec, str):
        spec = {"law": spec}
    elif is_frozen_scipy(spec):
        spec = {"law": "scipy", "distribution": spec}
    given = spec.get("law") if isinstance(spec, Mapping) else None
    if not isinstance(given, str):
        raise ModelError(f'{what} must be a name, a table {{law = "...", ...}} or a Law; it is {spec!r}.{_hint(spec)}')
    name = SYNONYMS.get(given, given)
    if name not in LAWS:
        raise ModelError(f"{what}: there is no law {name!r}{_nearest(name)}; known: {', '.join([*LAWS, *SYNONYMS])}.")
    return _built(name, {k: v for k, v in spec.items() if k != "law"}, what)


def _check_variance(law: Law, what: str) -> None:
    # warm-ups and what is said of intervals go by it
    if not isinstance(law.variance, numbers.Real) or not law.variance >= 0:
        raise ModelError(
            f"{what}: law {law.name!r} has variance = {law.variance!r}; it must be a number >= 0 (at mean 1; math.inf where there "
            "is none)."
        )


def is_frozen_scipy(spec: Any) -> bool:
    """Whether `spec` is a distribution with its parameters fixed; told without importing scipy.stats, which takes a second."""
    return all(hasattr(spec, word) for word in ("dist", "rvs", "mean", "var", "support")) and not isinstance(spec, type)


def _built(name: str, parameters: dict[str, Any], what: str) -> Law:
    make = LAWS[name]
    try:
        inspect.signature(make).bind(**parameters)
    except TypeError as error:
        example = getattr(make, "example", "")
        written = f"; it is written {example}" if example else ""
        raise ModelError(f"{what}: law {name!r}: {error}{written}.") from None
    try:
        return make(**parameters)
    except ModelError as error:
        raise ModelError(f"{what}: {error}") from None


def _nearest(name: str) -> str:
    close = difflib.get_close_matches(name.lower(), [*LAWS, *SYNONYMS], n=1, cutoff=0.5)
    return f' (nearest: "{close[0]}")' if close else ""


def _hint(spec: Any) -> str:
    if isinstance(spec, type) and issubclass(spec, Law):
        return f" That is the class; give an object of it: {spec.__name__}(...)."
    if callable(spec):
        return " A function becomes a law by laws.from_function(function)."
    return ""
