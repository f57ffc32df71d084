"""Every policy in every engine that runs it, measured against values nobody here simulated."""

import numpy as np
import pytest

from jfsq_simpy import System, exact, rates, simulate
from jfsq_simpy.engines import ENGINES, able
from jfsq_simpy.policies import CARDS, POLICIES
from jfsq_simpy.theory.reference.erlang import mmnk
from tests.policies.test_zoo import REFERENCE, reference_policy, stationary

FALSE_ALARM = 1e-6  # of a test, which is one system in one engine: a red run means a bug, not bad luck
METRICS = ["waiting_probability", "blocking_probability", "buffered_probability", "mean_wait", "mean_response", "mean_jobs"]
METRICS += ["mean_waiting_jobs", "mean_busy", "busy_capacity"]
SMALL = {"process": 3_000, "events": 30_000, "lockstep": 10_000, "chain": 30_000}  # jobs a replication
LARGE = {"process": 8_000, "events": 400_000, "lockstep": 60_000, "chain": 400_000}
REPLICATIONS = 20


def assert_measured(system, engine, jobs, values, sharp):
    """Each value inside its interval at the test's false-alarm rate, and the widest interval narrow enough to tell."""
    values = {name: value for name, value in values.items() if value > 0.01}
    level = 1 - FALSE_ALARM / len(values)
    run = simulate(system, jobs=jobs, warmup=60, replications=REPLICATIONS, engine=engine, rng=20, level=level, workers=1)
    assert run.engine == engine
    for name, value in values.items():
        found = run[name]
        assert found.low <= value <= found.high, (name, found, value)
        assert found.half_width < sharp * value, name


def of_case(case):
    speeds = rates.homogeneous(100) if isinstance(case["rates"], str) else np.array(case["rates"])
    system = System(speeds, load=case["load"], places=case["places"], policy=reference_policy(case))
    return system, {name: case["values"][name] for name in METRICS if name in case["values"]}


POLICY_CASES = [case for case in REFERENCE if int(case["id"][:2]) >= 15]
IDS = [case["id"] for case in POLICY_CASES]


def there(engine):
    if not ENGINES[engine].available:
        pytest.skip("needs Numba")


@pytest.mark.parametrize("case", POLICY_CASES, ids=IDS)
@pytest.mark.parametrize("engine", ["events", "chain"])
def test_policies_of_the_reference_in_the_compiled_engines(case, engine):
    there(engine)
    system, values = of_case(case)
    assert_measured(system, engine, SMALL[engine], values, sharp=0.1)


@pytest.mark.verify
@pytest.mark.parametrize("case", POLICY_CASES, ids=IDS)
@pytest.mark.parametrize("engine", list(ENGINES))
def test_policies_of_the_reference_in_every_engine(case, engine):
    there(engine)
    system, values = of_case(case)
    if ENGINES[engine].refuses(system, trace=False):
        pytest.skip("this engine does not run it")
    assert_measured(system, engine, LARGE[engine], values, sharp=0.1 if ENGINES[engine].compiled else 0.4)


# ---- policies the reference file does not have, whose laws `exact` finds from chains checked by hand -------------

NOT_THERE = ["jiq_d", "class_jsq", "class_jiq", "jsq_df_ds", "jiq_df_ds"]


def of_name(name):
    system = System(rates.classes([2, 2], [2.0, 1.0]), load=0.9, places=2, policy={"name": name, **CARDS[name].example})
    law = exact.solve(system)
    return system, {metric: getattr(law, metric) for metric in METRICS}


def test_every_policy_is_held_against_a_law():
    named = {reference_policy(case)["name"] for case in REFERENCE} | set(NOT_THERE)
    assert set(POLICIES) - named == {"least_work", "round_robin", "weighted_round_robin", "central_queue"}  # below


@pytest.mark.parametrize("name", NOT_THERE)
def test_other_policies_against_exact(name):
    there("events")
    system, values = of_name(name)
    assert_measured(system, "events", SMALL["events"], values, sharp=0.1)


@pytest.mark.verify
@pytest.mark.parametrize("name", NOT_THERE)
def test_other_policies_against_exact_in_every_engine(name):
    system, values = of_name(name)
    for engine in able(system):
        assert_measured(system, engine, LARGE[engine], values, sharp=0.05 if ENGINES[engine].compiled else 0.4)


# ---- turns -------------------------------------------------------------------------------------------------------


def in_turn(system, cycle):
    """Turns that repeat: each server is a queue that gets the jobs at its places in the cycle, whatever the others do."""
    places, mean_jobs, found = system.places, 0.0, np.zeros(system.places + 1)
    for n, mu in enumerate(system.rates.vector().tolist()):
        states = [(q, k) for q in range(places + 1) for k in range(len(cycle))]
        flows = {}
        for q, k in states:
            joins = cycle[k] == n and q < places
            flows[(q, k), (q + joins, (k + 1) % len(cycle))] = system.arrival_rate
            if q:
                flows[(q, k), (q - 1, k)] = mu
        p = stationary(states, flows)
        mean_jobs += sum(x * q for (q, _), x in p.items())
        found += [sum(p[q, k] for k in range(len(cycle)) if cycle[k] == n) for q in range(places + 1)]
    return {"waiting_probability": found[1:].sum(), "blocking_probability": found[-1], "mean_jobs": mean_jobs}


@pytest.mark.parametrize("engine", ["process", "events"])
@pytest.mark.parametrize(
    ("policy", "speeds", "cycle"),
    [
        ("round_robin", [1.5, 1.0, 0.5], [0, 1, 2]),  # queues Erlang(3)/M/1/b
        ("weighted_round_robin", [1.0, 1.0, 1.0, 1.0], [0, 1, 2, 3]),
        ("weighted_round_robin", [1.5, 0.5], [0, 0, 1, 0]),
        ("weighted_round_robin", [1.5, 0.75, 0.75], [0, 1, 2, 0]),
    ],
    ids=str,
)
def test_taking_turns_makes_queues_of_their_own(policy, speeds, cycle, engine):
    there(engine)
    system = System(np.array(speeds), load=0.9, places=3, policy=policy)
    assert_measured(system, engine, SMALL[engine], in_turn(system, cycle), sharp=0.3)


# ---- one queue ---------------------------------------------------------------------------------------------------


def test_one_queue_of_equal_servers_is_erlangs():
    n, b, load = 4, 3, 0.9
    system = System(rates.homogeneous(n), load=load, places=b, policy="central_queue")
    theirs = mmnk(n, n * b, n * load)
    values = {name: getattr(theirs, name) for name in METRICS if hasattr(theirs, name)}
    assert len(values) >= 3
    assert_measured(system, "process", 2 * SMALL["process"], values, sharp=0.35)


def one_queue_law(mu, arrival_rate, places):
    """Two unequal servers: (fast busy, slow busy, jobs waiting), the fast one taken first."""
    room = 2 * (places - 1)
    states = [(0, 0, 0), (1, 0, 0), (0, 1, 0), *((1, 1, w) for w in range(room + 1))]
    flows = {((0, 0, 0), (1, 0, 0)): arrival_rate, ((1, 0, 0), (1, 1, 0)): arrival_rate, ((0, 1, 0), (1, 1, 0)): arrival_rate}
    flows |= {((1, 0, 0), (0, 0, 0)): mu[0], ((0, 1, 0), (0, 0, 0)): mu[1]}
    flows |= {((1, 1, 0), (0, 1, 0)): mu[0], ((1, 1, 0), (1, 0, 0)): mu[1]}
    for w in range(room):
        flows[(1, 1, w), (1, 1, w + 1)] = arrival_rate
        flows[(1, 1, w + 1), (1, 1, w)] = mu[0] + mu[1]
    p = stationary(states, flows)
    blocked = p[1, 1, room]
    waiting = sum(p[1, 1, w] * w for w in range(room + 1))
    return {
        "waiting_probability": sum(p[1, 1, w] for w in range(room + 1)),
        "blocking_probability": blocked,
        "mean_jobs": sum(x * sum(s) for s, x in p.items()),
        "mean_waiting_jobs": waiting,
        "mean_wait": waiting / (arrival_rate * (1 - blocked)),
        "busy_capacity": sum(x * (s[0] * mu[0] + s[1] * mu[1]) for s, x in p.items()),
    }


def test_one_queue_of_unequal_servers_is_a_chain_of_its_own():
    system = System(np.array([1.6, 0.4]), load=0.9, places=3, policy="central_queue")
    assert_measured(system, "process", SMALL["process"], one_queue_law((1.6, 0.4), 1.8, 3), sharp=0.35)


def test_nobody_waits_longer_than_in_queues_of_their_own():
    """Equal servers, the same jobs: one queue below least work, that below JSQ, that below a random choice."""
    waits = []
    for policy in ("central_queue", "least_work", "jsq", "jsq_d", "random"):
        system = System(rates.homogeneous(5), load=0.8, places=10, policy=policy)
        waits.append(simulate(system, jobs=4000, warmup=50, replications=4, rng=9, engine="process", workers=1).mean_wait.value)
    assert np.all(np.diff(waits) > -1e-9)
    assert waits[2] > 1.2 * waits[1]
    assert waits[-1] > 3 * waits[2]
