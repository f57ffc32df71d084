"""Tables for the terminal.

In    Results; exact metrics a point; registries as rows
Out   rich tables
Rule  what a column means is said under it; times come with their unit
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from jfsq_simpy.views.numbers import compact, short, with_interval
from jfsq_simpy.views.sheet import sheet

if TYPE_CHECKING:  # a listing of names should not wait for the experiments
    from jfsq_simpy.experiment import Point, PointResult, Results

SYMBOLS = {"waiting_probability": "p_W", "blocking_probability": "p_B", "mean_wait": "E[W]"}
MEANING = "p_W: share of jobs routed to a busy server. p_B: share blocked. E[W]: mean wait of accepted jobs"
SPEEDS_WITH_A_UNIT = ("classes", "file")  # profiles whose speeds are the user's own numbers


def estimates(results: Results) -> Table:
    """A row a point: p_W, p_B and E[W] with their intervals, and how many jobs they rest on."""
    keys = labels([p.point for p in results])
    table = _table(*keys.values(), *_load_column(keys), *SYMBOLS.values(), "jobs")
    for p in results:
        cells = [with_interval(p.estimates[name]) for name in SYMBOLS]
        table.add_row(*_labelled(p.point, keys), *cells, compact(p.run.jobs))
    level = f"{results[0].run.level:.0%} intervals from replications. " if len(results) else ""
    table.caption = f"{MEANING}, in {_unit(results)}.\n{level}`< x`: none seen, so at most x.{_corrected(results)}"
    return table


def _corrected(results: Sequence[PointResult]) -> str:
    """By what the numbers are corrected, where they are; how many coefficients depends on the number of replications."""
    by: dict[str, set[int]] = {}
    for method in (e.method.partition(", controlled by ")[2] for p in results for e in p.estimates.values()):
        name, _, coefficients = method.partition(" (")
        by.setdefault(name, set()).update(int(n) for n in re.findall(r"\d+", coefficients))
    return "".join(f"\nCorrected by {name}{_coefficients(n)}." for name, n in by.items() if name)


def _coefficients(n: set[int]) -> str:
    if not n:  # one is not counted
        return ""
    return f" ({min(n)}{f' to {max(n)}' if len(n) > 1 else ''} coefficients)"


def exact(rows: Iterable[tuple[Point, Mapping[str, float] | None, str]]) -> Table:
    """A row a point: exact p_W, p_B and E[W], and how they were found (or why not)."""
    rows = list(rows)
    keys = labels([point for point, _, _ in rows])
    table = _table(*keys.values(), *_load_column(keys), *SYMBOLS.values(), "how")
    for point, values, how in rows:
        cells = [short(values[name], 10) if values else "-" for name in SYMBOLS]
        table.add_row(*_labelled(point, keys), *cells, how)
    table.caption = f"{MEANING}."
    return table


def listing(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Table:
    """Rows of text under their names."""
    table = sheet(columns, words=lambda place, name: True)
    for row in rows:
        table.add_row(*(str(row[c]) for c in columns))
    return table


def labels(points: Sequence[Point]) -> dict[str, str]:
    """The swept keys and the short names their columns get; N when nothing is swept."""
    swept = dict.fromkeys(key for point in points for key in point.labels)
    last = [key.rpartition(".")[2] for key in swept]
    names = {key: name if last.count(name) == 1 else key for key, name in zip(swept, last, strict=True)}
    return {key: {"servers": "N"}.get(name, name) for key, name in names.items()}


def _labelled(point: Point, keys: Mapping[str, str]) -> list[str]:
    load = [short(point.system.load)] if _load_column(keys) else []
    return [*(_shown(point.labels.get(key)) for key in keys), *load]


def _load_column(keys: Mapping[str, str]) -> list[str]:
    return [] if "system.load" in keys else ["load"]  # swept, it is there already


def _shown(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_shown(v)}" for k, v in value.items())
    return short(value, 6) if isinstance(value, float) else str(value)


def _unit(results: Sequence[PointResult]) -> str:
    unit = "mean service times of the average server"
    units = {p.run.system.rates.time_unit for p in results if _speeds_have_a_unit(p.point)}
    if len(units) == 1:
        return f"{unit} (one is {short(units.pop())} of the time units in which the speeds are given)"
    return unit


def _speeds_have_a_unit(point: Point) -> bool:
    return point.table.get("rates", {}).get("profile") in SPEEDS_WITH_A_UNIT


def _table(*columns: str) -> Table:
    return sheet(columns, words=lambda place, name: name == "how")
