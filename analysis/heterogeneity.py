"""What does inequality between servers cost? Metrics against fastest over slowest, at one N and alpha, from records.

    jfsq run scenarios/inequality.toml --set run.jobs=1_000_000 --out results/heterogeneity
    python analysis/heterogeneity.py results/heterogeneity

Reads records only; nothing is simulated.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from jfsq_simpy.scenario import results
from jfsq_simpy.views import figures, heterogeneity_figures


def main(arguments: list[str] | None = None) -> Path:
    """Draw the figure; the path it was written to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, nargs="?", default=Path("results/heterogeneity"), help="what `jfsq run` filled")
    parser.add_argument("--out", type=Path, help="the PNG to write (default: heterogeneity.png in the directory)")
    given = parser.parse_args(arguments)
    figure = heterogeneity_figures.heterogeneity(results(given.directory))
    return figures.save(figure, given.out or given.directory / "heterogeneity.png")


if __name__ == "__main__":
    print(main())
