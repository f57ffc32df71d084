"""Rates: the speeds of a fleet and how many servers have each, fastest first, summing to N.

In    distinct speeds, decreasing, and their counts
Out   Rates: N, N1 and N2 of a capacity, heterogeneity; `.vector()` only on demand
Rule  server n is the n-th fastest; class k is the k-th speed, and holds servers next to each other
Cost  O(speed classes) memory; a fleet of 10^9 servers in five generations takes a few hundred bytes
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from jfsq_simpy.errors import ModelError
from jfsq_simpy.rates.limits import FloatArray, IntArray, finite_positive

SUM_TOLERANCE = 1e-9  # relative: how far a given vector's sum may be from N
BOUNDARY_TOLERANCE = 1e-12  # relative: a capacity this close to a whole number of servers is that number


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
        speeds, counts = finite_positive(self.speeds, "rates"), np.asarray(self.counts)
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
        needed. O(n_classes). Errors: ModelError. Source: section 2, rounded so that Lemma 2's drift keeps its sign.

        >>> from jfsq_simpy.rates import from_speeds
        >>> from_speeds([3.0, 2.0, 1.0]).critical_index(5.5 / 2)
        CriticalIndex(floor=2, fractional=2.5)
        """
        if not capacity >= 0:
            raise ModelError(f"capacity = {capacity} must be a number at or above 0.")
        edge = self.capacity_before_class
        if capacity >= edge[-1] * (1 - BOUNDARY_TOLERANCE):
            return CriticalIndex(self.n_servers, float(self.n_servers))
        k = int(np.searchsorted(edge, capacity * (1 + BOUNDARY_TOLERANCE), side="right")) - 1
        inside = max(capacity - float(edge[k]), 0.0) / float(self.speeds[k])
        noise = min(BOUNDARY_TOLERANCE * capacity / float(self.speeds[k]), 0.5)  # in servers of this class
        first, whole = int(self.first_of(k)), min(int(inside + noise), int(self.counts[k]))
        return CriticalIndex(first + whole, max(first + inside, float(first + whole)))

    @cached_property
    def capacity_before_class(self) -> FloatArray:
        """float array (n_classes + 1,): what all servers faster than class k can do together, jobs per unit time; at the end, N."""
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

    def __eq__(self, other: object) -> bool:  # so Rates have no hash, and could have none: there are arrays inside
        if not isinstance(other, Rates):
            return NotImplemented
        same = np.array_equal(self.speeds, other.speeds) and np.array_equal(self.counts, other.counts)
        return same and (self.time_unit, self.labels) == (other.time_unit, other.labels)
