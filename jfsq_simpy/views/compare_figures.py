"""Figures of a comparison: what each policy gives, and what it asks for.

In    a Comparison
Out   a matplotlib Figure: the metric as a dot plot, and delay against messages a job
Rule  policies differ by marker as well as by colour, and every point is named, so grey print can be read; the
      thick bar is the interval that pairing leaves of the difference, the thin one that of the policy alone
Cost  a second the first time, for importing matplotlib
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from jfsq_simpy.compare import Comparison
from jfsq_simpy.compare.comparison import MUCH_BLOCKING
from jfsq_simpy.compare.measures import DELAY
from jfsq_simpy.estimate import Estimate
from jfsq_simpy.views.figures import MARKERS, TITLES, letter
from jfsq_simpy.views.numbers import signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

LABELS = TITLES | {
    "mean_response": "Mean response, $E[T]$ (mean service times)",
}


@dataclass(frozen=True)
class Style:
    """How a policy is drawn, in both panels alike; hollow when it blocks many more jobs than others."""

    colour: Any
    marker: str
    hollow: bool

    def dot(self, ax: Axes, x: float, y: float) -> None:
        face = "white" if self.hollow else self.colour
        ax.plot(x, y, self.marker, markersize=8, markerfacecolor=face, markeredgecolor=self.colour, markeredgewidth=1.5)


LOG_FROM = 5.0  # largest over smallest: from here on an axis is logarithmic
TITLE_WIDTH = 110  # letters a line
LETTER, HEIGHT = 0.0165, 0.05  # of a name beside its point, in shares of the panel
# where a name may stand, its lower corner from the point: right, left, above and below to either side
BESIDE = [(s * 0.025, dy) for dy in (-0.025, 0.02, -0.07, 0.065, -0.115) for s in (1, -1)]


def comparison(found: Comparison, question: str = "", where: str = "") -> Figure:
    """Two panels: policies by the metric, best on top; and what delay they give for how many messages.

    `question` is the title, `where` says which point of a sweep this is.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    style = _styles(found)
    with sns.axes_style("ticks"), sns.plotting_context("notebook"):
        figure = Figure(figsize=(13.4, max(3.8, 1.9 + 0.42 * len(style))), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 1), gridspec_kw={"wspace": 0.06})
        draw_dots(left, found, style)
        draw_price(right, found, style)
        for ax in (left, right):
            sns.despine(ax=ax)
        letter(figure, textwrap.fill(question, TITLE_WIDTH), _footnote(found, where), linespacing=1.4)
    return figure


def draw_dots(ax: Axes, found: Comparison, style: Mapping[str, Style]) -> None:
    """A row a policy: its value and interval (thin), its difference from the reference (thick, and in numbers)."""
    rows = found.ranking().to_dict("records")
    differences = {d["policy"]: d for d in found.differences().to_dict("records")}
    reference = found.estimate(found.against).value
    if _spread([r["value"] for r in rows]) > LOG_FROM:
        ax.set_xscale("log")
    ax.axvline(reference, color="0.55", linewidth=1, linestyle=(0, (4, 3)), zorder=0)
    for y, row in enumerate(rows):
        own, value = style[row["policy"]], row["value"]
        ax.plot([reference, value], [y, y], color="0.85", linewidth=1.2, zorder=0.5)
        ax.plot([max(row["low"], value * 1e-3), row["high"]], [y, y], color=own.colour, linewidth=1.2, solid_capstyle="butt")
        note = ""
        if (d := differences.get(row["policy"])) is not None:
            ends = [reference + d["low"], reference + d["high"]]
            ax.plot(ends, [y, y], color=own.colour, linewidth=5, alpha=0.45, solid_capstyle="butt")
            note = signed(Estimate(d["difference"], d["low"], d["high"], found.level, 0, ""))
        own.dot(ax, value, y)
        _in_the_margin(ax, y, row["letters"], note)
    ax.set_yticks(range(len(rows)), [r["policy"] for r in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    _in_the_margin(ax, -0.75, "", f"minus {found.against}", color="0.4")
    if ax.get_xscale() == "log":
        _plain_ticks(ax.xaxis)
    ax.set_xlabel(_label(found.metric))
    ax.grid(axis="x", color="0.92", linewidth=0.8)
    ax.tick_params(axis="y", length=0)


def draw_price(ax: Axes, found: Comparison, style: Mapping[str, Style]) -> None:
    """A point a policy: delay against messages a job, each with its name."""
    points = {n: (found.estimate(n, "messages_per_job").value, found.estimate(n, DELAY)) for n in found.ranking(DELAY).policy}
    for name, (x, e) in points.items():
        ax.plot([x, x], [e.low, e.high], color=style[name].colour, linewidth=1.2)
        style[name].dot(ax, x, e.value)
    if _spread([e.value for _, e in points.values()]) > LOG_FROM:
        ax.set_yscale("log")
        _plain_ticks(ax.yaxis)
    _messages_axis(ax, [x for x, _ in points.values()])
    ax.set(xlabel="Messages a job", ylabel="Mean response, $E[T]$")
    ax.margins(y=0.12)
    ax.grid(color="0.92", linewidth=0.8)
    _name(ax, {n: (x, e.value) for n, (x, e) in points.items()}, style)


def _messages_axis(ax: Axes, asked: Sequence[float]) -> None:
    """Powers of ten; no message at all is a point of its own, left of them."""
    some = [x for x in asked if x > 0] or [1.0]
    first, last = math.floor(math.log10(min(some))), math.ceil(math.log10(max(some) * 1.01))
    ticks = [10.0**k for k in range(first, last + 1)]
    if len(some) < len(asked):
        ax.set_xscale("symlog", linthresh=ticks[0], linscale=0.5)
        ax.set_xlim(-0.4 * ticks[0], ticks[-1] * 1.6)
        ticks = [0.0, *ticks]
    else:
        ax.set_xscale("log")
        ax.set_xlim(ticks[0] / 1.6, ticks[-1] * 1.6)
    ax.set_xticks(ticks, [f"{x:,.6g}" for x in ticks])
    ax.minorticks_off()


def _plain_ticks(axis: Axis) -> None:
    """1, 2, 5, 10, ... where a logarithmic axis spans a decade or two; powers of ten where it spans more."""
    from matplotlib.ticker import LogLocator, NullLocator

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 100 * low else (1.0,)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda x, _: f"{x:,.6g}")


def _styles(found: Comparison) -> dict[str, Style]:
    import seaborn as sns

    order = found.ranking().policy.tolist()
    blocked = {name: found.estimate(name, "blocking_probability").value for name in order}
    least = min(blocked.values())
    palette = sns.color_palette("viridis", len(order) + 1)
    return {
        name: Style(palette[i], MARKERS[i % len(MARKERS)], blocked[name] > least + MUCH_BLOCKING) for i, name in enumerate(order)
    }


def _in_the_margin(ax: Axes, y: float, letters: str, note: str, color: str = "0.15") -> None:
    """What stands right of a row: letters, and the difference in numbers."""
    for x, text in ((8, letters), (34, note)):
        ax.annotate(
            text,
            (1.0, y),
            xycoords=("axes fraction", "data"),
            xytext=(x, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
            color=color,
        )


def _name(ax: Axes, points: Mapping[str, tuple[float, float]], style: Mapping[str, Style]) -> None:
    """Names beside points, each where it covers least of what is there already."""
    ax.autoscale_view()  # the limits are settled only when asked for
    to_axes = ax.transData + ax.transAxes.inverted()
    place = {n: tuple(float(v) for v in to_axes.transform(xy)) for n, xy in points.items()}
    taken = [Box.around(x, y) for x, y in place.values()]
    for name, (x, y) in place.items():
        width = LETTER * len(name)
        boxes = [Box(x + dx - (width if dx < 0 else 0.0), y + dy, width, HEIGHT) for dx, dy in BESIDE]
        best = min(boxes, key=lambda box: sum(box.overlap(other) for other in taken) + 10 * box.outside())
        taken.append(best)
        middle = best.bottom + HEIGHT / 2
        ax.text(best.left, middle, name, transform=ax.transAxes, va="center", fontsize="small", color=_dark(style[name].colour))


class Box(NamedTuple):
    """A rectangle in shares of the panel."""

    left: float
    bottom: float
    width: float
    height: float

    @classmethod
    def around(cls, x: float, y: float) -> Box:
        """The place a marker takes."""
        return cls(x - 0.018, y - 0.025, 0.036, 0.05)

    def overlap(self, other: Box) -> float:
        """The area both share."""
        across = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        up = min(self.bottom + self.height, other.bottom + other.height) - max(self.bottom, other.bottom)
        return max(across, 0.0) * max(up, 0.0)

    def outside(self) -> float:
        """How far it sticks out of the panel."""
        return max(-self.left, 0.0) + max(self.left + self.width - 1, 0.0) + max(-self.bottom, 0.0)


def _dark(colour: Any) -> Any:
    return tuple(0.75 * c for c in colour[:3])  # yellow on white cannot be read


def _spread(values: list[float]) -> float:
    positive = [v for v in values if v > 0]
    return max(positive) / min(positive) if len(positive) == len(values) and positive else 1.0


def _label(metric: str) -> str:
    if "_p" in metric and metric.partition("_p")[0] in ("wait", "response"):
        which, _, percent = metric.partition("_p")
        return f"{percent} % quantile of the {which} (mean service times)"
    return LABELS.get(metric, metric.replace("_", " "))


def _footnote(found: Comparison, where: str) -> str:
    run = next(iter(found.runs.values()))
    system = run.system
    facts = [f"N = {system.n_servers:,}", f"load {system.load:.4g}", f"b = {system.places}", *([where] if where else [])]
    return (
        f"{', '.join(facts)}; {len(run.replications)} replications, the same jobs for all. Thin bars: {found.level:.0%} intervals; "
        f"thick bars: of the difference from {found.against} (dashed), paired.\nLetters: policies with one in common cannot be "
        "told apart. Hollow: blocks over 1 % more of the jobs than another."
    )
