"""Jobs that overtook each other: first come, first served holds at a server, not across servers.

In    a Trace
Out   how many jobs left before a job that had come earlier, their share, and a list of them
Rule  a job overtakes if some accepted job that arrived before it leaves strictly after it (or had not left
      when the run ended); blocked jobs neither overtake nor are overtaken
Cost  O(n), one pass: the latest departure among earlier arrivals is a running maximum
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jfsq_simpy.jobs.counting import Columns
from jfsq_simpy.jobs.trace import Trace
from jfsq_simpy.jobs.trace_rows import REPLICATION
from jfsq_simpy.rates import FloatArray, IntArray
from jfsq_simpy.trace_analysis.cells import Window, checked_window

if TYPE_CHECKING:
    import pandas as pd

MOST_LISTED = 10_000


@dataclass(frozen=True)
class Overtaking:
    """`count` of `jobs` that left (arrivals of the window) overtook one that came before them; `listed` shows the first.

    `listed` columns: [replication,] job, arrival, departure, server, passed (the job overtaken that left
    last), by (how much earlier this one left; inf if `passed` never did).
    """

    count: int
    jobs: int
    listed: pd.DataFrame

    @property
    def share(self) -> float:
        return self.count / self.jobs if self.jobs else float("nan")


def overtaking(trace: Trace, *, window: Window | None = None, most_listed: int = MOST_LISTED) -> Overtaking:
    """Jobs that left before one that had arrived earlier. One pass, O(jobs). Errors: PlanError.

    >>> from jfsq_simpy import System, simulate
    >>> fleet = System(rates=[1.5, 0.5], load=0.8, places=3)
    >>> overtaking(simulate(fleet, horizon=500, warmup=0, engine="process", trace=True, rng=7).trace).share > 0.1
    True
    >>> one = System(rates=[1.0], load=0.8, places=3)
    >>> overtaking(simulate(one, horizon=500, warmup=0, engine="process", trace=True, rng=7).trace).count  # one queue, one server
    0
    """
    import pandas as pd

    begin, end = checked_window(trace, window)
    finder, count, jobs, kept = Finder(), 0, 0, 0
    pieces: list[pd.DataFrame] = []
    names = [n for n in (REPLICATION, "job", "arrival", "departure", "server") if n in trace.names]
    for block in trace.blocks(*names):
        c = finder.add({name: column[block["server"] >= 0] for name, column in block.items()})
        counted = (c["job"] >= 0) & (c["arrival"] >= begin) & (c["arrival"] < end) & ~np.isnan(c["departure"])
        jobs += int(counted.sum())
        found = np.flatnonzero(counted & (c["by"] > 0))
        count += found.size
        pieces.append(pd.DataFrame({name: column[found[: most_listed - kept]] for name, column in c.items()}))
        kept += len(pieces[-1])
    listed = pd.concat([p for p in pieces if len(p)] or pieces[:1], ignore_index=True) if pieces else pd.DataFrame(columns=names)
    return Overtaking(count, jobs, listed)


class Finder:
    """Carries, from block to block, which earlier arrival leaves last."""

    def __init__(self) -> None:
        self.replication, self.latest, self.who = -1, -np.inf, 0

    def add(self, c: Columns) -> Columns:
        """The rows with `passed`, the earlier arrival that leaves last, and `by`, how long after the row's job."""
        n = c["job"].size
        number = c.get(REPLICATION, np.full(n, 0))
        passed, by = np.zeros(n, np.int64), np.full(n, -np.inf)
        edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), n]
        for first, last in itertools.pairwise(edges):
            if first < last:
                rows = slice(first, last)
                passed[rows], by[rows] = self._one(int(number[first]), c["job"][rows], c["departure"][rows])
        return {**c, "passed": passed, "by": by}

    def _one(self, replication: int, job: IntArray, departure: FloatArray) -> tuple[IntArray, FloatArray]:
        if replication != self.replication:
            self.replication, self.latest, self.who = replication, -np.inf, 0
        leaves = np.concatenate([[self.latest], np.where(np.isnan(departure), np.inf, departure)])
        ids = np.concatenate([[self.who], job])
        latest = np.maximum.accumulate(leaves)
        # where the maximum rose, or stood again: the place of the job that holds it
        holder = np.maximum.accumulate(np.where(leaves == latest, np.arange(leaves.size), 0))
        self.latest, self.who = float(latest[-1]), int(ids[holder[-1]])
        with np.errstate(invalid="ignore"):
            by = latest[:-1] - leaves[1:]  # nan where neither has left
        return ids[holder[:-1]], by
