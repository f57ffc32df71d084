"""What inequality between servers does at one N and alpha: metrics against fastest over slowest.

In    Results of a sweep over system.rates.ratio
Out   a matplotlib Figure, a panel a metric, a curve for each combination of the other swept keys
Rule  the total capacity is the same at every ratio, so only how it is spread differs
Cost  a second the first time, for importing matplotlib
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jfsq_simpy.errors import PlanError
from jfsq_simpy.experiment import Results
from jfsq_simpy.views.figures import TITLES, draw_lines, letter, lines, name_at_the_ends

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ALONG = "system.rates.ratio"
METRICS = {**TITLES, "mean_response": "Mean response, $E[T]$ (mean service times)"}


def heterogeneity(results: Results, metrics: tuple[str, ...] = ("waiting_probability", "mean_wait", "mean_response")) -> Figure:
    """Metrics against fastest over slowest. Errors: PlanError when the sweep does not run over it."""
    import seaborn as sns
    from matplotlib.figure import Figure

    if any(ALONG not in p.point.labels for p in results):
        raise PlanError(f"the figure needs a sweep over {ALONG}, for example [1, 2, 4, 8].")
    with sns.axes_style("ticks"), sns.plotting_context("notebook"):
        figure = Figure(figsize=(4.9 * len(metrics), 4.6), layout="constrained")
        for ax, metric in zip(figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
            curves = lines(results, metric, ALONG)
            ax.set(xscale="log", xlabel="Rate of the fastest over rate of the slowest", ylabel=METRICS[metric])
            colours = sns.color_palette("viridis", len(curves) + 1)[: len(curves)]
            draw_lines(ax, curves, colours)
            ax.set_ylim(0, 1.1 * max(e.high for c in curves for e in c.y))
            name_at_the_ends(ax, curves, colours)
            ticks = sorted({x for c in curves for x in c.x})
            ax.set_xticks(ticks, [f"{x:g}" for x in ticks], minor=False)
            ax.minorticks_off()
            ax.grid(axis="y", color="0.9", linewidth=0.8)
            sns.despine(ax=ax)
        letter(figure, results.scenario.get("question", ""), _footnote(results))
    return figure


def _footnote(results: Results) -> str:
    run = results[0].run
    system = run.system
    alpha = f", alpha = {system.alpha:g}" if system.alpha is not None else ""
    return (
        f"N = {system.n_servers:,}, load {system.load:.4g}{alpha}, b = {system.places}; bars: {run.level:.0%} intervals of "
        f"{len(run.replications)} replications. Total capacity is the same at every ratio."
    )
