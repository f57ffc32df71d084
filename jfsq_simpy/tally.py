"""What one replication measured: the sufficient counts, the same from every engine.

In    a System, a Window of time, what else to observe
Out   a Tally: integers, so that merging is exact in any order and twin engines can be compared
Rule  jobs count by *arrival* in the window, snapshots by time; a snapshot is taken after departures
      and before arrivals of its instant
Cost  memory O(groups x places), never O(run length)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jfsq_simpy.errors import PlanError
from jfsq_simpy.rates import FloatArray, IntArray, Rates
from jfsq_simpy.system import System

SNAPSHOTS_PER_UNIT = 8
MOST_CLASSES = 4096  # above, adjacent speeds share a group
SURGE_POWERS = 4  # powers, from 0 on, of how crowded it is, by which surges of arrivals are weighted
MOST_BANDS = 64  # waits are binned by speed class, or by this many bands of adjacent classes

# Waits and responses are binned by the leading bits of the float: 128 bins an octave, each at most
# 0.8 % wide, found without a logarithm and so equal to the last bit in every engine.
BIN_SHIFT = 45
LOWEST_EXPONENT, HIGHEST_EXPONENT = -20, 22
FIRST_BIN = (1023 + LOWEST_EXPONENT) << (52 - BIN_SHIFT)
N_BINS = ((HIGHEST_EXPONENT - LOWEST_EXPONENT) << (52 - BIN_SHIFT)) + 2  # bin 0 holds exact zeros
TICKS = 2.0**24  # sums of times are kept in integer ticks of 2^-24


@dataclass(frozen=True)
class Window:
    """When to measure: from `warmup` for `length` time units, cut into `batches` equal parts."""

    warmup: float
    length: float
    batches: int = 1
    drain: float = math.inf  # how long after the window to wait for its jobs to leave

    def __post_init__(self) -> None:
        if not (math.isfinite(self.warmup) and self.warmup >= 0):
            raise PlanError(f"warmup = {self.warmup} must be a finite time, at or above 0.")
        if not (math.isfinite(self.length) and self.length > 0):
            raise PlanError(f"horizon = {self.length} must be a finite time above 0: it is how long to measure after the warm-up.")
        if self.batches < 1:
            raise PlanError(f"batches = {self.batches} must be at least 1.")
        if not self.drain >= 0:
            raise PlanError(f"drain = {self.drain} must be a time at or above 0.")

    @property
    def end(self) -> float:
        """The first instant after the window."""
        return self.warmup + self.length

    @property
    def edges(self) -> FloatArray:
        """float array (batches + 1,): where batches begin and the last one ends."""
        return self.warmup + self.length * (np.arange(self.batches + 1) / self.batches)

    def snapshot_times(self) -> FloatArray:
        """The grid of 1/8 time unit inside the window. O(length) memory."""
        return self._grid(np.arange(int(self.snapshots_before(self.end))))

    def snapshots_before(self, times: float | FloatArray, inclusive: ArrayLike = False) -> IntArray:
        """How many snapshots of the window come before each time (or at it, where `inclusive`); the grid is not stored.

        >>> Window(1.0, 0.5).snapshots_before(np.array([0.0, 1.0, 1.25, 9.0]), inclusive=[False, True, False, False])
        array([0, 1, 2, 4])
        """
        inside = np.clip(times, self.warmup, self.end)
        # a product is rounded, so step from below to the first grid point that does not come before
        n = np.maximum(np.ceil((inside - self.warmup) * SNAPSHOTS_PER_UNIT).astype(np.int64) - 2, 0)
        for _ in range(4):
            point = self._grid(n)
            n += (point < self.end) & ((point < times) | (np.asarray(inclusive) & (point == times)))
        return n

    def _grid(self, numbers: IntArray) -> FloatArray:
        return np.asarray(self.warmup + numbers / SNAPSHOTS_PER_UNIT)


@dataclass(frozen=True)
class Observables:
    """What else to count at snapshots; the caller knows why, engines only how.

    `joint` : two increasing integer edge arrays, waiting jobs and idle servers; counts of cells [e_i, e_i+1)
    `tails` : triples (a, c, t); how many snapshots had min(waiting - a, c - busy) >= t
    `idle_tails` : pairs (m, t); how many had at least t idle servers among the m fastest
    `powers` : pairs (eta, r), r >= 1 whole; sums over snapshots of ((mean queue - eta)+)^r
    `surges` : a pair (centre, scale), chain view only; sums over snapshots of the surge times c^k, k = 0 .. 3: the surge is
        the arrivals until the next snapshot less their expectation, and c = x / sqrt(1 + x^2), between -1 and 1, says how
        crowded it is, with x = (jobs present - centre) / scale
    `path` : keep the number of jobs present at every snapshot (memory grows with the run)
    """

    joint: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    tails: tuple[tuple[float, float, float], ...] = ()
    idle_tails: tuple[tuple[int, float], ...] = ()
    powers: tuple[tuple[float, int], ...] = ()
    path: bool = False
    surges: tuple[float, float] | None = None

    @property
    def joint_shape(self) -> tuple[int, int]:
        """Cells of the joint histogram; (0, 0) when it is not wanted."""
        return (len(self.joint[0]) - 1, len(self.joint[1]) - 1) if self.joint else (0, 0)


NOTHING = Observables()


@dataclass(frozen=True)
class Groups:
    """How servers are grouped in a tally: by speed class, cut also at N1, N2 and where `idle_tails` asks.

    Above 4,096 classes, adjacent speeds share a group. Group g holds servers edges[g] .. edges[g+1] - 1.
    """

    edges: IntArray  # (n_groups + 1,)
    speeds: FloatArray  # (n_groups,) mean rate in the group
    spread: float  # largest (fastest - slowest) / slowest inside a group; 0 when groups are exact
    speed_class: IntArray  # (n_groups,) class of the group, -1 when it spans several
    band: IntArray  # (n_groups,) band in which its waits are binned

    @property
    def n_groups(self) -> int:
        return int(self.speeds.size)

    @property
    def n_bands(self) -> int:
        return int(self.band[-1]) + 1

    @property
    def sizes(self) -> IntArray:
        """int array (n_groups,): servers in each group."""
        return np.diff(self.edges)

    def of_server(self) -> IntArray:
        """int array (n_servers,): the group of every server. O(N) memory."""
        return np.repeat(np.arange(self.n_groups), self.sizes)


def groups_of(system: System, observe: Observables = NOTHING) -> Groups:
    """The grouping a system's tallies use: a function of the System and the cuts asked for, the same in every engine."""
    rates = system.rates
    cuts = [system.n1().floor, system.n2.floor, *(m for m, _ in observe.idle_tails)]
    inner = np.array([c for c in cuts if 0 < c < rates.n_servers], dtype=np.int64)
    base = rates.first_server if rates.n_classes <= MOST_CLASSES else _edges_by_speed(rates)
    edges = np.unique(np.concatenate([base, inner]))
    first, last = _class_at(rates, edges[:-1]), _class_at(rates, edges[1:] - 1)
    fastest, slowest = rates.speeds[first], rates.speeds[last]
    speeds = np.where(first == last, fastest, _mean_speeds(rates, edges))
    exact = rates.n_classes <= MOST_CLASSES
    spread = 0.0 if exact else float(((fastest - slowest) / slowest).max())
    n_units = min(rates.n_classes, MOST_BANDS)
    unit = first if rates.n_classes <= MOST_BANDS else edges[:-1] * n_units // rates.n_servers
    band = np.unique(unit, return_inverse=True)[1].astype(np.int64)
    return Groups(edges, speeds, spread, np.where(first == last, first, -1), band)


def _edges_by_speed(rates: Rates) -> IntArray:
    """Where servers, fastest first, are cut so that no group spans more than a 4,096th of the range of log speeds.

    Groups of as many servers each would put the few very fast or very slow ones of a long tail together.
    """
    cuts = np.geomspace(rates.fastest, rates.slowest, MOST_CLASSES + 1)[1:-1]
    low, high = np.zeros(cuts.size, np.int64), np.full(cuts.size, rates.n_classes, np.int64)
    while (low < high).any():  # for all cuts at once: the first class slower than the cut; speeds are never copied
        middle = (low + high) // 2
        slower = rates.speeds[np.minimum(middle, rates.n_classes - 1)] < cuts
        high = np.where(slower, middle, high)
        low = np.where(slower | (low == high), low, middle + 1)
    return np.concatenate([[0], rates.first_of(low), [rates.n_servers]])


def _class_at(rates: Rates, servers: IntArray) -> IntArray:
    if rates.all_distinct:
        return servers
    return np.searchsorted(rates.first_server, servers, side="right") - 1


def _mean_speeds(rates: Rates, edges: IntArray) -> FloatArray:
    # capacity up to each edge, then differences: exact enough for a mean over adjacent speeds
    k = np.minimum(_class_at(rates, edges), rates.n_classes - 1)
    capacity = rates._capacity_before_class[k] + (edges - rates.first_of(k)) * rates.speeds[k]
    return np.asarray(np.diff(capacity) / np.diff(edges))


def time_bin(times: FloatArray) -> IntArray:
    """The bin of each time >= 0, int array of the same shape: 0 for exactly 0, the last for what is beyond.

    >>> time_bin(np.array([0.0, 1.0, 1.001, 2.0]))
    array([   0, 2561, 2561, 2689])
    """
    bits = np.ascontiguousarray(times, dtype=np.float64).view(np.int64)
    inside = np.clip((bits >> BIN_SHIFT) - FIRST_BIN + 1, 1, N_BINS - 1)
    return np.where(times == 0.0, 0, inside)


def bin_edges() -> FloatArray:
    """float array (N_BINS + 1,): bin k holds times in [edge_k, edge_k+1); bin 0 is {0}, the last is open above."""
    bits = (np.arange(N_BINS - 1, dtype=np.int64) + FIRST_BIN) << BIN_SHIFT
    inner = bits.view(np.float64)
    return np.concatenate([[0.0, 0.0], inner[1:], [np.inf]])


def squashed(x: NDArray[Any]) -> FloatArray:
    """x / sqrt(1 + x^2): near x where it is small, never beyond -1 or 1, and the same bits everywhere."""
    return np.asarray(x / np.sqrt(1.0 + x * x))


def ticks(times: FloatArray) -> IntArray:
    """Times in whole ticks, rounded half up: sums of these are exact in any order."""
    return np.floor(times * TICKS + 0.5).astype(np.int64)


@dataclass
class Tally:
    """The counts of one batch of one replication (or of several, added up).

    `joins[g, l]` accepted jobs that joined a server of group g behind l jobs; `blocked` jobs refused;
    `levels[g, l]` servers of group g holding l jobs, summed over `snapshots`. Jobs view only:
    `wait_bins`, `response_bins` [band, bin] and the sums in ticks, of jobs that left; `unfinished` are the rest.
    """

    joins: IntArray  # (n_groups, places)
    levels: IntArray  # (n_groups, places + 1)
    blocked: int = 0
    snapshots: int = 0
    joint: IntArray = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    tails: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    idle_tails: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    powers: FloatArray = field(default_factory=lambda: np.zeros(0))
    path: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    surges: FloatArray = field(default_factory=lambda: np.zeros(0))
    wait_bins: IntArray | None = None  # (n_bands, N_BINS)
    response_bins: IntArray | None = None
    wait_ticks: int = 0
    response_ticks: int = 0
    unfinished: int = 0

    @classmethod
    def empty(cls, groups: Groups, places: int, observe: Observables = NOTHING, *, per_job: bool) -> Tally:
        """A tally of zeros; `per_job` for the jobs view, whose waits are measured one by one."""

        def bins() -> IntArray | None:
            return np.zeros((groups.n_bands, N_BINS), np.int64) if per_job else None

        return cls(
            joins=np.zeros((groups.n_groups, places), np.int64),
            levels=np.zeros((groups.n_groups, places + 1), np.int64),
            joint=np.zeros(observe.joint_shape, np.int64),
            tails=np.zeros(len(observe.tails), np.int64),
            idle_tails=np.zeros(len(observe.idle_tails), np.int64),
            powers=np.zeros(len(observe.powers)),
            surges=np.zeros(SURGE_POWERS if observe.surges else 0),
            wait_bins=bins(),
            response_bins=bins(),
        )

    @property
    def accepted(self) -> int:
        return int(self.joins.sum())

    @property
    def routed(self) -> int:
        """Jobs that arrived in the window."""
        return self.accepted + self.blocked

    def observe(self, observe: Observables, groups: Groups, levels: NDArray[np.integer[Any]]) -> None:
        """Count one snapshot: `levels` int array (n_groups, places + 1), servers by group and level."""
        self.levels += levels
        self.snapshots += 1
        present = np.array([int((levels @ np.arange(levels.shape[1])).sum())])
        among = [np.array([int(levels[groups.edges[:-1] < m, 0].sum())]) for m, _ in observe.idle_tails]
        self.count_paths(observe, groups, present, np.array([int(levels[:, 0].sum())]), among)

    def count_paths(
        self, observe: Observables, groups: Groups, present: IntArray, idle: IntArray, idle_among: Sequence[IntArray]
    ) -> None:
        """Count the observables of consecutive snapshots.

        `present`, `idle` : int arrays (n,), jobs present and idle servers; `idle_among` : one such array
        for each of `observe.idle_tails`, idle servers among the m fastest.
        """
        n_servers = int(groups.edges[-1])
        busy = n_servers - idle
        waiting = present - busy
        if observe.path:
            self.path = np.concatenate([self.path, present])
        if observe.joint:
            row = np.searchsorted(observe.joint[0], waiting, side="right") - 1
            column = np.searchsorted(observe.joint[1], idle, side="right") - 1
            rows, columns = self.joint.shape
            inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
            np.add.at(self.joint, (row[inside], column[inside]), 1)
        for i, (a, c, t) in enumerate(observe.tails):
            self.tails[i] += np.count_nonzero(np.minimum(waiting - a, c - busy) >= t)
        for i, ((_, t), among) in enumerate(zip(observe.idle_tails, idle_among, strict=True)):
            self.idle_tails[i] += np.count_nonzero(among >= t)
        for i, (eta, r) in enumerate(observe.powers):
            excess = np.maximum(present / n_servers - eta, 0.0)
            power = excess.copy()
            for _ in range(r - 1):
                power *= excess
            # one after the other, as an engine adds them: the same bits in every engine
            self.powers[i] = np.cumsum(np.concatenate([self.powers[i : i + 1], power]))[-1]

    def count_surges(self, observe: Observables, present: IntArray, surge: FloatArray) -> None:
        """Count what followed consecutive snapshots.

        `present` : int array (n,), jobs present; `surge` : float array (n,), arrivals from each to the next
        snapshot of the batch, less their expectation.
        """
        if observe.surges:
            centre, scale = observe.surges
            crowded, power = squashed((present - centre) / scale), surge
            for k in range(SURGE_POWERS):
                self.surges[k] = np.cumsum(np.concatenate([self.surges[k : k + 1], power]))[-1]
                power = power * crowded

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tally):
            return NotImplemented
        return all(np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    __hash__ = None  # type: ignore[assignment]  # mutable


def merged(tallies: Iterable[Tally]) -> Tally:
    """The sum of tallies of one system; paths are joined in the order given."""
    parts = list(tallies)
    total: dict[str, Any] = {}
    for f in fields(Tally):
        values = [getattr(t, f.name) for t in parts]
        if f.name == "path":
            total[f.name] = np.concatenate(values)
        elif values[0] is None:
            total[f.name] = None
        else:
            total[f.name] = sum(values[1:], values[0])
    return Tally(**total)


@dataclass
class Outcome:
    """What an engine hands back for one replication: a tally for each batch of the window."""

    tallies: list[Tally]
    arrivals: int  # jobs simulated, warm-up included
    facts: dict[str, Any] = field(default_factory=dict)  # what the engine chose: its form, words an event, ...
