"""The paper's Figure 3: most capable servers are busy. How likely each server is busy, fastest first.

In    Runs of fleets with a speed for each server
Out   a matplotlib Figure, a line a run
Rule  which server of a speed class is busy depends on the tie rule, so a class is drawn at its mean, as a step
Cost  a second the first time, for importing matplotlib
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jfsq_simpy.run import Run
from jfsq_simpy.views.figures import DASHES, letter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def busy_servers(runs: Sequence[Run], question: str = "") -> Figure:
    """P(server n is busy) against n, N1 and N2 marked on each curve."""
    import seaborn as sns
    from matplotlib.figure import Figure

    runs = sorted(runs, key=lambda run: run.system.load)
    colours = sns.color_palette("viridis", len(runs) + 1)[: len(runs)]
    with sns.axes_style("ticks"), sns.plotting_context("notebook"):
        figure = Figure(figsize=(8.4, 5.0), layout="constrained")
        ax = figure.add_subplot()
        for i, (run, colour) in enumerate(zip(runs, colours, strict=True)):
            draw(ax, run, colour, DASHES[i % len(DASHES)])
        ax.set(xlabel="Server $n$, fastest first", ylabel="Probability that server $n$ is busy", ylim=(0, 1.02))
        ax.margins(x=0.01)
        marks = [_handle("o", "$N_1$"), _handle("s", "$N_2$")]
        ax.legend(handles=[*_curves(ax), *marks], frameon=False, loc="lower left")
        ax.grid(axis="y", color="0.9", linewidth=0.8)
        sns.despine(ax=ax)
        letter(figure, question, _footnote(runs))
    return figure


def draw(ax: Axes, run: Run, colour: Any, dash: Any) -> None:
    """One curve with its interval, and N1 and N2 on it."""
    busy, edges = run.utilisation_by_class(), run.groups.edges
    server = np.arange(edges[0], edges[-1]) + 1
    value, low, high = (np.repeat(busy[name].to_numpy(), run.groups.sizes) for name in ("value", "low", "high"))
    system = run.system
    name = rf"$\alpha$ = {system.alpha:g}, load {system.load:.3g}" if system.alpha is not None else f"load {system.load:.3g}"
    ax.plot(server, value, color=colour, linestyle=dash, linewidth=1.8, label=name)
    ax.fill_between(server, low, high, color=colour, alpha=0.2, linewidth=0)
    for n, marker in ((system.n1().floor, "o"), (system.n2.floor, "s")):
        if n:
            ax.plot(n, value[n - 1], marker, color=colour, markeredgecolor="black", markersize=8, zorder=3)


def _curves(ax: Axes) -> list[Any]:
    return [line for line in ax.get_lines() if not str(line.get_label()).startswith("_")]


def _handle(marker: str, name: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], marker=marker, color="white", markeredgecolor="black", markerfacecolor="0.6", markersize=8, label=name)


def _footnote(runs: Sequence[Run]) -> str:
    run = runs[0]
    rates = run.system.rates
    return (
        f"{run.system.policy.name.upper()}, N = {rates.n_servers:,}, fastest over slowest {rates.fastest / rates.slowest:g}, "
        f"b = {run.system.places}; bands: {run.level:.0%} intervals. The N2 fastest can just carry the load.\n"
        "N1 as in Lemma 1, which wants delta >= 2/N^alpha: where that fails, N1 may lie beyond N2."
    )
