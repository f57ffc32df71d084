"""The compiled loop and the SimPy model: one set of draws, the same records and counts to the last bit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jfsq_simpy import System, rates
from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import PlanError
from jfsq_simpy.jobs import bits, process
from jfsq_simpy.jobs.sinks import MemorySink
from jfsq_simpy.tally import NOTHING, Observables, Window
from tests.jobs.systems import Case, Lattice, random_case, with_a_query

events = pytest.importorskip("jfsq_simpy.jobs.events")
pytest.importorskip("numba")


def run_of(engine, case: Case, seed: int = 1):
    sink = MemorySink()
    outcome = engine.run(case.system, Seed.of(seed), 0, case.window, observe=case.observe, start=case.start, sink=sink)
    return outcome, sink.columns()


def assert_twins(case: Case, seed: int = 1) -> None:
    slow, slow_rows = run_of(process, case, seed)
    fast, fast_rows = run_of(events, case, seed)
    for name in slow_rows:
        np.testing.assert_array_equal(fast_rows[name], slow_rows[name], err_msg=name)
        assert fast_rows[name].dtype == slow_rows[name].dtype
    assert fast.arrivals == slow.arrivals
    assert fast.tallies == slow.tallies


@pytest.mark.parametrize("seed", range(200))
def test_random_systems_give_the_same_records_and_tallies(seed):
    assert_twins(random_case(seed), seed)


@pytest.mark.parametrize("seed", range(100))
def test_whomever_a_policy_asks(seed):
    """A class, some of each class, idle servers first, whose turn it is, who has the least work."""
    assert_twins(with_a_query(random_case(seed), seed), seed)


def test_a_thousand_servers():
    system = System(rates.linear(1000, ratio=3), alpha=0.5, places=5)
    window = Window(warmup=5.0, length=100_000 / system.arrival_rate, batches=3)
    observe = Observables(joint=((0, 5, 50, 5000), (0, 10, 40, 1000)), tails=((0.0, 960.0, 5.0),), idle_tails=((900, 3.0),))
    assert_twins(Case(system, window, observe, "busy"))


def test_more_than_one_block_of_words_and_of_jobs():
    # 4,096 servers share a block of words, 65,536 jobs a block of draws
    system = System(rates.two_speed(9000, ratio=2), load=0.97, places=2)
    assert_twins(Case(system, Window(2.0, 8.0, batches=2), NOTHING, "busy"))
    blind = system.replaced(policy="jsq")
    assert_twins(Case(blind, Window(2.0, 2.0), NOTHING, "busy"))


def test_speeds_too_close_to_tell_apart_tie():
    # the rank table takes keys within 1e-12 for one key; the sets must not see more than it does
    speeds = np.array([1.5, 1.0 + 2e-13, 1.0, 0.5 - 2e-13])
    system = System(speeds, load=0.9, places=3)
    assert system.rates.n_classes == 4
    assert_twins(Case(system, Window(0.0, 200.0), NOTHING, "empty"))


def test_a_long_gap_between_arrivals_with_jobs_in_service():
    # most gaps are short and a few very long, and in the warm-up no snapshot comes between: the calendar goes
    # through many empty lists with departures still to come
    system = System([1.5, 1.0, 0.5], load=0.6, places=4, arrivals={"law": "hyperexponential", "scv": 200.0})
    assert_twins(Case(system, Window(5_000.0, 50.0), NOTHING, "busy"))


def test_a_stream_that_ends_leaves_the_rest_of_the_window_to_departures():
    from jfsq_simpy.laws import RecordedGaps

    gaps = RecordedGaps([0.5, 0.5, 0.5, 1.0, 2.0])
    system = System([1.5, 0.5], load=gaps.load(2), places=2, arrivals=gaps, size="deterministic")
    assert_twins(Case(system, Window(0.0, 50.0, batches=4), Observables(path=True), "busy"))


def test_rows_reach_the_sink_block_by_block():
    system = System(rates.homogeneous(10), load=0.9, places=3)
    sink = MemorySink()
    outcome = events.run(system, Seed.of(1), 0, Window(0.0, 20_000.0), sink=sink)
    sizes = [block["job"].size for block in sink.blocks]
    assert sum(sizes) == outcome.arrivals > 2 * 65_536
    assert max(sizes) <= 65_536
    with_sink = [t.joins.sum() for t in outcome.tallies]
    without = events.run(system, Seed.of(1), 0, Window(0.0, 20_000.0))
    assert with_sink == [t.joins.sum() for t in without.tallies]


@pytest.mark.parametrize("engine", [process, events])
def test_a_job_leaving_now_is_gone_for_a_job_arriving_now(engine):
    # size 1, gap 1, one server: every arrival but the first meets a departure at its own instant
    system = System([1.0], load=1.0, places=1, size="deterministic", arrivals="deterministic")
    outcome, rows = run_of(engine, Case(system, Window(0.0, 50.0), NOTHING, "empty"))
    assert outcome.tallies[0].blocked == 0
    assert np.all(rows["start"] == rows["arrival"])


@pytest.mark.parametrize("engine", [process, events])
def test_on_a_lattice_of_times_departures_come_first(engine):
    system = System(np.ones(8), load=1.0, places=2, size=Lattice(0.2), arrivals=Lattice(0.3))
    _, rows = run_of(engine, Case(system, Window(0.0, 500.0), NOTHING, "empty"))
    meetings = 0
    for n in range(8):
        here = rows["server"] == n
        arrival, departure = rows["arrival"][here], rows["departure"][here]
        place = np.arange(arrival.size)
        gone = np.minimum(np.searchsorted(departure, arrival, side="right"), place)
        np.testing.assert_array_equal(rows["level"][here], place - gone)
        still_there = np.minimum(np.searchsorted(departure, arrival, side="left"), place)
        meetings += np.count_nonzero(gone != still_there)
    assert meetings > 50  # arrivals that would see another level if they came first


def test_what_cannot_be_compiled_is_refused_with_the_way_out(monkeypatch):
    system = System([1.5, 0.5], load=0.9, places=3)
    monkeypatch.setattr(bits, "numba", None)
    with pytest.raises(PlanError, match=r"pip install 'jfsq_simpy\[fast\]'"):
        events.run(system, Seed.of(1), 0, Window(0.0, 1.0))
    monkeypatch.undo()

    class Stubborn:
        def choose(self, sight):
            return 0

    assert "Stubborn" in events.supports(System([1.5, 0.5], load=0.9, places=3, policy=Stubborn()))


def run_python(script: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(events.__file__).parents[2])])
    variables = {**os.environ, "PYTHONPATH": path, **environment}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


PLAIN_PYTHON = """
import numpy as np
from jfsq_simpy.draws import Seed
from jfsq_simpy.jobs import events, process
from jfsq_simpy.jobs.sinks import MemorySink
from systems import random_case

np.seterr(over="ignore")  # words wrap on purpose
for seed in range(6):
    case, sinks = random_case(seed, jobs=60), (MemorySink(), MemorySink())
    slow, fast = (
        engine.run(case.system, Seed.of(seed), 0, case.window, observe=case.observe, start=case.start, sink=sink)
        for engine, sink in zip((process, events), sinks)
    )
    slow_rows, fast_rows = (sink.columns() for sink in sinks)
    assert slow.tallies == fast.tallies
    assert all(np.array_equal(slow_rows[name], fast_rows[name], equal_nan=True) for name in slow_rows)
print("same")
"""

NO_NUMBA = """
import sys
sys.modules["numba"] = None
from jfsq_simpy import System
from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import PlanError
from jfsq_simpy.jobs import events
from jfsq_simpy.tally import Window

try:
    events.run(System([1.5, 0.5], load=0.9, places=3), Seed.of(1), 0, Window(0.0, 1.0))
except PlanError as error:
    print(error)
"""


def test_the_kernel_is_plain_python_too():
    assert run_python(PLAIN_PYTHON, NUMBA_DISABLE_JIT="1") == "same"


def test_without_numba_the_module_imports_and_says_what_is_missing():
    assert "pip install 'jfsq_simpy[fast]'" in run_python(NO_NUMBA)


def test_compile_time_is_told_apart():
    assert events.compile_kernels() >= 0.0
    assert events.compile_kernels() < 1.0  # the second time there is nothing to compile
