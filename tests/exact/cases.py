"""Systems to solve: the reference file's, and random small ones under many policies."""

import json
from pathlib import Path

import numpy as np

from jfsq_simpy import System, rates
from jfsq_simpy.policies import AskSample, Policy

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "exact.json").read_text())["cases"]


def idle_first(q, mu):
    return np.minimum(q, 1)


def fastest_idle_first(q, mu):
    return np.minimum(q, 1), np.where(q == 0, -mu, 0.0)


def soonest_done(q, mu):
    return (q + 1) / mu, -mu


def shortest(q, mu):
    return q


def shortest_then_fastest(q, mu):
    return q, -mu


def nothing(q, mu):
    return 0 * q


# by hand, as the reference file's head says them, so that these tests lean on no registry
POLICIES = {
    "jfsq": Policy("jfsq", shortest_then_fastest),
    "jfsq with lowest-index ties": Policy("jfsq", shortest_then_fastest, ties="index"),
    "jsq": Policy("jsq", shortest),
    "jiq": Policy("jiq", idle_first, full_last=False),
    "jfiq": Policy("jfiq", fastest_idle_first, full_last=False),
    "jfiq_weighted": Policy("jfiq_weighted", fastest_idle_first, ties="rate", full_last=False),
    "sed": Policy("sed", soonest_done),
    "sed_all": Policy("sed_all", soonest_done, full_last=False),
    "jsq_d": Policy("jsq_d", shortest, query=AskSample(2)),
    "jfsq_d": Policy("jfsq_d", shortest_then_fastest, query=AskSample(2)),
    "jsq_d with replacement": Policy("jsq_d", shortest, query=AskSample(2, replace=True)),
    "random": Policy("random", nothing, full_last=False),
    "weighted_random": Policy("weighted_random", nothing, ties="rate", full_last=False),
}


def reference_system(case):
    speeds = rates.homogeneous(100) if isinstance(case["rates"], str) else np.array(case["rates"])
    return System(speeds, load=case["load"], places=case["places"], policy=POLICIES[case["policy"]])


def random_system(rng, policy, most_classes=3, most_states=4000):
    """Some classes of a few servers each, speeds over a factor of up to 30, any load from 0.05 to 3."""
    while True:
        counts = rng.integers(1, 4, rng.integers(1, most_classes + 1))
        places = int(rng.integers(1, 4))
        if (places + 1) ** counts.sum() <= most_states and counts.sum() >= policy.samples:
            fleet = rates.classes(counts.tolist(), np.exp(rng.uniform(0, np.log(30), counts.size)).tolist())
            return System(fleet, load=float(np.exp(rng.uniform(np.log(0.05), np.log(3)))), places=places, policy=policy)
