"""State-space collapse, the paper's Figure 4: where idle servers and waiting jobs are found together.

In    Runs that counted `theory.observables` (a scenario's `[record] observe = "theory"`)
Out   a matplotlib Figure, a panel a run
Rule  cells are wider than one state in large fleets, so what is drawn is a density: probability a state. The
      corner that Lemma 3 or 4 calls unlikely is hatched; a note says so where it lies beyond what can be
Cost  a second the first time, for importing matplotlib
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jfsq_simpy.errors import PlanError
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.run import Run
from jfsq_simpy.tally import merged
from jfsq_simpy.theory import Parameters
from jfsq_simpy.views.figures import letter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COLUMNS = 48
BETWEEN = 0.5  # cells of whole numbers are drawn from between states to between states


def collapse(runs: Sequence[Run], question: str = "") -> Figure:
    """The joint law of idle servers and waiting jobs, a panel a run, smallest alpha first. Errors: PlanError, ModelError."""
    import seaborn as sns
    from matplotlib.figure import Figure

    runs = sorted(runs, key=lambda run: -run.system.load, reverse=True)
    with sns.axes_style("ticks"), sns.plotting_context("notebook"):
        figure = Figure(figsize=(6.2 * len(runs) + 0.6, 5.2), layout="constrained")
        for ax, run in zip(figure.subplots(1, len(runs), squeeze=False)[0], runs, strict=True):
            mesh = draw(ax, run)
            bar = figure.colorbar(mesh, ax=ax, pad=0.01)
            bar.set_label("Probability of a state")
            sns.despine(ax=ax)
        letter(figure, question, _footnote(runs))
    return figure


def density(run: Run) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Edges of waiting jobs and idle servers, and the probability of a state in each cell. Errors: PlanError."""
    if not run.observe.joint:
        raise PlanError('the run has not counted idle servers and waiting jobs together; run it with [record] observe = "theory".')
    waiting, idle = (np.array(edges, dtype=np.float64) for edges in run.observe.joint)
    tally = merged(batch for batches in run.tallies for batch in batches)
    return waiting, idle, tally.joint / tally.snapshots / (np.diff(waiting)[:, None] * np.diff(idle)[None, :])


def columns(waiting: FloatArray, idle: FloatArray, p: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The same density with idle servers in columns of much the same width, as many as were seen at all.

    A run counts few idle servers finely; on an axis that is not logarithmic such slivers show noise.
    """
    most = idle[int(np.flatnonzero(p.any(axis=0))[-1]) + 1]
    width = max(most / MOST_COLUMNS, 1.0)
    keep = [0]
    for place in range(1, idle.size):
        if idle[place] - idle[keep[-1]] >= width * (1 - 1e-9) or place == idle.size - 1:
            keep.append(place)
    wide = idle[keep]
    mass = np.add.reduceat(p * np.diff(idle), keep[:-1], axis=1)
    return waiting, wide, mass / np.diff(wide)


def corner(run: Run) -> tuple[float, float]:
    """Waiting jobs and idle servers from which both together make V >= its threshold: Lemma 3 or 4. Errors: ModelError."""
    p = Parameters.from_system(run.system)
    return p.a + p.threshold, p.n - p.b + p.threshold


def draw(ax: Axes, run: Run) -> Any:
    """One panel; the mesh, for its colour bar."""
    from matplotlib.colors import LogNorm
    from matplotlib.patches import Rectangle

    waiting, idle, p = columns(*density(run))
    system, (many_waiting, many_idle) = run.system, corner(run)
    most = float(system.n_servers * (system.places - 1))
    seen = np.ma.masked_equal(p, 0.0)
    scale = LogNorm(seen.min() / 3, seen.max())
    mesh = ax.pcolormesh(idle - BETWEEN, waiting - BETWEEN, seen, cmap="Greys", norm=scale, rasterized=True)
    last = int(np.flatnonzero(p.any(axis=0))[-1])
    right = 1.15 * max(idle[last + 1], many_idle)
    top = 3 * max(float(waiting[np.flatnonzero(p.any(axis=1))[-1] + 1]), min(many_waiting, most))
    within = many_waiting < most
    ax.set_yscale("symlog", linthresh=1.0, linscale=0.35)
    ax.set(xlim=(-0.5, right), ylim=(-BETWEEN, top), xlabel="Idle servers", ylabel="Waiting jobs, $Q_W$")
    ax.yaxis.set_major_locator(_ticks(top))
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:.0f}" if y < 1e4 else f"$10^{{{np.log10(y):.0f}}}$")
    lemma = "Lemma 3" if Parameters.from_system(system).side == "sub" else "Lemma 4"
    if within:
        style: dict[str, Any] = {"fill": False, "hatch": "//", "edgecolor": "0.45", "linewidth": 1.2}
        ax.add_patch(Rectangle((many_idle, many_waiting), right, top, **style))
        said = f"{lemma}: hardly ever in the hatched corner"
        ax.text(0.98 * right, 0.8 * many_waiting, said, ha="right", va="top", fontsize="small")
    else:
        said = f"{lemma} forbids only more than {many_waiting:,.0f} waiting,\nbut there are {most:,.0f} waiting places"
        ax.text(0.98, 0.97, said, transform=ax.transAxes, ha="right", va="top", fontsize="small")
    ax.set_title(_title(run), fontsize="medium", loc="left")
    return mesh


def _ticks(top: float) -> Any:
    from matplotlib.ticker import FixedLocator

    return FixedLocator([0.0, *(10.0**k for k in range(int(np.log10(top)) + 1))])


def _title(run: Run) -> str:
    p = Parameters.from_system(run.system)
    beside = ", on the super side" if p.regime == "Halfin-Whitt" else ""
    return rf"$\alpha$ = {p.alpha:g}: {p.regime}{beside}"


def _footnote(runs: Sequence[Run]) -> str:
    system = runs[0].system
    looks = min(merged(b for batches in run.tallies for b in batches).snapshots for run in runs)
    return (
        f"{system.policy.name.upper()}, N = {system.n_servers:,}, b = {system.places}; {looks:,} looks or more at each. "
        "White: never seen. The lowest band is no job waiting; above it the axis is logarithmic."
    )
