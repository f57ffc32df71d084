"""Many replications abreast: the uniformised chain as plain array code, one event each a step.

In    a System, replication numbers, their words
Out   an Outcome a replication, equal to the last bit to `walk` and `jump`
Rule  servers are sorted fastest first, so JFSQ is one `argmin` along the server axis: the first
      minimum is the fastest of the shortest queues
Cost  a dozen array operations a step, whatever the number of replications: worth it from tens of
      them on; a byte a server and replication
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jfsq_simpy.chain.abreast import ServersAbreast
from jfsq_simpy.chain.abreast_classes import ClassesAbreast
from jfsq_simpy.chain.abreast_sets import SetsAbreast
from jfsq_simpy.chain.observed import Observed
from jfsq_simpy.chain.plan import Grid, Plan, arrivals_between_snapshots, asking_all, first_holding, grid_of, plan_of, supports
from jfsq_simpy.chain.streams import Streams
from jfsq_simpy.draws import Seed
from jfsq_simpy.rates import IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import NOTHING, Groups, Observables, Outcome, Tally, Window, groups_of

__all__ = ["path", "run", "supports"]

SETS_FROM = 2**18  # bytes of queue lengths: with fewer to read, `argmin` over them is as quick as sets of bits
BLOCK_CELLS = 2**15  # events x replications decoded at a time
MOST_BYTES = 2**29  # of state and counts; more replications than fit go one group after the other


def run(
    system: System,
    seed: Seed,
    replications: Sequence[int],
    window: Window,
    *,
    observe: Observables = NOTHING,
    start: str = "empty",
    form: str | None = None,
) -> list[Outcome]:
    """One Outcome a replication number, in their order.

    `observe` : what to count at snapshots beside the levels. `start` : "empty", or "busy" (each of the
    N2 fastest servers holds one job). `form` : "servers" or "classes"; None takes the System's own.
    Errors: PlanError when the chain view cannot run the system.

    >>> from jfsq_simpy.system import System
    >>> outcomes = run(System(rates=[1.0], load=0.5, places=2), Seed.of(1), range(3), Window(10, 100))
    >>> [o.tallies[0].snapshots for o in outcomes]
    [150, 150, 150]
    """
    system = asking_all(system)
    plan, groups = plan_of(system, form), groups_of(system, observe)
    numbers = list(replications)
    per_path = _bytes_per_path(system, groups, plan)
    at_once = max(1, MOST_BYTES // per_path)
    outcomes: list[Outcome] = []
    for i in range(0, len(numbers), at_once):
        outcomes += Abreast(system, plan, groups, seed, numbers[i : i + at_once], window, observe, start).outcomes()
    return outcomes


def path(
    system: System, seed: Seed, replications: Sequence[int], n_events: int, *, start: str = "empty", form: str | None = None
) -> IntArray:
    """The states after 0 .. n_events events, as `walk.path` gives them, with a leading axis of replications."""
    system = asking_all(system)
    plan = plan_of(system, form)
    fleet = _fleet(system, plan, groups_of(system), len(replications), first_holding(system, start))
    streams = Streams(seed, replications)
    states = [fleet.copy()]
    for k in range(n_events):
        fleet.load(streams, k, 1)
        fleet.step(0)
        states.append(fleet.copy())
    return np.array(states).swapaxes(0, 1)


def _bytes_per_path(system: System, groups: Groups, plan: Plan) -> int:
    levels = system.places + 2
    return levels * ((0 if plan.counts else system.n_servers) + 32 * groups.n_groups + 16 * system.rates.n_classes * plan.counts)


def _fleet(system: System, plan: Plan, groups: Groups, n_paths: int, holding: int) -> ServersAbreast | ClassesAbreast:
    if plan.counts:
        return ClassesAbreast(system, plan, groups, n_paths, holding)
    by_sets = plan.rule == "first" and n_paths * system.n_servers >= SETS_FROM
    return (SetsAbreast if by_sets else ServersAbreast)(system, plan, groups, n_paths, holding)


class Abreast:
    """Replications that advance together, from time 0 to the end of the window."""

    def __init__(
        self,
        system: System,
        plan: Plan,
        groups: Groups,
        seed: Seed,
        numbers: list[int],
        window: Window,
        observe: Observables,
        start: str,
    ) -> None:
        self.system, self.plan, self.groups, self.observe = system, plan, groups, observe
        self.n_paths, self.window = len(numbers), window
        self.fleet = _fleet(system, plan, groups, len(numbers), first_holding(system, start))
        self.grid: Grid = grid_of(self.fleet.events.rate, window)
        self.expected = arrivals_between_snapshots(system, self.fleet.events.rate, self.grid)
        self.streams = Streams(seed, numbers)
        self.block = max(1, BLOCK_CELLS // len(numbers))
        self.arrivals = np.zeros(len(numbers), dtype=np.int64)

    def outcomes(self) -> list[Outcome]:
        self.advance(0, self.grid.warmup, None)
        self.fleet.counted()  # what was counted so far is the warm-up's
        batches = []
        for begin, end in zip(self.grid.edges[:-1].tolist(), self.grid.edges[1:].tolist(), strict=True):
            first = self.grid.snapshots_before(begin)
            observed = self.observed(first)
            self.advance(self.grid.warmup + begin, self.grid.warmup + end, observed)
            snapshots = self.grid.snapshots_before(end) - first
            joins, held = self.fleet.counted()
            batches.append([self._tally(i, joins[i], held[i], snapshots, observed) for i in range(self.n_paths)])
        facts = {
            "form": self.plan.form,
            "words": self.fleet.events.words,
            "events": self.grid.warmup + self.grid.length,
            "rate": self.fleet.events.rate,
        }
        return [Outcome([batch[i] for batch in batches], int(self.arrivals[i]), dict(facts)) for i in range(self.n_paths)]

    def observed(self, first: int) -> Observed:
        """What is to be seen at snapshots `first`, first + 1, ... of the window."""
        return Observed(self.observe, self.system, self.n_paths, first, self.streams, self.expected)

    def advance(self, begin: int, end: int, observed: Observed | None) -> None:
        """Events begin .. end - 1; snapshots on the grid if there is anything to observe."""
        for first in range(begin, end, self.block):
            n = min(self.block, end - first)
            self.fleet.load(self.streams, first, n)
            counted = 0
            for k in range(n):
                if observed is not None and (first + k - self.grid.warmup) % self.grid.stride == 0:
                    self._arrivals(observed, counted, k)
                    self.fleet.snapshot(observed)
                    counted = k
                self.fleet.step(k)
            self._arrivals(observed, counted, n)
            self.arrivals += self.fleet.count_joins()

    def _arrivals(self, observed: Observed | None, begin: int, end: int) -> None:
        """Tell which replications events begin .. end - 1 of the block brought a job to."""
        if observed is not None and self.observe.surges:
            arriving = self.fleet.arriving_from
            observed.arrivals(self.fleet.path[arriving[begin] : arriving[end]])

    def _tally(self, i: int, joins: IntArray, held: IntArray, snapshots: int, observed: Observed) -> Tally:
        tally = Tally(joins[:, :-1].copy(), held, int(joins[:, -1].sum()), snapshots)
        observed.put(i, tally)
        return tally
