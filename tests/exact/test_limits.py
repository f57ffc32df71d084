"""What is refused, with what words, and without touching memory."""

import tracemalloc

import numpy as np
import pytest

from jfsq_simpy import System, exact, rates
from jfsq_simpy.errors import ModelError, TooLargeError
from tests.exact.cases import POLICIES

INDEX = {"name": "jfsq", "ties": "index"}

TOO_LARGE = {
    "a billion equal servers": (rates.homogeneous(10**9), 5, "jfsq", "about 10^43 states"),
    "a billion with two places": (rates.homogeneous(10**9), 2, "jfsq", "500,000,001,500,000,001 states"),
    "a million speeds": (rates.linear(10**6, 4), 2, "jfsq", "more than 10^301"),
    "forty speeds": (rates.linear(40, 4), 2, "jfsq", "about 10^19 states"),
    "just above": (rates.linear(13, 4), 2, "jfsq", "1,594,323 states"),
    "index ties": (rates.homogeneous(10**6), 3, INDEX, "about 10^17 states"),
    "every server followed": (rates.homogeneous(200), 2, {"name": "random", "ties": "index"}, "about 10^95 states"),
    "many kinds": (rates.classes([10**8] * 300, list(range(1, 301))), 200, "jfsq", "states"),
}


@pytest.mark.parametrize(("fleet", "places", "policy", "words"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_too_large_is_said_before_memory_is_touched(fleet, places, policy, words):
    system = System(fleet, load=0.9, places=places, policy=policy)
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError) as refusal:
            exact.solve(system)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(refusal.value)
    assert words in message
    assert "fit" in message or "solved" in message
    assert "simulate" in message
    assert "\n" not in message
    assert peak < 20e6


def test_what_is_said_to_fit_does_fit():
    """The message's own numbers: with places = 2, so many servers of distinct speeds and of two speeds."""
    from jfsq_simpy.exact import solving, states

    with pytest.raises(TooLargeError, match="12 servers of distinct speeds, 86 of two speeds"):
        exact.solve(System(rates.linear(40, 4), load=0.9, places=2))
    assert solving._fits(states.units_of(rates.linear(12, 4)), 2)
    assert not solving._fits(states.units_of(rates.linear(13, 4)), 2)
    assert solving._fits(states.units_of(rates.two_speed(86, 4)), 2)


@pytest.mark.parametrize("law", [{"size": "deterministic"}, {"arrivals": "deterministic"}])
def test_other_laws_are_sent_to_simulation(law):
    with pytest.raises(ModelError, match="simulat"):
        exact.solve(System(rates.homogeneous(2), load=0.9, places=2, **law))


def test_forms_and_methods_that_do_not_fit_the_system_are_refused():
    two = System(rates.two_speed(4, 3), load=0.9, places=2)
    for wrong in ({"form": "rows"}, {"method": "magic"}, {"method": "excursions"}, {"method": "birth_death"}):
        with pytest.raises(ModelError):
            exact.solve(two, **wrong)
    with pytest.raises(ModelError, match="which server is which"):
        exact.solve(System(rates.homogeneous(3), load=0.9, places=2, policy={"name": "random", "ties": "index"}), form="classes")


# ---- ties by index: what counts cannot tell ------------------------------------------------------------------


def test_index_ties_send_jobs_to_the_first_servers():
    """Six equal servers, two places, load 0.9: idle among the first five is 0.705 by index, 0.840 uniformly."""
    fleet = rates.homogeneous(6)
    index = exact.solve(System(fleet, load=0.9, places=2, policy=INDEX))
    uniform = exact.solve(System(fleet, load=0.9, places=2), form="servers")
    idle = [law.expect(lambda counts: counts[:, :5, 0].sum(axis=1)) for law in (index, uniform)]
    np.testing.assert_allclose(idle, [0.70514232, 0.84002158], atol=6e-9)
    assert index.waiting_probability == pytest.approx(uniform.waiting_probability, rel=1e-12)
    assert (np.diff(index.utilisation_by_server()) < 0).all()
    np.testing.assert_allclose(uniform.utilisation_by_server(), uniform.utilisation_by_server()[0], rtol=1e-12)


def test_index_ties_keep_their_cuts_when_servers_are_too_many_to_follow():
    system = System(rates.homogeneous(9), load=0.9, places=2, policy=INDEX)
    groups, servers = exact.solve(system, form="groups"), exact.solve(system, form="servers")
    assert groups.n_states < servers.n_states
    for metric, value in servers.metrics().items():
        assert groups[metric] == pytest.approx(value, rel=1e-11), metric
    assert exact.solve(system).units.n_units == 9
    with pytest.raises(ModelError, match="does not follow each one"):
        groups.utilisation_by_server()


def test_what_index_ties_hide_is_refused_by_name():
    law = exact.solve(System(rates.homogeneous(100), load=0.9, places=2, policy=INDEX))
    assert law.refused.keys() == {"idle_among_n1", "idle_among_n2"}
    assert law.refused.keys() & law.metrics().keys() == set()
    with pytest.raises(ModelError, match=r"idle_among_n2: the first 90 servers cut a speed class"):
        _ = law.idle_among_n2
    same = exact.solve(System(rates.homogeneous(100), load=0.9, places=2))
    assert law.waiting_probability == same.waiting_probability
    assert same.refused == {}


def test_index_ties_between_levels_make_every_server_count():
    """With key 0 for all and ties by index, server 0 gets every job: an M/M/1/b of rate 1 among N."""
    law = exact.solve(System(rates.homogeneous(4), load=0.2, places=3, policy={"name": "random", "ties": "index"}))
    assert law.n_states == 4
    p = 0.8 ** np.arange(4)
    np.testing.assert_allclose(law.jobs_distribution[:4], p / p.sum(), rtol=1e-12)
    assert not law.jobs_distribution[4:].any()


def test_uniform_ties_share_a_class_that_n2_cuts():
    system = System(rates.two_speed(10, 3), load=0.5, places=2, policy=POLICIES["jfsq"])
    assert 0 < system.n2.floor < 5
    lumped, full = exact.solve(system), exact.solve(system, form="servers")
    direct = full.expect(lambda counts: counts[:, : system.n2.floor, 0].sum(axis=1))
    assert lumped.idle_among_n2 == pytest.approx(float(direct), rel=1e-12)
