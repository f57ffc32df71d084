"""Does waiting vanish? p_W and E[W] against N, side by side, from the records of one run.

    jfsq run scenarios/zero_waiting.toml
    python analysis/zero_waiting.py results/zero_waiting

Reads records only; nothing is simulated.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from jfsq_simpy.scenario import results
from jfsq_simpy.views import figures

METRICS = ("waiting_probability", "mean_wait")


def main(arguments: list[str] | None = None) -> Path:
    """Draw the figure; the path it was written to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, nargs="?", default=Path("results/zero_waiting"), help="what `jfsq run` filled")
    parser.add_argument("--out", type=Path, help="the PNG to write (default: zero_waiting.png in the directory)")
    given = parser.parse_args(arguments)
    figure = figures.against_fleet_size(results(given.directory), METRICS)
    return figures.save(figure, given.out or given.directory / "zero_waiting.png")


if __name__ == "__main__":
    print(main())
