"""Exit codes, and the exception that says a command was stopped by its user."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """What `jfsq` exits with."""

    DONE = 0
    FAILED = 1  # a check failed, or a wanted precision was not reached
    INPUT = 2  # the input is at fault
    INTERRUPTED = 3  # what is done is kept
    OTHER = 4


class Interrupted(Exception):
    """Ctrl-C or SIGTERM; the message says what is kept."""
