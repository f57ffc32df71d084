"""Random small systems for agreement tests: every policy the chain view holds, ties, overload, observables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jfsq_simpy import System, rates
from jfsq_simpy.chain.plan import FORMS, plan_of
from jfsq_simpy.errors import ModelError, PlanError
from jfsq_simpy.policies import AskSample, Policy, as_policy
from jfsq_simpy.policies.policy import nothing, shortest, shortest_then_fastest
from jfsq_simpy.tally import NOTHING, Observables, Window


def expected_delay(q, mu):
    return (q + 1) / mu, -mu


def idle_first(q, mu):
    return np.minimum(q, 1)


def by_pairs(q, mu):
    return q // 2


POLICIES = (
    as_policy("jfsq"),
    as_policy({"name": "jfsq", "ties": "index"}),
    as_policy("jsq"),
    as_policy({"name": "jsq", "ties": "index"}),
    as_policy({"name": "jsq", "ties": "rate"}),
    as_policy("random"),
    Policy("weighted", nothing, ties="rate", full_last=False),
    Policy("sed", expected_delay),
    Policy("sed_all", expected_delay, full_last=False),
    Policy("by pairs", by_pairs, ties="rate"),
    Policy("jiq", idle_first, full_last=False),
    Policy("pair", shortest, AskSample(2)),
    Policy("fastest of 3", shortest_then_fastest, AskSample(3, replace=True), ties="rate"),
    Policy("first of 2", shortest, AskSample(2), ties="index"),
)


@dataclass(frozen=True)
class Case:
    system: System
    form: str
    window: Window
    observe: Observables
    start: str


def random_case(seed: int, events: int = 240) -> Case | None:
    """A system of 1 to 40 servers with 1 to 6 places, and what to measure of it; None where the form cannot run it."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 41))
    profile = rng.integers(4)
    if profile == 0:
        fleet = rates.homogeneous(n)
    elif profile == 1:
        fleet = rates.linear(n, 3)
    elif profile == 2:
        fleet = rates.two_speed(n, 2.5, float(rng.uniform(0.1, 0.9)))
    else:
        fleet = rates.from_speeds(rng.integers(1, 5, n))
    load = float(rng.choice([0.4, 0.8, 0.95, 1.4]))
    try:
        policy = POLICIES[seed % len(POLICIES)]
        system = System(fleet, load=load, places=int(rng.integers(1, 7)), policy=policy)
        form = FORMS[seed // len(POLICIES) % 2]
        plan_of(system, form)
    except (ModelError, PlanError):
        return None  # more samples than servers, or a form that does not hold the policy
    length = events / (n * (1 + load))
    window = Window(float(rng.uniform(0, 0.3)) * length, length, int(rng.integers(1, 5)))
    return Case(system, form, window, _observables(rng, n), str(rng.choice(["empty", "busy"])))


def _observables(rng: np.random.Generator, n: int) -> Observables:
    if rng.random() < 0.3:
        return NOTHING
    return Observables(
        joint=((0, 1, 3, 10), (0, 2, 5, 41)),
        tails=((1.0, 0.9 * n, 0.5), (0.0, float(n), 1.0)),
        idle_tails=((n, 1.0), (int(rng.integers(0, n + 1)), 1.0), (n // 2, 1.5)),
        powers=((0.5, 1), (0.7, 3)),
        path=bool(rng.random() < 0.8),
        surges=(0.7 * n, float(n) ** 0.5),
    )
