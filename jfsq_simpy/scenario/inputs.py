"""Recorded inputs: a column of numbers from a CSV or Parquet file that a scenario names.

In    a path (from the scenario's own directory) and a column
Out   float array (n,)
Rule  the file is read whole when the scenario is; what is wrong with it is said with its name and column
Cost  8 bytes a row
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.errors import DataError, ScenarioError
from jfsq_simpy.scenario.messages import shown, unknown


def column(path: Path, name: str | None) -> NDArray[np.float64]:
    """One column of numbers; the only one when no name is given. Errors: DataError."""
    import pandas as pd

    read: Callable[[Path], Any] = pd.read_parquet if path.suffix in (".parquet", ".pq") else pd.read_csv
    try:
        table = read(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or ' '.join(str(error).split())}).") from None
    except (ValueError, UnicodeDecodeError) as error:  # the parsers' errors are ValueErrors
        raise DataError(f"{path}: is not a table that can be read ({str(error).splitlines()[0]}).") from None
    names = [str(c) for c in table.columns]
    if name is None and len(names) != 1:
        raise DataError(f'{path}: has columns {", ".join(names)}; say which one with column = "...".')
    if name is not None and name not in names:
        raise DataError(f"{path}: column = {shown(name)}: {unknown('column', name, names)}")
    values = table.iloc[:, names.index(name) if name is not None else 0]
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{path}: column {shown(values.name)} holds something that is not a number.") from None


def with_column(what: str, table: Mapping[str, Any], laws: Mapping[str, Callable[..., Any]], base: Path) -> dict[str, Any]:
    """A law's table with `file` (and `column`) replaced by the numbers they name.

    They become the law's first parameter: {law = "empirical", file = "sizes.csv"} is {law = "empirical", values = [...]}.
    """
    rest = {k: v for k, v in table.items() if k not in ("file", "column")}
    law, file, name = table.get("law"), table["file"], table.get("column")
    if not isinstance(file, str) or not (name is None or isinstance(name, str)):
        raise ScenarioError(f"{what}: file and column must be text; they are {shown(file)} and {shown(name)}.")
    if not isinstance(law, str) or law not in laws:
        return rest  # the registry of laws says what is wrong with the name
    first = next(iter(inspect.signature(laws[law]).parameters), None)
    if first is None:
        raise ScenarioError(f"{what}: law {shown(law)} takes no numbers, so file = {shown(file)} has no use; leave it out.")
    try:
        return {**rest, first: column(base / file, name)}
    except DataError as error:
        raise DataError(f"{what}.file: {error}") from None
