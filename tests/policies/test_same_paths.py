"""One rule, one path: the same policy on the same draws in every engine, and policies that are one policy."""

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import System, laws, rates
from jfsq_simpy.chain import jump, lockstep, walk
from jfsq_simpy.chain.plan import plan_of
from jfsq_simpy.draws import Seed
from jfsq_simpy.engines import ENGINES, able
from jfsq_simpy.errors import ModelError, PlanError
from jfsq_simpy.jobs import process
from jfsq_simpy.jobs.sinks import MemorySink
from jfsq_simpy.jobs.trace import Trace
from jfsq_simpy.policies import CARDS, POLICIES
from jfsq_simpy.tally import Window

FALSE_ALARM = 1e-6
FLEET = rates.classes([2, 3], [2.0, 1.0])
COMPILED = [name for name in POLICIES if name != "central_queue"]  # which `process` alone runs
needs_numba = pytest.mark.skipif(not ENGINES["events"].available, reason="needs Numba")


def spec(name, **changes):
    return {"name": name, **CARDS[name].example, **changes}


# ---- every policy under every law ----------------------------------------------------------------------------

BOTH = [
    "exponential",
    "deterministic",
    {"law": "uniform", "width": 1.0},
    {"law": "gamma", "scv": 0.5},
    {"law": "erlang", "k": 3},
    {"law": "hyperexponential", "scv": 4.0},
    {"law": "coxian2", "scv": 3.0},
    {"law": "phase_type", "initial": [0.5, 0.5], "subgenerator": [[-2.0, 1.0], [0.0, -1.0]]},
    {"law": "lognormal", "scv": 4.0},
    {"law": "weibull", "shape": 0.6},
    {"law": "bounded_pareto", "shape": 1.5, "ratio": 1000.0},
    {"law": "scipy", "distribution": "beta", "parameters": {"a": 2.0, "b": 3.0}},
    {"law": "empirical", "values": [0.5, 1.0, 1.0, 3.0]},
]
ARRIVALS = [
    *BOTH,
    {"law": "mmpp", "rates": [0.5, 3.0], "switching": [[-0.1, 0.1], [0.4, -0.4]]},
    {"law": "batch", "size": 3},
    {"law": "batch", "mean_size": 2.5, "gaps": "deterministic"},
    {"law": "periodic", "levels": [0.5, 1.5], "period": 10.0},
    {"law": "sinusoidal", "amplitude": 0.8, "period": 24.0},
]
RECORDED = {"recorded_gaps", "recorded_sizes"}  # a log's own: tests/laws


def law_name(law):
    return law if isinstance(law, str) else law["law"]


def test_every_law_is_there():
    assert {law_name(law) for law in ARRIVALS} | RECORDED == set(laws.LAWS)


def traced(engine, system, seed):
    sink = MemorySink()
    outcome = engine.run(system, Seed.of(seed), 0, Window(0.5, 40 / system.arrival_rate), start="busy", sink=sink)
    return outcome, sink.columns()


@needs_numba
@pytest.mark.parametrize("name", COMPILED)
def test_both_engines_of_the_jobs_view_to_the_last_bit_under_every_law(name):
    """Every size law and every arrival law with every policy: 18 small systems each, 340 in all."""
    from jfsq_simpy.jobs import events

    for i, arrivals in enumerate(ARRIVALS):
        size = BOTH[(i + COMPILED.index(name)) % len(BOTH)]
        load, places = (0.8, 1.3)[i % 2], 1 + i % 4
        system = System(FLEET, load=load, places=places, policy=spec(name), size=size, arrivals=arrivals)
        (slow, slow_rows), (fast, fast_rows) = (traced(engine, system, i) for engine in (process, events))
        for column in slow_rows:
            np.testing.assert_array_equal(fast_rows[column], slow_rows[column], err_msg=f"{column} {arrivals} {size}")
        assert slow.tallies == fast.tallies
        assert slow.arrivals == fast.arrivals > 0


# ---- asking all by sampling all --------------------------------------------------------------------------------

EVERYBODY = [("jsq_d", "jsq"), ("jfsq_d", "jfsq")]


@pytest.mark.parametrize(("sampled", "asked"), EVERYBODY)
@pytest.mark.parametrize("fleet", [rates.two_speed(6, ratio=3), rates.homogeneous(6)], ids=["two speeds", "equal"])
@pytest.mark.parametrize("load", [0.7, 1.3])
def test_in_the_chain_view_too_a_sample_of_all_walks_the_path_of_everybody(sampled, asked, fleet, load):
    engines = [lockstep, *([jump] if jump.numba is not None else [])]
    for form in ("servers", "classes"):
        one, other = (System(fleet, load=load, places=3, policy=p) for p in ({"name": sampled, "d": 6}, asked))
        assert plan_of(one, form) == plan_of(other, form)
        path = walk.path(other, Seed.of(4), 1, 300, form=form)
        assert np.array_equal(walk.path(one, Seed.of(4), 1, 300, form=form), path)
        assert np.array_equal(lockstep.path(one, Seed.of(4), [0, 1], 300, form=form)[1], path)
        if jump.numba is not None:
            assert np.array_equal(jump.path(one, Seed.of(4), 1, 300, form=form), path)
        for engine in engines:
            number = [2] if engine is lockstep else 2
            found = [engine.run(system, Seed.of(4), number, Window(1.0, 50.0), form=form) for system in (one, other)]
            first, second = (x[0] if engine is lockstep else x for x in found)
            assert first.tallies == second.tallies


IN_CHAIN = ("jfsq", "jsq", "sed", "sed_all", "jiq", "jfiq", "jfiq_weighted", "jsq_d", "jfsq_d", "random", "weighted_random")


@pytest.mark.parametrize("name", IN_CHAIN)
def test_every_named_policy_walks_one_path_in_the_engines_of_the_chain_view(name):
    for form, load, places in (("classes", 0.8, 3), ("classes", 1.3, 1), ("servers", 0.9, 2)):
        system = System(FLEET, load=load, places=places, policy=spec(name))
        if form == "servers" and plan_of(system).rule == "rank":
            continue
        path = walk.path(system, Seed.of(6), 1, 200, form=form)
        assert np.array_equal(lockstep.path(system, Seed.of(6), [0, 1], 200, form=form)[1], path)
        if jump.numba is not None:
            assert np.array_equal(jump.path(system, Seed.of(6), 1, 200, form=form), path)


def test_a_sample_with_replacement_or_of_fewer_is_none_of_everybody():
    fleet = rates.homogeneous(4)
    everybody = walk.path(System(fleet, load=0.9, places=3, policy="jsq"), Seed.of(1), 0, 200)
    for policy in ({"name": "jsq_d", "d": 4, "replace": True}, {"name": "jsq_d", "d": 3}):
        path = walk.path(System(fleet, load=0.9, places=3, policy=policy), Seed.of(1), 0, 200)
        assert not np.array_equal(path, everybody)


# ---- two of two, with replacement --------------------------------------------------------------------------------


def unequal_finds(path):
    """Of the arrivals that find two unequal queues, how many join the shorter: (joined, seen), from a path of queue lengths."""
    before, change = path[:-1], np.diff(path, axis=0)
    came = (change.sum(axis=1) == 1) & (before[:, 0] != before[:, 1])
    shorter = np.where(before[:, 0] < before[:, 1], change[:, 0], change[:, 1])
    return int(shorter[came].sum()), int(came.sum())


@pytest.mark.parametrize("engine", ["process", "events", "lockstep", "chain"])
def test_the_shorter_of_two_queues_is_joined_three_times_in_four_in_every_engine(engine):
    if not ENGINES[engine].available:
        pytest.skip("needs Numba")
    system = System(rates.homogeneous(2), load=0.9, places=200, policy={"name": "jsq_d", "d": 2, "replace": True})
    module, seed, n = ENGINES[engine].load(), Seed.of(11), 12_000
    if engine == "lockstep":
        joined, seen = unequal_finds(module.path(system, seed, [0], n, form="servers")[0])
    elif engine == "chain":
        joined, seen = unequal_finds(module.path(system, seed, 0, n, form="servers"))
    else:
        sink = MemorySink()
        module.run(system, seed, 0, Window(0.0, n / 3.8), sink=sink)
        c = sink.columns()
        assert Trace(system, c).check() is None
        joined, seen = finds_in_records(c)
    assert seen > 3000
    assert stats.binomtest(joined, seen, 3 / 4).pvalue > FALSE_ALARM
    assert stats.binomtest(joined, seen, 0.80).pvalue < FALSE_ALARM


def finds_in_records(c):
    """The same from records: queues rebuilt job by job."""
    arrival, server, departure = (c[name] for name in ("arrival", "server", "departure"))
    at = [np.sort(departure[server == n]) for n in (0, 1)]
    came = [np.sort(arrival[server == n]) for n in (0, 1)]
    queue = np.stack([np.searchsorted(came[n], arrival, "left") - np.searchsorted(at[n], arrival, "right") for n in (0, 1)], axis=1)
    unequal = queue[:, 0] != queue[:, 1]
    mine = np.take_along_axis(queue, server[:, None].astype(int), axis=1)[:, 0]
    return int((mine[unequal] == queue[unequal].min(axis=1)).sum()), int(unequal.sum())


# ---- who runs what ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(POLICIES))
def test_an_engine_runs_a_policy_or_says_in_one_line_why_not(name):
    system = System(rates.two_speed(4, ratio=2), load=0.8, places=2, policy=spec(name))
    runs = able(system)
    assert "process" in runs
    for engine in ENGINES:
        reason = ENGINES[engine].refuses(system, trace=False)
        assert (reason is None) == (engine in runs)
        assert reason is None or (reason and "\n" not in reason)


@needs_numba
def test_the_chain_view_runs_the_policies_named_above_and_no_others():
    systems = {name: System(rates.two_speed(4, ratio=2), load=0.8, places=2, policy=spec(name)) for name in POLICIES}
    assert {name for name, system in systems.items() if "chain" in able(system)} == set(IN_CHAIN)


def test_errors_of_the_chain_name_the_policy():
    system = System(rates.two_speed(4, ratio=2), load=0.8, places=2, policy="round_robin")
    with pytest.raises((PlanError, ModelError), match="round_robin"):
        plan_of(system)
