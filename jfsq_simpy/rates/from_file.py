"""Rates from a CSV file: one line a server, or a line for many.

In    a file with a column `speed` and, optionally, `label` and `count`
Out   Rates
Rule  whatever is wrong is said with the file's name, a value with its line as an editor counts them
Cost  O(lines), and the labels: one a server, up to a million
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jfsq_simpy.errors import DataError, ModelError, TooLargeError
from jfsq_simpy.rates.fleet import Rates
from jfsq_simpy.rates.given import from_speeds
from jfsq_simpy.rates.limits import FloatArray, IntArray
from jfsq_simpy.rates.profiles import classes

if TYPE_CHECKING:
    import pandas as pd

MOST_LABELS = 10**6  # labels are kept one a server


def file(path: str | Path) -> Rates:
    """A CSV file with a column `speed` and, optionally, `label` and `count` (servers a line stands for).

    Speeds may be in any unit; they are rescaled and `time_unit` keeps the factor. Labels are kept one a
    server, up to a million servers. Errors: DataError. O(lines).

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as written:
    ...     _ = written.write("label,speed\\nold,100\\nnew,300\\n")
    ...     written.flush()
    ...     file(written.name)
    Rates(speeds=array([1.5, 0.5]), counts=array([1, 1]), time_unit=0.005)
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, skipinitialspace=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from None
    except (ValueError, UnicodeDecodeError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(f"{path}: is not a CSV file ({str(error).splitlines()[0]}).") from None
    if "speed" not in table.columns:
        raise DataError(f"{path}: has no column `speed` (found: {', '.join(map(str, table.columns))}); give one speed a server.")
    _check_column(path, table, "speed", lambda v: v > 0, "must be a finite number above 0: a server without speed never finishes.")
    if "count" in table.columns:
        _check_column(path, table, "count", lambda v: (v >= 1) & (v % 1 == 0), "must be a whole number of servers, at least 1.")
    labels = table["label"].astype(str).tolist() if "label" in table.columns else None
    try:
        if "count" not in table.columns:
            return from_speeds(table["speed"].to_numpy(), labels)
        fleet = classes(table["count"].tolist(), table["speed"].tolist())
        if labels is None or fleet.n_servers > MOST_LABELS:
            return fleet
        return replace(fleet, labels=_labels_by_line(labels, table["count"].to_numpy(), table["speed"].to_numpy()))
    except (ModelError, TooLargeError) as error:
        raise DataError(f"{path}: {error}") from None


def _check_column(path: str | Path, table: pd.DataFrame, column: str, fits: Callable[[FloatArray], Any], rule: str) -> None:
    """Refuse the first value that is no number or does not fit, with its line in the file."""
    import pandas as pd

    values = pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64)
    right = np.isfinite(values)
    right[right] = fits(values[right])
    if right.all():
        return
    row = int(np.argmin(right))
    given = table[column].iloc[row]
    said = "is missing; it" if pd.isna(given) else f"= {given}"
    raise DataError(f"{path}, line {_line_of(path, row)}: {column} {said} {rule}")


def _line_of(path: str | Path, row: int) -> int:
    """On which line of the file a row of its table begins: blank lines are no rows, and a quoted label may go over several."""
    with Path(path).open(newline="", encoding="utf-8") as lines:
        reader, rows, begins = csv.reader(lines, skipinitialspace=True), -1, 1  # the heading is row -1
        for fields in reader:
            if len(fields) > 1 or any(field.strip() for field in fields):
                if rows == row:
                    break
                rows += 1
            begins = reader.line_num + 1
    return begins


def _labels_by_line(labels: Sequence[str], counts: IntArray, speeds: FloatArray) -> tuple[str, ...]:
    fastest_first = np.argsort(-speeds, kind="stable")
    return tuple(labels[i] for i in fastest_first for _ in range(int(counts[i])))
