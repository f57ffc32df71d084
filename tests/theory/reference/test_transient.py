"""The mean field in time: against matrix exponentials, against fleets large enough to follow it, and what it refuses."""

import numpy as np
import pytest
import scipy
from scipy import stats

from jfsq_simpy import System, rates
from jfsq_simpy.chain import jump
from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import ModelError
from jfsq_simpy.tally import Observables, Window
from jfsq_simpy.theory import mean_field, transient
from jfsq_simpy.theory.reference.mean_field import Field
from jfsq_simpy.theory.reference.transient import flow_of, poured

FALSE_ALARM = 1e-6
TIMES = np.array([0.0, 0.25, 1.0, 3.0, 8.0])


def by_exponential(arrivals, mu, places, times):
    """The law of an M/M/1/b queue that begins empty, float array (n_times, b + 1)."""
    q = np.zeros((places + 1, places + 1))
    for k in range(places):
        q[k, k + 1], q[k + 1, k] = arrivals, mu
    q -= np.diag(q.sum(axis=1))
    return np.stack([scipy.linalg.expm(t * q)[0] for t in times])


@pytest.mark.parametrize(("policy", "weights"), [("random", (1.0, 1.0)), ("weighted_random", (1.5, 0.5))])
@pytest.mark.parametrize("load", [0.6, 1.4])
def test_servers_drawn_at_random_are_queues_of_their_own_at_every_time(policy, weights, load):
    found = transient(System(rates.two_speed(4, ratio=3), load=load, places=4, policy=policy), TIMES)
    for c, mu in enumerate((1.5, 0.5)):
        assert found.law[:, c] == pytest.approx(by_exponential(load * weights[c], mu, 4, TIMES), abs=2e-5)


def test_one_rule_of_one_server_asked_has_no_search_and_is_exact():
    """A sample of one is a server at random, too, and its flow is smooth."""
    system = System(rates.homogeneous(4), load=0.9, places=5, policy={"name": "jsq_d", "d": 1})
    assert transient(system, TIMES).law[:, 0] == pytest.approx(by_exponential(0.9, 1.0, 5, TIMES), abs=1e-7)


MANY = 400_000
PATHS = {
    "jsq_d": ({"name": "jsq_d", "d": 2}, rates.homogeneous(MANY), 0.9),
    "jfsq_d": ({"name": "jfsq_d", "d": 2, "replace": True}, rates.two_speed(MANY, ratio=3), 0.8),
    "jfsq": ("jfsq", rates.two_speed(MANY, ratio=3), 0.9),
    "jsq": ("jsq", rates.two_speed(MANY, ratio=3), 1.2),
    "jiq": ("jiq", rates.two_speed(MANY, ratio=3), 1.2),
}


@pytest.mark.skipif(jump.numba is None, reason="Numba is not installed")
@pytest.mark.parametrize("name", PATHS)
def test_a_large_fleet_that_begins_empty_follows_it(name):
    """Jobs present in a fleet of 400,000 servers over 4 time units: off by no more than chance allows, and 2 jobs."""
    policy, fleet, load = PATHS[name]
    system = System(fleet, load=load, places=4, policy=policy)
    outcome = jump.run(system, Seed.of(5), 0, Window(0.0, 4.0), observe=Observables(path=True), form="classes")
    path = np.array(outcome.tallies[0].path) / MANY  # at times 0, 1/8, 2/8, ..
    times = np.arange(path.size) / 8
    found = transient(system, times).mean_queue
    # arrivals and departures until t are Poisson at most: the spread of their difference bounds that of the path
    spread = np.sqrt(times * (load + 1) / MANY)
    allowed = stats.norm.isf(FALSE_ALARM / 2 / times.size) * spread + 2 / MANY
    assert np.all(np.abs(path - found) <= allowed)
    assert np.all(allowed[8:] < 0.04 * found[8:])


def test_it_begins_where_it_is_told_and_stays_where_it_rests():
    system = System(rates.two_speed(4, ratio=3), load=0.8, places=3, policy={"name": "jsq_df_ds", "d": [2, 1]})
    rest = mean_field(system)
    found = transient(system, [0.0, 50.0], rest.law)
    assert found.law[0] == pytest.approx(rest.law, abs=1e-12)
    assert found.law[1] == pytest.approx(rest.law, abs=1e-8)
    assert found.mean_queue == pytest.approx([rest.mean_queue] * 2, abs=1e-7)
    empty = transient(system, [0.0])
    assert empty.waiting_probability[0] == empty.mean_queue[0] == empty.blocking_probability[0] == 0


def test_jobs_poured_over_ranks_go_to_the_best_that_is_there():
    """Two classes, JFSQ's ranks: while fast servers are idle they get all; when none is, what falls to them, then the slow."""
    field = Field.of(System(rates.two_speed(4, ratio=3), load=0.9, places=2, policy="jfsq"))
    sent, left = poured(field.fluid(), np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]]), 0.9)
    assert sent[0, 0] == pytest.approx(0.9)
    assert left == pytest.approx(0.0, abs=1e-12)
    sent, _ = poured(field.fluid(), np.array([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]]), 0.9)
    assert sent[:, 0] == pytest.approx([0.75, 0.15])  # half of the servers, at rate 3/2, fall to "fast and idle"
    assert flow_of(field)(np.array([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])).sum() == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("times", "start", "says"),
    [
        ([1.0, 0.5], "empty", "ascending"),
        ([-1.0], "empty", "ascending"),
        ([np.nan], "empty", "ascending"),
        ([], "empty", "ascending"),
        ([1.0], "busy", "start = 'busy'"),
        ([1.0], np.ones((2, 4)), "sum 1"),
        ([1.0], np.ones((1, 4)) / 4, "2 speed classes"),
    ],
)
def test_times_and_starts_that_make_no_sense_are_refused(times, start, says):
    system = System(rates.two_speed(4, ratio=3), load=0.8, places=3, policy={"name": "jsq_d", "d": 2})
    with pytest.raises(ModelError, match=says) as caught:
        transient(system, times, start)
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="no mean field here"):
        transient(system.replaced(policy="round_robin"), [1.0])
