"""The chain's laws against exact values: every policy case of the reference file."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import System, metrics, rates
from jfsq_simpy.chain import jump, lockstep
from jfsq_simpy.chain.plan import FORMS, plan_of
from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import PlanError
from jfsq_simpy.policies import AskSample, Policy, as_policy
from jfsq_simpy.policies.policy import nothing, shortest, shortest_then_fastest
from jfsq_simpy.tally import Window, groups_of
from tests.chain.systems import expected_delay, idle_first

FALSE_ALARM = 1e-7  # a comparison; there are about a thousand: a red run means a bug, not bad luck
CASES = json.loads((Path(__file__).parents[1] / "data" / "exact.json").read_text())["cases"]


def fastest_idle_first(q, mu):
    return np.minimum(q, 1), np.where(q == 0, -mu, 0.0)


POLICIES = {
    "jfsq": as_policy("jfsq"),
    "jfsq with lowest-index ties": as_policy({"name": "jfsq", "ties": "index"}),
    "jsq": as_policy("jsq"),
    "random": as_policy("random"),
    "weighted_random": Policy("weighted_random", nothing, ties="rate", full_last=False),
    "jiq": Policy("jiq", idle_first, full_last=False),
    "jfiq": Policy("jfiq", fastest_idle_first, full_last=False),
    "jfiq_weighted": Policy("jfiq_weighted", fastest_idle_first, ties="rate", full_last=False),
    "sed": Policy("sed", expected_delay),
    "sed_all": Policy("sed_all", expected_delay, full_last=False),
    "jsq_d": Policy("jsq_d", shortest, AskSample(2)),
    "jfsq_d": Policy("jfsq_d", shortest_then_fastest, AskSample(2)),
}
NUMBERS = (
    "waiting_probability",
    "blocking_probability",
    "buffered_probability",
    "mean_wait",
    "mean_response",
    "mean_jobs",
    "mean_waiting_jobs",
    "mean_busy",
    "busy_capacity",
    "idle_among_n2",
)


def forms_of(system):
    for form in FORMS:
        try:
            plan_of(system, form)
            yield form
        except PlanError:
            pass


def system_of(case):
    fleet = rates.homogeneous(100) if isinstance(case["rates"], str) else rates.as_rates(case["rates"])
    return System(fleet, load=case["load"], places=case["places"], policy=POLICIES[case["policy"]])


def compare(case, system, outcomes):
    """Each metric's mean over replications against its exact value; allowed half widths by metric."""
    groups, values, allowed = groups_of(system), case["values"], {}
    rows = [metrics.averages(system, groups, o.tallies[0]) for o in outcomes]
    times = np.array([float(t) for t in values["wait_ccdf"]])
    seen = {name: np.array([metrics.METRICS[name](a) for a in rows]) for name in NUMBERS}
    seen |= {f"P(W > {t})": x for t, x in zip(times, np.array([metrics.wait_ccdf(a, times) for a in rows]).T, strict=True)}
    exact = values | {f"P(W > {t})": p for t, p in zip(times, values["wait_ccdf"].values(), strict=True)}
    quantile = stats.t.ppf(1 - FALSE_ALARM / 2, len(rows) - 1)
    routed = sum(o.tallies[0].routed for o in outcomes)
    for name, x in seen.items():
        rare = name.endswith("probability") and exact[name] * routed < 500  # too few to have a t interval
        if name not in exact or rare:
            continue
        allowed[name] = quantile * x.std(ddof=1) / np.sqrt(x.size)
        assert abs(x.mean() - exact[name]) <= allowed[name] + 1e-12, (case["id"], name, x.mean(), exact[name])
    return allowed


@pytest.mark.skipif(jump.numba is None, reason="Numba is not installed")
@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_jump_meets_the_exact_values(case):
    system = system_of(case)
    for form in forms_of(system):
        window = Window(100.0, 8000.0 * max(min(1.0, 50 / system.n_servers), 5 / system.n_servers))
        outcomes = [jump.run(system, Seed.of(31), r, window, form=form) for r in range(30)]
        allowed = compare(case, system, outcomes)
        assert allowed.get("waiting_probability", 0.0) < 0.06 * case["values"]["waiting_probability"] + 0.004
        assert allowed["mean_jobs"] < 0.06 * case["values"]["mean_jobs"]


@pytest.mark.verify
@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_both_engines_meet_the_exact_values_sharply(case):
    system = system_of(case)
    for form in forms_of(system):
        window = Window(100.0, 500.0 * max(1.0, 10 / system.n_servers))
        allowed = compare(case, system, lockstep.run(system, Seed.of(5), range(200), window, form=form))
        assert allowed.get("waiting_probability", 0.0) < 0.05 * case["values"]["waiting_probability"] + 0.004
        if jump.numba is not None:
            window = Window(100.0, 50_000.0)
            allowed = compare(case, system, [jump.run(system, Seed.of(7), r, window, form=form) for r in range(40)])
            assert allowed.get("waiting_probability", 0.0) < 0.03 * case["values"]["waiting_probability"] + 0.001


@pytest.mark.skipif(jump.numba is None, reason="Numba is not installed")
def test_a_wrong_tie_rule_or_a_lost_place_would_be_seen():
    """The comparison itself is sharp: neighbouring systems fail it."""
    case = next(c for c in CASES if c["id"].startswith("16-jsq"))
    for change in ({"policy": {"name": "jsq", "ties": "index"}}, {"places": case["places"] + 1}):
        wrong = system_of(case).replaced(**change)
        outcomes = [jump.run(wrong, Seed.of(31), r, Window(100.0, 30_000 / wrong.arrival_rate)) for r in range(30)]
        with pytest.raises(AssertionError):
            compare(case, wrong, outcomes)


@pytest.mark.skipif(jump.numba is None, reason="Numba is not installed")
@pytest.mark.verify
def test_a_thousand_equal_servers_wait_as_the_exact_law_says():
    system = System(rates.homogeneous(1000), alpha=0.5, places=2)
    window, groups = Window(20.0, 4000.0), groups_of(system)
    outcomes = [jump.run(system, Seed.of(1), r, window, start="busy") for r in range(40)]
    p = np.array([metrics.waiting_probability(metrics.averages(system, groups, o.tallies[0])) for o in outcomes])
    half_width = stats.t.ppf(1 - 1e-6 / 2, p.size - 1) * p.std(ddof=1) / np.sqrt(p.size)
    assert abs(p.mean() - 0.02415031) <= half_width
    assert half_width < 0.06 * 0.02415031
