"""The chain as one compiled loop: N to 10^8 server by server, to 10^9 and more in a handful of classes.

In    a System, a replication number, its words
Out   an Outcome, equal to the last bit to `walk` and `lockstep`
Rule  the kernels know nothing of windows: here the run is cut at warm-up and batches, there it is run
Cost  11 to 40 ns an arrival (JFSQ, N = 10^3 to 10^7); state under 16 bytes a server up to 50 places;
      kernels are compiled once and kept on disk
"""

from __future__ import annotations

import time

import numpy as np

from jfsq_simpy.chain import layout
from jfsq_simpy.chain.paths import First, Path, kind_of, path_of
from jfsq_simpy.chain.plan import Plan, arrivals_between_snapshots, asking_all, first_holding, grid_of, plan_of, supports
from jfsq_simpy.chain.watching import Watcher, is_wanted
from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import PlanError
from jfsq_simpy.jobs.bits import numba
from jfsq_simpy.policies import AskSample, Policy
from jfsq_simpy.policies.policy import shortest
from jfsq_simpy.rates import IntArray, two_speed
from jfsq_simpy.system import System
from jfsq_simpy.tally import NOTHING, Groups, Observables, Outcome, Window, groups_of

__all__ = ["compile_kernels", "path", "run", "supports"]

NEVER = 2**62


def run(
    system: System,
    seed: Seed,
    replication: int,
    window: Window,
    *,
    observe: Observables = NOTHING,
    start: str = "empty",
    form: str | None = None,
) -> Outcome:
    """One replication.

    `observe` : what to count at snapshots beside the levels. `start` : "empty", or "busy" (each of the
    N2 fastest servers holds one job). `form` : "servers" or "classes"; None takes the System's own.
    Errors: PlanError when the chain view cannot run the system, or Numba is not installed.

    >>> from jfsq_simpy.system import System
    >>> run(System(rates=[1.0], load=0.5, places=2), Seed.of(1), 0, Window(10, 100)).tallies[0].snapshots
    150
    """
    _need_numba()
    system = asking_all(system)
    plan, groups = plan_of(system, form), groups_of(system, observe)
    path = _path(system, plan, groups, seed, replication, start)
    grid = grid_of(path.rate, window)
    expected = arrivals_between_snapshots(system, path.rate, grid)
    path.advance(0, grid.warmup, NEVER, NEVER)
    path.forget()
    tallies = []
    for begin, end in zip(grid.edges[:-1].tolist(), grid.edges[1:].tolist(), strict=True):
        n_before = grid.snapshots_before(begin)
        watcher = Watcher(system, groups, observe, n_before, path.choices, expected) if is_wanted(observe) else None
        path.advance(grid.warmup + begin, end - begin, grid.warmup + n_before * grid.stride, grid.stride, watcher)
        tallies.append(path.tally())
        if watcher is not None:
            watcher.put(tallies[-1])
        path.forget()
    facts = {"form": plan.form, "words": path.words, "events": grid.warmup + grid.length, "rate": path.rate}
    return Outcome(tallies, path.arrivals, facts)


def path(system: System, seed: Seed, replication: int, n_events: int, *, start: str = "empty", form: str | None = None) -> IntArray:
    """The states after 0 .. n_events events, as `walk.path` gives them."""
    _need_numba()
    system = asking_all(system)
    plan = plan_of(system, form)
    path = _path(system, plan, groups_of(system), seed, replication, start)
    states = [path.copy()]
    for k in range(n_events):
        path.advance(k, 1, NEVER, NEVER)
        states.append(path.copy())
    return np.array(states)


def compile_kernels(system: System | None = None) -> float:
    """Compile the kernel a System needs, or without one every kernel; the seconds it took.

    Compiled code is kept on disk: after the first time it is loaded in a fraction of a second.
    """
    _need_numba()
    before = time.perf_counter()
    wanted = None if system is None else _kernel_of(asking_all(system), plan_of(system))
    for n_servers, form, policy in _ONE_OF_EACH:
        small = System(two_speed(n_servers, ratio=2), load=0.5, places=1, policy=policy)
        if wanted in (None, _kernel_of(small, plan_of(small, form))):
            run(small, Seed.of(0), 0, Window(0.0, 10.0 / n_servers), form=form)
    return time.perf_counter() - before


def _kernel_of(system: System, plan: Plan) -> tuple[object, int]:
    kind = kind_of(system, plan)
    return kind, layout.n_layers(system.n_servers) if kind is First else 0


_PAIR = Policy("pair", shortest, AskSample(2))
_HALF_BLIND = Policy("half blind", lambda queue_length, rate: queue_length // 2)
_ONE_OF_EACH: tuple[tuple[int, str, str | Policy], ...] = (
    (2, "servers", "jfsq"),
    (5_000, "servers", "jfsq"),
    (300_000, "servers", "jfsq"),
    (2, "classes", "jfsq"),
    (2, "servers", "jsq"),
    (2, "classes", _HALF_BLIND),
    (4, "servers", _PAIR),
    (4, "classes", _PAIR),
)


def _need_numba() -> None:
    if numba is None:
        raise PlanError("engine chain needs Numba: pip install 'jfsq_simpy[fast]'; engine lockstep runs the same chain without it.")


def _path(system: System, plan: Plan, groups: Groups, seed: Seed, replication: int, start: str) -> Path:
    return path_of(system, plan, groups, seed, replication, first_holding(system, start))
