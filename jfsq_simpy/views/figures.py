"""Figures: drawn from Results alone, so a record is enough to draw them again.

In    Results of a sweep
Out   matplotlib Figures (no window, no global state)
Rule  lines differ by marker and dash as well as by colour, so grey print can be read; a point where
      nothing was seen is an open triangle pointing down at its upper limit
Cost  a second the first time, for importing matplotlib
"""

from __future__ import annotations

import io
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
MOST_LINES = 8


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
            ax.set(xscale="log", yscale="log")
            draw_lines(ax, curves, sns.color_palette("viridis", len(curves) + 1)[: len(curves)])
            ax.set(xlabel="Servers, $N$", ylabel=TITLES.get(metric, metric.replace("_", " ")))
            ax.set_xticks(sorted({x for c in curves for x in c.x}), minor=False)
            ax.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}" if x < 1e6 else f"$10^{{{len(f'{x:.0f}') - 1}}}$")
            ax.minorticks_off()
            ax.grid(axis="y", color="0.9", linewidth=0.8)
            sns.despine(ax=ax)
        if results.scenario.get("question"):
            figure.suptitle(results.scenario["question"], x=0.01, ha="left", fontsize="large", fontweight="bold")
        figure.text(0.01, -0.005, _footnote(results), fontsize="x-small", color="0.4", ha="left", va="top")
    return figure


def draw_lines(ax: Axes, curves: Sequence[Line], colours: Sequence[Any]) -> None:
    """Curves with error bars, upper limits where nothing was seen, and their names at the right end."""
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
        _name_at_the_end(ax, line, colour)
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


def _name_at_the_end(ax: Axes, line: Line, colour: Any) -> None:
    if line.name:
        last = line.y[-1]
        height = last.value if last.value > 0 else last.high
        ax.annotate(
            line.name, (line.x[-1], height), xytext=(9, 0), textcoords="offset points", va="center", color=colour, fontsize="small"
        )


def _footnote(results: Results) -> str:
    run = results[0].run
    limits = any(p.estimates["waiting_probability"].value == 0 for p in results)
    bars = f"bars: {run.level:.0%} intervals of {len(run.replications)} replications"
    text = f"{run.system.policy.name.upper()}, b = {run.system.places}; {bars}"
    return text + ("; open triangles: none seen, upper limit" if limits else "")


def _symbol(key: str) -> str:
    name = key.rpartition(".")[2]
    return SYMBOLS.get(name, name)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(_value(v) for v in value.values())
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)
