"""How many jobs beyond N? Their mean and p_W in super-Halfin-Whitt beside the Gamma law and its conjectured kin, from records.

    jfsq run scenarios/gamma.toml
    python analysis/gamma.py results/gamma

Reads records only; nothing is simulated.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from jfsq_simpy.scenario import results
from jfsq_simpy.views import figures, gamma_figures


def main(arguments: list[str] | None = None) -> Path:
    """Draw the figure; the path it was written to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, nargs="?", default=Path("results/gamma"), help="what `jfsq run` filled")
    parser.add_argument("--out", type=Path, help="the PNG to write (default: gamma.png in the directory)")
    given = parser.parse_args(arguments)
    figure = gamma_figures.gamma(results(given.directory))
    return figures.save(figure, given.out or given.directory / "gamma.png")


if __name__ == "__main__":
    print(main())
