"""How fast the servers are: speeds and counts, fastest first, summing to N.

In    a profile (homogeneous, linear, ...), any vector of speeds, or a CSV file
Out   Rates: distinct speeds and how many servers have each; `.vector()` only on demand
Rule  the sum is N (the paper's normalisation), so a rate is a share of the average server: rescaling
      changes the unit of time, hence only `from_speeds` and the profiles do it, and say so
Cost  O(speed classes) memory; a fleet of 10^9 servers in five generations takes a few hundred bytes
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jfsq_simpy.errors import DataError, ModelError, TooLargeError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SUM_TOLERANCE = 1e-9  # relative: how far a given vector's sum may be from N
BOUNDARY_TOLERANCE = 1e-12  # relative: a capacity this close to a whole number of servers is that number
LARGEST_VECTOR = 5 * 10**8  # distinct rates are stored one by one: 8 bytes each
LARGEST_FLEET = 2**53  # counts enter sums of floats, which hold whole numbers exactly up to here
LARGEST_SPREAD = 1e12  # fastest over slowest: beyond, a slow server vanishes in a sum of rates
LARGEST_SPEED = 1e150  # sums and ratios of speeds stay finite
MOST_LABELS = 10**6  # labels are kept one a server


class CriticalIndex(NamedTuple):
    """How many of the fastest servers carry a capacity: whole servers, and with the next one's share."""

    floor: int
    fractional: float


class Heterogeneity(NamedTuple):
    """How unequal the servers are; all four are indifferent to the unit of time."""

    max_over_min: float
    max_over_mean: float
    coefficient_of_variation: float
    gini: float


@dataclass(frozen=True, eq=False)
class Rates:
    """Service rates of a fleet, by speed class, fastest first.

    Parameters
    ----------
    speeds : float array (n_classes,)   jobs per unit time, strictly decreasing, > 0
    counts : int array (n_classes,)     servers of each speed, >= 1
    time_unit : float                   how many of the user's time units one unit of time here is
    labels : sequence of str, optional  one a server, fastest first (for reports)

    `speeds @ counts` must be N within 1e-9: one unit of time is the mean service time of the
    average server. Errors: ModelError. Source: section 2.

    >>> Rates(np.array([1.5, 0.5]), np.array([1, 1])).n_servers
    2
    """

    speeds: FloatArray
    counts: IntArray
    time_unit: float = 1.0
    labels: tuple[str, ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        speeds, counts = _finite_positive(self.speeds, "rates"), np.asarray(self.counts)
        if speeds.shape != counts.shape:
            raise ModelError(f"rates: {speeds.size} speeds but {counts.size} counts; give one count for each speed.")
        if counts.size and (not np.issubdtype(counts.dtype, np.integer) or counts.min() < 1):
            raise ModelError("rates: every count must be a whole number of servers, at least 1.")
        if np.any(speeds[1:] >= speeds[:-1]):
            raise ModelError("rates: speeds must be distinct and fastest first; `from_speeds` sorts any vector.")
        one_each = counts.strides == (0,) and bool((counts[:1] == 1).all())  # a view of one shared 1: no O(N) temporary
        total, n_servers = float(speeds.sum() if one_each else speeds @ counts), int(counts.sum())
        if abs(total - n_servers) > SUM_TOLERANCE * n_servers:
            raise ModelError(
                f"rates sum to {total:.12g} but must sum to N = {n_servers}: the unit of time is the mean service time of "
                "the average server. `rates.from_speeds(x)` rescales and keeps the time unit."
            )
        if self.labels is not None and len(self.labels) != n_servers:
            raise ModelError(f"rates: {n_servers} servers but {len(self.labels)} labels; give one label for each server.")
        if counts.dtype != np.int64 or counts.flags.writeable:  # a read-only view (one shared 1) stays as it is
            counts = counts.astype(np.int64)
            counts.flags.writeable = False
        speeds.flags.writeable = False
        object.__setattr__(self, "speeds", speeds)
        object.__setattr__(self, "counts", counts)

    @cached_property
    def n_servers(self) -> int:
        """N."""
        return int(self.counts.sum())

    @property
    def n_classes(self) -> int:
        """How many different speeds there are."""
        return int(self.speeds.size)

    @property
    def fastest(self) -> float:
        """mu_1."""
        return float(self.speeds[0])

    @property
    def slowest(self) -> float:
        """mu_N: the paper's epsilon is any positive lower bound on it."""
        return float(self.speeds[-1])

    @property
    def all_distinct(self) -> bool:
        """Whether every server has a speed of its own (then class k is server k)."""
        return self.n_classes == self.n_servers

    @cached_property
    def first_server(self) -> IntArray:
        """int array (n_classes + 1,): class k holds servers first_server[k] .. first_server[k + 1] - 1."""
        return np.concatenate([[0], np.cumsum(self.counts, dtype=np.int64)])

    def first_of(self, k: Any) -> Any:
        """`first_server[k]`, for a class or an int array of them, without the array where class k is server k."""
        return k if self.all_distinct else self.first_server[k]

    def vector(self) -> FloatArray:
        """float array (n_servers,): the rate of every server, fastest first. O(N) memory."""
        return self.speeds if self.all_distinct else np.repeat(self.speeds, self.counts)

    def class_of_server(self) -> IntArray:
        """int array (n_servers,): the speed class of every server. O(N) memory."""
        return np.repeat(np.arange(self.n_classes), self.counts)

    def rate_of(self, server: int) -> float:
        """The rate of one server, 0 being the fastest. O(log n_classes)."""
        if not 0 <= server < self.n_servers:
            raise ModelError(f"server {server} does not exist: servers are 0 to {self.n_servers - 1}, fastest first.")
        return float(self.speeds[server if self.all_distinct else np.searchsorted(self.first_server, server, side="right") - 1])

    def critical_index(self, capacity: float) -> CriticalIndex:
        """How many of the fastest servers it takes to carry `capacity`: the paper's N1, N2.

        `floor` is the largest n whose first n rates sum to at most `capacity` (all N when capacity is
        the total or more); it may be 0. `fractional` adds the share of the next server that is still
        needed. O(n_classes). Source: section 2, rounded so that Lemma 2's drift keeps its sign.

        >>> from_speeds([3.0, 2.0, 1.0]).critical_index(5.5 / 2)
        CriticalIndex(floor=2, fractional=2.5)
        """
        if not capacity >= 0:
            raise ModelError(f"capacity = {capacity} must be a number at or above 0.")
        edge = self._capacity_before_class
        if capacity >= edge[-1] * (1 - BOUNDARY_TOLERANCE):
            return CriticalIndex(self.n_servers, float(self.n_servers))
        k = int(np.searchsorted(edge, capacity * (1 + BOUNDARY_TOLERANCE), side="right")) - 1
        inside = max(capacity - float(edge[k]), 0.0) / float(self.speeds[k])
        noise = min(BOUNDARY_TOLERANCE * capacity / float(self.speeds[k]), 0.5)  # in servers of this class
        first, whole = int(self.first_of(k)), min(int(inside + noise), int(self.counts[k]))
        return CriticalIndex(first + whole, max(first + inside, float(first + whole)))

    @cached_property
    def _capacity_before_class(self) -> FloatArray:
        edges = np.zeros(self.n_classes + 1)
        np.cumsum(self.speeds if self.all_distinct else self.speeds * self.counts, out=edges[1:])
        return edges

    @cached_property
    def heterogeneity(self) -> Heterogeneity:
        """max/min, max/mean, coefficient of variation and Gini index of the rates. O(n_classes)."""
        share = self.counts / self.n_servers
        mean = float(self.speeds @ share)
        variance = float(((self.speeds - mean) ** 2) @ share)
        # Lorenz curve from the slowest up; its area by trapezoids is exact, being piecewise linear.
        people = np.concatenate([[0.0], np.cumsum(share[::-1])])
        income = np.concatenate([[0.0], np.cumsum((share * self.speeds)[::-1]) / mean])
        gini = 1.0 - float(np.sum(np.diff(people) * (income[1:] + income[:-1])))
        return Heterogeneity(self.fastest / self.slowest, self.fastest / mean, variance**0.5 / mean, max(gini, 0.0))

    def describe(self) -> dict[str, Any]:
        """What a record keeps: a short summary, and every class when there are at most 64."""
        summary: dict[str, Any] = {
            "servers": self.n_servers,
            "classes": self.n_classes,
            "fastest": self.fastest,
            "slowest": self.slowest,
            "time_unit": self.time_unit,
        }
        if self.n_classes <= 64:
            summary |= {"speeds": self.speeds.tolist(), "counts": self.counts.tolist()}
        return summary

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rates):
            return NotImplemented
        same = np.array_equal(self.speeds, other.speeds) and np.array_equal(self.counts, other.counts)
        return same and (self.time_unit, self.labels) == (other.time_unit, other.labels)

    __hash__ = None  # type: ignore[assignment]  # arrays inside


# ---- from what a user has ------------------------------------------------------------------------------------


def as_rates(rates: Rates | ArrayLike) -> Rates:
    """Rates as they are, or an array in any order that already sums to N (refused otherwise, ModelError).

    >>> as_rates([0.5, 1.5]).speeds
    array([1.5, 0.5])
    """
    return rates if isinstance(rates, Rates) else _grouped(_finite_positive(rates, "rates"), time_unit=1.0, labels=None)


def from_speeds(speeds: ArrayLike, labels: Sequence[str] | None = None) -> Rates:
    """Any vector of positive speeds, sorted and rescaled to sum N; `time_unit` and labels are kept.

    >>> fleet = from_speeds([100, 300], labels=["old", "new"])
    >>> fleet.vector(), fleet.labels, fleet.time_unit
    (array([1.5, 0.5]), ('new', 'old'), 0.005)
    """
    values = _finite_positive(speeds, "speeds")
    if labels is not None and len(labels) != values.size:
        raise ModelError(f"speeds: {values.size} speeds but {len(labels)} labels; give one label for each server.")
    mean = float(values.mean())
    return _grouped(values / mean, time_unit=1.0 / mean, labels=labels)


def _grouped(values: FloatArray, time_unit: float, labels: Sequence[str] | None) -> Rates:
    order = np.argsort(-values, kind="stable")
    values = values[order]
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    counts = np.diff(np.append(starts, values.size))
    kept = tuple(str(labels[i]) for i in order) if labels is not None else None
    return Rates(values[starts], counts.astype(np.int64), time_unit, kept)


def _finite_positive(values: ArrayLike, name: str) -> FloatArray:
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


# ---- profiles ------------------------------------------------------------------------------------------------


def homogeneous(n_servers: int) -> Rates:
    """N servers of rate 1: the case of most of the literature.

    >>> homogeneous(10**9).counts
    array([1000000000])
    """
    n = _server_count(n_servers)
    return Rates(np.array([1.0]), np.array([n]))


def two_speed(n_servers: int, ratio: float, fast_share: float = 0.5) -> Rates:
    """A share of fast servers, the rest slower by `ratio` (fast over slow, >= 1).

    `fast_share * N` is rounded to the nearest whole number of servers.

    >>> two_speed(4, ratio=3).vector()
    array([1.5, 1.5, 0.5, 0.5])
    """
    n, ratio = _server_count(n_servers), _ratio(ratio)
    if not (_is_number(fast_share) and 0 < fast_share < 1):
        raise ModelError(f"rates.fast_share = {fast_share} must lie between 0 and 1: it is the share of fast servers.")
    fast = round(fast_share * n)
    return classes([c for c in (fast, n - fast) if c], [s for c, s in ((fast, ratio), (n - fast, 1.0)) if c])


def linear(n_servers: int, ratio: float) -> Rates:
    """Rates falling in equal steps from the fastest to the slowest; `ratio` is fastest over slowest.

    >>> linear(3, ratio=3).vector()
    array([1.5, 1. , 0.5])
    """
    n, ratio = _distinct_count(n_servers), _ratio(ratio)
    return _distinct(np.linspace(ratio, 1.0, n) if n > 1 else np.ones(1), ratio)


def geometric(n_servers: int, ratio: float) -> Rates:
    """Rates falling by a constant factor; `ratio` is fastest over slowest.

    >>> geometric(3, ratio=4).vector() * 7 / 3
    array([4., 2., 1.])
    """
    n, ratio = _distinct_count(n_servers), _ratio(ratio)
    return _distinct(np.geomspace(ratio, 1.0, n) if n > 1 else np.ones(1), ratio)


def pareto(n_servers: int, shape: float) -> Rates:
    """The N mid-quantiles of a Pareto law of the given shape (> 1), so no randomness: a few very fast servers.

    Server n has speed proportional to ((n - 1/2) / N)^(-1/shape).

    >>> bool(pareto(100, shape=2).fastest > 5)
    True
    """
    n = _distinct_count(n_servers)
    if not (_is_number(shape) and shape > 1):
        raise ModelError(f"rates.shape = {shape} must be a finite number above 1: below, the law has no mean to scale by.")
    return _distinct(((np.arange(1, n + 1) - 0.5) / n) ** (-1.0 / shape), n)


def classes(counts: Sequence[int], speeds: Sequence[float]) -> Rates:
    """Groups of equal servers, say three machine generations: how many, and how fast (any unit; rescaled).

    >>> classes([600, 300, 100], [1.0, 1.5, 2.0]).speeds * 1.25
    array([2. , 1.5, 1. ])
    """
    if len(counts) != len(speeds):
        raise ModelError(f"rates: {len(counts)} counts but {len(speeds)} speeds; give one speed for each count.")
    values = _finite_positive(speeds, "rates.speeds")
    sizes = np.array([_server_count(c, "rates.counts") for c in counts], dtype=np.int64)
    mean = float(values @ sizes) / float(sizes.sum())
    speed, place = np.unique(-values / mean, return_inverse=True)
    merged = np.zeros(speed.size, dtype=np.int64)
    np.add.at(merged, place, sizes)
    return Rates(-speed, merged, time_unit=1.0 / mean)


def file(path: str | Path) -> Rates:
    """A CSV file with a column `speed` and, optionally, `label` and `count` (servers a line stands for).

    Speeds may be in any unit; they are rescaled and `time_unit` keeps the factor. Labels are kept one a
    server, up to a million servers. Errors: DataError.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, skipinitialspace=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from None
    except (ValueError, UnicodeDecodeError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(f"{path}: is not a CSV file ({str(error).splitlines()[0]}).") from None
    if "speed" not in table.columns:
        raise DataError(f"{path}: has no column `speed` (found: {', '.join(map(str, table.columns))}); give one speed a server.")
    labels = table["label"].astype(str).tolist() if "label" in table.columns else None
    try:
        if "count" not in table.columns:
            return from_speeds(table["speed"].to_numpy(), labels)
        fleet = classes(table["count"].tolist(), table["speed"].tolist())
        if labels is None or fleet.n_servers > MOST_LABELS:
            return fleet
        return replace(fleet, labels=_labels_by_line(labels, table["count"].to_numpy(), table["speed"].to_numpy()))
    except (ModelError, TooLargeError) as error:
        raise DataError(f"{path}: {error}") from None


def _labels_by_line(labels: Sequence[str], counts: IntArray, speeds: FloatArray) -> tuple[str, ...]:
    fastest_first = np.argsort(-speeds, kind="stable")
    return tuple(labels[i] for i in fastest_first for _ in range(int(counts[i])))


def _distinct(speeds: FloatArray, spread: float) -> Rates:
    n = speeds.size
    if spread == 1.0:
        return homogeneous(n)
    mean = float(speeds.mean())
    speeds /= mean
    if np.any(speeds[1:] >= speeds[:-1]):
        return _grouped(speeds, time_unit=1.0 / mean, labels=None)
    # One shared 1 for all counts: a fleet of 10^8 distinct servers keeps 8 bytes each, not 16.
    return Rates(speeds, np.broadcast_to(np.int64(1), (n,)), time_unit=1.0 / mean)


def _server_count(value: int, name: str = "servers") -> int:
    if not _is_number(value) or int(value) != value or value < 1:
        raise ModelError(f"{name} = {value} must be a whole number of servers, at least 1.")
    if value > LARGEST_FLEET:
        raise TooLargeError(f"{name} = {value:.3g} is more servers than can be counted exactly; at most 2^53, about 9e15.")
    return int(value)


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _distinct_count(value: int) -> int:
    n = _server_count(value)
    if n > LARGEST_VECTOR:
        raise TooLargeError(
            f"servers = {n:.3g} with a rate of its own each would take {8 * n / 2**30:.3g} GiB; "
            "use `classes` (counts and speeds), which takes no memory, or fewer servers."
        )
    return n


def _ratio(value: float) -> float:
    if not (_is_number(value) and value >= 1):
        raise ModelError(f"rates.ratio = {value} must be a finite number at or above 1: it is fastest over slowest.")
    return float(value)


PROFILES: dict[str, Callable[..., Rates]] = {
    "homogeneous": homogeneous,
    "two_speed": two_speed,
    "linear": linear,
    "geometric": geometric,
    "pareto": pareto,
    "classes": classes,
    "file": file,
}


def profile_names() -> Iterable[str]:
    """The names a scenario's `system.rates.profile` may take."""
    return PROFILES.keys()
