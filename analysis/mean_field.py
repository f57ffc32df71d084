"""How many servers make the mean field right? The error of the limit against N, from records.

    jfsq run scenarios/mean_field.toml
    python analysis/mean_field.py results/mean_field

Reads records only; nothing is simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from jfsq_simpy.experiment import Results
from jfsq_simpy.views import mean_field_figures, script


def main(arguments: Sequence[str] | None = None) -> Path:
    """Draw the figure, print what it shows; the path it was written to."""
    return script.draw(__doc__, "mean_field", told, arguments)


def told(found: Results) -> Figure:
    """The figure, its numbers printed."""
    for name, one in mean_field_figures.by_policy(found).items():
        errors = ", ".join(f"{error:+.4f}" for error in one.errors)
        print(f"{name}: limit {one.limit:.4f}, error {errors}, slope {one.slope:.3f} ({one.slope_low:.3f} to {one.slope_high:.3f})")
    return mean_field_figures.mean_field(found)


if __name__ == "__main__":
    script.start(main)
