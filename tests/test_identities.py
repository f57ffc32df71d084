"""Identities: they hold on exact laws and on any counts an engine hands over, and a wrong count breaks them."""

from dataclasses import replace

import numpy as np
import pytest

from jfsq_simpy import exact, metrics, rates
from jfsq_simpy.identities import identities, level_balance, little, pathwise, work
from jfsq_simpy.simulate import simulate
from jfsq_simpy.system import System
from tests.theory.brute import solve as brute
from tests.theory.systems import SOLVED, law_of


@pytest.mark.parametrize("case", SOLVED)
def test_every_identity_holds_on_exact_laws(case):
    for i in identities(law_of(case).averages):
        tight = replace(i, slack=1e-10)
        assert tight.holds, f"{i.name}: {i.left} {i.relation} {i.right}"


def test_the_cases_include_every_kind():
    policies = {law_of(c).system.policy.name for c in SOLVED}
    assert {"jfsq", "jsq", "random"} <= policies
    assert any(law_of(c).system.load > 1 for c in SOLVED)
    assert any(law_of(c).system.places == 1 for c in SOLVED)


def test_against_a_law_solved_from_the_definition():
    # left and right of work conservation and Little's law, computed here from queue-length vectors
    law = brute([1.5, 1.0, 0.5], 2.4, 3)
    system = System(rates.from_speeds([1.5, 1.0, 0.5]), load=0.8, places=3)
    found = {i.name: i for i in identities(exact.solve(system).averages)}
    accepted = law.arrival_rate * (1 - law.pi @ law.blocked)
    capacity = law.pi @ ((law.q > 0) @ law.rates)
    assert found["busy capacity = accepted work"].left == pytest.approx(capacity, rel=1e-10)
    assert found["busy capacity = accepted work"].right == pytest.approx(accepted, rel=1e-10)
    waits = law.pi @ (law.sent * (law.q < 3) * law.q / law.rates).sum(axis=1) / (1 - law.pi @ law.blocked)
    assert found["waiting jobs = rate x E[W]"].left == pytest.approx(law.pi @ law.waiting, rel=1e-10)
    assert found["waiting jobs = rate x E[W]"].right == pytest.approx(accepted * waits, rel=1e-10)


def averages():
    return exact.solve(System(rates.two_speed(4, ratio=3), load=0.9, places=3)).averages


def broken(group) -> list[str]:
    return [i.name for i in group if not i.holds]


def test_a_lost_server_is_seen():
    a = averages()
    levels = a.levels.copy()
    levels[0, 0] -= 1e-6
    assert "every server is counted once" in broken(pathwise(replace(a, levels=levels)))


def test_idle_fast_servers_that_cannot_be_idle_are_seen():
    # more capacity than the busy servers can have: a swap of the classes' counts
    a = averages()
    assert broken(pathwise(a)) == []
    speeds = replace(a.groups, speeds=a.groups.speeds * 1.5)
    assert "N2(busy capacity) <= busy" in broken(pathwise(replace(a, groups=speeds)))


def test_jobs_that_vanish_break_work_and_levels():
    a = averages()
    joins = a.joins * (1 - 1e-6)
    assert broken(work(replace(a, joins=joins))) == ["busy capacity = accepted work"]
    assert len(broken(level_balance(replace(a, joins=joins)))) >= a.system.places


def test_a_wait_measured_as_response_breaks_little():
    a = averages()
    wrong = replace(a, direct_wait=metrics.mean_response(a))
    assert broken(little(wrong)) == ["waiting jobs = rate x E[W]"]


def test_levels_do_not_balance_without_exponential_sizes():
    system = System(rates.homogeneous(4), load=0.8, places=2, size="deterministic")
    run = simulate(system, horizon=400, engine="process", rng=1, replications=2, warmup=20, workers=1)
    names = [i.name for i in identities(run.sample.averages(run.sample.pooled))]
    assert "waiting jobs = rate x E[W]" in names
    assert not any(name.startswith("up from") for name in names)


@pytest.mark.parametrize("engine", ["process", "lockstep"])
def test_pathwise_identities_hold_in_every_run(engine):
    system = System(rates.two_speed(10, ratio=3), alpha=0.4, places=2)
    run = simulate(system, horizon=50, engine=engine, rng=5, replications=3, warmup=5, workers=1)
    for unit in run.sample.units:
        assert broken(pathwise(run.sample.averages(unit))) == []


def test_nothing_counted_does_not_hold():
    a = averages()
    empty = replace(a, levels=np.full_like(a.levels, np.nan))
    assert "every server is counted once" in broken(pathwise(empty))
