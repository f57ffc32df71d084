"""Does waiting vanish? p_W and E[W] against N, side by side, from the records of one run.

    jfsq run scenarios/zero_waiting.toml
    python analysis/zero_waiting.py results/zero_waiting

Reads records only; nothing is simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jfsq_simpy.views import figures, script

METRICS = ("waiting_probability", "mean_wait")


def main(arguments: Sequence[str] | None = None) -> Path:
    """Draw the figure; the path it was written to."""
    return script.draw(__doc__, "zero_waiting", lambda found: figures.against_fleet_size(found, METRICS), arguments)


if __name__ == "__main__":
    script.start(main)
