"""What a trace is made of: facts about the run, and rows that can be walked through in pieces.

In    blocks of columns as engines write them
Out   TraceFacts, and Rows: any columns asked for, a bounded number of rows at a time
Rule  rows are in the order of arrival, replication after replication; what can be derived from other
      columns (wait, blocked, ...) is derived where it is not stored
Cost  memory O(block) beside the rows themselves
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Protocol

import numpy as np

from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import DataError
from jfsq_simpy.jobs.counting import Columns
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Window

BLOCK_ROWS = 131_072  # rows handled at a time
MOST_LABELS = 1_000  # servers above which their labels are not kept with every trace

# name -> type, in the order of a trace's columns
TRACE_TYPES: dict[str, type] = {
    "job": np.int64,
    "arrival": np.float64,
    "server": np.int64,
    "speed": np.float64,
    "level": np.int64,
    "blocked": np.bool_,
    "start": np.float64,
    "departure": np.float64,
    "wait": np.float64,
    "response": np.float64,
    "size": np.float64,
    "finished": np.bool_,
}
REPLICATION = "replication"  # the column before all others where there are several
NEEDS = {
    "speed": ("server",),
    "blocked": ("server",),
    "wait": ("arrival", "start"),
    "response": ("arrival", "departure"),
    "finished": ("departure",),
}


@dataclass(frozen=True)
class TraceFacts:
    """What a trace says about the run it comes from.

    `window` is the measured part, [begin, end) in model time; None where nobody said. `system`, `seed`
    and `versions` are what records keep: enough to rerun, to be read and not to be computed with.
    """

    n_servers: int
    places: int
    system: dict[str, Any] = field(default_factory=dict)
    seed: dict[str, Any] | None = None
    replications: tuple[int, ...] = (0,)
    engine: str | None = None
    window: tuple[float, float] | None = None
    time_unit: float = 1.0
    labels: tuple[str, ...] | None = None
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        system: System,
        *,
        seed: Seed | None = None,
        replications: Sequence[int] = (0,),
        engine: str | None = None,
        window: Window | None = None,
    ) -> TraceFacts:
        """The facts about a run of a System."""
        labels = system.rates.labels
        return cls(
            n_servers=system.n_servers,
            places=system.places,
            system=plain(system.describe()),
            seed=None if seed is None else seed.describe(),
            replications=tuple(int(r) for r in replications),
            engine=engine,
            window=None if window is None else (float(window.warmup), float(window.end)),
            time_unit=float(system.rates.time_unit),
            labels=labels if labels is not None and len(labels) <= MOST_LABELS else None,
            versions=versions(),
        )

    @property
    def one_queue(self) -> bool:
        """Whether jobs wait together: `level` is then a seat's, and `server` the one that served (`jobs.central`)."""
        policy = self.system.get("policy")
        return isinstance(policy, Mapping) and policy.get("ask") == "one queue"

    @property
    def servers_fail(self) -> bool:
        """Whether a job may stay at its server longer than its service takes (`jobs.failing`)."""
        return "breakdowns" in self.system

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {name: plain(value) for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, table: Any) -> TraceFacts:
        """From what `to_dict` gave. Errors: DataError naming what is missing or not what it should be."""
        try:
            window, labels, seed = table["window"], table["labels"], table["seed"]
            facts = cls(
                n_servers=int(table["n_servers"]),
                places=int(table["places"]),
                system=dict(table["system"]),
                seed=None if seed is None else dict(seed),
                replications=tuple(int(r) for r in table["replications"]),
                engine=table["engine"],
                window=None if window is None else (float(window[0]), float(window[1])),
                time_unit=float(table["time_unit"]),
                labels=None if labels is None else tuple(map(str, labels)),
                versions=dict(table["versions"]),
            )
        except KeyError as error:
            raise DataError(f"the trace's facts lack {error}") from None
        except (TypeError, ValueError, IndexError, OverflowError) as error:
            raise DataError(f"the trace's facts are garbled ({error})") from None
        if facts.n_servers < 1 or facts.places < 1 or not facts.replications:
            raise DataError("the trace's facts are garbled (servers, places and replications must be at least 1)")
        return facts


def plain(value: Any) -> Any:
    """The value as JSON can hold it; long arrays as their shape, unknown objects as their text."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist()) if value.size <= 64 else f"array of shape {value.shape}"
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def versions() -> dict[str, str]:
    """What made the numbers: Python and the packages a job's times depend on."""
    found = {"python": platform.python_version()}
    for package in ("jfsq_simpy", "numpy", "simpy", "numba", "pyarrow"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


# ---- rows ----------------------------------------------------------------------------------------------------


class Rows(Protocol):
    """Rows of a trace, wherever they are."""

    @property
    def n_rows(self) -> int:
        """How many."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns there are, stored or derived."""

    def blocks(self, names: Sequence[str]) -> Iterator[Columns]:
        """The named columns from the first row to the last, at most BLOCK_ROWS or so rows at a time."""


class MemoryRows:
    """Rows held as arrays; `speeds` (n_servers,) is needed unless `columns` holds a speed a row."""

    def __init__(self, columns: Columns, speeds: FloatArray | None = None, block_rows: int = BLOCK_ROWS) -> None:
        self.columns, self.speeds, self.block_rows = columns, speeds, block_rows

    @property
    def n_rows(self) -> int:
        return int(self.columns["job"].size)

    @property
    def names(self) -> tuple[str, ...]:
        return ((REPLICATION,) if REPLICATION in self.columns else ()) + tuple(TRACE_TYPES)

    def blocks(self, names: Sequence[str]) -> Iterator[Columns]:
        for begin in range(0, self.n_rows, self.block_rows):
            rows = slice(begin, begin + self.block_rows)
            yield {name: column(name, self.columns, self.speeds, rows) for name in names}


EVERYTHING = slice(None)


def column(name: str, columns: Columns, speeds: FloatArray | None = None, rows: slice = EVERYTHING) -> Any:
    """One column of some rows: as stored, or derived from stored ones.

    >>> column("wait", {"arrival": np.array([1.0, 2.0]), "start": np.array([1.0, 2.5])})
    array([0. , 0.5])
    """
    if name in columns:
        return columns[name][rows]
    match name:
        case "wait":
            return columns["start"][rows] - columns["arrival"][rows]
        case "response":
            return columns["departure"][rows] - columns["arrival"][rows]
        case "blocked":
            return columns["server"][rows] < 0
        case "finished":
            return ~np.isnan(columns["departure"][rows])
        case "speed" if speeds is not None:
            server = columns["server"][rows]
            return np.where(server >= 0, speeds[np.maximum(server, 0)], np.nan)
    raise KeyError(name)
