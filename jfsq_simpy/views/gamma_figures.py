"""Jobs beyond N in super-Halfin-Whitt: measured, what a fleet of that size should show, and the limits.

In    Results of a sweep over system.servers, one alpha above 1/2; the other swept key (rates) makes the curves
Out   a matplotlib Figure of two panels: mean of (jobs - N) / N^alpha, and p_W N^(1 - alpha)
Rule  the limit of unequal servers is a conjecture, and no size one can simulate is near it: the dashed curve says
      what to expect on the way (`theory.reference.excess`)
Cost  a second the first time, for importing matplotlib; some 10 s for the dashed curves
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from jfsq_simpy.errors import PlanError
from jfsq_simpy.experiment import PointResult, Results
from jfsq_simpy.rates import Rates
from jfsq_simpy.run import Run
from jfsq_simpy.theory.families import like
from jfsq_simpy.theory.reference.excess import Excess, excess
from jfsq_simpy.theory.reference.limits import GammaLimit, gamma_conjecture
from jfsq_simpy.views.figures import DASHES, MARKERS, letter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FARTHEST = 1e6  # to where the dashed curves are drawn
POINTS = 80

Measured = tuple[float, float, float]  # low, value, high
PANELS: tuple[tuple[str, Callable[[Run], Measured], Callable[[Excess], float], Callable[[GammaLimit], float]], ...] = (
    (r"Mean of (jobs $- N$) / $N^{\alpha}$", lambda run: beyond(run), lambda e: e.mean, lambda g: g.mean),
    (r"$p_W\, N^{1-\alpha}$", lambda run: waiting(run), lambda e: e.waiting_constant, lambda g: g.waiting_constant),
)


def beyond(run: Run) -> Measured:
    """(E[jobs] - N) / N^alpha with its interval."""
    n, e = run.system.n_servers, run.mean_jobs
    scale = 1 / (1 - run.system.load)
    return (e.low - n) / scale, (e.value - n) / scale, (e.high - n) / scale


def waiting(run: Run) -> Measured:
    """p_W N^(1 - alpha) with its interval."""
    x, e = run.system.spare_capacity, run.waiting_probability
    return e.low * x, e.value * x, e.high * x


def gamma(results: Results) -> Figure:
    """Both panels. Errors: PlanError where an alpha is not above 1/2 or alphas differ."""
    import seaborn as sns
    from matplotlib.figure import Figure

    curves = by_rates(results)
    ways = [on_the_way([p.run for p in points]) for points in curves]
    with sns.axes_style("ticks"), sns.plotting_context("notebook"):
        figure = Figure(figsize=(12.4, 5.0), layout="constrained")
        colours = sns.color_palette("viridis", len(curves) + 1)[: len(curves)]
        for ax, panel in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
            for i, (points, way, colour) in enumerate(zip(curves, ways, colours, strict=True)):
                draw(ax, points, way, panel, colour, i)
            ax.set(xscale="log", xlabel="Servers, $N$", ylabel=panel[0])
            ax.set_xlim(right=FARTHEST * 12)
            ax.set_ylim(bottom=0)
            ax.grid(axis="y", color="0.9", linewidth=0.8)
            sns.despine(ax=ax)
        figure.axes[0].legend(frameon=False, fontsize="small", loc="lower right")
        letter(figure, results.scenario.get("question", ""), _footnote(results))
    return figure


def by_rates(results: Results) -> list[list[PointResult]]:
    """Points of each fleet, smallest first. Errors: PlanError."""
    alphas = {round(p.run.system.alpha or 0.0, 9) for p in results}
    if len(alphas) != 1 or min(alphas) <= 0.5:
        raise PlanError(f"the figure needs one alpha above 1/2 at every point; these have {sorted(alphas)}.")
    found: dict[tuple[float, ...], list[PointResult]] = {}
    for p in sorted(results, key=lambda p: p.run.system.n_servers):
        found.setdefault(tuple(np.round(p.run.system.rates.speeds, 9)), []).append(p)
    return list(found.values())


def on_the_way(runs: list[Run]) -> list[tuple[float, Excess]]:
    """What a fleet of these shares should show at sizes from the smallest run on."""
    system = runs[0].system
    sizes = np.geomspace(system.n_servers, FARTHEST, 9)
    return [(n, excess(_grown(system.rates, round(n)), system.alpha or 0.0, POINTS)) for n in sizes.tolist()]


def draw(ax: Axes, points: list[PointResult], way: list[tuple[float, Excess]], panel: Any, colour: Any, place: int) -> None:
    """A fleet's curve: measured with intervals, expected on the way, and where it leads."""
    _, measured, expected, limit = panel
    runs = [p.run for p in points]
    rates = runs[0].system.rates
    n = [run.system.n_servers for run in runs]
    low, value, high = (np.array(x) for x in zip(*map(measured, runs), strict=True))
    bars = [value - low, high - value]
    marker = MARKERS[place]
    ax.errorbar(n, value, yerr=bars, color=colour, marker=marker, linestyle="", capsize=3, markersize=7, label=_name(rates))
    ax.plot([size for size, _ in way], [expected(e) for _, e in way], color=colour, linestyle=DASHES[place], linewidth=1.4)
    leads = limit(gamma_conjecture(rates))
    ax.plot([FARTHEST * 1.3, FARTHEST * 9], [leads, leads], color=colour, linestyle=DASHES[place], linewidth=2.4)
    ax.annotate("limit", (FARTHEST * 3.4, leads), xytext=(0, 4), textcoords="offset points", ha="center", fontsize="x-small")


def _grown(rates: Rates, n: int) -> Rates:
    """A fleet of n servers with the same shares of speed classes."""
    family = like(rates)
    if rates.n_classes == 1:
        return Rates(np.array([1.0]), np.array([n]))
    counts = np.round(rates.counts / rates.n_servers * n).astype(np.int64)
    counts[-1] += n - int(counts.sum())
    speeds = np.array([family.speed(float(x), 1.0) for x in (np.cumsum(counts) - counts / 2) / n])
    return Rates(speeds * (n / float(speeds @ counts)), counts)


def _name(rates: Rates) -> str:
    return "equal servers" if rates.n_classes == 1 else "speeds " + " and ".join(f"{s:g}" for s in np.round(rates.speeds, 4))


def _footnote(results: Results) -> str:
    run = results[0].run
    return (
        f"{run.system.policy.name.upper()}, alpha = {run.system.alpha:g}, b = {run.system.places}; bars: {run.level:.0%} intervals "
        f"of {len(run.replications)} replications. Lines: expected at that N, idle servers taken at rest.\n"
        "Short lines at the right: the limits, proved for equal servers (Gamma(2)), a conjecture for unequal ones."
    )
