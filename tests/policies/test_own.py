"""Policies of one's own: a key in every engine, an object that can choose in `process`, and what they may do wrong."""

import numpy as np
import pytest

from jfsq_simpy import System, exact, rates, simulate
from jfsq_simpy.engines import ENGINES, able
from jfsq_simpy.errors import ModelError, PlanError
from jfsq_simpy.policies import AskSample, Chosen, Policy, Sight, as_policy


class Jsq:
    """JSQ again, written as a user would."""

    def choose(self, sight):
        tied = np.flatnonzero(sight.queue_lengths == sight.queue_lengths.min())
        return tied[int(sight.u * tied.size)]


class PairOfMine:
    """JSQ of two servers drawn with replacement."""

    name, samples = "pair_of_mine", 2

    def choose(self, sight):
        pair = np.unique((sight.samples * sight.rates.n_servers).astype(int))
        tied = pair[sight.queue_lengths[pair] == sight.queue_lengths[pair].min()]
        return int(tied[int(sight.u * tied.size)])

    def describe(self):
        return {"d": 2}


class Turns:
    """Round robin, with a memory of its own."""

    def __init__(self):
        self.jobs = 0

    def choose(self, sight):
        assert sight.job == self.jobs  # a memory of another replication would be elsewhere
        self.jobs += 1
        return (self.jobs - 1) % sight.rates.n_servers


class LeastWork:
    def choose(self, sight):
        work = np.maximum(sight.free_at - sight.now, 0.0)
        work[sight.queue_lengths == sight.places] = np.inf
        tied = np.flatnonzero(work == work.min())
        return tied[int(sight.u * tied.size)]


SYSTEM = System(rates.two_speed(6, ratio=3), load=0.9, places=3)


def trace(policy, **changes):
    system = SYSTEM.replaced(policy=policy, **changes)
    return simulate(system, jobs=2000, warmup=0, engine="process", trace=True, replications=2, rng=5).trace


@pytest.mark.parametrize(
    ("mine", "known"),
    [
        (Jsq(), "jsq"),
        (PairOfMine(), {"name": "jsq_d", "d": 2, "replace": True}),
        (Turns(), "round_robin"),
        (LeastWork(), "least_work"),
    ],
    ids=lambda p: p if isinstance(p, str) else "",
)
def test_a_rule_written_by_hand_gives_the_trace_of_the_one_it_repeats(mine, known):
    """Two replications, so a memory carried from one to the other would show."""
    own, theirs = trace(mine), trace(known)
    for name in own.names:
        np.testing.assert_array_equal(own[name], theirs[name])
    own.check()


def test_what_a_rule_remembers_stays_in_its_replication():
    rule = Turns()
    trace(rule)
    assert rule.jobs == 0  # each replication had its own copy


def test_a_rule_is_recorded_by_name():
    policy = as_policy(PairOfMine())
    assert (policy.name, policy.samples) == ("pair_of_mine", 2)
    assert policy.describe() == {"name": "pair_of_mine", "ties": "uniform", "ask": "choose", "by": "PairOfMine", "d": 2}
    assert as_policy(Jsq()).name == "Jsq"


def test_an_object_that_chooses_runs_in_process_alone():
    system = SYSTEM.replaced(policy=Jsq())
    assert able(system) == ["process"]
    assert simulate(system, jobs=200, warmup=0, replications=2, rng=1, workers=1).engine == "process"
    with pytest.raises(PlanError, match=r"events.*'Jsq'.*process"):
        simulate(system, jobs=200, engine="events")
    with pytest.raises(ModelError, match=r"'Jsq'.*simulate it"):
        exact.solve(System([1.0, 1.0], load=0.5, places=2, policy=Jsq()))


@pytest.mark.parametrize(
    ("gives", "says"),
    [
        (6, r"Wrong\.choose gave 6 for job 0; it must give a server, a whole number from 0 \(the fastest\) to 5"),
        (-1, r"gave -1"),
        (1.0, r"gave 1\.0"),
        (None, r"gave None"),
        (True, r"gave True"),
        ("fastest", r"gave 'fastest'"),
    ],
)
def test_a_choice_that_is_no_server_names_the_function_and_the_value(gives, says):
    class Wrong:
        def choose(self, sight):
            return gives

    with pytest.raises(ModelError, match=says):
        trace(Wrong())


def test_a_rule_that_fails_names_the_function_the_job_and_the_reason():
    class Fragile:
        def choose(self, sight):
            return 1 // (7 - sight.job)

    with pytest.raises(ModelError, match=r"Fragile\.choose failed for job 7 at time \d.*ZeroDivisionError"):
        trace(Fragile())


@pytest.mark.parametrize("samples", [-1, 1.5, True, "two"])
def test_samples_are_a_number_of_numbers(samples):
    rule = Jsq()
    rule.samples = samples
    with pytest.raises(ModelError, match=f"policy Jsq: samples = {samples!r}"):
        Chosen(rule)


def test_a_class_is_not_yet_an_object():
    with pytest.raises(ModelError, match="an object with a method choose"):
        as_policy(Jsq)


# ---- a key ---------------------------------------------------------------------------------------------------


def relative_queue(q, mu):
    return q / mu


@pytest.mark.parametrize("query", [None, AskSample(2)], ids=["all", "two"])
def test_a_key_runs_in_every_engine_and_has_an_exact_law(query):
    policy = Policy("relative_queue", relative_queue, **({"query": query} if query else {}))
    system = System(rates.two_speed(4, ratio=2), load=0.8, places=2, policy=policy)
    law = exact.solve(system)
    assert able(system) == list(ENGINES)
    for engine in able(system):
        run = simulate(system, horizon=300, warmup=20, replications=6, engine=engine, rng=3, level=1 - 1e-6, workers=1)
        assert run.waiting_probability.low < law.waiting_probability < run.waiting_probability.high


@pytest.mark.parametrize("engine", list(ENGINES))
def test_a_key_of_nan_names_the_function_and_the_state_in_every_engine(engine):
    policy = Policy("mine", lambda q, mu: np.where(q == 1, np.nan, q))
    with pytest.raises(ModelError, match=r"<lambda> gave nan for queue length 1 and rate 1\.5"):
        simulate(SYSTEM.replaced(policy=policy), jobs=100, engine=engine, warmup=0, workers=1, replications=1)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"key": "q"}, r"policy\.key = 'q' must be a function"),
        ({"ties": "coin"}, r"policy\.ties = 'coin'"),
        ({"messages": "some"}, r"policy\.messages = 'some' must be one of 'poll'"),
    ],
)
def test_a_policy_that_is_none_is_refused(wrong, says):
    with pytest.raises(ModelError, match=says):
        Policy(**{"name": "mine", "key": relative_queue, **wrong})


def test_a_sight_can_be_made_up_to_try_a_rule_on():
    sight = Sight.of(rates.homogeneous(3), places=2, queue_lengths=[1, 0, 0], u=0.6)
    assert Jsq().choose(sight) == 2
