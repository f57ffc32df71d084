"""Limits go by what a policy does, not by what it is called."""

import itertools

import numpy as np
import pytest

from jfsq_simpy import rates
from jfsq_simpy.policies import POLICIES, AskSample, IdleFirst, Policy
from jfsq_simpy.policies.policy import route
from jfsq_simpy.policies.sight import Sight
from jfsq_simpy.system import System
from jfsq_simpy.theory.reference import curves, fluid, limits
from jfsq_simpy.theory.reference.orders import idle_order_of, rule_of

TWO, EQUAL = rates.classes([1, 2], [3.0, 1.0]), rates.homogeneous(3)
OWN = {
    "jfsq by one number": Policy("mine", lambda q, mu: 10 * q - mu),
    "jfsq by numbers only": Policy("mine", lambda q, mu: (q, -mu) if mu > 0 else (q, 0.0)),  # cannot take arrays
    "jfsq, full servers by their key": Policy("mine", lambda q, mu: (q, -mu), full_last=False),
    "jsq squared": Policy("mine", lambda q, mu: q * q),
    "jsq by index": Policy("jsq", lambda q, mu: q, ties="index"),
    "jsq by rate": Policy("jsq", lambda q, mu: q, ties="rate"),
    "slowest of the shortest": Policy("jfsq", lambda q, mu: (q, mu)),
    "longest": Policy("jsq", lambda q, mu: -q),
    "fastest": Policy("jfsq", lambda q, mu: -mu),
    "jiq": Policy("mine", lambda q, mu: np.minimum(q, 1), full_last=False),
    "jiq by index": Policy("mine", lambda q, mu: np.minimum(q, 1), ties="index"),
    "idle, else two": Policy("mine", lambda q, mu: q, IdleFirst(AskSample(2))),
    "two": Policy("jsq", lambda q, mu: q, AskSample(2)),
    **{name: POLICIES[name]() for name in ("jfsq", "jsq", "sed", "sed_all", "jiq", "jfiq", "jfiq_weighted", "jsq_d", "random")},
}


def chosen(policy, fleet, queue_lengths):
    """How often each (speed, level) gets the job, by the definition, over a fine grid of the uniform number."""
    grid = (np.arange(12) + 0.5) / 12
    draws = [np.arange(policy.samples) / 7] if policy.samples else [()]
    went = [
        route(policy, Sight.of(fleet, places=3, queue_lengths=queue_lengths, u=float(u), samples=s)) for u in grid for s in draws
    ]
    speed = fleet.vector()
    return sorted((float(speed[n]), queue_lengths[n]) for n in went)


def states(idle):
    """Every state with a free place, or with an idle server."""
    return [q for q in itertools.product(range(4), repeat=3) if min(q) < (1 if idle else 3)]


def truth(policy, fleet, like, *, idle):
    return all(chosen(policy, fleet, q) == chosen(like, fleet, q) for q in states(idle))


@pytest.mark.parametrize("fleet", [TWO, EQUAL], ids=["unequal", "equal"])
@pytest.mark.parametrize("name", OWN)
def test_a_rule_is_what_it_does_in_every_state(name, fleet):
    system = System(fleet, load=0.8, places=3, policy=OWN[name])
    jfsq, jsq = (truth(OWN[name], fleet, POLICIES[rule](), idle=False) for rule in ("jfsq", "jsq"))
    assert rule_of(system) in ({"jfsq"} if jfsq else set()) | ({"jsq"} if jsq else set()) | (set() if jfsq or jsq else {None})
    fastest, blind = (truth(OWN[name], fleet, POLICIES[rule](), idle=True) for rule in ("jfiq", "jiq"))
    allowed = ({"fastest first"} if fastest else set()) | ({"any"} if blind else set())
    assert idle_order_of(system) in (allowed or {None})


@pytest.mark.parametrize("name", ["jfsq by one number", "jfsq by numbers only", "jsq by index"])
@pytest.mark.parametrize("size", ["exponential", "deterministic"])
def test_the_same_rule_under_another_name_has_the_same_limits(name, size):
    fleet = rates.two_speed(100, ratio=3)
    known, mine = (System(fleet, alpha=0.75, places=5, policy=p, size=size) for p in ("jfsq", OWN[name]))
    assert list(limits.speaking(mine)) == list(limits.speaking(known))
    assert fluid.mean_response(mine) == fluid.mean_response(known)
    assert curves(known)
    if size == "deterministic":  # of exponential sizes the mean field speaks, which has none for index ties
        assert curves(mine) == curves(known)


@pytest.mark.parametrize("name", ["slowest of the shortest", "longest", "fastest", "two", "jsq by rate"])
def test_another_rule_under_a_known_name_has_none(name):
    system = System(rates.two_speed(100, ratio=3), alpha=0.75, places=5, policy=OWN[name], size="exponential")
    assert list(limits.speaking(system)) == []
    assert fluid.mean_response(system) is None


def test_a_million_speeds_need_no_table():
    fleet = rates.linear(1_000_000, ratio=4)
    assert rule_of(System(fleet, load=0.9, places=254)) == "jfsq"
    assert rule_of(System(fleet, load=0.9, places=254, policy="jsq")) == "jsq"
