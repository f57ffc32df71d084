"""Measured p_W and E[W] against N, beside Theorem 1's orders and, where there is one, the exact truth.

In    Results of a sweep over system.servers and alpha; the other swept keys (rates, say) make the curves
Out   a matplotlib Figure: a row a metric, a column an alpha
Rule  an order has no constant, so its curve is drawn through the largest measured value at the smallest N: only its
      slope says something. The truth is drawn for a homogeneous fleet of two places, which is solved at every size
Cost  a second the first time, for importing matplotlib; about 1 s for a truth at N = 3,000
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from jfsq_simpy.exact import solve
from jfsq_simpy.experiment import PointResult, Results
from jfsq_simpy.system import System
from jfsq_simpy.theory import Parameters
from jfsq_simpy.theory.scaling import ORDERS
from jfsq_simpy.views.figures import TITLES, Line, draw_lines, letter, lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LARGEST_SOLVED = 10_000
DECADES = 2  # an axis spans at least so many powers of ten, so that flat looks flat


def orders(results: Results) -> Figure:
    """Every metric Theorem 1 gives an order for, at every alpha. Errors: ModelError where the paper is silent."""
    import seaborn as sns
    from matplotlib.figure import Figure

    columns = by_alpha(results)
    with sns.axes_style("ticks"), sns.plotting_context("notebook"):
        figure = Figure(figsize=(4.9 * len(columns), 4.0 * len(ORDERS)), layout="constrained")
        grid = figure.subplots(len(ORDERS), len(columns), sharex=True, squeeze=False)
        for row, metric in zip(grid, ORDERS, strict=True):
            for ax, (alpha, points) in zip(row, columns.items(), strict=True):
                draw(ax, points, metric)
                ax.set_title(rf"$\alpha$ = {alpha:g}" if metric == next(iter(ORDERS)) else "", fontsize="medium", loc="left")
                sns.despine(ax=ax)
            row[0].set_ylabel(TITLES[metric])
        for ax in grid[-1]:
            ax.set_xlabel("Servers, $N$")
        grid[0][-1].legend(loc="lower left", fontsize="small", frameon=False)  # the flattest curves leave room below
        letter(figure, results.scenario.get("question", ""), _footnote(results))
    return figure


def by_alpha(results: Sequence[PointResult]) -> dict[float, list[PointResult]]:
    """Points by alpha, smallest first, their labels without it."""
    found: dict[float, list[PointResult]] = {}
    for p in results:
        labels = {k: v for k, v in p.point.labels.items() if k != "system.alpha"}
        found.setdefault(float(p.run.system.alpha or np.nan), []).append(PointResult(replace(p.point, labels=labels), p.run))
    return dict(sorted(found.items()))


def draw(ax: Axes, points: Sequence[PointResult], metric: str) -> None:
    """One panel: measured curves, the order, the truth."""
    import seaborn as sns

    curves = [replace(line, name="") for line in lines(points, metric)]
    names = [_rates(line.name) for line in lines(points, metric)]
    colours = sns.color_palette("viridis", len(curves) + 1)[: len(curves)]
    ax.set(xscale="log", yscale="log")
    draw_order(ax, points, metric, curves)
    draw_truth(ax, points, metric)
    draw_lines(ax, [replace(c, name="") for c in curves], colours)
    for container, name in zip(ax.containers, names, strict=False):
        container.set_label(name)
    low, high = ax.get_ylim()  # set by what was measured: truths fall to 1e-26, far below what a run can see
    ax.set_ylim(min(low, high / 10**DECADES), 2 * high)
    ax.minorticks_off()
    ax.grid(axis="y", color="0.9", linewidth=0.8)


def draw_order(ax: Axes, points: Sequence[PointResult], metric: str, curves: Sequence[Line]) -> None:
    """Theorem 1's order over the same N, through the largest value measured at the smallest N."""
    systems: dict[int, System] = {p.run.system.n_servers: p.run.system for p in points}
    n = np.array(sorted(systems))
    order = np.array([ORDERS[metric](Parameters.from_system(systems[int(k)])) for k in n])
    start = max(e.value for c in curves for x, e in zip(c.x, c.y, strict=True) if x == n[0])
    if start > 0:
        ax.plot(n, order * start / order[0], color="0.35", linewidth=3.5, alpha=0.35, label="Theorem 1's order (slope only)")


def draw_truth(ax: Axes, points: Sequence[PointResult], metric: str) -> None:
    """Exact values of homogeneous fleets of two places."""
    solvable = [p.run.system for p in points if is_solved(p.run.system)]
    known = sorted((s.n_servers, solve(s)[metric]) for s in solvable)
    if known:
        ax.plot(*zip(*known, strict=True), color="black", linewidth=0.9, label="homogeneous, exact", zorder=1)


def is_solved(system: System) -> bool:
    """Whether an exact law is at hand at any size: equal servers, two places."""
    return system.is_markov and system.rates.n_classes == 1 and system.places == 2 and system.n_servers <= LARGEST_SOLVED


def _rates(name: str) -> str:
    """`rates = two_speed 4` as `two_speed 4`."""
    return name.partition(" = ")[2].replace("_", " ").replace(" 4", ", fastest 4 times the slowest") if " = " in name else name


def _footnote(results: Results) -> str:
    run = results[0].run
    return (
        f"{run.system.policy.name.upper()}, b = {run.system.places}; bars: {run.level:.0%} intervals of {len(run.replications)} "
        f"replications; open triangles: none seen, upper limit. Exact values below what was seen are cut off."
    )
