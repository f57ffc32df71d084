"""Which form and rule a System gets, and what is refused with which words."""

import numpy as np
import pytest

from jfsq_simpy import System, rates
from jfsq_simpy.chain import jump, lockstep
from jfsq_simpy.chain.plan import Plan, grid_of, plan_of, supports
from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import PlanError
from jfsq_simpy.policies import AskSample, Policy
from jfsq_simpy.policies.policy import shortest
from jfsq_simpy.tally import Window

PAIR = Policy("pair", shortest, AskSample(2))
SED = Policy("sed", lambda q, mu: ((q + 1) / mu, -mu))


@pytest.mark.parametrize(
    ("fleet", "policy", "plan"),
    [
        (rates.linear(100, 3), "jfsq", Plan("servers", "first")),
        (rates.linear(100, 3), "jsq", Plan("servers", "uniform")),
        (rates.homogeneous(100), "jsq", Plan("servers", "first")),
        (rates.linear(100, 3), {"name": "jsq", "ties": "index"}, Plan("servers", "first")),
        (rates.linear(100, 3), "random", Plan("servers", "sample")),
        (rates.linear(100, 3), PAIR, Plan("servers", "sample")),
        (rates.linear(100, 3), SED, Plan("classes", "rank")),
        (rates.two_speed(10**9, 3), "jfsq", Plan("classes", "rank")),
        (rates.two_speed(10**5, 3), PAIR, Plan("servers", "sample")),
        (rates.two_speed(2 * 10**6, 3), PAIR, Plan("classes", "sample")),
        (rates.two_speed(20_000, 3), "jsq", Plan("classes", "rank")),
        (rates.homogeneous(10**6), {"name": "jfsq", "ties": "index"}, Plan("servers", "first")),
    ],
)
def test_the_plan_of_a_system(fleet, policy, plan):
    system = System(fleet, load=0.9, places=5, policy=policy)
    assert plan_of(system) == plan
    assert supports(system) is None
    assert lockstep.supports(system) is None
    assert jump.supports(system) is None


def test_what_is_not_markov_names_the_way_out():
    system = System([1.0], load=0.5, places=2, size={"law": "deterministic"})
    assert "events" in supports(system)
    with pytest.raises(PlanError, match="process or events"):
        lockstep.run(system, Seed.of(1), [0], Window(0, 1))


def test_a_form_that_cannot_hold_a_policy_says_why():
    system = System(rates.linear(10, 3), load=0.9, places=2, policy=SED)
    with pytest.raises(PlanError, match='form = "servers" cannot run this'):
        plan_of(system, "servers")
    indexed = System(rates.two_speed(10, 3), load=0.9, places=2, policy={"name": "jfsq", "ties": "index"})
    with pytest.raises(PlanError, match="which server of a speed class"):
        plan_of(indexed, "classes")
    with pytest.raises(PlanError, match='must be "servers" or "classes"'):
        plan_of(indexed, "both")
    with pytest.raises(PlanError, match='"empty" or "busy"'):
        lockstep.run(indexed, Seed.of(1), [0], Window(0, 1), start="full")


def test_too_many_servers_one_by_one_are_refused_before_memory_is_touched():
    fleet = rates.classes([2**31], [1.0])
    system = System(fleet, load=0.5, places=2, policy={"name": "jfsq", "ties": "index"})
    assert "group them in speed classes" in supports(system)


def test_the_grid_counts_events():
    grid = grid_of(19.7, Window(2.0, 10.0, batches=3))
    assert (grid.warmup, grid.length, grid.stride) == (40, 197, 2)
    assert grid.edges.tolist() == [0, 65, 131, 197]
    # a snapshot at event 64 is the 33rd; one at 65 would not exist
    assert [grid.snapshots_before(e) for e in (0, 1, 2, 65, 66)] == [0, 1, 1, 33, 33]
    assert grid_of(0.5, Window(0.0, 1.0)).stride == 1


def test_facts_are_recorded():
    (outcome,) = lockstep.run(System(rates.two_speed(10, 3), load=0.9, places=2), Seed.of(1), [0], Window(1.0, 5.0))
    assert outcome.facts == {"form": "servers", "words": 1, "events": 19 + 95, "rate": 19.0}
    assert np.sum([t.snapshots for t in outcome.tallies]) == 48
