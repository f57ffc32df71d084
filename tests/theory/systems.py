"""The small systems of tests/data/exact.json, and random ones, for the theory's tests."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from jfsq_simpy import exact
from jfsq_simpy.exact import ExactLaw
from jfsq_simpy.policies import POLICIES
from jfsq_simpy.rates import Rates, from_speeds, homogeneous
from jfsq_simpy.system import System

CASES = json.loads((Path(__file__).parents[1] / "data" / "exact.json").read_text())["cases"]


def policy_of(case) -> dict | None:
    """The case's policy as this package writes it; None where the package does not know it."""
    if case["policy"] == "jfsq with lowest-index ties":
        return {"name": "jfsq", "ties": "index"}
    if case["policy"] not in POLICIES:
        return None
    return {"name": case["policy"], **({"d": case["d"]} if "d" in case else {})}


def rates_of(case) -> Rates:
    if isinstance(case["rates"], str):  # "homogeneous 1.0"
        return homogeneous(round(case["arrival_rate"] / case["load"]))
    return from_speeds(case["rates"])


def system_of(case) -> System | None:
    policy = policy_of(case)
    return policy and System(rates_of(case), load=case["load"], places=case["places"], policy=policy)


@lru_cache(maxsize=64)
def law_of(case_id: str) -> ExactLaw:
    """The case solved by this package's exact room."""
    system = system_of(next(c for c in CASES if c["id"] == case_id))
    assert system is not None
    return exact.solve(system)


SOLVED = [c["id"] for c in CASES if policy_of(c)]


def random_system(rng: np.random.Generator, *, most_servers: int = 5, most_places: int = 3, policy="jfsq") -> System:
    """A small system with up to three speeds and alpha between 0.1 and 0.95."""
    n = int(rng.integers(2, most_servers + 1))
    speeds = rng.choice([1.0, 1.7, 3.0], size=n)
    return System(
        from_speeds(speeds), alpha=float(rng.uniform(0.1, 0.95)), places=int(rng.integers(2, most_places + 1)), policy=policy
    )
