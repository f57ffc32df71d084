"""The compiled twin of `process`: the same jobs, the same records to the last bit, a few hundred times faster.

In    a System, a seed, a replication number and a Window
Out   an Outcome; every job's record goes to the sink it is handed
Rule  the run is cut into stages, the warm-up and each batch of the window; a stage counts into its own tally
Time  in mean service times of a rate-1 server
Cost  some 45 ns a job with JFSQ for N up to 10^4, a fifth of it the draws; see `kernels`. Memory about 100
      bytes a server beside what 65,536 jobs take, whatever the run's length
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from jfsq_simpy.draws import BLOCK, JobBlock, JobDraws, Seed
from jfsq_simpy.errors import PlanError
from jfsq_simpy.jobs import bits, layout
from jfsq_simpy.jobs.board_kernels import posted_of, trees_of
from jfsq_simpy.jobs.kernels import loop_of
from jfsq_simpy.jobs.order import BY_INDEX, QUERIES, order_of
from jfsq_simpy.jobs.records import Sink
from jfsq_simpy.rates import FloatArray, IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import NOTHING, Groups, Observables, Outcome, Tally, Window, groups_of

NOBODY_TIES = np.empty(0)
LARGEST_FLEET = 2**31  # servers x places: departures are numbered in 32 bits


@dataclass(frozen=True)
class Stage:
    """A stretch of the run that is counted apart: the warm-up, or a batch."""

    end: float
    first_snapshot: int
    snapshots: int


def run(
    system: System,
    seed: Seed,
    replication: int,
    window: Window,
    *,
    observe: Observables = NOTHING,
    start: str = "empty",
    sink: Sink | None = None,
) -> Outcome:
    """One replication, as `process.run` has it. Errors: PlanError where the system cannot be run (see `supports`).

    >>> system = System(rates=[1.5, 0.5], load=0.9, places=3)
    >>> outcome = run(system, Seed.of(1), 0, Window(warmup=0.0, length=100.0))
    >>> outcome.arrivals == outcome.tallies[0].routed
    True
    """
    refusal = supports(system)
    if refusal is not None:
        raise PlanError(f"engine events: {refusal}.")
    loop = Loop(system, seed, replication, window, observe, sink)
    loop.begin(loop.draws.initial_sizes(system.n2.floor if start == "busy" else 0))
    warm_up, *batches = stages(window)
    loop.advance(warm_up)
    tallies = [loop.advance(batch) for batch in batches]
    loop.hand_on()
    return Outcome(tallies, loop.arrivals)


class Loop:
    """One replication between stages: the draws, and the arrays the kernel changes."""

    def __init__(
        self, system: System, seed: Seed, replication: int, window: Window, observe: Observables, sink: Sink | None
    ) -> None:
        self.system, self.window, self.observe, self.sink = system, window, observe, sink
        self.groups: Groups = groups_of(system, observe)
        self.draws = JobDraws(system, seed, replication)
        self.blocks: Iterator[JobBlock] = self.draws.blocks()
        self.watch = layout.watch_of(observe)
        self.block, self.done = next(self.blocks), 0
        self.rows = self._new_rows()

    def begin(self, sizes: FloatArray) -> None:
        """Jobs -1, -2, ... of these sizes in service at the fastest servers at time 0, each other server idle."""
        n, n_servers = sizes.size, self.system.n_servers
        queue, free_at = np.zeros(n_servers, np.uint8), np.zeros(n_servers)
        queue[:n] = 1
        free_at[:n] = sizes / self.system.rates.vector()[:n]
        self.calendar = layout.calendar_of(self.system, free_at[:n])
        if self.sink is not None and n:
            late = free_at[:n] > self.window.end + self.window.drain
            jobs = np.arange(n)
            rows = layout.Rows(np.zeros(n), jobs, np.zeros(n, np.int64), np.zeros(n), np.where(late, np.nan, free_at[:n]))
            self.sink.write({"job": -1 - jobs, **rows._asdict(), "size": sizes})
        self.fleet = layout.servers_of(self.system, self.groups, queue, free_at)
        self.beliefs = self.draws.beliefs()
        self.order = order_of(self.system, queue, next(self.beliefs)[1])
        self.posted = posted_of(self.system, self.order, queue)
        self.next_belief = next(self.beliefs, None)
        self.kernel = loop_of(self.system)
        self.clock = layout.clock_of(queue)

    def advance(self, stage: Stage) -> Tally:
        """Run to the stage's end; what it counted."""
        tally = Tally.empty(self.groups, self.system.places, self.observe, per_job=True)
        counts = layout.counts_of(tally, stage.snapshots, self.observe)
        at_most = self.servers_at_most()
        self.clock["taken"] = 0
        for until in self.until(stage.end):
            while self.route(until, stage, counts) == BLOCK:
                self.hand_on()
                self.next_block()
        tally.joins = counts.cells["joins"].copy()
        for name in layout.TOTALS.names or ():
            setattr(tally, name, int(counts.totals[name][0]))
        tally.snapshots, tally.path = stage.snapshots, counts.path
        at_most = at_most * stage.snapshots + counts.cells["below"]
        tally.levels = np.diff(at_most, axis=1, prepend=0, append=self.groups.sizes[:, None] * stage.snapshots)
        return tally

    def until(self, end: float) -> Iterator[float]:
        """The instants before `end` at which other speeds are believed in, each before it comes to that; then `end`."""
        while self.next_belief is not None and self.next_belief[0] < end:
            yield self.next_belief[0]
            self.order = order_of(self.system, self.fleet["queue"], self.next_belief[1])
            best, tied = trees_of(self.posted.shown, self.order)
            self.posted = self.posted._replace(best=best, tied=tied)
            self.next_belief = next(self.beliefs, None)
        yield end

    def servers_at_most(self) -> IntArray:
        """int array (n_groups, places): servers of each group that hold at most 0, 1, ... places - 1 jobs now."""
        places, n_groups = self.system.places, self.groups.n_groups
        cell = self.fleet["group"].astype(np.int64) * (places + 1) + self.fleet["queue"]
        levels = np.bincount(cell, minlength=n_groups * (places + 1)).reshape(n_groups, places + 1)
        return np.cumsum(levels[:, :-1], axis=1)

    def route(self, until: float, stage: Stage, counts: layout.Counts) -> int:
        """The kernel's turn, with the rest of the block in hand; how far in the block it came."""
        block = self.block
        ties = NOBODY_TIES if self.order.ties == BY_INDEX else block.ties
        self.done = self.kernel(
            self.done, block.gaps, block.sizes, ties, block.samples, block.turns,
            block.marks, until, self.window.end + self.window.drain, self.window.warmup, stage.first_snapshot, stage.snapshots,
            self.fleet, self.order, self.calendar, self.clock, self.watch, counts, self.rows,
            self.posted,
        )  # fmt: skip
        return self.done

    def next_block(self) -> None:
        """Draw for the next jobs."""
        self.block, self.done = next(self.blocks), 0
        self.rows = self._new_rows()

    def _new_rows(self) -> layout.Rows:
        return layout.rows_of(BLOCK if self.sink is not None else 0)

    @property
    def arrivals(self) -> int:
        """Jobs routed so far."""
        return self.block.first + self.done

    def hand_on(self) -> None:
        """Give the sink the rows of the block, as far as it has come."""
        if self.sink is not None:
            jobs = np.arange(self.block.first, self.arrivals)
            columns = {name: column[: self.done] for name, column in self.rows._asdict().items()}
            self.sink.write({"job": jobs, **columns, "size": self.block.sizes[: self.done]})


def stages(window: Window) -> list[Stage]:
    """The warm-up and the batches, each with its snapshots."""
    ends = window.snapshots_before(window.edges).tolist()
    batches = zip(window.edges[1:].tolist(), ends, ends[1:], strict=False)
    return [Stage(window.warmup, 0, 0), *(Stage(edge, first, last - first) for edge, first, last in batches)]


def supports(system: System) -> str | None:
    """Why this engine cannot run a system, in one line; None if it can.

    >>> supports(System(rates=[1.5, 0.5], load=0.9, places=3)) is None
    True
    """
    if bits.numba is None:
        return "it needs Numba, which is not installed: pip install 'jfsq_simpy[fast]', or take engine = \"process\""
    if system.breakdowns is not None:
        return "servers that fail are in engine process alone"
    if type(system.policy.query) not in QUERIES:
        return f'policy {system.policy.name!r} asks servers in a way that is not compiled; take engine = "process"'
    if system.n_servers * system.places > LARGEST_FLEET:
        return f"N x places = {system.n_servers * system.places:,} is above {LARGEST_FLEET:,}; the chain view follows no single job"
    return None


def compile_kernels(system: System | None = None) -> float:
    """Make sure the loop a System needs, or without one every loop, is compiled (or read from disk); seconds it took."""
    before = time.perf_counter()
    wanted = None if system is None else loop_of(system)
    for small in _one_of_each():
        if wanted in (None, loop_of(small)):
            run(small, Seed.of(0), 0, Window(0.0, 1.0))
    return time.perf_counter() - before


def _one_of_each() -> list[System]:
    """A System for each loop: nothing is drawn to choose a server, something is, dispatchers go by boards."""
    pair = partial(System, rates=[1.5, 0.5], load=0.5, places=2)
    return [pair(), pair(policy="random"), pair(knowledge={"dispatchers": 2})]
