"""What a fleet may be: the limits, and one line that names what breaks them.

In    what a user gave for speeds, counts, ratios
Out   checked arrays and numbers; ModelError or TooLargeError with the way out
Rule  a count of servers is a whole number, however it is written; True is not 1
Cost  O(values); an impossible size is refused before memory is touched
"""

from __future__ import annotations

import math
import numbers

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jfsq_simpy.errors import ModelError, TooLargeError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LARGEST_VECTOR = 5 * 10**8  # distinct rates are stored one by one: 8 bytes each
LARGEST_FLEET = 2**53  # counts enter sums of floats, which hold whole numbers exactly up to here
LARGEST_SPREAD = 1e12  # fastest over slowest: beyond, a slow server vanishes in a sum of rates
LARGEST_SPEED = 1e150  # sums and ratios of speeds stay finite


def finite_positive(values: ArrayLike, name: str) -> FloatArray:
    """A fresh float array (n,) of speeds a fleet can have; `name` says in messages whose they are. Errors: ModelError."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ModelError(f"{name} must be numbers (jobs per unit time), one a server.") from None
    if array.ndim != 1 or array.size == 0:
        raise ModelError(f"{name} must be a vector with at least one server; its shape is {array.shape}.")
    wrong = ~(np.isfinite(array) & (array > 0))
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise ModelError(
            f"{name}[{place}] = {array[place]} must be a finite number above 0: a server without speed never finishes."
        )
    if array.max() / LARGEST_SPREAD > array.min() or not 1 / LARGEST_SPEED < array.max() < LARGEST_SPEED:
        raise ModelError(
            f"{name} run from {array.min():.3g} to {array.max():.3g}, too far for their sums to be exact; leave out what is "
            f"{LARGEST_SPREAD:.0e} times slower than the fastest, and give speeds in a unit that brings them near 1."
        )
    return array


def server_count(value: int, name: str = "servers") -> int:
    """A whole number of servers. Errors: ModelError, TooLargeError above 2^53."""
    if not is_number(value) or int(value) != value or value < 1:
        raise ModelError(f"{name} = {value} must be a whole number of servers, at least 1.")
    if value > LARGEST_FLEET:
        raise TooLargeError(f"{name} = {value:.3g} is more servers than can be counted exactly; at most 2^53, about 9e15.")
    return int(value)


def distinct_count(value: int) -> int:
    """How many servers of a speed of their own, few enough to store. Errors: ModelError, TooLargeError."""
    n = server_count(value)
    if n > LARGEST_VECTOR:
        raise TooLargeError(
            f"servers = {n:.3g} with a rate of its own each would take {8 * n / 2**30:.3g} GiB; "
            "use `classes` (counts and speeds), which takes no memory, or fewer servers."
        )
    return n


def checked_ratio(value: float) -> float:
    """Fastest over slowest. Errors: ModelError below 1."""
    if not (is_number(value) and value >= 1):
        raise ModelError(f"rates.ratio = {value} must be a finite number at or above 1: it is fastest over slowest.")
    return float(value)


def is_number(value: object) -> bool:
    """Whether it is a finite number; True and "4" are not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
