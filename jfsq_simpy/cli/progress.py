"""How far a run is, said on standard error.

In    Progress events of an experiment
Out   before: jobs and time to expect; during: a bar on a terminal, now and then a line elsewhere; after Ctrl-C: what is kept
Rule  every command that runs a scenario runs it inside one of these
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from jfsq_simpy.cli import output
from jfsq_simpy.cli.status import Interrupted
from jfsq_simpy.engines import missing
from jfsq_simpy.experiment import Progress
from jfsq_simpy.experiment.cost import forecast
from jfsq_simpy.scenario import Scenario
from jfsq_simpy.views.numbers import count, duration

if TYPE_CHECKING:
    from rich.progress import TaskID

LINE_EVERY = 15.0  # seconds, where there is no terminal


class Reporter:
    """A context manager whose `progress` an experiment calls. Errors: Interrupted, in place of KeyboardInterrupt."""

    def __init__(self, scenario: Scenario, directory: Path, workers: int | None, *, quiet: bool) -> None:
        self.scenario, self.directory, self.workers, self.quiet = scenario, directory, workers, quiet
        self.last: Progress | None = None
        self._bar: Any = None
        self._task: TaskID | None = None
        self._told = time.monotonic()

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()
        if kind is KeyboardInterrupt:
            raise Interrupted(
                f"interrupted: {self.kept()} kept in {self.directory}; the same command goes on from there."
            ) from None

    def progress(self, now: Progress) -> None:
        """Take one event in."""
        first, self.last = self.last is None, now
        if self.quiet:
            return
        if first:
            self._announce(now)
        elif self._bar is not None:
            self._bar.update(self._task, completed=now.done, total=now.total, speed=_speed(now))
        elif time.monotonic() - self._told > LINE_EVERY:
            self._told = time.monotonic()
            output.note(", ".join(filter(None, [f"{now.done} of {now.total} replications", _speed(now)])))

    def kept(self) -> str:
        """What there is already, in words."""
        return f"{self.last.done} of {self.last.total} replications are" if self.last else "nothing new is"

    def _announce(self, now: Progress) -> None:
        if now.done == now.total:
            output.note(f"All {now.total} replications are there already.")
            return
        points = self.scenario.points()
        ahead, left = forecast(points, self.workers), 1 - now.done / now.total
        warming = f" ({count(ahead.warming * left)} of them to warm up)" if ahead.warming else ""
        there = f" ({now.done} are there already)" if now.done else ""
        output.note(
            f"{_many(len(points), 'point')}, {_many(now.total, 'replication')}{there}: about {count(ahead.jobs * left)} jobs "
            f"to simulate by {ahead.engines}{warming}, roughly {duration(ahead.seconds * left)} on {_many(ahead.workers, 'core')}"
            f"{ahead.beside}.{_and_then(self.scenario)}"
        )
        lacking = missing() if any(p.plan.engine == "auto" for p in points) else None
        if lacking:
            output.note(lacking)
        if sys.stderr.isatty():
            self._start_bar(now)

    def _start_bar(self, now: Progress) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = [BarColumn(), MofNCompleteColumn(), TextColumn("replications"), TextColumn("{task.fields[speed]}")]
        self._bar = Bar(*columns, TimeRemainingColumn(), console=output.console(stderr=True), transient=True)
        self._task = self._bar.add_task("run", total=now.total, completed=now.done, speed="")
        self._bar.start()


def _and_then(scenario: Scenario) -> str:
    """What a wanted precision may add to that: how much is not known before."""
    goals = {p.plan.precision for p in scenario.points()} - {None}
    each = " each" if len(scenario.points()) > 1 else ""
    return "".join(
        f" Then more, until {g.metric} is known to {g.relative:.3g} of its value, for at most {duration(g.max_seconds)}{each}."
        for g in goals
        if g is not None
    )


def _speed(now: Progress) -> str:
    return f"{count(now.jobs / now.seconds)} jobs/s" if now.jobs and now.seconds > 0 else ""


def _many(n: int, thing: str) -> str:
    return f"{n:,} {thing}{'s' if n != 1 else ''}"
