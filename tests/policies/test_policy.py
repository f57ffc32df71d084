"""The rule itself: whom a policy asks, how ties fall, what JFSQ and JSQ mean, and what a name may say."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jfsq_simpy import rates
from jfsq_simpy.errors import ModelError
from jfsq_simpy.policies import CARDS, POLICIES, AskAll, AskSample, Policy, Sight, as_policy
from jfsq_simpy.policies.policy import choose_among, route, shortest, shortest_then_fastest
from jfsq_simpy.policies.queries import drawn

FALSE_ALARM = 1e-6


def routed(policy, fleet, queues, places, u, samples=()):
    """Where a job goes when server n holds queues[n] jobs."""
    return route(policy, Sight.of(fleet, places, queues, u=u, samples=samples))


states = st.integers(1, 6).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=n, max_size=n), st.lists(st.integers(0, 3), min_size=n, max_size=n)
    )
)
uniform = st.floats(0, 1, exclude_max=True)


@given(states, uniform)
def test_jfsq_joins_a_fastest_among_the_shortest(state, u):
    speeds, queues = state
    fleet = rates.from_speeds(speeds)
    mu = fleet.vector()
    n = routed(as_policy("jfsq"), fleet, queues, 3, u)
    shortest_queue = min(queues)
    assert queues[n] == shortest_queue
    if shortest_queue < 3:  # else all are full, and it is blocked wherever it goes
        tied = [i for i, q in enumerate(queues) if q == shortest_queue]
        best = [i for i in tied if mu[i] == max(mu[j] for j in tied)]
        assert n == best[int(u * len(best))]


@given(states, uniform)
def test_jsq_joins_any_of_the_shortest_alike(state, u):
    speeds, queues = state
    tied = [i for i, q in enumerate(queues) if q == min(queues)]
    assert routed(as_policy("jsq"), rates.from_speeds(speeds), queues, 3, u) == tied[int(u * len(tied))]


@given(states, uniform)
def test_random_looks_at_nothing(state, u):
    speeds, queues = state
    assert routed(as_policy("random"), rates.from_speeds(speeds), queues, 3, u) == int(u * len(queues))


@given(states, uniform)
def test_index_ties_take_the_lowest_index(state, u):
    speeds, queues = state
    lowest = as_policy({"name": "jsq", "ties": "index"})
    assert routed(lowest, rates.from_speeds(speeds), queues, 3, u) == queues.index(min(queues))


@given(states, uniform, st.data())
def test_a_full_server_is_taken_only_when_all_asked_are_full(state, u, data):
    speeds, queues = state
    d = data.draw(st.integers(1, len(queues)))
    samples = data.draw(st.lists(uniform, min_size=d, max_size=d))
    contrary = Policy("contrary", lambda q, mu: (-q, mu), AskSample(d, replace=data.draw(st.booleans())))
    n = routed(contrary, rates.from_speeds(speeds), queues, 3, u, samples)
    there = drawn(np.array(samples), 0, len(queues), contrary.query.replace).tolist()
    open_queues = [queues[i] for i in there if queues[i] < 3]
    assert n in there
    assert queues[n] == (max(open_queues) if open_queues else 3)


@given(states, uniform, st.data())
def test_sampling_all_without_replacement_is_asking_all(state, u, data):
    speeds, queues = state
    n = len(queues)
    samples = data.draw(st.lists(uniform, min_size=n, max_size=n))
    fleet = rates.from_speeds(speeds)
    everyone = Policy("jsq_d", shortest, AskSample(n))
    assert routed(everyone, fleet, queues, 3, u, samples) == routed(as_policy("jsq"), fleet, queues, 3, u)


def test_two_of_two_with_replacement_finds_the_shorter_queue_three_times_in_four():
    rng = np.random.default_rng(1)
    policy, fleet = Policy("jsq_d", shortest, AskSample(2, replace=True)), rates.homogeneous(2)
    n = 5_000
    joined = Counter(routed(policy, fleet, [1, 0], 3, rng.random(), rng.random(2)) for _ in range(n))
    assert stats.binomtest(joined[1], n, 3 / 4).pvalue > FALSE_ALARM
    assert stats.binomtest(joined[1], n, 1.0).pvalue < FALSE_ALARM  # without replacement it would always be found


@pytest.mark.parametrize(("name", "tied"), [("jfsq", [2, 3]), ("jsq", [2, 3, 4])])
def test_ties_are_uniform_by_chi_square(name, tied):
    fleet = rates.as_rates([1.6, 1.6, 0.8, 0.8, 0.2])
    policy = as_policy(name)
    ranks = policy.rank_table(fleet, 3)[fleet.class_of_server(), [1, 1, 0, 0, 0]]
    sight = Sight.of(fleet, 3, [1, 1, 0, 0, 0])
    seen: Counter[int] = Counter()
    for sight.u in np.random.default_rng(2).random(20_000):
        seen[choose_among(policy, ranks.__getitem__, sight)] += 1
    assert sorted(seen) == tied
    assert stats.chisquare(list(seen.values())).pvalue > FALSE_ALARM


# ---- names ---------------------------------------------------------------------------------------------------


def test_orders_that_need_no_table_are_known_by_their_key():
    assert as_policy("jfsq").level_then_speed
    assert not as_policy("jfsq").level_only
    assert as_policy("jsq").level_only
    assert not Policy("sampled", shortest_then_fastest, AskSample(2)).level_then_speed
    assert not Policy("stubborn", shortest, full_last=False).level_only


def test_every_name_makes_a_policy_of_that_name():
    for name, make in POLICIES.items():
        needed = CARDS[name].example
        assert as_policy({"name": name, **needed}).name == make(**needed).name == name


def test_a_policy_passes_through():
    mine = Policy("mine", shortest)
    assert as_policy(mine) is mine
    assert mine.describe()["name"] == "mine"
    assert isinstance(mine.query, AskAll)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("fastest", "no policy 'fastest'; known: jfsq, jsq"),
        ({"name": "jfsq", "dd": 3}, "'jfsq'.*dd"),
        ({"name": "jfsq", "ties": "coin"}, "policy.ties = 'coin'"),
        ({"d": 2}, "must be a name, a table"),
        (3, "must be a name, a table"),
        ({"name": ["jfsq"]}, "no policy"),
        (None, "must be a name, a table"),
    ],
)
def test_bad_policies_are_one_clear_line(spec, says):
    with pytest.raises(ModelError, match=says):
        as_policy(spec)


@pytest.mark.parametrize("d", [0, -1, 1.5, True, "two"])
def test_a_sample_is_a_whole_number_of_servers(d):
    with pytest.raises(ModelError, match=r"policy\.d"):
        AskSample(d)
