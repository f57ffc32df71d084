"""The crew: everything comes back, errors too, and nobody is waited for after Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from functools import partial

import pytest

from jfsq_simpy.errors import JfsqError
from jfsq_simpy.workers import Crew
from jfsq_simpy.workers.process import Worker


@pytest.mark.parametrize(("workers", "processes"), [(1, False), (3, False), (1, True)])
def test_every_task_comes_back_once(workers: int, processes: bool) -> None:
    with Crew(workers) as crew:
        for n in range(20):
            crew.submit(n, lambda n=n: n * n, processes=processes)
        assert sorted(crew.next() for _ in range(20)) == [(n, n * n) for n in range(20)]
        assert crew.pending == 0


def test_processes_are_processes_and_threads_are_not() -> None:
    with Crew(2) as crew:
        for n in range(6):
            crew.submit(n, os.getpid, processes=True)
        back = dict(crew.next() for _ in range(6))
        assert sorted(back) == list(range(6))
        assert os.getpid() not in back.values()
        crew.submit("here", os.getpid, processes=False)
        assert crew.next() == ("here", os.getpid())
        crew.submit("wrong", lambda: 1 / 0, processes=True)
        with pytest.raises(ZeroDivisionError):
            crew.next()


def test_a_process_is_there_for_the_next_crew_unless_what_it_would_see_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    def id_of_process() -> int:
        with Crew(2) as crew:
            crew.submit(0, os.getpid, processes=True)
            found: int = crew.next()[1]
        for thread in threading.enumerate():
            if thread.daemon:
                thread.join(timeout=5)  # it has handed its process back when it ends
        return found

    first = id_of_process()
    assert id_of_process() == first
    monkeypatch.setenv("SOMETHING", "else")
    assert id_of_process() != first


def test_nobody_begins_another_task_after_an_interrupt() -> None:
    begun: list[int] = []

    def task(n: int) -> None:
        begun.append(n)
        time.sleep(0.2)

    with suppress(KeyboardInterrupt), Crew(1) as crew:
        for n in range(5):
            crew.submit(n, partial(task, n), processes=False)
        crew.next()
        raise KeyboardInterrupt
    time.sleep(0.5)
    assert len(begun) <= 2


def test_what_a_task_prints_is_not_taken_for_its_result(capfd: pytest.CaptureFixture[str]) -> None:
    worker = Worker()
    try:
        assert worker.call(lambda: print("hello") or "result") == "result"
        assert worker.call(lambda: "next") == "next"
    finally:
        worker.end()
    assert "hello" in capfd.readouterr().err


def test_a_worker_that_dies_is_an_error_not_a_wait() -> None:
    worker = Worker()
    with pytest.raises(JfsqError, match="worker process was ended"):
        worker.call(lambda: os.kill(os.getpid(), signal.SIGKILL))
    worker.end()


def test_an_error_that_cannot_travel_is_still_told() -> None:
    class Odd(Exception):
        def __reduce__(self) -> str:
            raise TypeError("not this one")

    def task() -> None:
        raise Odd("why")

    worker = Worker()
    with pytest.raises(RuntimeError, match="Odd: why"):
        worker.call(task)
    worker.end()


def test_an_error_comes_back_as_itself() -> None:
    with Crew(1) as crew:
        crew.submit(0, lambda: 1 / 0, processes=False)
        with pytest.raises(ZeroDivisionError):
            crew.next()


def test_a_thread_still_at_work_is_not_waited_for() -> None:
    release, before = threading.Event(), time.perf_counter()
    with Crew(1) as crew:
        crew.submit(0, release.wait, processes=False)
    assert time.perf_counter() - before < 5
    release.set()
