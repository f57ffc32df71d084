"""Running many tasks side by side, and stopping at once when asked to.

In    tasks: functions without arguments, each for threads or for processes
Out   their results, as they end
Rule  results are used by number, never by order of arrival, so nothing depends on the number of workers.
      After Ctrl-C the caller goes on at once: threads are daemons and worker processes are ended
Cost  a thread costs nothing; a worker process about a second to start
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Any

from jfsq_simpy.errors import JfsqError

Task = Callable[[], Any]


class Crew:
    """Workers that take tasks and hand results back; a context manager.

    Compiled engines release the interpreter lock, so threads are enough for them; the others need
    processes. With one worker everything runs in one thread.

    >>> with Crew(2) as crew:
    ...     for n in range(3):
    ...         crew.submit(n, lambda n=n: n * n, processes=False)
    ...     sorted(crew.next() for _ in range(3))
    [(0, 0), (1, 1), (2, 4)]
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.pending = 0  # tasks submitted whose result `next` has not handed back
        self._done: queue.SimpleQueue[tuple[Any, Any, BaseException | None]] = queue.SimpleQueue()
        self._for_threads: queue.SimpleQueue[tuple[Any, Task] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._for_processes: deque[tuple[Any, Task]] = deque()
        self._in_processes: set[int] = set()
        self._processes: Any = None

    def submit(self, tag: Any, task: Task, *, processes: bool) -> None:
        """Have a task done; `tag` comes back with its result."""
        self.pending += 1
        if processes and self.workers > 1:
            self._for_processes.append((tag, task))
            self._feed()
            return
        if len(self._threads) < self.workers:
            self._threads.append(threading.Thread(target=self._work, daemon=True))
            self._threads[-1].start()
        self._for_threads.put((tag, task))

    def next(self) -> tuple[Any, Any]:
        """The tag and result of the next task that ends; its exception is raised here."""
        tag, result, error = self._done.get()
        self.pending -= 1
        self._feed()
        if error is not None:
            raise error
        return tag, result

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for _ in self._threads:
            self._for_threads.put(None)
        if self._processes is not None:
            with contextlib.suppress(Exception):
                self._processes.shutdown(wait=True, kill_workers=kind is not None)

    def _work(self) -> None:
        while (item := self._for_threads.get()) is not None:
            tag, task = item
            try:
                self._done.put((tag, task(), None))
            except BaseException as error:
                self._done.put((tag, None, error))

    def _feed(self) -> None:
        # a pool with a long queue is slow to stop, so the queue is kept here
        while self._for_processes and len(self._in_processes) < 2 * self.workers:
            tag, task = self._for_processes.popleft()
            future = self._started(task)
            self._in_processes.add(id(future))
            future.add_done_callback(partial(self._finished, tag))

    def _started(self, task: Task) -> Any:
        if self._processes is not None:
            return self._processes.submit(task)
        # loky starts clean interpreters that need no `if __name__ == "__main__"` in the caller's script,
        # and carries functions of the user's own
        from joblib.externals.loky import ProcessPoolExecutor

        self._processes = ProcessPoolExecutor(self.workers, initializer=_leave_signals_to_the_parent)
        with _ctrl_c_ignored():  # by the workers being born here, which inherit it
            return self._processes.submit(task)

    def _finished(self, tag: Any, future: Any) -> None:
        self._in_processes.discard(id(future))
        if future.cancelled():
            return
        error = future.exception()
        if error is not None and type(error).__name__ == "TerminatedWorkerError":
            error = JfsqError("a worker process was ended from outside, perhaps for lack of memory; try fewer --workers.")
        self._done.put((tag, None if error else future.result(), error))


@contextlib.contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _leave_signals_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
