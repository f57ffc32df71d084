"""Many idle servers and many waiting jobs at once? The joint law of the two, the paper's Figure 4, from records.

    jfsq run scenarios/collapse.toml
    python analysis/collapse.py results/collapse

Reads records only; nothing is simulated.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from jfsq_simpy.scenario import results
from jfsq_simpy.views import collapse_figures, figures


def main(arguments: list[str] | None = None) -> Path:
    """Draw the figure; the path it was written to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, nargs="?", default=Path("results/collapse"), help="what `jfsq run` filled")
    parser.add_argument("--out", type=Path, help="the PNG to write (default: collapse.png in the directory)")
    given = parser.parse_args(arguments)
    found = results(given.directory)
    figure = collapse_figures.collapse([p.run for p in found], found.scenario["question"])
    return figures.save(figure, given.out or given.directory / "collapse.png")


if __name__ == "__main__":
    print(main())
