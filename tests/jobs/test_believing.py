"""Speeds misknown by dispatchers: by hand, both per-job engines alike, and against small Markov chains."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice, product

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import Scenario, System, Trace, exact, rates, simulate
from jfsq_simpy.draws import JobDraws, Seed
from jfsq_simpy.engines import able
from jfsq_simpy.errors import JfsqError, ModelError
from jfsq_simpy.jobs import process
from jfsq_simpy.jobs.sinks import MemorySink
from jfsq_simpy.metrics import METRICS, averages
from jfsq_simpy.policies import Policy
from jfsq_simpy.policies.policy import break_tie, nothing
from jfsq_simpy.tally import NOTHING, Window, groups_of
from tests.jobs.systems import Case, Lattice, random_case, with_a_query

events = pytest.importorskip("jfsq_simpy.jobs.events")
pytest.importorskip("numba")

FALSE_ALARM = 1e-6  # of each family of comparisons: a red run means a bug, not bad luck


def run_of(engine, case: Case, seed: int = 1):
    sink = MemorySink()
    outcome = engine.run(case.system, Seed.of(seed), 0, case.window, observe=case.observe, start=case.start, sink=sink)
    return outcome, sink.columns()


def rows(system: System, length: float, seed: int = 1) -> dict[str, np.ndarray]:
    return run_of(process, Case(system, Window(0.0, length), NOTHING, "empty"), seed)[1]


# ---- what is believed ----------------------------------------------------------------------------------------


def beliefs_of(n: int, speeds: dict, seed: int = 7, replication: int = 0, **changes):
    system = System(rates.linear(n, ratio=4), load=0.5, places=2, knowledge={"speeds": speeds}, **changes)
    return system.rates.vector(), JobDraws(system, Seed.of(seed), replication).beliefs()


def test_where_nothing_is_said_the_truth_is_believed():
    system = System([1.5, 0.5], load=0.5, places=2)
    assert [(t, s.tolist()) for t, s in JobDraws(system, Seed.of(1), 0).beliefs()] == [(0.0, [1.5, 0.5])]


def test_sick_servers_are_believed_to_be_faster_than_they_are():
    true, believed = beliefs_of(4, {"sick": {"servers": 1, "factor": 10}})
    ((_, speeds),) = believed
    assert (speeds / true).tolist() == [1, 1, 1, 10]
    true, believed = beliefs_of(4, {"sick": {"servers": [0, 2], "factor": 4}})
    assert (next(believed)[1] / true).tolist() == [4, 1, 4, 1]


def test_noise_has_mean_1_and_the_variance_said():
    """Of 200,000 lognormal factors; their mean within its own six standard errors, and the logarithms' law by its moments."""
    true, believed = beliefs_of(200_000, {"noise": 0.5})
    factor = next(believed)[1] / true
    assert abs(factor.mean() - 1) < 6 * math.sqrt(0.5 / factor.size)
    x, variance = np.log(factor), math.log(1.5)
    assert abs(x.mean() + variance / 2) < 6 * math.sqrt(variance / x.size)
    assert abs(x.var() - variance) < 6 * variance * math.sqrt(2 / x.size)
    assert stats.kstest((x + variance / 2) / math.sqrt(variance), "norm").pvalue > FALSE_ALARM


def test_noise_is_drawn_anew_each_replication_and_is_nobody_elses():
    one, other = (next(beliefs_of(5, {"noise": 0.5}, replication=r)[1])[1] for r in (0, 1))
    same = next(beliefs_of(5, {"noise": 0.5}, policy="jsq", size="deterministic")[1])[1]
    assert not np.isclose(one, other).any()
    assert np.array_equal(one, same)
    less = next(beliefs_of(5, {"noise": 0.01}, replication=0)[1])[1]
    true = rates.linear(5, ratio=4).vector()
    z, fainter = (np.log(b / true) + math.log1p(v) / 2 for b, v in ((one, 0.5), (less, 0.01)))
    np.testing.assert_allclose(z / math.sqrt(math.log1p(0.5)), fainter / math.sqrt(math.log1p(0.01)))  # the same luck, made smaller


def test_drift_begins_at_the_truth_and_ends_where_it_is_said_to():
    """Errors of 20,000 servers: their variance after 1 and 300 steps, their memory from one step to the next, their mean 1."""
    sigma, every, memory = 0.6, 10.0, 50.0
    true, believed = beliefs_of(20_000, {"drift": {"sigma": sigma, "every": every, "memory": memory}})
    times, speeds = zip(*islice(believed, 302), strict=True)
    assert times[:3] == (0.0, 10.0, 20.0)
    assert np.array_equal(speeds[0], true)
    rho, n = math.exp(-every / memory), true.size
    for step, variance in ((1, sigma**2 * (1 - rho**2)), (300, sigma**2)):
        x = np.log(speeds[step] / true)
        assert abs(x.var() - variance) < 6 * variance * math.sqrt(2 / n)
        assert abs((speeds[step] / true).mean() - 1) < 6 * math.sqrt(math.expm1(variance) / n)
    now, then = (np.log(s / true) for s in speeds[300:302])
    assert abs(np.corrcoef(now, then)[0, 1] - rho) < 6 / math.sqrt(n)


# ---- by hand -------------------------------------------------------------------------------------------------


def d_d(speeds, load, places, **changes) -> System:
    """Jobs of size 1 at equal gaps."""
    return System(speeds, load=load, places=places, **({"size": "deterministic", "arrivals": "deterministic"} | changes))


def test_who_is_believed_to_be_fastest_comes_first_and_serves_at_its_own_pace():
    c = rows(d_d([1.5, 1.0, 0.5], 1.0, 2, knowledge={"speeds": {"sick": {"servers": [2], "factor": 4}}}), 1.2)
    assert c["server"].tolist() == [2, 0, 1]  # believed: 3/2, 1 and 2
    assert c["departure"][0] == c["start"][0] + 1 / 0.5


def test_beliefs_change_before_the_arrivals_of_their_instant():
    """The fast server stays best as long as the truth is believed, which is until 8, exclusive."""
    drift = {"sigma": 3.0, "every": 8.0, "memory": 1e-3}
    system = d_d([1.1, 0.9], 0.125, 1, knowledge={"speeds": {"drift": drift}})  # a job each 4 units of time
    for seed in range(5):
        believed = [s for _, s in islice(JobDraws(system, Seed.of(seed), 0).beliefs(), 5)]
        best = [int(s.argmax()) for s in believed]
        for engine in (process, events):
            c = run_of(engine, Case(system, Window(0.0, 38.0), NOTHING, "empty"), seed)[1]
            assert c["server"].tolist() == [best[0], *np.repeat(best[1:], 2)]


@pytest.mark.parametrize("ties", ["rate", "uniform"])
def test_weights_are_those_believed_in(ties):
    """Both servers always tie, and the first has three quarters of the weight: it gets jobs with u < 3/4, else with u < 1/2."""
    policy = Policy("weighted", nothing, ties=ties, full_last=False)
    system = System([1.0, 1.0], load=0.5, places=2, policy=policy, knowledge={"speeds": {"believed": [3.0, 1.0]}})
    u = next(JobDraws(system, Seed.of(3), 0).blocks()).ties
    expected = [break_tie(ties, np.arange(2), np.array([3.0, 1.0]), x) for x in u[:200].tolist()]
    for engine in (process, events):
        c = run_of(engine, Case(system, Window(0.0, 150.0), NOTHING, "empty"), 3)[1]
        taken = c["server"] >= 0
        assert np.array_equal(c["server"][taken][:100], np.array(expected)[: taken.size][taken[:200]][:100])


def test_turns_are_given_as_speeds_are_believed():
    system = System([1.0, 1.0], load=0.5, places=9, policy="weighted_round_robin", knowledge={"speeds": {"believed": [3.0, 1.0]}})
    for engine in (process, events):
        c = run_of(engine, Case(system, Window(0.0, 20.0), NOTHING, "empty"))[1]
        assert c["server"][:8].tolist() == [0, 0, 1, 0, 0, 0, 1, 0]


# ---- process and events --------------------------------------------------------------------------------------


def misled(case: Case, seed: int) -> Case:
    rng = np.random.default_rng([seed, 3])
    n = case.system.n_servers
    speeds = [
        {"noise": float(rng.choice([0.01, 0.5, 4.0]))},
        {"sick": {"servers": int(rng.integers(1, n + 1)), "factor": float(rng.choice([0.5, 10.0]))}},
        {"sick": {"servers": [0], "factor": 0.1}, "drift": {"sigma": 1.0, "every": 0.75, "memory": 3.0}},
        {"believed": rng.choice([0.5, 1.0, 2.0], n).tolist()},
        {"noise": 0.5, "drift": {"sigma": 0.5, "every": float(rng.choice([0.5, 2.0])), "memory": 4.0}},
    ][rng.integers(5)]
    table: dict = {"speeds": speeds}
    if rng.random() < 0.4:
        table["dispatchers"] = int(rng.integers(1, 5))
        table["queues"] = [
            "own",
            "now",
            {"name": "refreshed", "every": 0.5, "count_own": True, "staggered": True},
            {"name": "refreshed", "every": 1.0},
            {"name": "reported", "late": 1, "count_own": True},
        ][rng.integers(5)]
    policy = case.system.policy
    if type(policy.query).__name__ == "AskWork" or (type(policy.query).__name__ == "InTurn" and "drift" in speeds):
        policy = "jfsq"
    return replace(case, system=case.system.replaced(policy=policy, knowledge=table))


@pytest.mark.parametrize("seed", range(200))
def test_both_engines_give_the_same_records_and_tallies(seed):
    """Every policy, ties by rate and uniform, lattice times, boards, observables: to the last bit."""
    case = random_case(seed, jobs=200)
    case = misled(with_a_query(case, seed) if seed % 3 == 0 else case, seed)
    slow, slow_rows = run_of(process, case, seed)
    fast, fast_rows = run_of(events, case, seed)
    for name in slow_rows:
        np.testing.assert_array_equal(fast_rows[name], slow_rows[name], err_msg=name)
    assert fast.arrivals == slow.arrivals
    assert fast.tallies == slow.tallies


def test_such_cases_differ_from_those_with_true_speeds():
    """Or the test above would be about nothing."""
    differ = 0
    for seed in range(40):
        case = misled(random_case(seed, jobs=200), seed)
        told = case.system.knowledge.describe()
        true = replace(case, system=case.system.replaced(knowledge={k: v for k, v in told.items() if k != "speeds"}))
        differ += not np.array_equal(run_of(events, case, seed)[1]["server"], run_of(events, true, seed)[1]["server"])
    assert differ > 15


@pytest.mark.parametrize("policy", ["jfsq", "sed", "jfiq_weighted", {"name": "jfsq_d", "d": 2}, {"name": "jsq", "ties": "rate"}])
def test_who_believes_the_truth_does_as_if_it_were_known(policy):
    """Told as a list, and so through ranks made of beliefs: nothing changes, to the last bit."""
    fleet = rates.two_speed(12, ratio=3)
    plain = System(fleet, load=0.9, places=3, policy=policy)
    told = plain.replaced(knowledge={"speeds": {"believed": fleet.vector().tolist()}})
    for engine in (process, events):
        one, other = (run_of(engine, Case(s, Window(0.0, 60.0), NOTHING, "empty"))[1] for s in (plain, told))
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_drift_over_more_than_a_block_of_jobs_and_several_batches():
    knowledge = {"speeds": {"drift": {"sigma": 1.0, "every": 40.0, "memory": 400.0}}}
    system = System(rates.two_speed(20, ratio=3), load=0.8, places=4, knowledge=knowledge)
    case = Case(system, Window(100.0, 70_000 / system.arrival_rate, batches=3), NOTHING, "busy")
    slow, fast = (run_of(engine, case)[0] for engine in (process, events))
    assert fast.tallies == slow.tallies


# ---- exact ---------------------------------------------------------------------------------------------------


def chain_law(speeds: list[float], load: float, places: int, order: list[int]) -> dict[str, float]:
    """JFSQ whose dispatcher takes servers for fast in this order: the stationary law, from the generator."""
    states = list(product(range(places + 1), repeat=len(speeds)))
    number, arrivals = {s: i for i, s in enumerate(states)}, load * len(speeds)
    q = np.zeros((len(states), len(states)))
    goes = {s: min(order, key=lambda n: (s[n], order.index(n))) for s in states}
    for s in states:
        n = goes[s]
        if s[n] < places:
            q[number[s], number[(*s[:n], s[n] + 1, *s[n + 1 :])]] += arrivals
        for n, mu in enumerate(speeds):
            if s[n]:
                q[number[s], number[(*s[:n], s[n] - 1, *s[n + 1 :])]] += mu
    np.fill_diagonal(q, q.diagonal() - q.sum(axis=1))
    pi = np.linalg.lstsq(np.vstack([q.T, np.ones(len(states))]), np.append(np.zeros(len(states)), 1.0), rcond=None)[0]
    found, present = np.array([s[goes[s]] for s in states]), np.array([sum(s) for s in states])
    blocked = float(pi @ (found == places))
    return {
        "waiting_probability": float(pi @ (found > 0)),
        "blocking_probability": blocked,
        "mean_jobs": float(pi @ present),
        "mean_response": float(pi @ present) / (arrivals * (1 - blocked)),
    }


SPEEDS = [1.6, 0.4]


def test_the_chain_of_who_knows_is_the_one_that_exact_solves():
    law = exact.solve(System(SPEEDS, load=0.5, places=3))
    for name, value in chain_law(SPEEDS, 0.5, 3, [0, 1]).items():
        assert value == pytest.approx(getattr(law, name), rel=1e-9), name


@pytest.mark.parametrize("engine", [process, events])
def test_two_servers_taken_for_each_other(engine):
    """The slow server is believed to be the fast one; a run cannot mistake this law for that of who knows better."""
    law, knows = chain_law(SPEEDS, 0.5, 3, [1, 0]), chain_law(SPEEDS, 0.5, 3, [0, 1])
    assert law["mean_response"] > 1.25 * knows["mean_response"]
    system = System(SPEEDS, load=0.5, places=3, knowledge={"speeds": {"sick": {"servers": 1, "factor": 10}}})
    groups, window = groups_of(system), Window(60.0, 2500.0)
    found = [averages(system, groups, engine.run(system, Seed.of(2026), r, window).tallies[0]) for r in range(16)]
    for name, value in law.items():
        x = np.array([METRICS[name](a) for a in found])
        allowed = stats.t.ppf(1 - FALSE_ALARM / len(law) / 2, x.size - 1) * x.std(ddof=1) / math.sqrt(x.size)
        assert abs(x.mean() - value) <= allowed, name
        assert allowed < (0.5 if name == "blocking_probability" else 0.12) * value, name


# ---- traces, records, what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_traces_obey_the_rules(seed):
    case = misled(random_case(seed, jobs=150), seed)
    Trace(case.system, run_of(events, case, seed)[1]).check()


def test_what_must_balance_balances():
    system = System(rates.two_speed(10, ratio=3), load=0.8, places=4, knowledge={"speeds": {"noise": 1.0}})
    run = simulate(system, jobs=4000, replications=10, rng=1, workers=1)
    assert run.engine == "events"
    assert run.identities().holds.all()
    assert not run.warnings


def test_chain_engines_and_exact_laws_leave_it_alone():
    system = System([1.5, 0.5], load=0.8, places=4, knowledge={"speeds": {"noise": 1.0}})
    assert able(system) == ["process", "events"]
    with pytest.raises(ModelError, match="exact: "):
        exact.solve(system)


TEXT = """# Which server is slow?
[system]
servers = 4
load = 0.6
places = 3
[system.knowledge.speeds]
noise = 0.25
sick = {servers = 2}
drift = {sigma = 0.5, every = 10, memory = 100}
"""


def test_a_scenario_says_it_and_records_keep_it():
    (point,) = Scenario.parse(TEXT).points()
    told = point.system.describe()["knowledge"]["speeds"]
    assert told == {
        "noise": 0.25,
        "sick": {"servers": 2, "factor": 10.0},
        "drift": {"sigma": 0.5, "every": 10.0, "memory": 100.0},
    }
    again = System(rates.homogeneous(4), load=0.6, places=3, knowledge=point.system.knowledge.describe())
    assert again.describe() == point.system.replaced(load=0.6).describe()
    swept = Scenario.parse(TEXT, ["sweep.system.knowledge.speeds.noise=[0, 1]"]).points()
    assert [p.system.knowledge.speeds.noise for p in swept] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("system.knowledge.speeds.noise=-1", "system.knowledge.speeds.noise = -1"),
        ("system.knowledge.speeds.nose=1", "the nearest is system.knowledge.speeds.noise"),
        ("system.knowledge.speeds.sick={servers = 9}", "system.knowledge.speeds.sick.servers = 9"),
        ("system.knowledge.speeds.sick={servers = [4]}", "beyond the 4 there are"),
        ("system.knowledge.speeds.believed=[1.0, 2.0]", "holds 2 rates for 4 servers"),
        ("system.knowledge.speeds.believed=[1.0, 2.0, 0.0, 1.0]", "believed[2] = 0.0 must be above 0"),
        ("system.knowledge.speeds.drift={sigma = 0.5}", "system.knowledge.speeds.drift.every is missing"),
        ("system.knowledge.speeds.drift={sigma = 9.0, every = 1, memory = 1}", "drift.sigma = 9"),
        ("system.policy=central_queue", "system.knowledge"),
        ("system.policy=least_work", "system.knowledge.speeds: policy 'least_work'"),
        ("system.policy=weighted_round_robin", "system.knowledge.speeds.drift: policy 'weighted_round_robin'"),
    ],
)
def test_what_a_scenario_may_not_say(override, said):
    with pytest.raises(JfsqError) as caught:
        Scenario.parse(TEXT, [override])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("speeds", "said"),
    [
        (3, "knowledge.speeds = 3 must be a table"),
        ({"nose": 1}, "knowledge.speeds.nose"),
        ({"drift": {"sigma": 1.0}}, "knowledge.speeds.drift.every is missing"),
        ({"sick": {"servers": 0}}, "knowledge.speeds.sick.servers = 0"),
        ({"sick": {"servers": [-1]}}, "knowledge.speeds.sick.servers = -1"),
        ({"noise": math.inf}, "knowledge.speeds.noise = inf"),
    ],
)
def test_bad_input_is_refused_in_one_line(speeds, said):
    with pytest.raises(ModelError) as caught:
        System([1.0], load=0.5, places=2, knowledge={"speeds": speeds})
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_servers_that_fail_unseen_and_are_misjudged():
    system = System(
        rates.two_speed(4, ratio=3),
        load=0.5,
        places=3,
        knowledge={"speeds": {"noise": 1.0}},
        breakdowns={"mean_up": 5.0, "mean_down": 1.0, "seen": False, "up": Lattice(0.0)},
    )
    simulate(system, horizon=50, warmup=0, trace=True, rng=1).trace.check()
