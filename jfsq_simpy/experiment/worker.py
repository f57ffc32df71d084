"""A worker process: an interpreter of its own that runs one task after another.

In    tasks over a pipe
Out   their results, or their exceptions, over another
Rule  a worker knows nothing of its parent's `__main__`, so scripts need no guard; it sits in a session of
      its own, so Ctrl-C is the parent's to answer; and it ends when the pipe does, so it outlives no parent
Cost  about a second to start, then one pickled message each way a task
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import IO, Any

import cloudpickle  # carries lambdas and functions of a user's own script

from jfsq_simpy.errors import JfsqError

LENGTH = 8  # bytes that say how long a message is


class Worker:
    """The parent's end."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)}
        command = [sys.executable, "-m", "jfsq_simpy.experiment.worker"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
        )

    def call(self, task: Callable[[], Any]) -> Any:
        """The task's result; its exception is raised here. Errors: JfsqError when the worker has died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            _send(self._process.stdin, cloudpickle.dumps(task))
            message = _received(self._process.stdout)
        except OSError:
            message = None
        if message is None:
            raise JfsqError("a worker process was ended from outside, perhaps for lack of memory; try fewer --workers.")
        succeeded, result = pickle.loads(message)
        if succeeded:
            return result
        raise result

    def end(self) -> None:
        """End it now, whatever it is doing."""
        self._process.kill()
        self._process.wait()


def main() -> None:
    """The worker's end: serve until the pipe closes."""
    tasks, results = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a task prints must not end up among the results
    while (message := _received(tasks)) is not None:
        _send(results, _answer(message))


def _answer(message: bytes) -> bytes:
    try:
        return cloudpickle.dumps((True, pickle.loads(message)()))  # type: ignore[no-any-return]
    except Exception as error:
        try:
            return cloudpickle.dumps((False, error))  # type: ignore[no-any-return]
        except Exception:  # an exception that cannot travel
            return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))


def _send(pipe: IO[bytes], message: bytes) -> None:
    pipe.write(len(message).to_bytes(LENGTH, "little") + message)
    pipe.flush()


def _received(pipe: IO[bytes]) -> bytes | None:
    head = pipe.read(LENGTH)
    if len(head) < LENGTH:
        return None
    message = pipe.read(int.from_bytes(head, "little"))
    return message if len(message) == int.from_bytes(head, "little") else None


if __name__ == "__main__":
    main()
