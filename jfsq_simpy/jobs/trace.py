"""The trace: one row a job, as columns.

In    blocks of columns from an engine
Out   a Trace: numbers for every job, a DataFrame on demand, and `check()`
Rule  a wait is start - arrival of one job, never a response minus a mean
Cost  56 bytes a job in memory
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.errors import IdentityError
from jfsq_simpy.jobs.counting import Columns
from jfsq_simpy.jobs.records import COLUMN_TYPES
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.system import System

if TYPE_CHECKING:
    import pandas as pd


class MemorySink:
    """Keeps every row in memory."""

    def __init__(self) -> None:
        self.blocks: list[Columns] = []

    def write(self, columns: Columns) -> None:
        self.blocks.append(columns)

    def columns(self) -> Columns:
        """All rows so far, as one array a column."""
        if not self.blocks:
            return {name: np.empty(0, kind) for name, kind in COLUMN_TYPES.items()}
        return {name: np.concatenate([b[name] for b in self.blocks]) for name in COLUMN_TYPES}


class Trace:
    """What happened to every job of one replication, in the order of arrival.

    Columns: job (ids from 0; -1, -2, ... were present at time 0), arrival, server (-1: blocked),
    level (jobs found at the server), start, departure (nan: blocked, or not yet when the run ended),
    size; derived: blocked, finished, speed, wait, response. Times in the system's time unit.
    """

    def __init__(self, system: System, columns: Columns) -> None:
        self.system, self.columns = system, columns

    def __len__(self) -> int:
        return int(self.columns["job"].size)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name] if name in self.columns else getattr(self, name)

    @cached_property
    def blocked(self) -> NDArray[np.bool_]:
        return np.asarray(self.columns["server"] < 0)

    @cached_property
    def finished(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.columns["departure"])

    @cached_property
    def wait(self) -> FloatArray:
        return np.asarray(self.columns["start"] - self.columns["arrival"])

    @cached_property
    def response(self) -> FloatArray:
        return np.asarray(self.columns["departure"] - self.columns["arrival"])

    @cached_property
    def speed(self) -> FloatArray:
        """Rate of the server that took the job; nan if blocked."""
        server = self.columns["server"]
        return np.where(server >= 0, self.system.rates.vector()[np.maximum(server, 0)], np.nan)

    def to_pandas(self) -> pd.DataFrame:
        """A DataFrame, one row a job."""
        import pandas as pd

        derived = {name: self[name] for name in ("blocked", "finished", "speed", "wait", "response")}
        return pd.DataFrame({**self.columns, **derived})

    def check(self) -> None:
        """Raise IdentityError at the first job that breaks a rule of the model.

        Ids and arrivals in order; blocked jobs never start; service takes size / rate, to the last bit;
        first come first served at each server, none idle with work (start = arrival or the last
        departure, whichever is later); the level found is what the server held; none above its places.
        Finished rows are checked in full, unfinished ones as far as they went. O(n log n).
        """
        c, joined = self.columns, ~self.blocked
        _each(np.diff(c["arrival"]) >= 0, "arrivals are out of order", c["job"][1:])
        new = c["job"][c["job"] >= 0]
        _each(new == np.arange(new.size), "job ids are not 0, 1, 2, ...", new)
        _each((c["server"] < self.system.n_servers) & (c["server"] >= -1), "no such server", c["job"])
        _each((c["level"] >= 0) & (c["level"] <= self.system.places), "level outside 0 .. places", c["job"])
        _each(joined | np.isnan(c["start"]) & np.isnan(c["departure"]), "a blocked job was served", c["job"])
        _each(~joined | (c["level"] < self.system.places), "a full server took a job", c["job"])
        served = joined & self.finished
        takes = c["start"][served] + c["size"][served] / self.speed[served]
        _each(takes == c["departure"][served], "service did not take size / rate", c["job"][served])
        self._check_servers(joined)

    def _check_servers(self, joined: NDArray[np.bool_]) -> None:
        c = {name: column[joined] for name, column in self.columns.items()}
        order = np.argsort(c["server"], kind="stable")
        c = {name: column[order] for name, column in c.items()}
        first = np.concatenate([[True], c["server"][1:] != c["server"][:-1]]) if order.size else np.empty(0, bool)
        free_at = np.where(first, -np.inf, np.concatenate([[-np.inf], c["departure"][:-1]])[: order.size])
        expected = np.maximum(c["arrival"], free_at)
        known = ~np.isnan(c["start"])
        _each(~known | (c["start"] == expected), "a job started early, late or out of turn", c["job"])
        _each(known | ~np.isfinite(expected) | np.isnan(c["departure"]), "a job left that never started", c["job"])
        _each(c["level"] == _levels_found(c, first), "the level found is not what the server held", c["job"])


def _levels_found(c: Columns, first: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Jobs each row finds at its server: those before it, less those that left by its arrival.

    Rows sorted by server, then arrival. Departures at a FIFO server are in the same order, so how many
    left by time t is a search; `order` makes one search serve all servers.
    """
    if not first.size:
        return np.empty(0, np.int64)
    segment = np.cumsum(first) - 1
    start = np.flatnonzero(first)[segment]
    departure = np.where(np.isnan(c["departure"]), np.inf, c["departure"])
    place = np.arange(first.size)
    # merge departures and arrivals of each server in time, a departure before an arrival of its instant
    kind = np.concatenate([np.zeros(place.size), np.ones(place.size)])
    rank = np.lexsort((kind, np.concatenate([departure, c["arrival"]]), np.concatenate([segment, segment])))
    left = np.cumsum(rank < place.size)
    seen = np.empty(place.size, np.int64)
    seen[rank[rank >= place.size] - place.size] = left[rank >= place.size]
    gone = seen - start
    # a job of size 0 that comes now leaves now, but not before the jobs that came before it were counted
    return (place - start) - np.minimum(gone, place - start)


def _each(holds: NDArray[Any], what: str, jobs: NDArray[Any]) -> None:
    if not np.all(holds):
        raise IdentityError(f"trace: {what} (job {int(jobs[np.flatnonzero(~holds)[0]])}).")
