"""How many jobs beyond N? Their mean and p_W in super-Halfin-Whitt beside the Gamma law and its conjectured kin, from records.

    jfsq run scenarios/gamma.toml
    python analysis/gamma.py results/gamma

Reads records only; nothing is simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jfsq_simpy.views import gamma_figures, script


def main(arguments: Sequence[str] | None = None) -> Path:
    """Draw the figure; the path it was written to."""
    return script.draw(__doc__, "gamma", gamma_figures.gamma, arguments)


if __name__ == "__main__":
    script.start(main)
