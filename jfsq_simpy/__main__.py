"""`jfsq` and `python -m jfsq_simpy`: Ctrl-C has its answer before anything that takes time is imported.

In    the command line
Out   an exit code; never returns
Rule  nothing is imported above `main` but what is in memory already; a stream closed by whoever started us is no
      reason to fail, and no file may take its number
Cost  from this page's first line to the answer 0.1 ms. A Ctrl-C before that, while the interpreter itself is starting
      (some 10 ms), is the interpreter's to answer
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in the package's front page
if TYPE_CHECKING:
    from signal import SIGINT, SIGTERM, signal
    from typing import NoReturn
else:
    from _signal import SIGINT, SIGTERM, signal  # built in; the page above it makes enums first, for a millisecond or two

INTERRUPTED = 3  # `cli.status` says what else there is


def main() -> NoReturn:
    """The entry point of the `jfsq` script."""
    for sent in (SIGINT, SIGTERM):
        signal(sent, _leave)
    _open_what_is_closed()
    from jfsq_simpy.cli.main import main as command_line

    command_line()


def _open_what_is_closed() -> None:
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _leave(*_: object) -> NoReturn:
    """Nothing has begun, so nothing needs tidying; an exception might be caught or mistaken inside someone's import."""
    try:
        os.write(2, b"jfsq: interrupted.\n")
    finally:  # even where there is nowhere to say it
        os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
