"""Many idle servers and many waiting jobs at once? The joint law of the two, the paper's Figure 4, from records.

    jfsq run scenarios/collapse.toml
    python analysis/collapse.py results/collapse

Reads records only; nothing is simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from jfsq_simpy.experiment import Results
from jfsq_simpy.views import collapse_figures, script


def main(arguments: Sequence[str] | None = None) -> Path:
    """Draw the figure; the path it was written to."""
    return script.draw(__doc__, "collapse", figure, arguments)


def figure(found: Results) -> Figure:
    """All points, under the scenario's question."""
    return collapse_figures.collapse([p.run for p in found], found.scenario["question"])


if __name__ == "__main__":
    script.start(main)
