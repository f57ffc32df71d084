"""How fast does waiting vanish? p_W and E[W] against N beside Theorem 1's orders and exact values, from records.

    jfsq run scenarios/orders.toml
    python analysis/orders.py results/orders

Reads records only; nothing is simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jfsq_simpy.views import order_figures, script


def main(arguments: Sequence[str] | None = None) -> Path:
    """Draw the figure; the path it was written to."""
    return script.draw(__doc__, "orders", order_figures.orders, arguments)


if __name__ == "__main__":
    script.start(main)
