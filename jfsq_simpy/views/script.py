"""A script that draws one figure from the records of a run: the head that all of analysis/ share.

In    the directory `jfsq run` filled, as an argument; how to draw its Results
Out   a PNG beside the records, or where --out says
Rule  records only, nothing is simulated; what is wrong with the records is one line and exit code 2, as in `jfsq`
Cost  reading the records, and the figure
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jfsq_simpy.errors import JfsqError
from jfsq_simpy.scenario import results
from jfsq_simpy.views.figures import save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jfsq_simpy.experiment import Results


def draw(about: str | None, name: str, figure: Callable[[Results], Figure], arguments: Sequence[str] | None = None) -> Path:
    """Draw a figure as a script's arguments ask; the path it was written to.

    `about` : what the script says of itself. `name` : of the scenario and of the figure. `arguments` : those of
    the process unless given. Errors: DataError.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, nargs="?", default=Path("results", name), help="what `jfsq run` filled")
    parser.add_argument("--out", type=Path, help=f"the PNG to write (default: {name}.png in the directory)")
    given = parser.parse_args(arguments)
    return save(figure(results(given.directory)), given.out or given.directory / f"{name}.png")


def start(main: Callable[[], Path]) -> None:
    """Run a script's `main` and print where the figure is; an error is one line."""
    try:
        print(main())
    except JfsqError as error:
        print(f"{Path(sys.argv[0]).name}: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
