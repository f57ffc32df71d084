"""Tables of a trace for the terminal.

In    what `trace_analysis` found: a summary, or a DataFrame
Out   rich tables
Rule  the interval's method and what was left out are said under the numbers
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from jfsq_simpy.estimate import Estimate
from jfsq_simpy.views.numbers import count, short, with_interval
from jfsq_simpy.views.sheet import sheet

if TYPE_CHECKING:
    import pandas as pd


def summary(found: Mapping[str, Any]) -> Table:
    """Counts, estimates with intervals, and what a naive interval would have been."""
    table = _table("", "value")
    facts, jobs = found["trace"], found["jobs"]
    table.add_row("servers, places each", f"{facts['n_servers']:,}, {facts['places']}")
    table.add_row("window", " to ".join(short(t, 6) for t in found["window"]))
    for name, n in jobs.items():
        table.add_row(f"jobs {name}", f"{n:,}")
    for name, estimate in found["estimates"].items():
        for p, one in estimate.items() if name.endswith("quantiles") else [("", estimate)]:
            table.add_row(f"{name.removesuffix('s')} {p}" if p else name, _estimate(one))
    table.add_row("mean_jobs present", _number(found["mean_jobs"]))
    table.add_row("busiest server", _share(found["busiest_server"]))
    table.add_row("jobs that overtook another", f"{count(found['overtaking']['jobs'])} ({_share(found['overtaking']['share'])})")
    table.caption = _caption(found)
    return table


def frame(rows: pd.DataFrame) -> Table:
    """A DataFrame of estimates as it is; what its intervals rest on under it."""
    table = _table(*map(str, rows.columns))
    for row in rows.itertuples(index=False):
        table.add_row(*(short(v, 6) if isinstance(v, float) else f"{v:,}" if isinstance(v, int) else str(v) for v in row))
    a = rows.attrs
    if a:
        left_out = f" Not known, and left out: {a['unknown']:,}." if a["unknown"] else ""
        table.caption = f"{a['of']} of accepted jobs; {a['level']:.0%} intervals from {a['method']}.{left_out}"
    return table


def _caption(found: Mapping[str, Any]) -> str:
    facts = found["trace"]
    naive, honest = found["intervals"]
    words = [f"Intervals: {found['estimates']['mean_wait']['method']}."]
    if naive["half_width"] and honest["half_width"]:
        ratio = honest["half_width"] / naive["half_width"]
        words.append(
            f"Taken for independent, the {count(naive['jobs'])} waits would give one {short(ratio, 2)} times "
            f"{'too short' if ratio > 1 else 'as wide'}: they are worth {count(honest['jobs'])} independent ones."
        )
    unit = facts["time_unit"]
    words.append("Times in mean service times of the average server" + (f" (one is {short(unit)} of yours)." if unit != 1 else "."))
    return "\n".join(words)


def _estimate(kept: Mapping[str, Any]) -> str:
    numbers = {name: np.nan if kept[name] is None else kept[name] for name in ("value", "low", "high")}
    return with_interval(Estimate(**numbers, level=kept["level"], n=kept["n"], method=kept["method"]))


def _number(value: float | None) -> str:
    return "-" if value is None else short(value, 5)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _table(*columns: str) -> Table:
    return sheet(columns, words=lambda place, name: place == 0 and not name)
