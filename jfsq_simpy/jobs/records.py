"""From jobs to columns: what an engine of the jobs view hands on, a block of rows at a time.

In    jobs as they come and leave
Out   blocks of columns in the order of arrival, to a sink (the trace) and to the counter (the tally)
Rule  a row is handed on when it and all rows before it are complete, so memory holds the jobs present
      and one block, not the run
Cost  about 0.3 microseconds a job
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np

from jfsq_simpy.draws import BLOCK
from jfsq_simpy.jobs.counting import Columns, JobCounter
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


class Sink(Protocol):
    """Where rows go: memory, a file, ..."""

    def write(self, columns: Columns) -> None:
        """Take the next rows, arrays of equal length in the order of arrival."""


class JobRow(Protocol):
    """What a row is made from."""

    id: int
    arrival: float
    server: int
    level: int
    start: float
    departure: float
    size: float


class JobRecorder:
    """Watches jobs come and leave, and hands their rows on."""

    def __init__(self, system: System, window: Window, observe: Observables, sink: Sink | None) -> None:
        self.end, self.sink = window.end, sink
        self.counter = JobCounter(system, window, observe)
        self.rows: list[JobRow] = []
        self.waiting_for = 0  # recorded jobs that have not left yet
        self.arrivals = 0

    def watch(self, jobs: Iterable[Any]) -> Iterator[Any]:
        """The same jobs, each recorded once it has been routed (before the window's end)."""
        for job in jobs:
            yield job
            if job.arrival < self.end:
                self.arrivals += 1
                self.came(job)

    def came(self, job: JobRow) -> None:
        self.rows.append(job)
        self.waiting_for += job.server >= 0
        if len(self.rows) >= BLOCK and self.arrivals % (BLOCK // 8) == 0:
            self._hand_on(self._complete_rows())

    def left(self, job: JobRow) -> None:
        self.waiting_for -= job.arrival < self.end

    def outcome(self) -> Outcome:
        """Hand on what is left, finished or not, and close the count."""
        self._hand_on(len(self.rows))
        return Outcome(self.counter.finish(), self.arrivals)

    def _complete_rows(self) -> int:
        for n, job in enumerate(self.rows):
            if job.server >= 0 and job.departure != job.departure:
                return n
        return len(self.rows)

    def _hand_on(self, n: int) -> None:
        ready, self.rows = self.rows[:n], self.rows[n:]
        columns: Columns = {
            name: np.array([job.id if name == "job" else getattr(job, name) for job in ready], dtype=kind)
            for name, kind in COLUMN_TYPES.items()
        }
        self.counter.add(columns)
        if self.sink is not None:
            self.sink.write(columns)
