"""The four engines: what each can run, which one to take, and how to run many replications.

In    a System, what is wanted of the run, replication numbers
Out   a choice of engine; Outcomes in the order of the numbers
Rule  results depend on neither workers nor order: a replication is a function of (system, seed, number, window)
Cost  replications run side by side: threads where the engine releases the GIL, processes where not
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import PlanError
from jfsq_simpy.jobs.records import Sink
from jfsq_simpy.system import System
from jfsq_simpy.tally import Observables, Outcome, Window
from jfsq_simpy.workers import Crew, available_cores

Progress = Callable[[int, int], None]
Task = Callable[[], list[Outcome]]
ABREAST = 1024  # replications a lockstep worker advances together, at most: of 2,048 a job costs hardly less


@dataclass(frozen=True)
class Engine:
    """One engine's card."""

    name: str
    view: str  # "jobs" or "chain"
    compiled: bool
    module: str  # where its `run` is; imported when first used
    runs: str  # what it can run, in words
    speed: str  # arrivals per second and core, the order of magnitude
    memory: str  # bytes a server

    @property
    def available(self) -> bool:
        """Whether it can run here: compiled engines need Numba."""
        return not self.compiled or importlib.util.find_spec("numba") is not None

    def refuses(self, system: System, *, trace: bool) -> str | None:
        """Why this engine cannot run the system, in one line; None if it can."""
        if not self.available:
            return f"engine {self.name} needs Numba, which is not installed (pip install 'jfsq_simpy[fast]')"
        if self.view == "chain" and trace:
            return "the chain view follows no single job, so it has no trace"
        module = self.load()
        reason: str | None = module.supports(system) if hasattr(module, "supports") else None
        return reason

    def load(self) -> Any:
        """The engine's module: `run`, `supports` (if it cannot run everything), `compile_kernels` (if compiled)."""
        return importlib.import_module(self.module)


_JOBS = "any size law and arrivals; traces"
_CHAIN = "exponential sizes, Poisson arrivals"
ENGINES = {
    e.name: e
    for e in (
        Engine(
            "process", "jobs", False, "jfsq_simpy.jobs.process", f"{_JOBS}; any policy; servers that fail", "10^5", "about 1500"
        ),
        Engine("events", "jobs", True, "jfsq_simpy.jobs.events", _JOBS, "10^7", "about 100"),
        Engine(
            "lockstep", "chain", False, "jfsq_simpy.chain.lockstep", f"{_CHAIN}; replications abreast", "10^6", "2 a replication"
        ),
        Engine("chain", "chain", True, "jfsq_simpy.chain.jump", f"{_CHAIN}; 10^8 servers, 10^9 in classes", "5 x 10^7", "under 16"),
    )
}


def choose(name: str, system: System, *, trace: bool) -> Engine:
    """The engine asked for, or with "auto" the fastest that can run the system. Errors: PlanError.

    Traces, sizes that are not exponential, arrivals that are not Poisson, and policies the chain cannot
    hold go to the jobs view, all else to the chain view; the compiled one of the pair where Numba imports.
    """
    if name == "auto":
        for candidate in ("chain", "lockstep", "events", "process"):
            if ENGINES[candidate].refuses(system, trace=trace) is None:
                return ENGINES[candidate]
    if name not in ENGINES:
        raise PlanError(f"engine = {name!r} is not one; known: auto, {', '.join(ENGINES)}.")
    reason = ENGINES[name].refuses(system, trace=trace)
    if reason is not None:
        raise PlanError(f'engine = {name!r} cannot run this: {reason}; engine = "auto" takes one that can.')
    return ENGINES[name]


def missing() -> str | None:
    """Which engines are not there for want of a package, and what to do; None if all are."""
    names = [engine.name for engine in ENGINES.values() if not engine.available]
    if not names:
        return None
    return f"Numba is not installed, so {' and '.join(names)} are missing, the fast ones: pip install 'jfsq_simpy[fast]'."


def able(system: System) -> list[str]:
    """The engines that can run a system (without a trace).

    >>> able(System([1.5, 0.5], load=0.5, places=2, policy="central_queue"))
    ['process']
    """
    return [name for name, engine in ENGINES.items() if engine.refuses(system, trace=False) is None]


def compile_for(engine: Engine, system: System | None = None) -> float:
    """Make sure the kernels a System needs, or all of them, are compiled; seconds it took (0 for engines that need none)."""
    if not engine.compiled:
        return 0.0
    return float(engine.load().compile_kernels(system))


def run_replications(
    engine: Engine,
    system: System,
    seed: Seed,
    numbers: Sequence[int],
    window: Window,
    *,
    observe: Observables,
    start: str,
    sinks: Sequence[Sink] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Outcome]:
    """One Outcome a number, in their order. With sinks (one a number) they run one after another."""
    workers = min(workers or available_cores(), len(numbers))
    if engine.name == "lockstep":
        share = min(-(-len(numbers) // workers), ABREAST)
        chunks = [numbers[i : i + share] for i in range(0, len(numbers), share)]
        tasks: list[Task] = [partial(_abreast, engine, system, seed, chunk, window, observe, start) for chunk in chunks]
    else:
        handed: Sequence[Sink | None] = sinks or [None] * len(numbers)
        pairs = zip(numbers, handed, strict=True)
        tasks = [partial(_single, engine, system, seed, number, window, observe, start, sink) for number, sink in pairs]
    done: dict[int, list[Outcome]] = {}
    with closing(_side_by_side(engine, tasks, 1 if sinks else workers)) as results:
        for place, outcomes in results:
            done[place] = outcomes
            if progress:
                progress(sum(map(len, done.values())), len(numbers))
    return [outcome for place in range(len(tasks)) for outcome in done[place]]


def _single(
    engine: Engine, system: System, seed: Seed, number: int, window: Window, observe: Observables, start: str, sink: Sink | None
) -> list[Outcome]:
    to_sink = {"sink": sink} if engine.view == "jobs" else {}
    return [engine.load().run(system, seed, number, window, observe=observe, start=start, **to_sink)]


def _abreast(
    engine: Engine, system: System, seed: Seed, numbers: Sequence[int], window: Window, observe: Observables, start: str
) -> list[Outcome]:
    outcomes: list[Outcome] = engine.load().run(system, seed, numbers, window, observe=observe, start=start)
    return outcomes


def _side_by_side(engine: Engine, tasks: Sequence[Task], workers: int) -> Generator[tuple[int, list[Outcome]], None, None]:
    """Each task's place and what it brought, as they end."""
    if workers == 1 or len(tasks) == 1:
        yield from ((place, task()) for place, task in enumerate(tasks))
        return
    with Crew(workers) as crew:
        for place, task in enumerate(tasks):
            crew.submit(place, task, processes=not engine.compiled)
        while crew.pending:
            yield crew.next()
