"""Figures: drawn from Results alone, so a record is enough to draw them again.

In    Results of a sweep
Out   matplotlib Figures (no window, no global state)
Rule  lines differ by marker and dash as well as by colour, so grey print can be read; a point where
      nothing was seen is an open triangle pointing down at its upper limit
Cost  a second the first time, for importing matplotlib
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jfsq_simpy.estimate import Estimate
from jfsq_simpy.experiment import PointResult, Results
from jfsq_simpy.experiment.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = {
    "waiting_probability": "Probability of waiting, $p_W$",
    "blocking_probability": "Probability of blocking, $p_B$",
    "mean_wait": "Mean wait, $E[W]$ (mean service times)",
}
MARKERS = "osD^vPX*"
DASHES: list[Any] = ["-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (3, 1.5, 1, 1.5, 1, 1.5))]
SYMBOLS = {"alpha": r"$\alpha$", "load": r"$\lambda$", "servers": "$N$", "places": "$b$"}
TITLE_WIDTH = 8  # bold letters an inch
LINE_HEIGHT = 12.0  # points a name takes
FEW_DECADES = 30.0  # highest over lowest: below, powers of ten are too few ticks


@dataclass(frozen=True)
class Line:
    """One curve: its name, and an estimate at each x."""

    name: str
    x: list[float]
    y: list[Estimate]


def lines(results: Sequence[PointResult], metric: str, along: str = "system.servers") -> list[Line]:
    """The curves of a metric along one swept key, a curve for each combination of the other keys."""
    curves: dict[str, list[tuple[float, Estimate]]] = {}
    for p in results:
        others = [f"{_symbol(k)} = {_value(v)}" for k, v in p.point.labels.items() if k != along]
        curves.setdefault(", ".join(others), []).append((float(p.point.labels[along]), p.estimates[metric]))
    return [Line(name, *map(list, zip(*sorted(c, key=lambda xy: xy[0]), strict=True))) for name, c in curves.items()]


def against_fleet_size(results: Results, metrics: Sequence[str] = ("waiting_probability",)) -> Figure:
    """Metrics against N on logarithmic axes, one panel each, a line a combination of the other swept keys."""
    import seaborn as sns
    from matplotlib.figure import Figure

    with sns.axes_style("ticks"), sns.plotting_context("notebook"):
        figure = Figure(figsize=(6.4 * len(metrics), 4.6), layout="constrained")
        for i, metric in enumerate(metrics):
            ax = figure.add_subplot(1, len(metrics), i + 1)
            curves = lines(results, metric)
            colours = sns.color_palette("viridis", len(curves) + 1)[: len(curves)]
            ax.set(xscale="log", yscale="log")
            draw_lines(ax, curves, colours)
            ax.set(xlabel="Servers, $N$", ylabel=TITLES.get(metric, metric.replace("_", " ")))
            ax.set_xticks(sorted({x for c in curves for x in c.x}), minor=False)
            ax.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}" if x < 1e6 else f"$10^{{{len(f'{x:.0f}') - 1}}}$")
            ax.minorticks_off()
            _ticks_between(ax)
            name_at_the_ends(ax, curves, colours)
            ax.grid(axis="y", color="0.9", linewidth=0.8)
            sns.despine(ax=ax)
        question = results.scenario.get("question", "")
        letter(figure, textwrap.fill(question, int(TITLE_WIDTH * figure.get_figwidth())), _footnote(results))
    return figure


def letter(figure: Figure, question: str, footnote: str, *, linespacing: float = 1.2) -> None:
    """The question above a figure, if there is one, and below it what it was drawn from."""
    if question:
        figure.suptitle(question, x=0.01, ha="left", fontsize="large", fontweight="bold")
    figure.text(0.01, -0.005, footnote, fontsize="x-small", color="0.4", ha="left", va="top", linespacing=linespacing)


def draw_lines(ax: Axes, curves: Sequence[Line], colours: Sequence[Any]) -> None:
    """Curves with error bars, and upper limits where nothing was seen."""
    for i, (line, colour) in enumerate(zip(curves, colours, strict=True)):
        marker, dash = MARKERS[i % len(MARKERS)], DASHES[i % len(DASHES)]
        seen = [(x, e) for x, e in zip(line.x, line.y, strict=True) if e.value > 0]
        unseen = [(x, e) for x, e in zip(line.x, line.y, strict=True) if e.value == 0]
        if seen:
            x, y = [x for x, _ in seen], [e.value for _, e in seen]
            # on a logarithmic axis a bar that reaches 0 would have no end
            below = [min(e.value - e.low, e.value * (1 - 1e-3)) for _, e in seen]
            bars = [below, [e.high - e.value for _, e in seen]]
            style = {"marker": marker, "linestyle": dash, "capsize": 3, "markersize": 6, "linewidth": 1.6}
            ax.errorbar(x, y, yerr=bars, color=colour, label=line.name, **style)
        if unseen:
            limits = [e.high for _, e in unseen]
            ax.plot([x for x, _ in unseen], limits, "v", mfc="white", mec=colour, ms=8, ls="", label="" if seen else line.name)
            # no line leads there: it would draw a slope that nobody has seen
    ax.margins(x=0.08)
    heights = [e.value or e.high for line in curves for e in line.y]
    if heights and min(heights) > 0:
        # bars may reach down to almost nothing: they are cut, not the picture
        ax.set_ylim(min(heights) / 3, max(e.high for line in curves for e in line.y) * 1.5)


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, whole or not at all. Errors: DataError."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160, bbox_inches="tight", facecolor="white")
    write_whole(path, buffer.getvalue())
    return path


def name_at_the_ends(ax: Axes, curves: Sequence[Line], colours: Sequence[Any]) -> None:
    """The names of curves at their right ends, one above the other where ends are close. Wants the limits of the axes set."""
    from matplotlib.figure import Figure

    figure = ax.get_figure()
    points = 72 * (figure.get_figheight() if isinstance(figure, Figure) else 1.0) * ax.get_position().height
    named = [(line, colour) for line, colour in zip(curves, colours, strict=True) if line.name]
    ends = [(line.x[-1], line.y[-1].value or line.y[-1].high) for line, _ in named]
    heights = [float(ax.transAxes.inverted().transform(ax.transData.transform(end))[1]) * points for end in ends]
    for (line, colour), end, height, place in zip(named, ends, heights, apart(heights, LINE_HEIGHT), strict=True):
        ax.annotate(
            line.name, end, xytext=(9, place - height), textcoords="offset points", va="center", color=colour, fontsize="small"
        )


def apart(heights: Sequence[float], least: float) -> list[float]:
    """Heights in the same order, moved as little as it takes to be `least` apart: what is crowded spreads about its middle.

    >>> apart([0.0, 100.0, 1.0, 2.0], 10.0)
    [-9.0, 100.0, 1.0, 11.0]
    """
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    crowds: list[list[int]] = []

    def middle(crowd: Sequence[int]) -> float:
        return sum(heights[i] for i in crowd) / len(crowd)

    for i in order:
        crowds.append([i])
        while len(crowds) > 1 and middle(crowds[-1]) - middle(crowds[-2]) < least * (len(crowds[-1]) + len(crowds[-2])) / 2:
            crowds[-2:] = [crowds[-2] + crowds[-1]]
    found = [0.0] * len(heights)
    for crowd in crowds:
        for k, i in enumerate(crowd):
            found[i] = middle(crowd) + (k - (len(crowd) - 1) / 2) * least
    return found


def _ticks_between(ax: Axes) -> None:
    """1, 2 and 5 of every decade, written out, where there are few decades."""
    from matplotlib.ticker import LogLocator

    low, high = ax.get_ylim()
    if low > 0 and high < FEW_DECADES * low:
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.yaxis.set_major_formatter(lambda y, _: f"{y:g}")


def _footnote(results: Results) -> str:
    run = results[0].run
    limits = any(p.estimates["waiting_probability"].value == 0 for p in results)
    bars = f"bars: {run.level:.0%} intervals of {len(run.replications)} replications"
    policies, places = {p.run.system.policy.name for p in results}, {p.run.system.places for p in results}
    policy = f"{run.system.policy.name.upper()}, " if len(policies) == 1 and "system.policy" not in results[0].point.labels else ""
    text = f"{policy}{f'b = {run.system.places}; ' if len(places) == 1 else ''}{bars}"
    return text + ("; open triangles: none seen, upper limit" if limits else "")


def _symbol(key: str) -> str:
    name = key.rpartition(".")[2]
    return SYMBOLS.get(name, name)


def _value(value: Any) -> str:
    if isinstance(value, dict):  # of what is switched on or off, the name of what is on
        return " ".join(k if v is True else _value(v) for k, v in value.items() if v is not False)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)
