"""How many servers make the mean field right? The error of the limit against N.

In    Results of a sweep over `system.servers`, and over policies where there are several
Out   a matplotlib Figure: a line a policy, a line of slope -1 beneath
Rule  both axes are logarithmic, so a bar that reaches 0 ends where the picture does
Cost  a second the first time, for importing matplotlib
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from jfsq_simpy.experiment import Results
from jfsq_simpy.run import Run
from jfsq_simpy.theory.reference.approach import Approach, approach
from jfsq_simpy.views.figures import DASHES, MARKERS, letter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def by_policy(results: Results, metric: str = "mean_queue") -> dict[str, Approach]:
    """The approach of each policy, by what it is called in the figure. Errors: PlanError, ModelError."""
    runs: dict[str, list[Run]] = {}
    for p in results:
        runs.setdefault(_name(p.run), []).append(p.run)
    return {name: approach(of_one, metric) for name, of_one in runs.items()}


def mean_field(results: Results, metric: str = "mean_queue") -> Figure:
    """The distance of each policy's mean queue from its limit, against N."""
    import seaborn as sns
    from matplotlib.figure import Figure

    found = by_policy(results, metric)
    colours = sns.color_palette("viridis", len(found) + 1)[: len(found)]
    with sns.axes_style("ticks"), sns.plotting_context("notebook"):
        figure = Figure(figsize=(7.6, 5.2), layout="constrained")
        ax = figure.add_subplot()
        ax.set(xscale="log", yscale="log", xlabel="Servers, $N$", ylabel="Mean queue per server, less its limit")
        for i, (name, one) in enumerate(found.items()):
            draw(ax, name, one, colours[i], MARKERS[i], DASHES[i])
        _frame(ax, list(found.values()))
        ax.legend(frameon=False, loc="lower left", fontsize="small")
        ax.grid(axis="y", color="0.9", linewidth=0.8)
        sns.despine(ax=ax)
        letter(figure, results.scenario.get("question", ""), _footnote(results))
    return figure


def draw(ax: Axes, name: str, found: Approach, colour: Any, marker: str, dash: Any) -> None:
    """One policy: its errors with their intervals, and the slope fitted to them."""
    sign = np.sign(found.errors)
    error, ends = np.abs(found.errors), np.sort([sign * found.low, sign * found.high], axis=0)
    bars = [np.minimum(error - ends[0], error * (1 - 1e-3)), ends[1] - error]
    label = f"{name}: slope {found.slope:.2f} ({found.slope_low:.2f} to {found.slope_high:.2f})".replace("-", "\N{MINUS SIGN}")
    style = {"marker": marker, "linestyle": dash, "capsize": 3, "markersize": 6, "linewidth": 1.6}
    ax.errorbar(found.n_servers, error, yerr=bars, color=colour, label=label, **style)


def _frame(ax: Axes, found: list[Approach]) -> None:
    """Ticks at every N, and a line that falls like 1/N below all others."""
    n = np.unique(np.concatenate([one.n_servers for one in found]))
    least = min(float((np.abs(one.errors) * one.n_servers).min()) for one in found)
    ax.plot(n, 0.55 * least / n, color="0.35", linewidth=3.5, alpha=0.35, label=f"1/N: slope {chr(0x2212)}1")
    heights = np.concatenate([np.abs(one.errors) for one in found])
    ax.set_ylim(0.35 * min(least / n[-1], heights.min()), 1.5 * heights.max())
    ax.set_xticks(n, minor=False)
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
    ax.minorticks_off()


def _name(run: Run) -> str:
    """A policy with what it asks: `jsq_d, d = 2, with replacement`."""
    asks = run.system.policy.query.describe()
    d = asks.get("d")
    parts = [run.system.policy.name]
    if d is not None:
        parts.append(f"d = {tuple(d) if isinstance(d, list) else d}")
    return ", ".join([*parts, *(["with replacement"] if asks.get("replace") else [])])


def _footnote(results: Results) -> str:
    run = results[0].run
    rates = run.system.rates
    return (
        f"Load {run.system.load:g}, b = {run.system.places}, fastest over slowest {rates.fastest / rates.slowest:g}; bars, and "
        f"intervals of the slopes: {run.level:.0%}, {len(run.replications)} replications, corrected by work conservation."
    )
