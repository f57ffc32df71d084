"""One chain, three programs: `walk`, `lockstep` and `jump` walk the same path and count the same."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from jfsq_simpy import System, rates
from jfsq_simpy.chain import jump, lockstep, paths, walk
from jfsq_simpy.chain.plan import plan_of
from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import PlanError
from jfsq_simpy.tally import NOTHING, Observables, Window, merged
from tests.chain.systems import POLICIES, random_case

needs_numba = pytest.mark.skipif(jump.numba is None, reason="Numba is not installed")
CASES = list(itertools.islice(((seed, case) for seed in itertools.count() if (case := random_case(seed)) is not None), 210))


def differences(one, other):
    """Names of the fields in which two tallies differ, for a readable failure."""
    return [name for name in vars(one) if not np.array_equal(getattr(one, name), getattr(other, name))]


def assert_equal(these, those):
    for one, other in zip(these.tallies, those.tallies, strict=True):
        assert differences(one, other) == []
        assert one == other
    assert these.arrivals == those.arrivals


def test_there_are_two_hundred_systems_of_every_kind():
    assert len(CASES) >= 200
    for form in ("servers", "classes"):
        held = {case.system.policy.name for _, case in CASES if case.form == form}
        assert len(held) >= 6
    assert any(case.system.load > 1 for _, case in CASES)
    assert any(case.system.places == 1 for _, case in CASES)


@pytest.mark.parametrize("part", range(10))
def test_lockstep_repeats_the_walk(part, monkeypatch):
    for seed, case in CASES[part::10]:
        run = {"observe": case.observe, "start": case.start, "form": case.form}
        walked = walk.run(case.system, Seed.of(seed), 1, case.window, **run)
        for sets_from in (0, 2**60):  # sets of bits, and `argmin`
            monkeypatch.setattr(lockstep, "SETS_FROM", sets_from)
            abreast = lockstep.run(case.system, Seed.of(seed), [7, 1], case.window, **run)
            assert_equal(abreast[1], walked)
            if plan_of(case.system, case.form).rule != "first":
                break  # only that rule knows two ways


@needs_numba
@pytest.mark.parametrize("part", range(10))
def test_jump_repeats_lockstep(part):
    for seed, case in CASES[part::10]:
        run = {"observe": case.observe, "start": case.start, "form": case.form}
        abreast = lockstep.run(case.system, Seed.of(seed), [0, 1], case.window, **run)
        for number in (0, 1):
            assert_equal(jump.run(case.system, Seed.of(seed), number, case.window, **run), abreast[number])


def test_paths_are_equal_state_by_state(monkeypatch):
    monkeypatch.setattr(lockstep, "SETS_FROM", 0)
    for seed, case in CASES[::7]:
        run = {"start": case.start, "form": case.form}
        walked = walk.path(case.system, Seed.of(seed), 3, 60, **run)
        assert np.array_equal(lockstep.path(case.system, Seed.of(seed), [2, 3], 60, **run)[1], walked)
        if jump.numba is not None:
            assert np.array_equal(jump.path(case.system, Seed.of(seed), 3, 60, **run), walked)


LARGE = [
    pytest.param(rates.linear(1000, 3), "servers", "jfsq", id="servers"),
    pytest.param(rates.classes([600, 300, 100], [1, 2, 3]), "classes", "jfsq", id="classes"),
    pytest.param(rates.linear(1000, 3), "servers", "jsq", id="jsq"),
    pytest.param(rates.linear(20_000, 3), "servers", "jsq", id="jsq, two layers of counts"),
    pytest.param(rates.linear(5000, 3), "servers", "jfsq", id="one layer of middles"),
    pytest.param(rates.pareto(20_000, 1.5), "servers", "jfsq", id="two words an event"),
]


@needs_numba
@pytest.mark.parametrize(("fleet", "form", "policy"), LARGE)
def test_large_systems_agree(fleet, form, policy, monkeypatch):
    monkeypatch.setattr(lockstep, "SETS_FROM", 0 if fleet.n_servers != 1000 else 2**60)
    system = System(fleet, alpha=0.5, places=4, policy=policy)
    window = Window(0.2 if fleet.n_servers <= 1000 else 0.0, 6000 / fleet.n_servers, batches=3)
    observe = Observables(idle_tails=((fleet.n_servers // 3, 1.0),), path=True)
    run = {"observe": observe, "start": "busy", "form": form}
    abreast = lockstep.run(system, Seed.of(5), [0, 4], window, **run)
    assert_equal(jump.run(system, Seed.of(5), 4, window, **run), abreast[1])


@needs_numba
@pytest.mark.verify
@pytest.mark.parametrize(("form", "policy"), [("servers", "jfsq"), ("servers", "jsq"), ("classes", "jfsq"), ("classes", "jsq")])
def test_a_thousand_servers_and_a_hundred_thousand_jobs(form, policy):
    fleet = rates.linear(1000, 3) if form == "servers" else rates.two_speed(1000, 3)
    system = System(fleet, alpha=0.5, places=5, policy=policy)
    window = Window(1.0, 105.0)
    (abreast,) = lockstep.run(system, Seed.of(2), [9], window, start="busy", form=form)
    assert abreast.tallies[0].routed >= 100_000
    assert_equal(jump.run(system, Seed.of(2), 9, window, start="busy", form=form), abreast)


@needs_numba
@pytest.mark.parametrize("cuts", [(), (100_001, 100_003, 100_070, 299_999)])
def test_a_large_fleet_counts_group_by_group(cuts):
    system = System(rates.linear(300_000, 3), alpha=0.5, places=2)
    window = Window(0.0, 3e-3)  # 1,800 events, of which the first finds the only snapshot
    observe = Observables(idle_tails=tuple((m, 1.0) for m in cuts))
    run = {"observe": observe, "start": "busy", "form": "servers"}
    (abreast,) = lockstep.run(system, Seed.of(1), [0], window, **run)
    compiled = jump.run(system, Seed.of(1), 0, window, **run)
    assert_equal(compiled, abreast)
    assert compiled.facts["words"] == 2


class TestNothingDependsOnHowTheWorkIsCut:
    system = System(rates.classes([7, 5], [1.0, 2.0]), load=0.9, places=3)
    window = Window(1.0, 20.0)
    observe = Observables(idle_tails=((3, 1.0),), path=True)

    def test_blocks_and_groups_of_replications(self, monkeypatch):
        whole = lockstep.run(self.system, Seed.of(3), range(5), self.window, observe=self.observe)
        monkeypatch.setattr(lockstep, "BLOCK_CELLS", 35)
        monkeypatch.setattr(lockstep, "MOST_BYTES", 20_000)
        for one, other in zip(
            lockstep.run(self.system, Seed.of(3), range(5), self.window, observe=self.observe), whole, strict=True
        ):
            assert_equal(one, other)

    @needs_numba
    @pytest.mark.parametrize("form", ["servers", "classes"])
    def test_calls_of_a_kernel(self, monkeypatch, form):
        whole = jump.run(self.system, Seed.of(3), 2, self.window, observe=self.observe, form=form)
        monkeypatch.setattr(paths, "AT_ONCE", 37)
        assert_equal(jump.run(self.system, Seed.of(3), 2, self.window, observe=self.observe, form=form), whole)

    @pytest.mark.parametrize("form", ["servers", "classes"])
    def test_batches_add_up_to_the_whole(self, form):
        (whole,) = lockstep.run(self.system, Seed.of(3), [2], self.window, observe=self.observe, form=form)
        cut = Window(1.0, 20.0, batches=7)
        (parts,) = lockstep.run(self.system, Seed.of(3), [2], cut, observe=self.observe, form=form)
        total = merged(parts.tallies)
        # shares of a class cut by a group are rounded in each batch
        assert differences(total, whole.tallies[0]) in ([], ["joins"], ["levels"], ["joins", "levels"])
        assert np.array_equal(total.levels.sum(axis=0), whole.tallies[0].levels.sum(axis=0))
        assert np.array_equal(total.joins.sum(axis=0), whole.tallies[0].joins.sum(axis=0))

    def test_a_replication_is_its_number_alone(self):
        alone = lockstep.run(self.system, Seed.of(3), [4], self.window)
        among = lockstep.run(self.system, Seed.of(3), [9, 4, 0], self.window)
        assert_equal(alone[0], among[1])


@needs_numba
def test_more_than_255_snapshots_fit():
    # the slow server holds two jobs nearly for ever, the fast one hardly ever more than one: a byte that is not emptied runs over
    system = System([1.9999, 0.0001], load=0.07, places=3)
    window = Window(0.0, 8000.0)
    (abreast,) = lockstep.run(system, Seed.of(1), [0], window)
    assert abreast.tallies[0].snapshots > 30 * 255
    assert_equal(jump.run(system, Seed.of(1), 0, window), abreast)


@needs_numba
def test_every_kernel_once():
    kinds = set()
    for seed, case in CASES:
        kind = jump.kind_of(case.system, plan_of(case.system, case.form)), case.system.policy.ties
        if kind not in kinds and case.observe is not NOTHING:
            kinds.add(kind)
            run = {"observe": case.observe, "start": case.start, "form": case.form}
            (abreast,) = lockstep.run(case.system, Seed.of(seed), [1], case.window, **run)
            assert_equal(jump.run(case.system, Seed.of(seed), 1, case.window, **run), abreast)
    assert len({kind for kind, _ in kinds}) == 6


@needs_numba
def test_kernels_run_uncompiled_to_the_same_bits():
    """The same as plain Python, in a process of its own: what Numba compiles is what stands there."""
    once = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "every_kernel_once"]
    done = subprocess.run(once, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "1 passed" in done.stdout


def test_without_numba_the_way_out_is_named(monkeypatch):
    monkeypatch.setattr(jump, "numba", None)
    with pytest.raises(PlanError, match=r"jfsq_simpy\[fast\]"):
        jump.run(TestNothingDependsOnHowTheWorkIsCut.system, Seed.of(1), 0, Window(0, 1))


def test_every_policy_is_held_in_some_form():
    assert {case.system.policy.name for _, case in CASES} == {policy.name for policy in POLICIES}
    assert NOTHING in [case.observe for _, case in CASES]
