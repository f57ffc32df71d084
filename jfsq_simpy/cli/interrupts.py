"""Ctrl-C and SIGTERM: asked once, a command stops and says what it kept.

In    signals
Out   a KeyboardInterrupt in the main thread, and the knowledge that one was sent
Rule  Python drops an exception raised inside a destructor or a callback, and a library may turn it into another:
      the first is sent again, the second is known for what it is. Asked twice, the process ends at once
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any, NoReturn

from jfsq_simpy.cli.status import Status

AGAIN_AFTER = 0.02  # seconds: by then whatever dropped the exception has gone on

_sent: list[int] = []


def listen() -> None:
    """From now on the two signals raise KeyboardInterrupt."""
    sys.unraisablehook = _unraisable
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _raise)


def were_sent() -> bool:
    """Whether the user has asked to stop."""
    return bool(_sent)


def _raise(number: int, _: object) -> NoReturn:
    if _sent:
        os.write(2, b"jfsq: interrupted.\n")
        os._exit(Status.INTERRUPTED)
    _sent.append(number)
    raise KeyboardInterrupt


def _unraisable(what: Any) -> None:
    if not issubclass(what.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(what)
    elif _sent:
        number = _sent.pop()
        again = threading.Timer(AGAIN_AFTER, signal.raise_signal, (number,))
        again.daemon = True
        again.start()
