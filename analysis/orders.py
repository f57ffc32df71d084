"""How fast does waiting vanish? p_W and E[W] against N beside Theorem 1's orders and exact values, from records.

    jfsq run scenarios/orders.toml
    python analysis/orders.py results/orders

Reads records only; nothing is simulated.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from jfsq_simpy.scenario import results
from jfsq_simpy.views import figures, order_figures


def main(arguments: list[str] | None = None) -> Path:
    """Draw the figure; the path it was written to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, nargs="?", default=Path("results/orders"), help="what `jfsq run` filled")
    parser.add_argument("--out", type=Path, help="the PNG to write (default: orders.png in the directory)")
    given = parser.parse_args(arguments)
    figure = order_figures.orders(results(given.directory))
    return figures.save(figure, given.out or given.directory / "orders.png")


if __name__ == "__main__":
    print(main())
