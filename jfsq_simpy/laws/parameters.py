"""Parameters of laws, checked once and said in one line: where, what, why.

In    what a user or a scenario file wrote
Out   floats, ints and read-only float arrays; ModelError for booleans, text, NaN, infinities and values out of range
"""

from __future__ import annotations

import hashlib
import math
import numbers
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.errors import ModelError
from jfsq_simpy.laws.law import FloatArray

SAME = 1e-12  # relative: what differs by less is rounding, and is not rescaled
SMALLEST, LARGEST = 1e-100, 1e100  # between these, sums, squares and means neither overflow nor vanish


def number(
    place: str, value: Any, why: str, *, above: float = -math.inf, least: float = -math.inf, most: float = math.inf
) -> float:
    """`value` as a float, if it is a finite real number in (above, most] and [least, most].

    >>> number("law 'gamma': scv", 4, "it is a variance", above=0)
    4.0
    """
    if is_finite_number(value) and above < value and least <= value <= most:
        return float(value)
    raise ModelError(f"{place} = {value!r} must be a finite number{_range_in_words(above, least, most)}: {why}.")


def whole(place: str, value: Any, why: str, *, least: int, most: int) -> int:
    """`value` as an int, if it is a whole number from `least` to `most`."""
    if is_finite_number(value) and int(value) == value and least <= value <= most:
        return int(value)
    raise ModelError(f"{place} = {value!r} must be a whole number from {least} to {most}: {why}.")


def exactly_one(law: str, **given: Any) -> str:
    """The one keyword that is not None; ModelError when there are none or more."""
    present = [key for key, value in given.items() if value is not None]
    if len(present) == 1:
        return present[0]
    found = " and ".join(present) if present else "none"
    raise ModelError(f"law {law!r} takes exactly one of {', '.join(given)}, each of which fixes the law alone; given: {found}.")


def numbers_in(place: str, values: Any, *, ndim: Literal[1, 2] = 1, least: float = -math.inf) -> FloatArray:
    """`values` as a read-only float array of `ndim` axes, not empty, all finite and at or above `least`."""
    shape = "a list of numbers" if ndim == 1 else "a table of numbers, one list a row, all of one length"
    try:
        raw = np.asarray(values)
    except (ValueError, TypeError):
        raise ModelError(f"{place} must be {shape}; its rows differ in length.") from None
    if raw.dtype.kind not in "fiu" or raw.ndim != ndim or raw.size == 0:
        raise ModelError(f"{place} must be {shape}; it is {_shortened(values)}.")
    array = np.array(raw, dtype=np.float64)
    bound = "" if least == -math.inf else f" and at or above {least:g}"
    _refuse_first(place, array, ~np.isfinite(array) | (array < least), f"be finite{bound}")
    size = np.abs(array)
    extreme = (size > LARGEST) | ((size > 0) & (size < SMALLEST))
    _refuse_first(place, array, extreme, f"not lie beyond {LARGEST:g} or, but for 0, below {SMALLEST:g}: sums would fail")
    array.setflags(write=False)
    return array


def probabilities(place: str, values: Any) -> FloatArray:
    """`values` as a read-only probability vector; its sum must be 1 up to rounding, which is taken out."""
    array = numbers_in(place, values, least=0.0)
    total = math.fsum(array.tolist())
    if abs(total - 1) > 1e-9:
        raise ModelError(f"{place} sums to {total:.12g} but holds probabilities, so the sum must be 1.")
    if abs(total - 1) > SAME:
        array = array / total
        array.setflags(write=False)
    return array


def rescaled(mean: float) -> float:
    """What to divide by so that the mean is 1: `mean`, or exactly 1 where it is 1 already but for rounding.

    So a law rebuilt from its own record is the same law to the last bit.
    """
    return 1.0 if abs(mean - 1) <= SAME else mean


def fingerprint(values: FloatArray) -> str:
    """Sixteen hexadecimal digits that tell data apart in a record which does not hold the data."""
    return hashlib.sha256(np.ascontiguousarray(values, dtype="<f8").tobytes()).hexdigest()[:16]


def is_finite_number(value: Any) -> bool:
    """Whether `value` is a real number a float can hold, and not a boolean."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond 1e308
        return False


def _refuse_first(place: str, array: FloatArray, wrong: NDArray[np.bool_], rule: str) -> None:
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ModelError(f"{place}[{', '.join(map(str, where))}] = {array[where]} must {rule}.")


def _range_in_words(above: float, least: float, most: float) -> str:
    low = f" above {above:g}" if above > -math.inf else f" at or above {least:g}" if least > -math.inf else ""
    high = f" at most {most:g}" if most < math.inf else ""
    return f"{low}{' and' if low and high else ''}{high}"


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
