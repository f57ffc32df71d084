"""Are the fastest servers busy? How likely each server is busy, the paper's Figure 3, from records.

    jfsq run scenarios/busy_servers.toml
    python analysis/busy_servers.py results/busy_servers

Reads records only; nothing is simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from jfsq_simpy.experiment import Results
from jfsq_simpy.views import busy_figures, script


def main(arguments: Sequence[str] | None = None) -> Path:
    """Draw the figure; the path it was written to."""
    return script.draw(__doc__, "busy_servers", figure, arguments)


def figure(found: Results) -> Figure:
    """All points, under the scenario's question."""
    return busy_figures.busy_servers([p.run for p in found], found.scenario["question"])


if __name__ == "__main__":
    script.start(main)
