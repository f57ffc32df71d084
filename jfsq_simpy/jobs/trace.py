"""The trace: one row a job, in memory or in a file, and the recording it is made by.

In    blocks of columns from an engine
Out   a Trace: any column, a DataFrame on demand, `check()`; `open_sink` for whoever runs an engine
Rule  a wait is start - arrival of one job, never a response minus a mean
Cost  56 bytes a job in memory, about 45 on disk; a file is read in pieces
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import PlanError
from jfsq_simpy.jobs.counting import Columns
from jfsq_simpy.jobs.records import COLUMN_TYPES, Sink
from jfsq_simpy.jobs.sinks import MemoryStore, Numbered, Store
from jfsq_simpy.jobs.trace_check import check_rows
from jfsq_simpy.jobs.trace_rows import REPLICATION, TRACE_TYPES, MemoryRows, Rows, TraceFacts
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Window

if TYPE_CHECKING:
    import pandas as pd


class Trace:
    """What happened to every job of a run, in the order of arrival.

    Columns: job (ids from 0; -1, -2, ... were present at time 0), arrival, server (0 the fastest; -1:
    blocked), speed (its rate; nan: blocked), level (jobs found at the server), blocked, start, departure
    (nan: blocked, or not yet when the run ended), wait, response, size, finished; with several
    replications `replication` before them all. Times in the system's unit of time.

    A column is an attribute, a NumPy array, or `trace[name]`. In memory a job takes at most 82 bytes; a file is read a block
    at a time. Errors: DataError for a file that is no trace or not a whole one. Source: the model is section 2's.

    >>> from jfsq_simpy import System, simulate
    >>> system = System(rates=[1.5, 0.5], load=0.9, places=3)
    >>> trace = simulate(system, horizon=50, warmup=0, engine="process", trace=True, rng=7).trace
    >>> trace.check()
    >>> bool((trace.wait[trace.finished] >= 0).all())
    True
    """

    def __init__(self, about: System | TraceFacts, rows: Columns | Rows) -> None:
        self.facts = about if isinstance(about, TraceFacts) else TraceFacts.of(about)
        if isinstance(rows, dict):
            rows = MemoryRows(rows, about.rates.vector() if isinstance(about, System) else None)
        self.rows: Rows = rows
        self._columns: Columns = {}

    @classmethod
    def read(cls, path: str | Path) -> Trace:
        """A trace written before; only its metadata is read now. Errors: DataError, one line."""
        from jfsq_simpy.jobs.trace_file import FileRows

        rows = FileRows(path)
        return cls(rows.facts, rows)

    # ---- rows and columns ----

    def __len__(self) -> int:
        return self.rows.n_rows

    def __repr__(self) -> str:
        f = self.facts
        return f"Trace({len(self)} jobs, N={f.n_servers}, places={f.places}, replications={len(f.replications)})"

    @property
    def names(self) -> tuple[str, ...]:
        """The columns there are."""
        return self.rows.names

    def blocks(self, *names: str) -> Iterator[Columns]:
        """The named columns (all, if none is named) a bounded number of rows at a time, for traces beyond memory."""
        self._known(names)
        return self.rows.blocks(names or self.names)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """One column in full, array (len(trace),)."""
        self._known([name])
        if name not in self._columns:
            parts = [block[name] for block in self.rows.blocks([name])]
            self._columns[name] = np.concatenate(parts) if parts else np.empty(0, TRACE_TYPES.get(name, np.int64))
        return self._columns[name]

    def _known(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.names:
                raise PlanError(f"trace: there is no column {name!r}; there are {', '.join(self.names)}.")

    @property
    def arrival(self) -> FloatArray:
        return self["arrival"]

    @property
    def blocked(self) -> NDArray[np.bool_]:
        return self["blocked"]

    @property
    def finished(self) -> NDArray[np.bool_]:
        """Whether the job had left when the run ended; False for blocked ones."""
        return self["finished"]

    @property
    def wait(self) -> FloatArray:
        return self["wait"]

    @property
    def response(self) -> FloatArray:
        return self["response"]

    @property
    def speed(self) -> FloatArray:
        """Rate of the server that took the job; nan if blocked."""
        return self["speed"]

    @cached_property
    def columns(self) -> Columns:
        """The columns an engine writes (the others follow from them), in full."""
        return {name: self[name] for name in ((REPLICATION,) if REPLICATION in self.names else ()) + tuple(COLUMN_TYPES)}

    # ---- elsewhere ----

    def to_pandas(self) -> pd.DataFrame:
        """A DataFrame, one row a job: about 90 bytes a job."""
        import pandas as pd

        return pd.DataFrame({name: self[name] for name in self.names})

    def to_parquet(self, path: str | Path) -> Trace:
        """Write to a Parquet file, and hand back the trace that reads it. Errors: DataError."""
        with Recording(self.facts, _parquet(path, self.facts)) as recording:
            for block in self.rows.blocks(self.names):
                recording.write(block)
            return recording.commit()

    def export(self, path: str | Path, *names: str) -> None:
        """Write the named columns (all, if none is named) as a plain CSV or Parquet table, for other programs.

        The path's suffix says which. A block at a time. Errors: DataError, PlanError.
        """
        from jfsq_simpy.jobs.trace_file import export

        self._known(names)
        export(self.rows, path, names or self.names)

    def check(self) -> None:
        """Raise IdentityError at the first job that breaks a rule of the model; see `trace_check.check_rows`.

        O(n log n), memory O(jobs present + servers) beside a block of rows.
        """
        check_rows(self.facts, self.rows)


# ---- in the making -------------------------------------------------------------------------------------------


class Recording:
    """A trace in the making: a context manager that leaves nothing behind unless `commit` was reached.

    >>> system = System(rates=[1.5, 0.5], load=0.9, places=3)
    >>> with open_sink(True, system, seed=Seed.of(7), replications=[0, 1], engine="process") as recording:
    ...     for number in [0, 1]:
    ...         sink = recording.of(number)  # hand this to the engine that runs replication `number`
    ...     trace = recording.commit()
    >>> len(trace), trace.names[0]
    (0, 'replication')
    """

    def __init__(self, facts: TraceFacts, store: Store) -> None:
        self.facts, self.store = facts, store
        self._before: Any = None

    def of(self, replication: int) -> Sink:
        """The sink for one replication; where there are several, its number becomes a column."""
        return self if len(self.facts.replications) == 1 else Numbered(self.store, replication)

    def write(self, columns: Columns) -> None:
        """Take the next rows, arrays of equal length in the order of arrival."""
        self.store.write(columns)

    def commit(self) -> Trace:
        """The complete trace."""
        return Trace(self.facts, self.store.commit())

    def discard(self) -> None:
        """Forget all rows; a file under a temporary name is removed."""
        self.store.discard()

    def __enter__(self) -> Recording:
        # SIGTERM would end the process on the spot and leave the temporary file: unwind instead, as Ctrl-C does.
        # A handler somebody else has set is left alone.
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._before = signal.signal(signal.SIGTERM, _unwind)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.discard()  # after commit there is nothing left to discard
        finally:
            if self._before is not None:
                signal.signal(signal.SIGTERM, self._before)
                self._before = None


def open_sink(
    trace: bool | str | Path,
    system: System,
    *,
    seed: Seed | None = None,
    replications: Sequence[int] = (0,),
    engine: str | None = None,
    window: Window | None = None,
) -> Recording:
    """A Recording of a run: in memory (True), or in a Parquet file at the path given.

    Parameters
    ----------
    trace : True, or the path of the file to be
    system, seed, replications, engine, window : what is run; kept with the trace

    Hand `recording.of(number)` to the engine, one replication after another, then `commit()`.
    Errors: DataError where the file cannot be written.
    """
    if trace is False:
        raise PlanError("trace = False: there is nothing to record; ask for True or a path.")
    facts = TraceFacts.of(system, seed=seed, replications=replications, engine=engine, window=window)
    speeds = system.rates.vector()
    return Recording(facts, MemoryStore(facts, speeds) if trace is True else _parquet(trace, facts, speeds))


def _parquet(path: str | Path, facts: TraceFacts, speeds: FloatArray | None = None) -> Store:
    from jfsq_simpy.jobs.trace_file import ParquetStore  # pyarrow takes a while to import

    return ParquetStore(path, facts, speeds)


def _unwind(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


__all__ = ["Recording", "Trace", "TraceFacts", "open_sink"]
