"""Where rows go while a run is on: kept in memory, numbered by replication, or handed to a file's store.

In    blocks of columns, in the order of arrival
Out   all rows so far; or Rows, once `commit` says they are complete
Rule  what is discarded leaves nothing behind, and after a commit there is nothing left to discard
Cost  56 bytes a job in memory; a file's store is `trace_file.ParquetStore`
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from jfsq_simpy.jobs.counting import Columns
from jfsq_simpy.jobs.records import COLUMN_TYPES
from jfsq_simpy.jobs.trace_rows import REPLICATION, MemoryRows, Rows, TraceFacts
from jfsq_simpy.rates import FloatArray


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
        return {name: np.concatenate([b[name] for b in self.blocks]) for name in self.blocks[0]}


class Store(Protocol):
    """Where a Recording puts rows."""

    def write(self, columns: Columns) -> None:
        """Take the next rows."""

    def commit(self) -> Rows:
        """All rows, complete."""

    def discard(self) -> None:
        """Leave nothing behind."""


class MemoryStore(MemorySink):
    """A MemorySink that knows the servers' rates, and so can hand out rows."""

    def __init__(self, facts: TraceFacts, speeds: FloatArray) -> None:
        super().__init__()
        self.facts, self.speeds = facts, speeds

    def commit(self) -> Rows:
        columns = self.columns()
        if len(self.facts.replications) > 1:
            columns.setdefault(REPLICATION, np.empty(0, np.int64))
        self.blocks = []
        return MemoryRows(columns, self.speeds)

    def discard(self) -> None:
        self.blocks = []


class Numbered:
    """The sink of one replication among several."""

    def __init__(self, store: Store, replication: int) -> None:
        self.store, self.replication = store, replication

    def write(self, columns: Columns) -> None:
        number = np.full(columns["job"].size, self.replication, np.int64)
        self.store.write({REPLICATION: number, **columns})
