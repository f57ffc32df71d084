"""Running a grid: what is missing, side by side, kept as it ends.

In    points, a ledger (or none), how many workers
Out   Results
Rule  a warm-up is chosen once a point, before its first replication, and kept; whatever runs here gives
      the bits that `simulate` gives for the same system, plan, seed and number
Cost  that of the replications; a finished grid costs reading its records
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from jfsq_simpy import engines
from jfsq_simpy.engines import Engine
from jfsq_simpy.experiment.cost import ABREAST
from jfsq_simpy.experiment.ledger import Ledger
from jfsq_simpy.experiment.plan import Plan, Point
from jfsq_simpy.experiment.record import SCHEMA, Record, fleet_digest, key_of, plain_window, versions
from jfsq_simpy.experiment.results import PointResult, Results, plain, run_of
from jfsq_simpy.simulate import observed_for, warmup_for
from jfsq_simpy.stopping import is_reached, more_wanted, why_not
from jfsq_simpy.tally import Outcome, Window
from jfsq_simpy.warmup import WarmupChoice
from jfsq_simpy.workers import Crew, available_cores


@dataclass(frozen=True)
class Progress:
    """How far an experiment is: replications done of those wanted, and the jobs simulated by this call."""

    done: int
    total: int
    jobs: int
    seconds: float


def run(
    points: Sequence[Point],
    *,
    origin: Mapping[str, Any] | None = None,
    ledger: Ledger | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Results:
    """Run every replication of every point that the ledger does not have yet, and estimate.

    Parameters
    ----------
    origin : what the results say they come from (a scenario's name, question, hash)
    workers : how many replications run side by side (default: all cores); results do not depend on it
    progress : called after every replication

    Errors: PlanError before anything runs; KeyboardInterrupt leaves what is done in the ledger.
    """
    began = math.inf
    works = [Work(point, ledger) for point in points]
    if ledger is not None:
        ledger.open([(w.key, w.point) for w in works])

    def tell(done: int) -> None:
        if progress is not None:
            jobs, wanted = sum(w.jobs for w in works), sum(w.total for w in works)
            progress(Progress(done, wanted, jobs, max(time.perf_counter() - began, 0.0)))

    tell(sum(len(w.records) for w in works))
    for work in works:
        if work.missing:
            engines.compile_for(work.engine, work.point.system)
    began = time.perf_counter()
    try:
        _work_off(works, Crew(workers or available_cores()), lambda: tell(sum(len(w.records) for w in works)))
    except KeyboardInterrupt:
        tell(sum(w.kept() for w in works))
        raise
    if ledger is not None:
        ledger.list_points([(w.key, w.point) for w in works])
    notes = list(ledger.notes) if ledger is not None else []
    directory = ledger.directory if ledger is not None else None
    return Results([w.result() for w in works], dict(origin or {}), directory, notes)


def _work_off(works: Sequence[Work], crew: Crew, tell: Callable[[], None]) -> None:
    with crew:
        for work in works:
            work.go_on(crew)
        while crew.pending:
            work, result = crew.next()
            work.take(result)
            work.go_on(crew)
            tell()


class Work:
    """One point on its way: first the warm-up, then replications, then more of them while a precision is not reached."""

    def __init__(self, point: Point, ledger: Ledger | None) -> None:
        self.engine: Engine = engines.choose(point.plan.engine, point.system, trace=False)
        observe = observed_for(point.system, self.engine, point.plan.observe, precise=point.plan.precision is not None)
        plan = replace(point.plan, observe=observe)
        self.point, self.ledger = replace(point, plan=plan), ledger
        self.key = key_of(self.point, self.engine.view)
        self.warmup = WarmupChoice(float(plan.warmup), 0, 0.0) if plan.warmup != "auto" else None
        self.there = ledger.records(self.key) if ledger is not None else {}  # a precision may want more of them
        if ledger is not None:
            self.warmup = self.warmup or ledger.warmup(self.key)
        self.records: dict[int, Record] = {}
        self.missing: list[int] = []  # neither there nor handed out
        self._want(plan.replications)
        self.under_way = 0  # replications handed out
        self.choosing = False
        self.jobs = 0
        self.began = time.perf_counter()
        self.precise: bool | None = None
        self.short_of = ""  # why a precision was not reached
        plan.window(point.system, 0.0)  # a window that cannot be is said before anything runs

    @property
    def total(self) -> int:
        return len(self.point.plan.replications)

    def go_on(self, crew: Crew) -> None:
        """Hand out what can be done now."""
        while not self.missing and not self.under_way and self._ask_for_more(crew.workers):
            pass  # what is asked for may be there already
        if not self.missing or self.choosing:
            return
        apart = not self.engine.compiled
        if self.warmup is None:
            self.choosing = True
            crew.submit(self, self._choice_of_warmup(), processes=apart)
            return
        numbers, self.missing = self.missing, []
        self.under_way = len(numbers)
        window = self.point.plan.window(self.point.system, self.warmup.time)
        share = min(max(-(-len(numbers) // crew.workers), ABREAST), engines.ABREAST) if self.engine.name == "lockstep" else 1
        for i in range(0, len(numbers), share):
            task = partial(replicate, self.engine, self.point, numbers[i : i + share], window)
            crew.submit(self, task, processes=apart)

    def kept(self) -> int:
        """How many replications are safe: those on disk, where there is a ledger."""
        numbers = self.records.keys() if self.ledger is None else self.ledger.numbers(self.key)
        return len(numbers & set(self.point.plan.replications))

    def take(self, result: Any) -> None:
        """Take in what a task brought back, and keep it."""
        if isinstance(result, WarmupChoice):
            self.warmup, self.choosing = result, False
            if self.ledger is not None:
                self.ledger.keep_warmup(self.key, result)
            return
        for measured in result:
            record = self._record(measured)
            self.records[record.replication] = record
            self.under_way -= 1
            self.jobs += record.jobs
            if self.ledger is not None:
                self.ledger.keep(record)

    def result(self) -> PointResult:
        """The point's Run."""
        run = run_of(self.point, list(self.records.values()), self.precise)
        if self.warmup is not None and self.warmup.warning:
            run.warnings.insert(0, self.warmup.warning)
        if self.precise is False:
            run.warnings.append(self.short_of)
        return PointResult(self.point, run)

    def _want(self, numbers: Sequence[int]) -> None:
        self.records |= {n: self.there[n] for n in numbers if n in self.there}
        self.missing = [n for n in numbers if n not in self.there]

    def _choice_of_warmup(self) -> Callable[[], WarmupChoice]:
        system, plan = self.point.system, self.point.plan
        return partial(warmup_for, system, plan.length(system), engine=self.engine.name, rng=plan.seed, start=plan.start)

    def _ask_for_more(self, workers: int) -> bool:
        """Whether a precision not yet reached calls for more replications; if so they are wanted now."""
        goal, plan = self.point.plan.precision, self.point.plan
        if goal is None or self.precise is not None:
            return False
        estimate = run_of(self.point, list(self.records.values()))[goal.metric]
        if is_reached(goal, estimate):
            self.precise = True
            return False
        n, spent = self.total, time.perf_counter() - self.began
        # what replications took, whenever they ran: a rerun that finds them there knows as well that more are no use
        cost = sum(r.seconds for r in self.records.values()) / min(workers, n)
        more = more_wanted(goal, estimate, n, cost=cost, spent=spent)
        if not more:
            self.precise, self.short_of = False, why_not(goal, estimate, n, cost=cost, spent=spent)
            return False
        first = max(plan.replications) + 1
        numbers = (*plan.replications, *range(first, first + more))
        self.point = replace(self.point, plan=plan.numbered(numbers))
        self._want(numbers[n:])
        return True

    def _record(self, measured: Measured) -> Record:
        point, system = self.point, self.point.system
        return Record(
            schema=SCHEMA,
            key=self.key,
            replication=measured.replication,
            point=plain(point.labels),
            scenario=plain(self.ledger.origin) if self.ledger is not None else {},
            system={**plain(system.describe()), "fleet_sha256": fleet_digest(system)},
            table=plain(point.table),
            plan=plain(point.plan.describe()),
            seed=plain(point.plan.seed.describe()),
            engine={"name": self.engine.name, "view": self.engine.view, **plain(measured.outcome.facts)},
            window=plain_window(measured.window),
            versions=versions(),
            started=measured.started,
            seconds=measured.seconds,
            jobs=measured.outcome.arrivals,
            tallies=measured.outcome.tallies,
        )


@dataclass(frozen=True)
class Measured:
    """One replication, as a worker hands it back."""

    replication: int
    outcome: Outcome
    window: Window
    started: str
    seconds: float


def replicate(engine: Engine, point: Point, numbers: Sequence[int], window: Window) -> list[Measured]:
    """Run some replications of a point, here and now; lockstep takes them together, the rest come singly."""
    plan: Plan = point.plan
    started, before = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()
    outcomes = engines.run_replications(
        engine, point.system, plan.seed, list(numbers), window, observe=plan.observe, start=plan.start, workers=1
    )
    seconds = (time.perf_counter() - before) / len(numbers)
    return [Measured(n, o, window, started, seconds) for n, o in zip(numbers, outcomes, strict=True)]
