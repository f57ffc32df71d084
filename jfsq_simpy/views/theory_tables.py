"""Tables of the theory's reports, for the terminal.

In    a BoundsReport, a CheckReport, Scalings
Out   rich tables
Rule  a metric's verdict is its worst: one line that is violated shows, however many hold
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table

from jfsq_simpy.theory.report import BoundsReport, CheckReport, Line
from jfsq_simpy.theory.scaling import Scaling
from jfsq_simpy.views.numbers import short
from jfsq_simpy.views.sheet import sheet
from jfsq_simpy.views.tables import SYMBOLS

BAD = ("violated", "warning")
VERDICTS = {"shown": "limit only"}  # a limit judges nothing at any one N


def parameters(report: BoundsReport) -> Table:
    """The paper's parameters: symbol, value, meaning."""
    table = _table("symbol", "value", "meaning", numbers=("value",))
    for row in report.parameters_table().to_dict("records"):
        table.add_row(str(row["symbol"]), short(row["value"], 6), str(row["meaning"]))
    table.caption = f"{report.parameters.regime}; the assumption of this regime holds from N = {report.assumption_from} on."
    return table


def conditions(report: BoundsReport) -> Table:
    """Every inequality with both sides, whether it holds, and by what factor."""
    table = _table("from", "condition", "left", "right", "holds", "factor", numbers=("left", "right", "factor"))
    for row in report.conditions_table().to_dict("records"):
        sides = [short(row[k]) for k in ("left", "right")]
        table.add_row(row["from"], row["condition"], *sides, "yes" if row["holds"] else "NO", short(row["factor"], 3))
    table.caption = "A condition reads left <= right; the factor is right / left: above 1 there is room, below 1 it is missed."
    return table


def bounds(report: BoundsReport) -> Table:
    """Every statement in every reading: its bound, whether it is proved, how many conditions fail, what it says here."""
    table = _table("statement", "reading", "bounds", "", "bound", "proved", "failing", "verdict", numbers=("bound", "failing"))
    for line in report.lines:
        s = line.statement
        told = line.verdict.removeprefix("condition not met; ")  # the column beside it says how many
        relation = "~" if s.relation == "order" else s.relation
        proved = "yes" if s.sound else "no"
        table.add_row(s.name, s.variant, s.quantity, relation, short(s.bound), proved, str(len(s.missed)), told)
    table.caption = (
        "proved: no marks a reading as printed whose proof does not carry it. failing: conditions that do not hold at this N.\n"
        "vacuous: no better than what is always true; then the N from which it is better, speed classes keeping their shares."
    )
    return table


def metrics(report: CheckReport) -> Table:
    """One row a metric: measured with its interval, exact, lower bound, limit curve, the sharpest bound, the verdict.

    Nothing was measured where the evidence is the exact law: then those two columns are left out.
    """
    measured = [] if _is_exact(report) else ["measured", "interval"]
    numbers = ("exact", "at least", "limit", "bound")
    table = _table("metric", *measured, *numbers, "verdict", numbers=("measured", *numbers))
    failing = {line.quantity: line for line in report.lines if line.what != "identity" and line.verdict in BAD}
    for row in report.by_metric().to_dict("records"):
        verdict = told(failing[row["metric"]]) if row["metric"] in failing else VERDICTS.get(row["verdict"], row["verdict"])
        exact, at_least, limit, bound = (short(row[k]) for k in ("exact", "at_least", "limit", "bound"))
        guess = " ?" if row["limit_kind"] == "conjecture" else ""
        found = [short(row["measured"]), _interval(row["low"], row["high"])] if measured else []
        table.add_row(row["metric"], *found, exact, at_least, limit + guess, bound, verdict)
    noise = " Noise alone makes a line `violated` once in a million." if measured else ""
    table.caption = (
        "exact: the stationary law. at least: the pooled queue of the fastest servers. bound: the paper's sharpest sound one.\n"
        f"limit: where growing N leads, no bound (?: a conjecture).{noise}"
    )
    return table


def _is_exact(report: CheckReport) -> bool:
    """Whether the evidence is an exact law, so that nothing was measured."""
    return bool(report.found) and all(f.exact for f in report.found.values())


def identities(report: CheckReport) -> Table:
    """What must balance, on every path or in the stationary law, and whether it does."""
    table = _table("identity", "kind", "left - right", "must be", "z", "verdict", "source", numbers=("left - right", "z"))
    for line in report.lines:
        if line.what == "identity" and line.found is not None:
            must = f"{line.relation} 0"
            table.add_row(line.name, line.variant, short(line.found.value, 3), must, short(line.z, 2), line.verdict, line.note)
    return table


def judged(report: CheckReport) -> Table:
    """The lines that are violated or warned about, with what stands against them."""
    value = "exact" if _is_exact(report) else "measured"
    table = _table("claim", "reading", "quantity", value, "", "reference", "verdict", numbers=(value, "reference"))
    for line in (*report.failures, *report.warnings):
        found = short(line.found.value) if line.found is not None else "-"
        table.add_row(line.name, line.variant, line.quantity, found, line.relation, short(line.reference), told(line))
    return table


def told(line: Line) -> str:
    """A verdict in words, with how far off it is.

    >>> told(Line("statement", "p_W", "paper", "waiting_probability", "<=", 0.1, None, "violated", 7.2, ""))
    'violated at z = 7.2 by p_W'
    """
    if line.verdict not in BAD:
        return line.verdict
    by = f" at z = {line.z:.3g}" if math.isfinite(line.z) else " exactly"
    return f"{line.verdict}{by} by {line.name}"


def slopes(rows: Iterable[tuple[Mapping[str, Any], str, Scaling | None, str]]) -> Table:
    """A row a curve and metric: its slope with interval beside the slope of Theorem 1's order over the same N.

    `rows` : (labels, metric, the Scaling or None, why there is none or what was left out)
    """
    rows = list(rows)
    keys = list(dict.fromkeys(key for labels, _, _, _ in rows for key in labels))
    names = [key.rpartition(".")[2] for key in keys]
    numbers = ("slope", "order's slope", "power")
    table = _table(*names, "metric", "N", "slope", "interval", *numbers[1:], "verdict", numbers=numbers)
    for labels, metric, found, note in rows:
        cells = [_label(labels.get(key)) for key in keys]
        if found is None:
            table.add_row(*cells, SYMBOLS[metric], "-", "-", "-", "-", "-", note)
            continue
        n = f"{found.n_servers[0]:,} to {found.n_servers[-1]:,}"
        interval = _interval(found.low, found.high) or "?"
        slope, order = f"{found.slope:.3f}", f"{found.order_slope:.3f}"
        verdict = "; ".join(filter(None, [found.verdict, note]))
        table.add_row(*cells, SYMBOLS[metric], n, slope, interval, order, f"N^{found.order_exponent:g}", verdict)
    table.caption = (
        "slope: d log(metric) / d log N, least squares; its interval leaves one replication out at all N at once.\n"
        "order's slope: Theorem 1's order with its logarithms over the same N; power: without them. An order bounds from above."
    )
    return table


def _interval(low: float, high: float) -> str:
    return "" if low == high or math.isnan(low) else f"{short(low)} .. {short(high)}"


def _label(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(_label(v) for v in value.values())
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def _table(*columns: str, numbers: Sequence[str] = ()) -> Table:
    return sheet(columns, words=lambda place, name: name not in numbers)
