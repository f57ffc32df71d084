"""A worker process: an interpreter of its own that runs one task after another.

In    tasks over a pipe
Out   their results, or their exceptions, over another
Rule  a worker knows nothing of its parent's `__main__`, so scripts need no guard; it sits in a session of
      its own, so Ctrl-C is the parent's to answer; and it ends when the pipe does, so it outlives no parent
Cost  about a second to start, then one pickled message each way a task. Who has no task waits for the next
      one, and leaves after five minutes without
"""

from __future__ import annotations

import atexit
import os
import pickle
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

import cloudpickle  # carries lambdas and functions of a user's own script or notebook

from jfsq_simpy.errors import JfsqError

LENGTH = 8  # bytes that say how long a message is
PATIENCE = 300.0  # seconds a worker waits for a task
SERVE = "from jfsq_simpy.workers.process import main; main()"

# ---- the parent's end ----------------------------------------------------------------------------------------

_waiting: list[Worker] = []  # without a task
_lock = threading.Lock()


class Worker:
    """One worker process, as its parent sees it."""

    def __init__(self) -> None:
        self._parent = os.getpid()
        self._surroundings = _surroundings()
        environment, folder = self._surroundings
        self._idle_since = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )

    @classmethod
    def hired(cls) -> Worker:
        """One that waits for a task, or a new one."""
        while True:
            with _lock:
                worker = _waiting.pop() if _waiting else None
            if worker is None:
                return cls()
            if worker._is_ready():
                return worker
            worker.end()

    def _is_ready(self) -> bool:
        """Whether it is ours, still there for a while, and would see what a new one would see."""
        fresh = time.monotonic() - self._idle_since < PATIENCE / 2
        ours = self._parent == os.getpid()  # not inherited by a fork, whose parent reads the same pipe
        return fresh and ours and self._process.poll() is None and self._surroundings == _surroundings()

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
            raise JfsqError("a worker process was ended from outside, perhaps for lack of memory; try fewer workers.")
        succeeded, result = pickle.loads(message)
        if succeeded:
            return result
        raise result

    def dismiss(self) -> None:
        """Its last task is done: have it wait for another."""
        self._idle_since = time.monotonic()
        with _lock:
            _waiting.append(self)

    def end(self) -> None:
        """End it now, whatever it is doing."""
        if self._parent == os.getpid():
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with suppress(OSError):  # a task half written to a worker that is gone
                        pipe.close()


def _surroundings() -> tuple[dict[str, str], str]:
    """Environment variables and working folder, with the modules that can be imported here."""
    path = os.pathsep.join(p or os.getcwd() for p in sys.path)
    return {**os.environ, "PYTHONPATH": path}, os.getcwd()


@atexit.register
def _end_all() -> None:
    while _waiting:
        _waiting.pop().end()


# ---- the worker's end ----------------------------------------------------------------------------------------


def main() -> None:
    """Serve until the pipe closes, or nothing comes for a long time."""
    tasks, results = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a task prints must not end up among the results
    while True:
        bell = threading.Timer(PATIENCE, os._exit, (0,))
        bell.daemon = True
        bell.start()
        message = _received(tasks)
        bell.cancel()
        if message is None:
            return
        _send(results, _answer(message))


def _answer(message: bytes) -> bytes:
    try:
        answer: bytes = cloudpickle.dumps((True, pickle.loads(message)()))
    except Exception as error:
        if not isinstance(error, JfsqError):  # those say in one line all there is to say
            error.add_note(f"in a worker process:\n{traceback.format_exc()}")
        try:
            answer = cloudpickle.dumps((False, error))
        except Exception:  # an exception that cannot travel
            answer = pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
    return answer


# ---- between them --------------------------------------------------------------------------------------------


def _send(pipe: IO[bytes], message: bytes) -> None:
    pipe.write(len(message).to_bytes(LENGTH, "little") + message)
    pipe.flush()


def _received(pipe: IO[bytes]) -> bytes | None:
    head = pipe.read(LENGTH)
    if len(head) < LENGTH:
        return None
    message = pipe.read(int.from_bytes(head, "little"))
    return message if len(message) == int.from_bytes(head, "little") else None
