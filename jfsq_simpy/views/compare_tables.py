"""Tables of a comparison for the terminal.

In    a Comparison; JobDifferences
Out   rich tables
Rule  policies stand in the order of the ranking; what a column means is said under it
"""

from __future__ import annotations

import math
from typing import Any

from rich.table import Table

from jfsq_simpy.compare import Comparison, JobDifferences
from jfsq_simpy.compare.measures import PERCENTS
from jfsq_simpy.estimate import Estimate
from jfsq_simpy.views.numbers import count, short, signed, with_interval
from jfsq_simpy.views.sheet import sheet

SHARE_SHOWN, ADDS_SHOWN = 0.005, 0.01  # of all jobs, of the largest contribution: causes below both are left out


def ranking(found: Comparison) -> Table:
    """A row a policy: its place, the metric, the difference and ratio to the reference, what pairing saved, what it costs."""
    ranked, metric, level = found.ranking(), found.metric, found.level
    differences = {row["policy"]: row for row in found.differences().to_dict("records")}
    table = _table(
        "place", "", "policy", metric, f"minus {found.against}", f"over {found.against}", "saved", "p_B", "messages a job"
    )
    for row in ranked.to_dict("records"):
        name = row["policy"]
        table.add_row(
            _place(row),
            row["letters"],
            name,
            with_interval(found.estimate(name)),
            *_beside(differences.get(name), level),
            short(found.estimate(name, "blocking_probability").value, 2),
            _messages(found.estimate(name, "messages_per_job").value),
        )
    replications = len(next(iter(found.runs.values())).replications)
    table.caption = (
        f"{level:.0%} intervals from {replications} replications. saved: the share of the difference's variance that the same jobs "
        f"for all have spared.\nPolicies with a letter in common cannot be told apart ({ranked.attrs['method']}).\n"
        "p_B: share of jobs blocked; messages: between dispatcher and servers."
    )
    return table


def tails(found: Comparison) -> Table:
    """A row a policy: quantiles of wait and response with their intervals."""
    names = [f"{which}_p{p}" for which in ("wait", "response") for p in PERCENTS]
    table = _table("policy", *(f"{'W' if name.startswith('wait') else 'T'} {name.partition('_p')[2]} %" for name in names))
    for policy in found.ranking().policy:
        table.add_row(policy, *(_quantile(found.estimate(policy, name)) for name in names))
    table.caption = "W: wait, T: response of accepted jobs, in mean service times; 50, 99 and 99.9 % of them do not exceed these."
    return table


def causes(found: JobDifferences) -> Table:
    """Why jobs did better or worse under the rival."""
    base, rival = found.names
    table = _table(f"under {rival}", "jobs", "sooner", "same", "later", "wait", "service", "response", "adds")
    rows = found.causes().to_dict("records")
    largest = max((abs(row["contribution"]) for row in rows if not math.isnan(row["contribution"])), default=0.0)
    for row in rows:
        if row["share"] < SHARE_SHOWN and not abs(row["contribution"]) > ADDS_SHOWN * largest:
            continue
        times = [_signed(row[k]) for k in ("wait", "service", "response", "contribution")]
        table.add_row(row["cause"], f"{row['share']:.1%}", *(f"{row[k]:,}" for k in ("better", "same", "worse")), *times)
    counts = found.counts()
    table.caption = (
        f"One path, {count(found.n_jobs)} jobs: {count(counts['better'])} leave sooner under {rival} than under {base}, "
        f"{count(counts['worse'])} later.\nwait, service, response: mean differences of those jobs; adds: to the mean difference "
        f"of all, {_signed(float(found.causes().contribution.sum()))}. Rare causes are left out."
    )
    return table


def _beside(row: dict[Any, Any] | None, level: float) -> tuple[str, str, str]:
    """Difference, ratio, variance saved; blanks for the reference itself."""
    if row is None:
        return "", "", ""
    difference = Estimate(row["difference"], row["low"], row["high"], level, 0, "")
    ratio = Estimate(row["ratio"], row["ratio_low"], row["ratio_high"], level, 0, "")
    saved = row["variance_saved"]
    return (
        signed(difference),
        "-" if math.isnan(ratio.value) else with_interval(ratio),
        "-" if math.isnan(saved) else f"{round(saved, 2) + 0.0:.0%}",
    )


def _place(row: dict[Any, Any]) -> str:
    return str(row["place"]) if row["place"] == row["worst_place"] else f"{row['place']}-{row['worst_place']}"


def _quantile(e: Estimate) -> str:
    return "0" if e.value == e.high == 0 else with_interval(e) if e.value else f"0 to {short(e.high, 2)}"


def _messages(value: float) -> str:
    return count(value) if value >= 1_000 else short(value, 3)


def _signed(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.3g}" if value else "0"


def _table(*columns: str) -> Table:
    return sheet(columns, words=lambda place, name: name in ("policy", "") or (place == 0 and name != "place"))
