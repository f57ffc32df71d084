"""The chain as one compiled loop: N to 10^8 server by server, to 10^9 and more in a handful of classes.

In    a System, a replication number, its words
Out   an Outcome, equal to the last bit to `walk` and `lockstep`
Rule  the kernels know nothing of windows: here the run is cut at warm-up and batches, there it is run
Cost  10 to 20 ns an arrival; state under 16 bytes a server; kernels are compiled once and kept on disk
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from jfsq_simpy.chain import first, layout
from jfsq_simpy.chain.layout import ARRIVALS, BLOCKED, SNAPSHOTS
from jfsq_simpy.chain.plan import Plan, first_holding, grid_of, plan_of, supports
from jfsq_simpy.chain.shares import exchanged
from jfsq_simpy.chain.snapshots import add_up
from jfsq_simpy.chain.tables import server_events
from jfsq_simpy.draws import Purpose, Seed, word_stream
from jfsq_simpy.errors import PlanError
from jfsq_simpy.jobs.bits import numba
from jfsq_simpy.rates import IntArray, homogeneous
from jfsq_simpy.system import System
from jfsq_simpy.tally import NOTHING, Groups, Observables, Outcome, Tally, Window, groups_of

__all__ = ["compile_kernels", "path", "run", "supports"]

AT_ONCE = 2**25  # events a call of a kernel: between calls an interrupt is heeded
NEVER = 2**62


def run(
    system: System,
    seed: Seed,
    replication: int,
    window: Window,
    *,
    observe: Observables = NOTHING,
    start: str = "empty",
    form: str | None = None,
) -> Outcome:
    """One replication.

    `observe` : what to count at snapshots beside the levels. `start` : "empty", or "busy" (each of the
    N2 fastest servers holds one job). `form` : "servers" or "classes"; None takes the System's own.
    Errors: PlanError when the chain view cannot run the system, or Numba is not installed.

    >>> from jfsq_simpy.system import System
    >>> run(System(rates=[1.0], load=0.5, places=2), Seed.of(1), 0, Window(10, 100)).tallies[0].snapshots
    800
    """
    _need_numba()
    plan, groups = plan_of(system, form), groups_of(system, observe)
    path = _path(system, plan, groups, seed, replication, start)
    grid = grid_of(path.rate, window)
    path.advance(0, grid.warmup, NEVER, NEVER, layout.watch(NOTHING, 0))
    path.forget()
    tallies = []
    for begin, end in zip(grid.edges[:-1].tolist(), grid.edges[1:].tolist(), strict=True):
        n_before = grid.snapshots_before(begin)
        watch = layout.watch(observe, grid.snapshots_before(end) - n_before)
        path.advance(grid.warmup + begin, end - begin, grid.warmup + n_before * grid.stride, grid.stride, watch)
        tallies.append(_observed(path.tally(), watch))
        path.forget()
    facts = {"form": plan.form, "words": path.words, "events": grid.warmup + grid.length, "rate": path.rate}
    return Outcome(tallies, path.arrivals, facts)


def path(system: System, seed: Seed, replication: int, n_events: int, *, start: str = "empty", form: str | None = None) -> IntArray:
    """The states after 0 .. n_events events, as `walk.path` gives them."""
    _need_numba()
    plan = plan_of(system, form)
    path = _path(system, plan, groups_of(system), seed, replication, start)
    states = [path.copy()]
    for k in range(n_events):
        path.advance(k, 1, NEVER, NEVER, layout.watch(NOTHING, 0))
        states.append(path.copy())
    return np.array(states)


def compile_kernels() -> float:
    """Compile every kernel, or load it from disk; the seconds it took."""
    _need_numba()
    before = time.perf_counter()
    for n_servers in (2, 5_000, 300_000):
        system = System(homogeneous(n_servers), load=0.5, places=1)
        run(system, Seed.of(0), 0, Window(0.0, 10.0 / n_servers), form="servers")
    return time.perf_counter() - before


def _need_numba() -> None:
    if numba is None:
        raise PlanError("engine chain needs Numba: pip install 'jfsq_simpy[fast]'; engine lockstep runs the same chain without it.")


def _path(system: System, plan: Plan, groups: Groups, seed: Seed, replication: int, start: str) -> _Servers:
    if plan.counts or plan.rule != "first":
        raise PlanError("not yet")
    return _Servers(system, plan, groups, seed, replication, first_holding(system, start))


def _observed(tally: Tally, watch: layout.Watch) -> Tally:
    tally.joint, tally.tails, tally.idle_tails = watch.joint, watch.tail_counts, watch.idle_counts
    tally.powers, tally.path = watch.power_sums, watch.path
    return tally


class _Servers:
    """One replication in form "servers"."""

    def __init__(self, system: System, plan: Plan, groups: Groups, seed: Seed, replication: int, holding: int) -> None:
        self.system, self.groups = system, groups
        events = server_events(system)
        self.words, self.rate = events.words, events.rate
        self.stream = layout.Stream.of(word_stream(seed, replication, Purpose.EVENTS))
        self.codes = layout.codes(events)
        self.sets = layout.sets(system.n_servers, system.places, holding)
        self.count = layout.count(groups, system.places, self.sets.queue.size)
        self.arrivals = 0

    def advance(self, begin: int, n: int, snapshot: int, stride: int, watch: layout.Watch) -> None:
        """Events begin .. begin + n - 1, snapshots before `snapshot` and every `stride` after."""
        end = begin + n
        with np.errstate(over="ignore"):  # words wrap around; only seen when the kernels run uncompiled
            for at in range(begin, end, AT_ONCE):
                size = min(AT_ONCE, end - at)
                first.advance(
                    self.stream, self.codes, self.sets, self.count, watch, self.system.places, at, size, snapshot, stride
                )
                while snapshot < at + size:
                    snapshot += stride

    def tally(self) -> Tally:
        """What was counted since the last `forget`."""
        places, groups, count = self.system.places, self.groups, self.count
        if count.in_bytes.size:
            add_up(count.group_of, count.in_bytes, count.at_most, places)
        snapshots = int(count.numbers[SNAPSHOTS])
        at_most = count.at_most.reshape(-1, places) + np.cumsum(count.full) * groups.sizes[:, None]
        everyone = (snapshots * groups.sizes)[:, None]
        levels = np.diff(at_most, axis=1, prepend=0, append=everyone)
        joins, held = (exchanged(t, self.system, groups) for t in (count.joins.reshape(-1, places).copy(), levels))
        return Tally(joins, held, int(count.numbers[BLOCKED]), snapshots)

    def forget(self) -> None:
        """Set every count to zero."""
        self.arrivals += int(self.count.numbers[ARRIVALS])
        for array in (self.count.joins, self.count.at_most, self.count.in_bytes, self.count.full, self.count.numbers):
            array[:] = 0

    def copy(self) -> IntArray:
        return self.sets.queue[: self.system.n_servers].astype(np.int64)
