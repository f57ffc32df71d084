"""From jobs to columns: what an engine of the jobs view hands on, a block of rows at a time.

In    jobs as they come and leave
Out   blocks of columns in the order of arrival, to a sink (the trace) and to the counter (the tally)
Rule  a row is handed on when it and all rows before it are complete, so memory holds the jobs present
      and one block, not the run
Cost  about 0.3 microseconds a job
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np

from jfsq_simpy.jobs.counting import Columns, JobCounter
from jfsq_simpy.jobs.job import Job
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Observables, Outcome, Window

# name -> type, in the order of a trace's columns. `server` is -1 for a blocked job, whose start and
# departure are nan, as are those of a job that had not started or left when the run ended.
COLUMN_TYPES: dict[str, type] = {
    "job": np.int64,
    "arrival": np.float64,
    "server": np.int64,
    "level": np.int64,
    "start": np.float64,
    "departure": np.float64,
    "size": np.float64,
}
ROW = len(COLUMN_TYPES)
ROWS_AT_ONCE = 8192


class Sink(Protocol):
    """Where rows go: memory, a file, ..."""

    def write(self, columns: Columns) -> None:
        """Take the next rows, arrays of equal length in the order of arrival."""


class JobRecorder:
    """Watches jobs come and leave, and hands their rows on.

    Rows are kept as plain machine numbers; were the Job objects kept, Python's garbage collector would
    walk through all of them again and again.
    """

    def __init__(self, system: System, window: Window, observe: Observables, sink: Sink | None) -> None:
        self.end, self.sink = window.end, sink
        self.counter = JobCounter(system, window, observe)
        self.present: dict[int, Job] = {}  # recorded jobs that have not left, in the order of arrival
        self.complete = array("d")  # rows not yet handed on, one after another, in no order
        self.enough = ROWS_AT_ONCE * ROW  # numbers to hand on at once
        self.arrivals = 0

    def watch(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """The same jobs, each recorded once it has been routed; none after the window's end.

        First come, first served: what comes after the window cannot change a job of the window, so
        there is no need to let it come.
        """
        for job in jobs:
            yield job
            if job.arrival >= self.end:
                return
            self.arrivals += 1
            if job.server >= 0:
                self.present[job.id] = job
            else:
                self._complete(job)

    def left(self, job: Job) -> None:
        """Record a departure (of a recorded job)."""
        if self.present.pop(job.id, None) is not None:
            self._complete(job)

    def outcome(self) -> Outcome:
        """Hand on what is left, finished or not, and close the count."""
        for job in self.present.values():
            self.complete.extend(_row(job))
        self.present = {}  # only now: a hand-on in between would let later rows overtake these
        self._hand_on()
        return Outcome(self.counter.finish(), self.arrivals)

    def _complete(self, job: Job) -> None:
        self.complete.extend(_row(job))
        if len(self.complete) >= self.enough:
            self._hand_on()

    def _hand_on(self) -> None:
        """Hand on the rows that come before the first job still present, in the order of arrival."""
        table = np.frombuffer(self.complete).reshape(-1, ROW)
        turn = _order(table[:, 0])
        order = np.argsort(turn, kind="stable")  # almost in order already, which this sort makes use of
        first_present = _order(np.array(next(iter(self.present), math.inf)))
        n = int(np.searchsorted(turn[order], first_present))
        columns: Columns = {name: table[order[:n], i].astype(kind) for i, (name, kind) in enumerate(COLUMN_TYPES.items())}
        self.complete = array("d", table[order[n:]].tobytes())
        self.enough = len(self.complete) + ROWS_AT_ONCE * ROW  # a job that stays for long holds back those behind it
        self.counter.add(columns)
        if self.sink is not None:
            self.sink.write(columns)


def _row(job: Job) -> tuple[float, ...]:
    """As in COLUMN_TYPES."""
    return (job.id, job.arrival, job.server, job.level, job.start, job.departure, job.size)


def _order(job_id: FloatArray) -> FloatArray:
    """Jobs present at the start come first, -1 before -2; then 0, 1, 2, ..."""
    return np.where(job_id >= 0, job_id, -(2.0**40) - job_id)
