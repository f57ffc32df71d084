"""`jfsq` and `python -m jfsq_simpy`: Ctrl-C has its answer before anything that takes time is imported.

In    the command line
Out   an exit code; never returns
Rule  nothing is imported above `main` but what is in memory already
"""

import os
import signal
from typing import NoReturn

INTERRUPTED = 3  # `cli.status` says what else there is


def main() -> NoReturn:
    """The entry point of the `jfsq` script."""
    for sent in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sent, _leave)
    from jfsq_simpy.cli.main import main as command_line

    command_line()


def _leave(*_: object) -> NoReturn:
    """Nothing has begun, so nothing needs tidying; an exception might be caught or mistaken inside someone's import."""
    os.write(2, b"jfsq: interrupted.\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
