"""Random systems for agreement tests: ties, lattice times, overload, every policy, every kind of observable."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as dataclass_replace

import numpy as np

from jfsq_simpy import System, rates
from jfsq_simpy.laws import Law
from jfsq_simpy.policies import AskClass, AskEachClass, AskSample, AskWork, IdleFirst, InTurn, Policy, as_policy
from jfsq_simpy.policies.policy import nothing, shortest, shortest_then_fastest
from jfsq_simpy.tally import NOTHING, Observables, Window


class Lattice(Law):
    """0, 1/2, 1 and 2, with mean 1: with it many things happen at one instant, and some jobs take no time."""

    name = "lattice"

    def __init__(self, zero: float) -> None:
        self.zero = zero

    @property
    def variance(self) -> float:
        return 0.25 + 2 * self.zero

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return rng.choice([0.0, 0.5, 1.0, 2.0], n, p=[self.zero, 0.2, 0.7 - 2 * self.zero, 0.1 + self.zero])


@dataclass(frozen=True)
class Case:
    system: System
    window: Window
    observe: Observables
    start: str


def expected_delay(q, mu):
    return (q + 1) / mu, -mu


def slowest_first(q, mu):
    return q, mu


def odd(q, mu):
    return np.round(2 * q / mu) % 3


KEYS = (shortest_then_fastest, shortest, expected_delay, slowest_first, odd, nothing)


def random_case(seed: int, jobs: int = 300) -> Case:
    """A system of 1 to 40 servers with 1 to 6 places, and what to measure of it."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 41))
    speeds = rng.choice([0.5, 1.0, 1.7, 2.0, 3.0], n) if rng.random() < 0.7 else rng.random(n) + 0.1
    lattice = rng.random() < 0.4  # loads that keep all times on a lattice, at rates that are powers of 2
    if lattice:
        speeds = np.ones(n)
    system = System(
        rates.from_speeds(speeds),
        load=2.0 ** int(rng.integers(0, 5)) / n if lattice else float(rng.choice([0.3, 0.7, 1.0, 1.5, 4.0])),
        places=int(rng.integers(1, 7)),
        policy=_random_policy(rng, n),
        size=["exponential", "deterministic", Lattice(0.2), Lattice(0.0), {"law": "lognormal", "scv": 4.0}][rng.integers(5)],
        arrivals=["poisson", "deterministic", Lattice(0.3), Lattice(0.0), {"law": "hyperexponential", "scv": 4.0}][rng.integers(5)],
    )
    length = min(jobs / system.arrival_rate, 1000.0)
    window = Window(
        warmup=float(rng.choice([0.0, 0.5, 1.3, 5.0])),
        length=length if rng.random() < 0.5 else float(np.ceil(length)),
        batches=int(rng.integers(1, 5)),
        drain=float(rng.choice([0.0, 0.5, 1.0, np.inf])),
    )
    return Case(system, window, _random_observables(rng, n), str(rng.choice(["empty", "busy"])))


def _random_policy(rng: np.random.Generator, n_servers: int) -> Policy:
    ties = str(rng.choice(["uniform", "index", "rate"]))
    kind = rng.integers(8)
    if kind < 5:
        return as_policy({"name": ["jfsq", "jfsq", "jsq", "jsq", "random"][kind], "ties": ties})
    key, full_last = KEYS[rng.integers(len(KEYS))], bool(rng.random() < 0.5)
    if kind == 5:
        return Policy("tabled", key, ties=ties, full_last=full_last)
    replace, d = bool(rng.random() < 0.5), int(rng.integers(1, 6))
    return Policy("sampled", key, AskSample(d if replace else min(d, n_servers), replace), ties=ties, full_last=full_last)


def _random_observables(rng: np.random.Generator, n: int) -> Observables:
    if rng.random() < 0.4:
        return NOTHING
    return Observables(
        joint=((0, 1, 3, 10), (0, 1, 2, 5, 40)),
        tails=((0.5, 0.7 * n, 1.0), (0.0, float(n), 0.0)),
        idle_tails=((min(2, n), 1.0), (n, 2.5)),
        powers=((0.2, 1), (0.5, 3)),
        path=bool(rng.random() < 0.5),
    )


def with_a_query(case: Case, seed: int) -> Case:
    """The same case with a policy that does not look at everybody, or not at queue lengths."""
    rng = np.random.default_rng([seed, 1])
    counts = case.system.rates.counts
    ties, key, full_last = str(rng.choice(["uniform", "index", "rate"])), KEYS[rng.integers(len(KEYS))], bool(rng.random() < 0.5)
    chances = rng.random(counts.size) * (rng.random(counts.size) < 0.7)
    chances[rng.integers(counts.size)] += 0.5
    each = rng.integers(0, np.minimum(counts, 3) + 1)
    each[rng.integers(counts.size)] = 1
    replace = bool(rng.random() < 0.5)
    then = AskSample(int(rng.integers(1, 5)) if replace else int(rng.integers(1, min(4, case.system.n_servers) + 1)), replace)
    d = int(rng.integers(1, counts[chances > 0].min() + 1)) if rng.random() < 0.5 else None
    queries = (
        AskClass(tuple((chances / chances.sum()).tolist()), d),
        AskEachClass(tuple(each.tolist())),
        IdleFirst(then),
        InTurn(weighted=bool(rng.random() < 0.5)),
        AskWork(),
    )
    policy = Policy("asking", key, queries[seed % len(queries)], ties=ties, full_last=full_last)
    return dataclass_replace(case, system=case.system.replaced(policy=policy))


def with_boards(case: Case, seed: int) -> Case:
    """The same case where dispatchers go by boards: of each kind, often and seldom refreshed, counting their own jobs or not."""
    rng = np.random.default_rng([seed, 3])
    count_own = bool(rng.random() < 0.5)
    queues = (
        "own",
        {
            "name": "refreshed",
            "every": float(rng.choice([1e-6, 0.125, 0.3, 1.0, 2.7, 1e6])),
            "count_own": count_own,
            "staggered": bool(rng.random() < 0.5),
        },
        {"name": "reported", "late": int(rng.integers(0, 4)), "count_own": count_own},
    )
    knowledge = {"dispatchers": int(rng.choice([1, 2, 3, 12, 100])), "queues": queues[seed % 3]}
    return dataclass_replace(case, system=case.system.replaced(knowledge=knowledge))
