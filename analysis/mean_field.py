"""How many servers make the mean field right? The error of the limit against N, from records.

    jfsq run scenarios/mean_field.toml
    python analysis/mean_field.py results/mean_field

Reads records only; nothing is simulated.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from jfsq_simpy.scenario import results
from jfsq_simpy.views import figures, mean_field_figures


def main(arguments: list[str] | None = None) -> Path:
    """Draw the figure, print what it shows; the path it was written to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, nargs="?", default=Path("results/mean_field"), help="what `jfsq run` filled")
    parser.add_argument("--out", type=Path, help="the PNG to write (default: mean_field.png in the directory)")
    given = parser.parse_args(arguments)
    found = results(given.directory)
    for name, one in mean_field_figures.by_policy(found).items():
        errors = ", ".join(f"{error:+.4f}" for error in one.errors)
        print(f"{name}: limit {one.limit:.4f}, error {errors}, slope {one.slope:.3f} ({one.slope_low:.3f} to {one.slope_high:.3f})")
    return figures.save(mean_field_figures.mean_field(found), given.out or given.directory / "mean_field.png")


if __name__ == "__main__":
    print(main())
