"""Which engine, which kernel, and many replications side by side."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from jfsq_simpy import engines, rates
from jfsq_simpy.chain import jump
from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import ModelError
from jfsq_simpy.jobs import events, kernels
from jfsq_simpy.system import System
from jfsq_simpy.tally import NOTHING, Window

SMALL = System([1.5, 1.0, 0.5], load=0.7, places=3)


def run(engine: str, system: System, workers: int, numbers: range = range(5), **more: Any) -> list[Any]:
    chosen = engines.ENGINES[engine]
    return engines.run_replications(
        chosen, system, Seed.of(1), numbers, Window(5.0, 50.0), observe=NOTHING, start="empty", workers=workers, **more
    )


@pytest.mark.parametrize("engine", [e for e in engines.ENGINES if engines.ENGINES[e].available])
def test_results_depend_on_neither_workers_nor_who_ends_first(engine: str) -> None:
    alone, told = run(engine, SMALL, 1), list[tuple[int, int]]()
    together = run(engine, SMALL, 2, progress=lambda done, wanted: told.append((done, wanted)))
    assert [outcome.tallies for outcome in together] == [outcome.tallies for outcome in alone]
    assert told[-1] == (5, 5)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_an_error_in_a_users_rule_is_told_the_same_way_from_a_worker() -> None:
    class Fails:
        def choose(self, sight: Any) -> int:
            raise ValueError(f"in process {os.getpid()}")

    broken = System([1.5, 1.0, 0.5], load=0.7, places=3, policy=Fails())
    for workers in (1, 2):
        with pytest.raises(ModelError, match=r"Fails.choose failed for job 0 .*in process") as caught:
            run("process", broken, workers)
        assert (f"in process {os.getpid()}" in str(caught.value)) == (workers == 1)


A_SCRIPT = """
import jfsq_simpy as jfsq

class Mine:
    def __init__(self, pick): self.pick = pick
    def choose(self, sight): return self.pick(sight)

key = jfsq.policies.Policy("mine", lambda queue_length, rate: (queue_length, rate))
size = jfsq.laws.from_function(lambda rng, n: rng.exponential(size=n), variance=1)
for policy in (key, Mine(lambda sight: sight.job % 3)):
    system = jfsq.System([1.5, 1.0, 0.5], load=0.7, places=3, policy=policy, size=size)
    runs = [jfsq.simulate(system, horizon=50, warmup=5, replications=3, engine="process", rng=1, workers=w) for w in (1, 2)]
    print(runs[0].tallies == runs[1].tallies if hasattr(runs[0], "tallies") else runs[0].mean_wait == runs[1].mean_wait)
"""


def test_what_a_script_or_a_notebook_defines_travels_to_workers() -> None:
    """Lambdas and classes of `__main__`, without the guard that other pools ask for."""
    done = subprocess.run([sys.executable, "-c", A_SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_only_the_kernel_a_system_needs_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    compiled: list[tuple[System, Any]] = []
    for module in (jump, events):
        monkeypatch.setattr(module, "run", lambda system, *_, form=None, **__: compiled.append((system, form)))

    def kernel_of(system: System, form: str | None) -> Any:
        return jump._kernel_of(system, jump.plan_of(system, form))

    for wanted in (
        SMALL,
        System(rates.linear(5_000, ratio=3), alpha=0.5, places=4),
        System(rates.linear(300_000, ratio=3), alpha=0.5, places=2),
        System(rates.two_speed(100_000, ratio=3), alpha=0.5, places=4),
        System(rates.two_speed(50, ratio=3), alpha=0.5, places=4, policy="jsq"),
        System(rates.linear(50, ratio=3), alpha=0.5, places=4, policy={"name": "jsq_d", "d": 3}),
    ):
        compiled.clear()
        engines.compile_for(engines.ENGINES["chain"], wanted)
        assert [kernel_of(*small) for small in compiled] == [kernel_of(wanted, None)]
        compiled.clear()
        engines.compile_for(engines.ENGINES["events"], wanted)
        assert [kernels.loop_of(small) for small, _ in compiled] == [kernels.loop_of(wanted)]
    compiled.clear()
    engines.compile_for(engines.ENGINES["events"])
    assert len({kernels.loop_of(small) for small, _ in compiled}) == 3


def test_one_compilation_serves_every_system_of_its_kind() -> None:
    """Arrays of all systems are alike to a kernel, so that a run never stops to compile."""
    pytest.importorskip("numba")
    for policy in ("jfsq", "jsq", "sed", "random", {"name": "jsq_d", "d": 2}, "jiq"):
        for fleet in (SMALL.rates, rates.two_speed(70, ratio=2), rates.homogeneous(1)):
            system = System(fleet, load=0.6, places=2, policy=policy if fleet.n_servers > 1 else "jfsq")
            run("events", system, 1, range(1))
    for loop in (kernels.advance_by_sets, kernels.advance_by_any):
        assert len(getattr(loop, "signatures", [1])) == 1
