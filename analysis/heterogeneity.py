"""What does inequality between servers cost? Metrics against fastest over slowest, at one N and alpha, from records.

    jfsq run scenarios/inequality.toml --set run.jobs=1_000_000 --out results/heterogeneity
    python analysis/heterogeneity.py results/heterogeneity

Reads records only; nothing is simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jfsq_simpy.views import heterogeneity_figures, script


def main(arguments: Sequence[str] | None = None) -> Path:
    """Draw the figure; the path it was written to."""
    return script.draw(__doc__, "heterogeneity", heterogeneity_figures.heterogeneity, arguments)


if __name__ == "__main__":
    script.start(main)
