"""One replication as a compiled kernel holds it: its arrays, and the kernel that moves them.

In    a System, its Plan, a stream of words
Out   `advance`, and a Tally of what was counted since the last `forget`
Rule  a kernel knows nothing of warm-up, window or batches; it is told where snapshots fall
Cost  set-up O(N / 64), and 16 bytes a server written once at most
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from jfsq_simpy.chain import classes_first, classes_rank, first, layout, layout_classes, sample, uniform
from jfsq_simpy.chain.layout import ARRIVALS, BLOCKED, LOGGED, SNAPSHOTS, Stream
from jfsq_simpy.chain.plan import FEW_CELLS, Plan
from jfsq_simpy.chain.shares import by_group, exchanged
from jfsq_simpy.chain.snapshots import add_up
from jfsq_simpy.chain.tables import class_events, server_events
from jfsq_simpy.chain.watching import NO_LOG, ROWS, Log, Watcher
from jfsq_simpy.draws import Purpose, Seed, word_stream
from jfsq_simpy.rates import IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Groups, Tally

AT_ONCE = 2**25  # events a call of a kernel: between calls an interrupt is heeded


class Path(ABC):
    """One replication; `rate` is Lambda, `words` are those an event reads."""

    rate: float
    words: int
    count: layout.Count | layout_classes.ClassCount

    def __init__(self, system: System, groups: Groups, seed: Seed, replication: int, holding: int) -> None:
        self.system, self.groups, self.arrivals = system, groups, 0
        self.stream, self.choices = (Stream.of(word_stream(seed, replication, p)) for p in (Purpose.EVENTS, Purpose.CHOICES))

    def advance(self, begin: int, n: int, snapshot: int, stride: int, watcher: Watcher | None = None) -> None:
        """Events begin .. begin + n - 1, snapshots before event `snapshot` and every `stride` after it."""
        log, most = (NO_LOG, AT_ONCE) if watcher is None else (watcher.log, min(AT_ONCE, ROWS * stride))
        end = begin + n
        with np.errstate(over="ignore"):  # words wrap around; NumPy says so where the kernels run uncompiled
            for at in range(begin, end, most):
                size = min(most, end - at)
                self._kernel(log, at, size, snapshot, stride)
                snapshot += max(0, -(-(at + size - snapshot) // stride)) * stride
                if watcher is not None:
                    watcher.take(int(self.count.numbers[LOGGED]))
                    self.count.numbers[LOGGED] = 0

    def forget(self) -> None:
        """Set every count to zero."""
        self.arrivals += int(self.count.numbers[ARRIVALS])
        for array in self.count:
            if array is not getattr(self.count, "group_of", None) and array is not getattr(self.count, "edges", None):
                array[:] = 0

    @abstractmethod
    def _kernel(self, log: Log, first: int, n: int, snapshot: int, stride: int) -> None: ...

    @abstractmethod
    def tally(self) -> Tally:
        """What was counted since the last `forget`."""

    @abstractmethod
    def copy(self) -> IntArray:
        """The state, as `walk.path` gives it."""


class Servers(Path):
    """Form "servers": what its three rules share."""

    queue: np.ndarray[tuple[int], np.dtype[np.uint8]]
    count: layout.Count

    def __init__(self, system: System, groups: Groups, seed: Seed, replication: int, holding: int) -> None:
        super().__init__(system, groups, seed, replication, holding)
        events = server_events(system)
        self.words, self.rate, self.codes = events.words, events.rate, layout.codes(events)

    def tally(self) -> Tally:
        places, groups, count = self.system.places, self.groups, self.count
        if count.in_bytes.size:
            add_up(count.group_of, count.in_bytes, count.at_most, places)
        snapshots = int(count.numbers[SNAPSHOTS])
        at_most = count.at_most.reshape(-1, places) + np.cumsum(count.full) * groups.sizes[:, None]
        levels = np.diff(at_most, axis=1, prepend=0, append=(snapshots * groups.sizes)[:, None])
        joins, held = (exchanged(t, self.system, groups) for t in (count.joins.reshape(-1, places).copy(), levels))
        return Tally(joins, held, int(count.numbers[BLOCKED]), snapshots)

    def copy(self) -> IntArray:
        return self.queue[: self.system.n_servers].astype(np.int64)


class First(Servers):
    """JFSQ."""

    def __init__(self, system: System, groups: Groups, seed: Seed, replication: int, holding: int) -> None:
        super().__init__(system, groups, seed, replication, holding)
        self.sets = layout.sets(system.n_servers, system.places, holding)
        self.queue = self.sets.queue
        self.count = layout.count(groups, system.places, self.queue.size, by_word=len(self.sets.layers) > 1)

    def _kernel(self, log: Log, first_event: int, n: int, snapshot: int, stride: int) -> None:
        first.advance(self.stream, self.codes, self.sets, self.count, log, self.system.places, first_event, n, snapshot, stride)


class Uniform(Servers):
    """JSQ."""

    def __init__(self, system: System, groups: Groups, seed: Seed, replication: int, holding: int) -> None:
        super().__init__(system, groups, seed, replication, holding)
        self.sums = layout.sums(system.n_servers, system.places, holding)
        self.queue = self.sums.queue
        self.count = layout.count(groups, system.places, self.queue.size)

    def _kernel(self, log: Log, first_event: int, n: int, snapshot: int, stride: int) -> None:
        places = self.system.places
        uniform.advance(self.stream, self.choices, self.codes, self.sums, self.count, log, places, first_event, n, snapshot, stride)


class SampleServers(Servers):
    """The best of d servers drawn."""

    def __init__(self, system: System, groups: Groups, seed: Seed, replication: int, holding: int) -> None:
        super().__init__(system, groups, seed, replication, holding)
        self.queue = layout.queues(system.n_servers, holding)
        self.draw = layout_classes.draw(system, "servers")
        self.count = layout.count(groups, system.places, self.queue.size)

    def _kernel(self, log: Log, first_event: int, n: int, snapshot: int, stride: int) -> None:
        arrays = self.codes, self.queue, self.draw, self.count, log
        sample.advance_servers(self.stream, self.choices, *arrays, self.system.places, first_event, n, snapshot, stride)


class Classes(Path):
    """Form "classes": counts by class and level."""

    count: layout_classes.ClassCount

    def __init__(self, system: System, groups: Groups, seed: Seed, replication: int, holding: int) -> None:
        super().__init__(system, groups, seed, replication, holding)
        events = class_events(system)
        self.words, self.rate, self.codes = events.words, events.rate, layout_classes.class_codes(events)
        self.counts = layout_classes.class_counts(system, holding)
        self.count = layout_classes.class_count((system.rates.n_classes + 2) * (system.places + 2), self.counts.at_most.size)

    def tally(self) -> Tally:
        rates, places, snapshots = self.system.rates, self.system.places, int(self.count.numbers[SNAPSHOTS])
        at_most = self.count.held.reshape(-1, places + 2)[: rates.n_classes, 1:-1]
        levels = np.diff(at_most, axis=1, prepend=0, append=(snapshots * rates.counts)[:, None])
        joins, held = (by_group(t, rates, self.groups) for t in (self._joins(), levels))
        return Tally(joins, held, int(self.count.numbers[BLOCKED]), snapshots)

    @abstractmethod
    def _joins(self) -> IntArray:
        """int array (n_classes, places): jobs that joined."""

    def copy(self) -> IntArray:
        n, places = self.system.rates.n_classes, self.system.places
        at_most = self.counts.at_most.reshape(-1, places + 2)[:n, 1:-1].astype(np.int64)
        return np.diff(at_most, axis=1, prepend=0, append=self.system.rates.counts[:, None])


class FirstClasses(Classes):
    """JFSQ over a handful of classes."""

    def _kernel(self, log: Log, first_event: int, n: int, snapshot: int, stride: int) -> None:
        arrays = self.codes, self.counts, self.count, log
        classes_first.advance(self.stream, *arrays, self.system.places, first_event, n, snapshot, stride)

    def _joins(self) -> IntArray:
        return self.count.joins.reshape(-1, self.system.places + 2)[: self.system.rates.n_classes, 1:-1].copy()


class RankClasses(Classes):
    """Any rank table."""

    def __init__(self, system: System, groups: Groups, seed: Seed, replication: int, holding: int) -> None:
        super().__init__(system, groups, seed, replication, holding)
        self.order = layout_classes.rank_order(system, holding)

    def _kernel(self, log: Log, first_event: int, n: int, snapshot: int, stride: int) -> None:
        arrays = self.codes, self.counts, self.order, self.count, log
        classes_rank.advance(self.stream, self.choices, *arrays, self.system.places, first_event, n, snapshot, stride)

    def _joins(self) -> IntArray:
        n, levels = self.system.rates.n_classes, self.system.places + 1
        return self.count.joins[: n * levels].reshape(n, levels)[:, :-1].copy()


class SampleClasses(Classes):
    """The best of d servers drawn, over counts."""

    def __init__(self, system: System, groups: Groups, seed: Seed, replication: int, holding: int) -> None:
        super().__init__(system, groups, seed, replication, holding)
        self.draw = layout_classes.draw(system, "classes")

    def _kernel(self, log: Log, first_event: int, n: int, snapshot: int, stride: int) -> None:
        arrays = self.codes, self.counts, self.draw, self.count, log
        sample.advance_classes(self.stream, self.choices, *arrays, self.system.places, first_event, n, snapshot, stride)

    _joins = RankClasses._joins


def kind_of(system: System, plan: Plan) -> type[Path]:
    """The kernel a plan runs on."""
    if not plan.counts:
        kinds: dict[str, type[Path]] = {"first": First, "uniform": Uniform, "sample": SampleServers}
        return kinds[plan.rule]
    if plan.rule == "sample":
        return SampleClasses
    few = system.rates.n_classes * system.places <= FEW_CELLS
    return FirstClasses if system.policy.level_then_speed and few else RankClasses


def path_of(system: System, plan: Plan, groups: Groups, seed: Seed, replication: int, holding: int) -> Path:
    """The replication at time 0, with one job at each of the `holding` fastest servers."""
    return kind_of(system, plan)(system, groups, seed, replication, holding)
