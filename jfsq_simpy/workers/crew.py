"""Running many tasks side by side, and stopping at once when asked to.

In    tasks: functions without arguments, each for a thread or for a process
Out   their results, as they end
Rule  results are used by number, never by order of arrival, so nothing depends on the number of workers.
      After Ctrl-C the caller goes on at once: threads are daemons, and processes at work are ended
Cost  a thread costs nothing; a worker process about a second to start, unless one is left of the crew before
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple

from jfsq_simpy.workers.process import Worker

Task = Callable[[], Any]


class _Job(NamedTuple):
    tag: Any
    task: Task
    in_process: bool


class Crew:
    """Threads that take tasks and hand results back, each with a process of its own if need be; a context manager.

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
        self._todo: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Any, Any, BaseException | None]] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._at_work: set[Worker] = set()
        self._over = False

    def submit(self, tag: Any, task: Task, *, processes: bool) -> None:
        """Have a task done; `tag` comes back with its result."""
        self.pending += 1
        if len(self._threads) < self.workers:
            self._threads.append(threading.Thread(target=self._work, daemon=True))
            self._threads[-1].start()
        self._todo.put(_Job(tag, task, processes and self.workers > 1))

    def next(self) -> tuple[Any, Any]:
        """The tag and result of the next task that ends; its exception is raised here."""
        tag, result, error = self._next_done()
        self.pending -= 1
        if error is not None:
            raise error
        return tag, result

    def _next_done(self) -> tuple[Any, Any, BaseException | None]:
        while True:  # some systems answer Ctrl-C only between two waits
            with suppress(queue.Empty):
                return self._done.get(timeout=0.5)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.pending:
            self._over = True  # nobody begins another task
            for worker in list(self._at_work):
                worker.end()
        for _ in self._threads:
            self._todo.put(None)

    def _work(self) -> None:
        """What each thread does: one task after another, in a process of its own if need be."""
        process: Worker | None = None
        while (job := self._todo.get()) is not None and not self._over:
            try:
                if not job.in_process:
                    result = job.task()
                else:
                    process = process or Worker.hired()
                    result = self._call(process, job.task)
                self._done.put((job.tag, result, None))
            except BaseException as error:
                self._done.put((job.tag, None, error))
        if process is not None:
            process.dismiss()

    def _call(self, process: Worker, task: Task) -> Any:
        self._at_work.add(process)
        try:
            if self._over:  # asked to stop since, and then nobody knew of this process
                raise KeyboardInterrupt
            return process.call(task)
        finally:
            self._at_work.discard(process)


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
