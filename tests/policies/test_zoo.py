"""Every named policy: its rule on random states, its ties, the reference file, and what others have computed."""

import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from jfsq_simpy import System, exact, rates
from jfsq_simpy.policies import CARDS, POLICIES, Sight, as_policy
from jfsq_simpy.policies.policy import choose_among, route
from jfsq_simpy.policies.probabilities import cell_probabilities
from jfsq_simpy.policies.zoo import rule

FALSE_ALARM = 1e-6
REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "exact.json").read_text())["cases"]


def spec(name, **changes):
    return {"name": name, **CARDS[name].example, **changes}


def reference_policy(case):
    """The case's policy by its registered name."""
    if case["policy"] == "jfsq with lowest-index ties":
        return {"name": "jfsq", "ties": "index"}
    return {"name": case["policy"], **({"d": case["d"]} if "d" in case else {})}


# ---- the registry --------------------------------------------------------------------------------------------


def test_every_policy_has_a_card_that_says_something():
    assert list(POLICIES) == list(CARDS)
    for name, card in CARDS.items():
        assert as_policy(spec(name)).name == name
        assert len(rule(name)) > 20
        for fact in ("ties", "knows", "messages", "stability", "cost", "source", "exact"):
            assert getattr(card, fact), (name, fact)


# ---- the rule on random states -------------------------------------------------------------------------------

PLACES = 3
FLEET = rates.classes([2, 3], [2.0, 1.0])
LOOKS = [name for name in POLICIES if name != "central_queue"]  # it never chooses when a job comes
AVOIDS_FULL = {"jfsq", "jsq", "sed", "least_work"}  # looks at everybody, so a full server means that all are full
BLIND = {"jiq", "jfiq", "jfiq_weighted", "sed_all", "class_jiq", "jiq_df_ds", "round_robin", "weighted_round_robin"}
BLIND |= {"random", "weighted_random"}  # may choose a full server though another has a place

queues = st.lists(st.integers(0, PLACES), min_size=5, max_size=5)
uniform = st.floats(0, 1, exclude_max=True)


def sight_of(policy, state, u, samples, turn=0):
    free_at = np.cumsum(state) + 0.5  # some order of last departures
    return Sight.of(FLEET, PLACES, state, free_at=free_at, u=u, samples=samples[: policy.samples], turn=turn)


@pytest.mark.parametrize("name", LOOKS)
@settings(max_examples=60)
@given(queues, uniform, st.lists(uniform, min_size=8, max_size=8), st.integers(0, 4))
def test_a_job_goes_to_someone_asked_and_not_to_a_full_server_where_the_rule_forbids_it(name, state, u, samples, turn):
    policy = as_policy(spec(name))
    sight = sight_of(policy, state, u, samples, turn)
    n = route(policy, sight)
    there = policy.query.candidates(sight).tolist()
    assert n in there
    assert policy.full_last == (name not in BLIND)
    if policy.full_last and any(state[m] < PLACES for m in there):
        assert state[n] < PLACES
    if name in AVOIDS_FULL and state[n] == PLACES:
        assert set(state) == {PLACES}
    if name in ("jiq", "jfiq", "jfiq_weighted", "jiq_d", "jfsq", "jsq", "least_work") and 0 in state:
        assert state[n] == 0


def expected_shares(policy, state):
    """float array (N,): the chance of each server, from the routing probabilities of cells that are single servers."""
    ranks = policy.rank_table(FLEET, PLACES)[FLEET.class_of_server()]
    counts = np.zeros((1, 5, PLACES + 1), int)
    counts[0, np.arange(5), state] = 1
    return cell_probabilities(policy, ranks, FLEET.vector(), counts)[0].sum(axis=1)


KNOWN = [name for name in LOOKS if name not in ("least_work", "round_robin", "weighted_round_robin")]
JOBS = 6_000
STATES = ([0, 0, 0, 0, 0], [1, 0, 0, 2, 0], [2, 1, 1, 1, 3], [3, 3, 2, 2, 3])


@pytest.mark.parametrize("name", KNOWN)
def test_ties_fall_as_the_rule_says_by_chi_square(name):
    """The rule job by job against `cell_probabilities`, which never draws; summed over four states."""
    policy = as_policy(spec(name))
    rng, statistic, freedom = np.random.default_rng(len(name)), 0.0, 0
    table = policy.rank_table(FLEET, PLACES)
    for state in STATES:
        sight = sight_of(policy, state, 0.0, np.zeros(8))
        rank_of = table[FLEET.class_of_server(), state].__getitem__
        seen = np.zeros(5, int)
        for sight.u, sight.samples in zip(rng.random(JOBS), rng.random((JOBS, policy.samples)), strict=True):
            seen[choose_among(policy, rank_of, sight)] += 1
        shares = expected_shares(policy, state)
        assert not seen[shares == 0].any()
        if (shares > 0).sum() > 1:
            statistic += stats.chisquare(seen[shares > 0], JOBS * shares[shares > 0]).statistic
            freedom += (shares > 0).sum() - 1
    assert freedom > 0
    assert stats.chi2.sf(statistic, freedom) > FALSE_ALARM


def test_least_work_breaks_ties_uniformly_among_the_idle_and_among_equals():
    policy = as_policy("least_work")
    us = (np.arange(600) + 0.5) / 600
    for state, free_at, tied in (([0, 1, 0, 0, 2], [9, 1, 8, 7, 1], [0, 2, 3]), ([1, 1, 2, 3, 1], [5, 3, 3, 1, 3], [1, 2, 4])):
        seen = Counter(route(policy, Sight.of(FLEET, PLACES, state, free_at=free_at, u=u)) for u in us)
        assert seen == dict.fromkeys(tied, 200)


# ---- the reference file, by name -----------------------------------------------------------------------------


SMALL = [case for case in REFERENCE if len(case["rates"]) < 18]  # the others are JFSQ again: see tests/exact


@pytest.mark.parametrize("case", SMALL, ids=[case["id"] for case in SMALL])
def test_every_case_of_the_reference_is_met_by_name(case):
    speeds = rates.homogeneous(100) if isinstance(case["rates"], str) else np.array(case["rates"])
    law = exact.solve(System(speeds, load=case["load"], places=case["places"], policy=reference_policy(case)))
    numbers = {name: value for name, value in case["values"].items() if isinstance(value, float) and value > 1e-200}
    assert len(numbers) >= 8
    for name, value in numbers.items():
        assert getattr(law, name) == pytest.approx(value, rel=1e-9), name


# ---- against closed forms ------------------------------------------------------------------------------------


def mm1b(load, places):
    """The law of the number of jobs of M/M/1/b."""
    weights = load ** np.arange(places + 1)
    return weights / weights.sum()


@pytest.mark.parametrize("load", [0.3, 0.9, 1.7])
@pytest.mark.parametrize("places", [1, 2, 5])
def test_random_is_as_many_queues_of_their_own(load, places):
    """Product form: server n is M/M/1/b with arrival rate `load`."""
    mu = np.array([1.5, 1.0, 0.5])
    law = exact.solve(System(mu, load=load, places=places, policy="random"))
    alone = [mm1b(load / m, places) for m in mu]
    assert law.blocking_probability == pytest.approx(np.mean([p[-1] for p in alone]), rel=1e-11)
    assert law.waiting_probability == pytest.approx(np.mean([p[1:].sum() for p in alone]), rel=1e-11)
    assert law.mean_jobs == pytest.approx(sum(p @ np.arange(places + 1) for p in alone), rel=1e-11)
    wait = sum(load * (p[:-1] @ np.arange(places)) / m for p, m in zip(alone, mu, strict=True))
    assert law.mean_wait == pytest.approx(wait / (3 * load * (1 - law.blocking_probability)), rel=1e-10)


@pytest.mark.parametrize("load", [0.3, 0.9, 1.7])
def test_weighted_random_loads_all_servers_alike(load):
    """Product form: server n is M/M/1/b with arrival rate load x mu_n, so all have one law."""
    mu, places = np.array([1.5, 1.0, 0.5]), 4
    law = exact.solve(System(mu, load=load, places=places, policy="weighted_random"))
    p = mm1b(load, places)
    assert law.blocking_probability == pytest.approx(p[-1], rel=1e-11)
    assert law.mean_jobs == pytest.approx(3 * (p @ np.arange(places + 1)), rel=1e-11)
    assert law.mean_busy == pytest.approx(3 * p[1:].sum(), rel=1e-11)


@pytest.mark.parametrize(("inside", "classwise"), [("jsq", {"name": "class_jsq"}), ("jiq", {"name": "class_jiq"})])
@pytest.mark.parametrize("load", [0.5, 1.2])
def test_a_class_drawn_first_is_a_system_of_its_own(inside, classwise, load):
    """Poisson arrivals split by coin are Poisson: class k alone, at its own load, in its own unit of time."""
    fleet, p = rates.classes([2, 3], [2.0, 1.0]), [0.7, 0.3]
    law = exact.solve(System(fleet, load=load, places=2, policy={**classwise, "probabilities": p}))
    parts = []
    for share, n, mu in zip(p, fleet.counts.tolist(), fleet.speeds.tolist(), strict=True):
        parts.append(exact.solve(System(rates.homogeneous(n), load=share * 5 * load / (n * mu), places=2, policy=inside)))
    assert law.blocking_probability == pytest.approx(np.dot(p, [x.blocking_probability for x in parts]), rel=1e-10)
    assert law.waiting_probability == pytest.approx(np.dot(p, [x.waiting_probability for x in parts]), rel=1e-10)
    assert law.mean_jobs == pytest.approx(sum(x.mean_jobs for x in parts), rel=1e-10)


def test_class_jsq_with_a_sample_is_power_of_d_in_each_class():
    fleet, p = rates.classes([3, 3], [2.0, 1.0]), [0.6, 0.4]
    law = exact.solve(System(fleet, load=0.9, places=2, policy={"name": "class_jsq", "probabilities": p, "d": 2}))
    parts = [
        exact.solve(System(rates.homogeneous(3), load=share * 6 * 0.9 / (3 * mu), places=2, policy={"name": "jsq_d", "d": 2}))
        for share, mu in zip(p, fleet.speeds.tolist(), strict=True)
    ]
    assert law.waiting_probability == pytest.approx(np.dot(p, [x.waiting_probability for x in parts]), rel=1e-10)


SAME_LAW = [
    ({"name": "jsq_d", "d": 5}, "jsq"),
    ({"name": "jfsq_d", "d": 5}, "jfsq"),
    ({"name": "jsq_d", "d": 1}, "random"),
    ({"name": "jsq_d", "d": 1, "replace": True}, "random"),
    ({"name": "jiq_d", "d": 5}, "jsq"),
    ({"name": "jiq_d", "d": 1}, "jiq"),
    ({"name": "jsq_df_ds", "d": [2, 3]}, "jsq"),
    ({"name": "class_jsq", "probabilities": [1.0, 0.0]}, {"name": "jsq_df_ds", "d": [2, 0]}),
    # an idle fast server, else any fast one: slow ones are polled in vain
    ({"name": "jiq_df_ds", "d": [2, 3], "p_slow": 0.0, "p_fast": 1.0}, {"name": "class_jiq", "probabilities": [1.0, 0.0]}),
]


@pytest.mark.parametrize(("one", "other"), SAME_LAW, ids=str)
def test_policies_that_are_others_in_disguise(one, other):
    laws = [exact.solve(System(FLEET, load=0.9, places=2, policy=policy)) for policy in (one, other)]
    for metric in ("waiting_probability", "blocking_probability", "mean_jobs", "busy_capacity"):
        assert getattr(laws[0], metric) == pytest.approx(getattr(laws[1], metric), rel=1e-10, abs=1e-14), metric


# ---- against chains written out by hand ----------------------------------------------------------------------


def stationary(states, flows):
    """The law of a chain given as {(from, to): rate}, by least squares."""
    place = {s: i for i, s in enumerate(states)}
    q = np.zeros((len(states), len(states)))
    for (a, b), rate in flows.items():
        q[place[a], place[b]] += rate
        q[place[a], place[a]] -= rate
    system = np.vstack([q.T, np.ones(len(states))])
    return dict(zip(states, np.linalg.lstsq(system, np.append(np.zeros(len(states)), 1.0), rcond=None)[0], strict=True))


def two_servers(mu, arrival_rate, places, to_first):
    """A chain of two servers: `to_first(q)` is the chance that the first gets a job that finds queues q."""
    states = list(itertools.product(range(places + 1), repeat=2))
    flows = Counter()
    for q in states:
        for n, share in ((0, to_first(q)), (1, 1 - to_first(q))):
            after = tuple(x + (i == n) for i, x in enumerate(q))
            if q[n] < places and share:
                flows[q, after] += arrival_rate * share
            if q[n]:
                flows[q, tuple(x - (i == n) for i, x in enumerate(q))] += mu[n]
    p = stationary(states, flows)
    blocked = sum(p[q] * ((q[0] == places) * to_first(q) + (q[1] == places) * (1 - to_first(q))) for q in states)
    waits = sum(p[q] * ((q[0] > 0) * to_first(q) + (q[1] > 0) * (1 - to_first(q))) for q in states)
    return waits, blocked, sum(p[q] * sum(q) for q in states)


def polled_both(q, p_slow=0.6, p_fast=0.8):
    """JSQ- and JIQ-(1, 1) with one fast and one slow server, as Gardner et al. describe them."""
    if q[0] == 0:
        return 1.0
    return 1 - p_slow if q[1] == 0 else p_fast


def hybrid(q):
    """JIQ-1 of two servers: idle ones first, a fair coin where all are alike or busy."""
    return 0.5 if (q[0] == 0) == (q[1] == 0) else float(q[0] == 0)


def sed_by_hand(q):
    """SED over all: 3 (q_1 + 1) against (q_2 + 1), as rates are 3/2 and 1/2 and the faster wins ties."""
    return float((q[0] + 1) <= 3 * (q[1] + 1))


@pytest.mark.parametrize(
    ("policy", "to_first"),
    [
        ({"name": "jsq_df_ds", "d": [1, 1], "p_slow": 0.6, "p_fast": 0.8}, polled_both),
        ({"name": "jiq_df_ds", "d": [1, 1], "p_slow": 0.6, "p_fast": 0.8}, polled_both),
        ("jiq", hybrid),
        ({"name": "jiq_d", "d": 1}, hybrid),
        ("sed_all", sed_by_hand),
        ("random", lambda q: 0.5),
        ("weighted_random", lambda q: 0.75),
        ("jfiq", lambda q: float(q[0] == 0) if 0 in q else 0.5),
        ("jfiq_weighted", lambda q: float(q[0] == 0) if 0 in q else 0.75),
        ({"name": "class_jsq", "probabilities": [0.9, 0.1]}, lambda q: 0.9),
        ({"name": "jsq_d", "d": 2, "replace": True}, lambda q: 0.5 if q[0] == q[1] else 0.75 if q[0] < q[1] else 0.25),
        ({"name": "jfsq_d", "d": 2, "replace": True}, lambda q: 0.75 if q[0] <= q[1] else 0.25),
    ],
    ids=lambda x: getattr(x, "__name__", str(x)),
)
@pytest.mark.parametrize("places", [1, 2, 3])
def test_two_servers_by_hand(policy, to_first, places):
    mu, load = np.array([1.5, 0.5]), 0.8
    waits, blocked, jobs = two_servers(mu, 2 * load, places, to_first)
    law = exact.solve(System(mu, load=load, places=places, policy=policy))
    assert law.waiting_probability == pytest.approx(waits, rel=1e-9)
    assert law.blocking_probability == pytest.approx(blocked, rel=1e-9)
    assert law.mean_jobs == pytest.approx(jobs, rel=1e-9)
