"""Every metric from counts anyone can check: one server in closed form, cut classes by enumeration, tails by sampling."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jfsq_simpy import System, metrics, rates
from jfsq_simpy.metrics import METRICS, Averages, averages
from jfsq_simpy.policies import AskSample, Policy
from jfsq_simpy.policies.policy import shortest
from jfsq_simpy.tally import TICKS, Tally, groups_of
from tests.textbook import solve

FALSE_ALARM = 1e-6


def law_of(system, joins, blocked, levels, **direct) -> Averages:
    return Averages(system, groups_of(system), np.array(joins, dtype=float), blocked, np.array(levels, dtype=float), **direct)


def mm1b(load=0.8, places=3) -> tuple[Averages, np.ndarray]:
    """M/M/1/b, whose law is geometric, seen by jobs as by time."""
    law = load ** np.arange(places + 1) / (load ** np.arange(places + 1)).sum()
    return law_of(System([1.0], load=load, places=places), [law[:-1]], law[-1], [law]), law


def textbook(mu, load, places) -> tuple[Averages, object]:
    """A small JFSQ system solved by tests/textbook.py, as Averages."""
    solved = solve(mu, load, places)
    system = System(mu, load=load, places=places)
    groups = groups_of(system)
    of = groups.of_server()
    joins, levels = np.zeros((groups.n_groups, places)), np.zeros((groups.n_groups, places + 1))
    for (n, level), p in solved.joins.items():
        joins[of[n], level] += p
    for q, p in zip(solved.states, solved.law, strict=True):
        for n, level in enumerate(q):
            levels[of[n], level] += p
    return Averages(system, groups, joins, solved.blocking_probability, levels), solved


# ---- numbers -------------------------------------------------------------------------------------------------


def test_one_server_in_closed_form():
    a, law = mm1b()
    l1, l2, l3 = law[1:]
    expected = {
        "waiting_probability": l1 + l2 + l3,
        "blocking_probability": l3,
        "buffered_probability": l1 + l2,
        "mean_wait": (l1 + 2 * l2) / (1 - l3),
        "mean_response": (law[0] + 2 * l1 + 3 * l2) / (1 - l3),
        "mean_jobs": l1 + 2 * l2 + 3 * l3,
        "mean_queue": l1 + 2 * l2 + 3 * l3,
        "mean_waiting_jobs": l2 + 2 * l3,
        "mean_busy": 1 - law[0],
        "busy_capacity": 1 - law[0],
        "idle_among_n1": 0.0,
        "idle_among_n2": 0.0,
        "messages_per_job": 2.0,
    }
    assert set(expected) == set(METRICS)
    assert {name: formula(a) for name, formula in METRICS.items()} == pytest.approx(expected, abs=1e-15)


def test_a_small_system_against_the_textbook():
    a, solved = textbook([1.6, 1.0, 0.4], 0.85, 3)
    assert metrics.waiting_probability(a) == pytest.approx(solved.waiting_probability, rel=1e-12)
    assert metrics.mean_wait(a) == pytest.approx(solved.mean_wait, rel=1e-12)
    assert metrics.mean_jobs(a) == pytest.approx(solved.mean_jobs, rel=1e-12)
    # Little's law, which no formula above assumes
    taken = solved.arrival_rate * (1 - solved.blocking_probability)
    assert metrics.mean_jobs(a) == pytest.approx(taken * metrics.mean_response(a), rel=1e-9)
    assert metrics.mean_waiting_jobs(a) == pytest.approx(taken * metrics.mean_wait(a), rel=1e-9)
    assert metrics.busy_capacity(a) == pytest.approx(taken, rel=1e-9)
    t = np.array([0.0, 0.3, 2.0])
    assert metrics.wait_ccdf(a, t) == pytest.approx([solved.wait_ccdf(x) for x in t], rel=1e-12)


def test_a_probability_is_summed_from_its_parts():
    """p_W = 1e-26 comes out as such, not as 1 minus something."""
    a = law_of(System([1.0], load=0.1, places=3), [[1.0, 1e-26, 3e-30]], 1e-40, [[0.9, 0.1, 0, 0]])
    assert metrics.waiting_probability(a) == pytest.approx(1e-26 + 3e-30, rel=1e-15)
    assert metrics.wait_ccdf(a, np.array([0.0]))[0] == pytest.approx(1e-26 + 3e-30, rel=1e-15)


def test_waits_measured_job_by_job_come_first():
    a, _ = mm1b()
    direct = law_of(a.system, a.joins, a.blocked, a.levels, direct_wait=7.0, direct_response=8.0)
    assert (metrics.mean_wait(direct), metrics.mean_response(direct)) == (7.0, 8.0)


def test_averages_from_counts():
    system = System([1.5, 0.5], load=0.8, places=2)
    tally = Tally.empty(groups_of(system), 2, per_job=True)
    tally.joins[:] = [[6, 2], [1, 0]]
    tally.blocked, tally.unfinished = 1, 2
    tally.levels[:] = [[1, 2, 1], [3, 1, 0]]
    tally.snapshots = 4
    tally.wait_ticks, tally.response_ticks = int(3.5 * TICKS), int(14 * TICKS)
    a = averages(system, groups_of(system), tally)
    assert a.joins.tolist() == [[0.6, 0.2], [0.1, 0.0]]
    assert a.blocked == 0.1
    assert a.levels.tolist() == [[0.25, 0.5, 0.25], [0.75, 0.25, 0.0]]
    assert (a.direct_wait, a.direct_response) == (0.5, 2.0)  # of the 7 accepted jobs that left
    assert metrics.mean_busy(a) == 1.0
    assert metrics.busy_capacity(a) == 0.75 * 1.5 + 0.25 * 0.5


def test_nothing_counted_is_nan_not_zero():
    system = System([1.0], load=0.8, places=2)
    for per_job in (True, False):
        a = averages(system, groups_of(system), Tally.empty(groups_of(system), 2, per_job=per_job))
        with np.errstate(invalid="ignore"):
            found = {name: formula(a) for name, formula in METRICS.items() if name != "messages_per_job"}
        assert all(math.isnan(x) for name, x in found.items() if not name.startswith("idle")), found


# ---- idle servers before a cut -------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), min_size=1, max_size=3), st.data())
def test_a_class_cut_by_m_counts_in_proportion(classes, data):
    """Which servers of a class are idle is exchangeable: the mean over all ways to place them."""
    counts = [n for n, _ in classes]
    idle = [min(i, n) for n, i in classes]
    fleet = rates.classes(counts, [5.0, 2.0, 1.0][: len(counts)])
    m = data.draw(st.integers(0, fleet.n_servers))
    system = System(fleet, load=0.7, places=1)
    groups = groups_of(system)
    first = [0, *itertools.accumulate(counts)]
    ways = list(itertools.product(*(itertools.combinations(range(first[k], first[k + 1]), idle[k]) for k in range(len(counts)))))
    by_enumeration = np.mean([sum(n < m for part in way for n in part) for way in ways])
    # the engines may put the idle servers of a class into its groups as they like
    levels, left = np.zeros((groups.n_groups, 2)), list(idle)
    for g in data.draw(st.permutations(range(groups.n_groups))):
        k = groups.speed_class[g]
        here = min(left[k], int(groups.sizes[g]))
        left[k] -= here
        levels[g] = [here, groups.sizes[g] - here]
    a = Averages(system, groups, np.zeros((groups.n_groups, 1)), 0.0, levels)
    assert metrics.idle_among(a, m) == pytest.approx(by_enumeration)


def test_with_index_ties_idle_servers_are_counted_where_they_are():
    system = System(rates.homogeneous(4), load=0.5, places=1, policy={"name": "jfsq", "ties": "index"})
    groups = groups_of(system)  # N1 = 3, N2 = 2
    assert groups.edges.tolist() == [0, 2, 3, 4]
    a = Averages(system, groups, np.zeros((3, 1)), 0.0, np.array([[0.25, 1.75], [0.5, 0.5], [0.75, 0.25]]))
    assert metrics.idle_among_n2(a) == 0.25
    assert metrics.idle_among_n1(a) == 0.75
    uniform = Averages(system.replaced(policy="jfsq"), groups, a.joins, 0.0, a.levels)
    assert metrics.idle_among_n2(uniform) == 0.75  # 1.5 idle servers among 4, so half as many among 2


# ---- messages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "messages"),
    [
        ("jfsq", 2 * 4),
        (Policy("jsq_d", shortest, AskSample(3)), 2 * 3),
        ("random", 0.0),
        (Policy("jiq", lambda q, mu: q > 0, messages="reports"), 0.4),
    ],
)
def test_messages_a_job_costs(policy, messages):
    system = System(rates.homogeneous(4), load=0.5, places=2, policy=policy)
    n = groups_of(system).n_groups
    joins = np.full((n, 2), 0.3 / n)
    joins[:, 0] = 0.4 / n
    assert metrics.messages_per_job(Averages(system, groups_of(system), joins, 0.3, np.zeros((n, 3)))) == pytest.approx(messages)


# ---- distributions -------------------------------------------------------------------------------------------


def test_tails_of_wait_and_response_against_sampling():
    """Draw (server, level) as joined, then as many exponential services as the level says."""
    a, _ = textbook([1.6, 1.0, 0.4], 0.9, 3)
    rng, n = np.random.default_rng(1), 200_000
    cells = [(g, level) for g in range(a.groups.n_groups) for level in range(3)]
    p = a.joins.ravel() / a.accepted
    drawn = rng.choice(len(cells), n, p=p)
    g, level = np.array(cells)[drawn].T
    services = rng.standard_exponential((n, 3)) * (np.arange(3) < level[:, None]) / a.groups.speeds[g][:, None]
    waits = services.sum(axis=1)
    responses = waits + rng.standard_exponential(n) / a.groups.speeds[g]
    for t in (0.0, 0.2, 1.0, 3.0, 8.0):
        for sample, tail in ((waits, metrics.wait_ccdf), (responses, metrics.response_ccdf)):
            exact = float(tail(a, np.array([t]))[0])
            seen = int((sample > t).sum())
            assert exact == pytest.approx(1) if seen == n else stats.binomtest(seen, n, exact).pvalue > FALSE_ALARM / 10
    assert waits.mean() == pytest.approx(metrics.mean_wait(a), rel=0.02)


def test_tails_of_negative_and_infinite_times():
    a, _ = mm1b()
    for tail in (metrics.wait_ccdf, metrics.response_ccdf):
        assert tail(a, np.array([-1.0, np.inf])).tolist() == [1.0, 0.0]


def test_tails_integrate_to_the_means():
    a, _ = textbook([1.5, 0.5], 0.9, 4)
    t = np.linspace(0, 200, 400_001)
    assert np.trapezoid(metrics.wait_ccdf(a, t), t) == pytest.approx(metrics.mean_wait(a), rel=1e-6)
    assert np.trapezoid(metrics.response_ccdf(a, t), t) == pytest.approx(metrics.mean_response(a), rel=1e-6)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 0.9, 0.999, 1 - 1e-9])
def test_a_quantile_inverts_its_tail(p):
    a, _ = mm1b(load=0.8, places=5)

    def tail(t):
        return metrics.wait_ccdf(a, t)

    q = metrics.quantile(tail, p)
    at_zero = float(tail(np.array([0.0]))[0])
    if p <= 1 - at_zero:
        assert q == 0.0
    else:
        assert float(tail(np.array([q]))[0]) == pytest.approx(1 - p, rel=1e-6)


def test_the_quantile_of_an_exponential():
    assert metrics.quantile(lambda t: np.exp(-t), 0.99) == pytest.approx(-math.log(0.01), rel=1e-10)


def test_the_quantile_of_nothing_is_nan():
    assert math.isnan(metrics.quantile(lambda t: np.full(np.shape(t), np.nan), 0.5))


def test_distributions_by_hand():
    system = System(rates.classes([2, 1], [1.2, 0.6]), load=0.7, places=2)
    groups = groups_of(system)
    n = groups.n_groups
    fast = groups.speed_class == 0
    share = groups.sizes / np.where(fast, 2, 1)
    joins = np.where(fast[:, None], [0.5, 0.2], [0.1, 0.1]) * share[:, None]
    levels = np.where(fast[:, None], [0.8, 0.8, 0.4], [0.5, 0.25, 0.25]) * share[:, None]
    a = Averages(system, groups, joins, 0.1, levels)
    assert n >= 2
    assert metrics.found_level_distribution(a) == pytest.approx([0.6, 0.3, 0.1])
    assert metrics.queue_length_distribution(a) == pytest.approx([1.3 / 3, 1.05 / 3, 0.65 / 3])
    assert metrics.utilisation_by_class(a) == pytest.approx([0.6, 0.5])
    assert metrics.class_speeds(groups) == pytest.approx([1.2, 0.6])
