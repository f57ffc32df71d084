"""A trace at a glance: counts, means, quantiles, queues, overtaking, and whether naive intervals would lie.

In    a Trace
Out   one dictionary, as JSON can hold it
Rule  every number with an interval has one that rests on replications or batches
Cost  about twenty passes over the rows, memory O(block + servers)
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from jfsq_simpy.estimate import Estimate
from jfsq_simpy.jobs.trace import Trace
from jfsq_simpy.jobs.trace_rows import REPLICATION, plain
from jfsq_simpy.trace_analysis.cells import Cells, Window
from jfsq_simpy.trace_analysis.correlation import naive_and_honest
from jfsq_simpy.trace_analysis.intervals import join, pairs_to_join, share
from jfsq_simpy.trace_analysis.overtaking import overtaking
from jfsq_simpy.trace_analysis.queues import presence, servers
from jfsq_simpy.trace_analysis.waits import decomposition, quantiles

if TYPE_CHECKING:
    import pandas as pd

QUANTILES = (0.5, 0.9, 0.99)


def summary(trace: Trace, window: Window | None = None, level: float = 0.95) -> dict[str, Any]:
    """Counts and estimates of a trace, nested dictionaries of plain numbers; nan and infinity are None.

    Times in the unit of the trace. About twenty passes. Errors: PlanError where the window holds too few jobs.

    >>> from jfsq_simpy import System, simulate
    >>> system = System(rates=[1.5, 0.5], load=0.8, places=3)
    >>> trace = simulate(system, horizon=500, warmup=0, engine="process", trace=True, rng=7).trace
    >>> found = summary(trace)
    >>> found["jobs"]["arrived"] == found["jobs"]["finished"] + found["jobs"]["blocked"]
    True
    >>> list(found["estimates"])[:3]
    ['waiting_probability', 'blocking_probability', 'buffered_probability']
    """
    cells = Cells(trace, None, window)
    window = (cells.begin, cells.end)
    present = presence(trace, window)
    passed = overtaking(trace, window=window, most_listed=0)
    found = {
        "trace": trace.facts.to_dict() | {"rows": len(trace)},
        "window": list(window),
        "jobs": _counts(trace, cells),
        "estimates": _shares(trace, cells, level) | _means(trace, window, level) | _quantiles(trace, window, level),
        "mean_jobs": present["mean_jobs"].mean(),
        "busiest_server": servers(trace, window)["busy"].max(),
        "overtaking": {"jobs": passed.count, "share": passed.share},
        "intervals": naive_and_honest(trace, window=window, level=level).to_dict("records"),
    }
    cleaned: dict[str, Any] = without_nan(plain(found))
    return cleaned


def _counts(trace: Trace, cells: Cells) -> dict[str, int]:
    total: Counter[str] = Counter(arrived=0, blocked=0, waited=0, finished=0, unfinished=0)
    for block in trace.blocks("job", "arrival", "blocked", "level", "finished"):
        here = (block["job"] >= 0) & (block["arrival"] >= cells.begin) & (block["arrival"] < cells.end)
        blocked, level, finished = block["blocked"][here], block["level"][here], block["finished"][here]
        total["arrived"] += int(here.sum())
        total["blocked"] += int(blocked.sum())
        total["waited"] += int(((level > 0) & ~blocked).sum())
        total["finished"] += int(finished.sum())
        total["unfinished"] += int((~finished & ~blocked).sum())
    return dict(total)


def _shares(trace: Trace, cells: Cells, level: float) -> dict[str, Any]:
    """p_W, p_B and the share that waits in a buffer, over routed jobs: blocked ones count here."""
    routed, waited, blocked = (np.zeros(cells.n_units) for _ in range(3))
    for unit, busy, refused in _routed(trace, cells):
        routed += np.bincount(unit, minlength=cells.n_units)
        waited += np.bincount(unit, busy, minlength=cells.n_units)
        blocked += np.bincount(unit, refused, minlength=cells.n_units)
    joins = pairs_to_join(waited, routed) if cells.what == "batches" else 0
    routed, waited, blocked = (join(x, joins) for x in (routed, waited, blocked))
    shares = {"waiting_probability": waited, "blocking_probability": blocked, "buffered_probability": waited - blocked}
    return {name: _estimate(share(sums, routed, level, cells.what), level, cells) for name, sums in shares.items()}


def _routed(trace: Trace, cells: Cells) -> Any:
    several = REPLICATION in trace.names
    for block in trace.blocks("job", "arrival", "blocked", "level", *([REPLICATION] if several else [])):
        here = (block["job"] >= 0) & (block["arrival"] >= cells.begin) & (block["arrival"] < cells.end)
        c = {name: column[here] for name, column in block.items()}
        yield cells.unit(c), ((c["level"] > 0) | c["blocked"]).astype(float), c["blocked"].astype(float)


def _estimate(interval: Any, level: float, cells: Cells) -> dict[str, Any]:
    value, low, high = float(interval.value), float(interval.low), float(interval.high)
    return Estimate(value, low, high, level, cells.n_units, f"{cells.what}, jackknife, Student t").to_dict()


def _means(trace: Trace, window: Window, level: float) -> dict[str, Any]:
    table = decomposition(trace, window=window, level=level)
    return {f"mean_{row['part']}": _row(table, row, "mean") for row in table.to_dict("records")}


def _quantiles(trace: Trace, window: Window, level: float) -> dict[str, Any]:
    found = {}
    for of in ("wait", "response"):
        table = quantiles(trace, QUANTILES, of=of, window=window, level=level)
        found[f"{of}_quantiles"] = {f"{row['p']:g}": _row(table, row, "value") for row in table.to_dict("records")}
    return found


def _row(table: pd.DataFrame, row: dict[Any, Any], name: str) -> dict[str, Any]:
    attrs = table.attrs
    return Estimate(row[name], row["low"], row["high"], attrs["level"], attrs["units"], attrs["method"]).to_dict()


def without_nan(value: Any) -> Any:
    """The value with nan and infinity replaced by None, as JSON has neither."""
    if isinstance(value, dict):
        return {k: without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [without_nan(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
