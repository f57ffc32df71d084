"""A log of what really happened: when jobs came, how large they were, how long they waited.

In    a CSV or Parquet file, a DataFrame, or a Trace
Out   a Log in model time, checked row by row
Rule  a service time is not a size: the same job takes less on a faster server. Size = service time x
      rate of the server that took it
Cost  about 60 bytes a job: a log is read whole
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.errors import DataError, PlanError
from jfsq_simpy.jobs.trace import Trace
from jfsq_simpy.jobs.trace_rows import REPLICATION
from jfsq_simpy.rates import FloatArray, IntArray, Rates

if TYPE_CHECKING:
    import pandas as pd

USED = ("arrival", "size", "service_time", "server", "wait", "start", "response", "departure")


@dataclass(frozen=True)
class Log:
    """Jobs of a log, in the order of arrival.

    `arrival`, `wait` (n,) in model time, the first arrival at 0 (a Trace's own times stay as they are); `size` (n,);
    `wait` is nan and `server` -1 where the log does not say, or the job was blocked. `origin` is the log's
    own time of model time 0, and `time_unit` how many of its units one unit of model time takes.
    """

    arrival: FloatArray
    size: FloatArray
    wait: FloatArray
    server: IntArray
    origin: float = 0.0
    time_unit: float = 1.0

    @property
    def has_waits(self) -> bool:
        """Whether the log says how long its jobs waited."""
        return not bool(np.isnan(self.wait).all())


def log_from_trace(trace: Trace, replication: int) -> Log:
    """The jobs of one replication of a Trace: sizes as drawn, blocked jobs included. Errors: PlanError."""
    here = trace[REPLICATION] == replication if REPLICATION in trace.names else np.ones(len(trace), np.bool_)
    job, arrival, size, wait, server = (trace[name][here] for name in ("job", "arrival", "size", "wait", "server"))
    if not job.size:
        raise PlanError(f"the trace holds no job of replication {replication}; it holds {list(trace.facts.replications)}.")
    if (job < 0).any():
        raise PlanError('the trace begins with jobs present at time 0 (start = "busy"); a replay starts from empty servers.')
    return Log(arrival, size, wait, server)


def read_log(source: str | Path | pd.DataFrame, rates: Rates, index_of: Callable[[Any], IntArray]) -> Log:
    """A log from a table. Errors: DataError, one line: which file, column and row.

    Columns, others ignored: `arrival`, ascending; `size`, or `service_time` and `server` (who took the
    job); optionally what became of it: `wait`, or `start`, or `response`, or `departure` (the latter two
    with `service_time`). Times in the log's own unit, of which `rates.time_unit` make one of model time.
    `index_of` turns the log's servers into indices, fastest first (-1: there is no such server).

    >>> import pandas as pd
    >>> from jfsq_simpy import rates
    >>> table = pd.DataFrame({"arrival": [10.0, 11.0], "service_time": [2.0, 2.0], "server": [0, 1]})
    >>> read_log(table, rates.classes([1, 1], [1.5, 0.5]), np.asarray).size
    array([3., 1.])
    """
    place, table = _table(source)
    if "arrival" not in table:
        raise DataError(f"{place}: has no column `arrival` (found: {', '.join(table) or 'none'}); a log says when each job came.")
    values = {name: _numbers(place, name, table[name]) for name in table if name != "server"}
    arrival = values["arrival"]
    if not arrival.size:
        raise DataError(
            f"{place}: holds no job; a log needs one row a job, with `arrival` and `size` (or `service_time` and `server`)."
        )
    _finite(place, "arrival", arrival)
    _ascending(place, arrival)
    server = index_of(table["server"]) if "server" in table else np.full(arrival.size, -1)
    unit, origin = rates.time_unit, float(arrival[0])
    size = _sizes(place, values, server, rates)
    wait = _waits(place, values) / unit
    if not np.isnan(wait).all():
        server = np.where(np.isnan(wait), -1, server)  # blocked: whoever is named did not serve the job
    return Log((arrival - origin) / unit, size, wait, server, origin, unit)


# ---- tables --------------------------------------------------------------------------------------------------


def _table(source: str | Path | pd.DataFrame) -> tuple[str, Mapping[str, Any]]:
    """What to call the log in messages, and its columns of interest."""
    if not isinstance(source, (str, Path)):
        return "log", {name: source[name].to_numpy() for name in USED if name in source.columns}
    import pandas as pd

    path = Path(source)
    parquet = path.suffix.lower() in (".parquet", ".pq")
    try:
        table: pd.DataFrame = pd.read_parquet(path) if parquet else pd.read_csv(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or str(error).splitlines()[0]}).") from None
    except Exception as error:  # the parsers raise kinds of their own
        kind = "a Parquet file" if parquet else "a CSV file"
        why = (str(error) or type(error).__name__).splitlines()[0][:160]
        raise DataError(f"{path}: is not {kind}, or not a whole one ({why}).") from None
    return str(path), {name: table[name].to_numpy() for name in USED if name in table.columns}


def _numbers(place: str, name: str, column: Any) -> FloatArray:
    if np.asarray(column).dtype.kind in "mMb":
        raise DataError(
            f"{place}: column `{name}` holds {np.asarray(column).dtype} values; give times as numbers, in seconds for example."
        )
    try:
        return np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError):
        row = next((i for i, value in enumerate(column) if not _is_number(value)), 0)
        raise DataError(f"{place}: column `{name}`, row {row} holds {column[row]!r}, which is not a number.") from None


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _finite(place: str, name: str, column: FloatArray, least: float = -np.inf) -> None:
    wrong = np.flatnonzero(~(np.isfinite(column) & (column >= least)))
    if wrong.size:
        what = "a finite number" if least == -np.inf else f"a finite number at or above {least:g}"
        hint = " (a job that was refused has none: leave it out, or give `size`)" if name == "service_time" else ""
        raise DataError(f"{place}: column `{name}`, row {wrong[0]} holds {column[wrong[0]]}; it must be {what}{hint}.")


def _ascending(place: str, arrival: FloatArray) -> None:
    wrong = np.flatnonzero(np.diff(arrival) < 0)
    if wrong.size:
        i = int(wrong[0])
        raise DataError(
            f"{place}: column `arrival`, row {i + 1} holds {arrival[i + 1]}, but row {i} holds {arrival[i]} already; "
            "sort the log by arrival."
        )


def _sizes(place: str, values: Mapping[str, FloatArray], server: IntArray, rates: Rates) -> FloatArray:
    if "size" in values:
        _finite(place, "size", values["size"], 0.0)
        return values["size"]
    if "service_time" not in values or not (server != -1).any():
        raise DataError(
            f"{place}: has neither `size` nor both `service_time` and `server` (found: {', '.join(values)}); "
            "what a job takes elsewhere follows from its size, or from what it took at a server of known rate."
        )
    _finite(place, "service_time", values["service_time"], 0.0)
    unknown = np.flatnonzero((server < 0) | (server >= rates.n_servers))
    if unknown.size:
        raise DataError(f"{place}: column `server`, row {unknown[0]} names a server that is not among the {rates.n_servers} given.")
    return values["service_time"] / rates.time_unit * rates.vector()[server]


def _waits(place: str, values: Mapping[str, FloatArray]) -> NDArray[np.float64]:
    """What the log says of its jobs' waits, in its own unit; nan where it does not."""
    v = values
    if "wait" in v:
        wait = v["wait"]
    elif "start" in v:
        wait = v["start"] - v["arrival"]
    elif "response" in v and "service_time" in v:
        wait = v["response"] - v["service_time"]
    elif "departure" in v and "service_time" in v:
        wait = v["departure"] - v["arrival"] - v["service_time"]
    else:
        return np.full(v["arrival"].size, np.nan)
    # response - service may come out a rounding below 0
    slack = 1e-9 * np.maximum(np.abs(v["arrival"]), 1.0)
    wrong = np.flatnonzero(wait < -slack)
    if wrong.size:
        raise DataError(f"{place}: row {wrong[0]} waits {wait[wrong[0]]:g}: a job cannot start before it comes.")
    return np.where(np.isnan(wait), np.nan, np.maximum(wait, 0.0))
