"""Are the fastest servers busy? How likely each server is busy, the paper's Figure 3, from records.

    jfsq run scenarios/busy_servers.toml
    python analysis/busy_servers.py results/busy_servers

Reads records only; nothing is simulated.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from jfsq_simpy.scenario import results
from jfsq_simpy.views import busy_figures, figures


def main(arguments: list[str] | None = None) -> Path:
    """Draw the figure; the path it was written to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, nargs="?", default=Path("results/busy_servers"), help="what `jfsq run` filled")
    parser.add_argument("--out", type=Path, help="the PNG to write (default: busy_servers.png in the directory)")
    given = parser.parse_args(arguments)
    found = results(given.directory)
    figure = busy_figures.busy_servers([p.run for p in found], found.scenario["question"])
    return figures.save(figure, given.out or given.directory / "busy_servers.png")


if __name__ == "__main__":
    print(main())
