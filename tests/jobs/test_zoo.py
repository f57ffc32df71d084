"""Every policy in the jobs view: both engines to the last bit, policies that must agree path by path, answers known otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import System, rates
from jfsq_simpy.draws import JobDraws, Seed
from jfsq_simpy.engines import ENGINES
from jfsq_simpy.errors import IdentityError
from jfsq_simpy.jobs import process
from jfsq_simpy.jobs.sinks import MemorySink
from jfsq_simpy.jobs.trace import Trace
from jfsq_simpy.policies import CARDS, POLICIES
from jfsq_simpy.tally import NOTHING, Observables, Window
from tests.jobs.systems import Lattice, random_case

FALSE_ALARM = 1e-6
COLUMNS = ("job", "arrival", "server", "level", "start", "departure", "size")


def rows(policy, *, fleet=None, length=200.0, seed=1, engine=process, start="empty", **changes):
    system = System(fleet or rates.two_speed(6, ratio=3), **({"load": 0.9, "places": 3} | changes), policy=policy)
    sink = MemorySink()
    engine.run(system, Seed.of(seed), 0, Window(0.0, length), start=start, sink=sink)
    return system, sink.columns()


def assert_same_rows(one, other, columns=COLUMNS):
    for name in columns:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


# ---- both engines --------------------------------------------------------------------------------------------


def random_parameters(name, counts, rng):
    """Parameters of a policy for speed classes of such sizes; None if it has none for them."""
    n, k = int(counts.sum()), counts.size
    p = rng.random(k) + 0.01
    if name in ("jsq_d", "jfsq_d", "jiq_d"):
        with_replacement = bool(rng.random() < 0.5)
        return {"d": int(rng.integers(1, 7 if with_replacement else min(n, 6) + 1)), "replace": with_replacement}
    if name == "class_jiq":
        return {"probabilities": (p / p.sum()).tolist()}
    if name == "class_jsq":
        return {"probabilities": (p / p.sum()).tolist(), "d": int(rng.integers(1, counts.min() + 1))}
    if name == "jsq_df_ds" and (k != 2 or rng.random() < 0.5):
        return {"d": rng.integers(1, np.minimum(counts, 3) + 1).tolist()}
    if name in ("jsq_df_ds", "jiq_df_ds"):
        d = rng.integers(1, np.minimum(counts, 3) + 1).tolist()
        return {"d": d, "p_slow": float(rng.random()), "p_fast": float(rng.random())} if k == 2 else None
    return {}


COMPILED = [name for name in POLICIES if name != "central_queue"]


@pytest.mark.parametrize("name", COMPILED)
def test_both_engines_give_the_same_records_and_tallies(name):
    """On random systems: lattice times, jobs of no size, overload, every number of places."""
    pytest.importorskip("numba")
    from jfsq_simpy.jobs import events

    first = 40 * list(POLICIES).index(name)
    for seed in range(first, first + 11):
        case, rng = random_case(seed, jobs=120), np.random.default_rng([seed, 2])
        if name == "jiq_df_ds" or (name == "jsq_df_ds" and seed % 2):  # these look at two speeds
            fleet = rates.classes(rng.integers(1, 8, 2).tolist(), [3.0, 1.0])
            case = replace(case, system=case.system.replaced(rates=fleet, load=0.9))
        parameters = random_parameters(name, case.system.rates.counts, rng)
        case = replace(case, system=case.system.replaced(policy={"name": name, **(parameters or {})}))
        found = []
        for engine in (process, events):
            sink = MemorySink()
            outcome = engine.run(case.system, Seed.of(seed), 0, case.window, observe=case.observe, start=case.start, sink=sink)
            found.append((outcome, sink.columns()))
        (slow, slow_rows), (fast, fast_rows) = found
        assert_same_rows(slow_rows, fast_rows)
        assert slow.arrivals == fast.arrivals
        assert slow.tallies == fast.tallies


@pytest.mark.parametrize("name", list(POLICIES))
def test_every_trace_obeys_the_model(name):
    for seed, size, start in ((1, "exponential", "empty"), (2, Lattice(0.2), "busy"), (3, "deterministic", "busy")):
        system, c = rows({"name": name, **CARDS[name].example}, seed=seed, size=size, start=start, length=100.0)
        assert c["job"].size > 400
        Trace(system, c).check()


# ---- policies that are one, path by path ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"name": "jsq_d", "d": 6}, "jsq"),
        ({"name": "jfsq_d", "d": 6}, "jfsq"),
        ({"name": "jiq_d", "d": 6}, "jsq"),
        ({"name": "jsq_df_ds", "d": [3, 3]}, "jsq"),
    ],
    ids=str,
)
@pytest.mark.parametrize("engine", ["process", "events"])
def test_asking_all_by_sampling_is_asking_all(one, other, engine):
    """The paths, not only the laws: the tie's uniform number is used at the stage that decides."""
    if not ENGINES[engine].available:
        pytest.skip("needs Numba")
    run = ENGINES[engine].load()
    for load in (0.7, 1.3):
        assert_same_rows(rows(one, engine=run, load=load)[1], rows(other, engine=run, load=load)[1])


EQUAL = rates.homogeneous(6)


@pytest.mark.parametrize(
    ("one", "other", "changes"),
    [
        ("sed", "jsq", {"fleet": EQUAL}),
        ("weighted_round_robin", "round_robin", {"fleet": EQUAL}),
        ({"name": "class_jsq", "probabilities": [1.0]}, "jsq", {"fleet": EQUAL}),
        ("sed", "jfsq", {"places": 1}),
        ("jfiq", "jfsq", {"places": 1}),
        ("jfiq_weighted", "jfsq", {"places": 1}),
        ("central_queue", "jfsq", {"places": 1}),
        ("jiq", "least_work", {"places": 1}),
    ],
    ids=str,
)
def test_policies_that_agree_where_there_is_nothing_to_tell_them_apart(one, other, changes):
    """Equal speeds, or no waiting room; blocked jobs may be blocked by another server."""
    columns = [name for name in COLUMNS if name != "level"]
    assert_same_rows(rows(one, **changes)[1], rows(other, **changes)[1], columns)
    assert_same_rows(rows(one, start="busy", **changes)[1], rows(other, start="busy", **changes)[1], columns)


def test_the_shorter_of_two_queues_is_found_three_times_in_four():
    """N = 2, two drawn with replacement: both are seen half the time. Jobs that find unequal queues, rebuilt from records."""
    _, c = rows({"name": "jsq_d", "d": 2, "replace": True}, fleet=rates.homogeneous(2), places=50, length=6000.0)
    queue, leaving, shorter, unequal = [0, 0], [], 0, 0
    for arrival, server, departure in zip(c["arrival"].tolist(), c["server"].tolist(), c["departure"].tolist(), strict=True):
        for _, n in [d for d in leaving if d[0] <= arrival]:
            queue[n] -= 1
        leaving = [d for d in leaving if d[0] > arrival]
        if queue[0] != queue[1]:
            unequal += 1
            shorter += queue[server] < queue[1 - server]
        queue[server] += 1
        leaving.append((departure, server))
    assert unequal > 5000
    assert stats.binomtest(shorter, unequal, 3 / 4).pvalue > FALSE_ALARM
    assert stats.binomtest(shorter, unequal, 0.78).pvalue < FALSE_ALARM  # a twenty-fifth more would show


# ---- turns ---------------------------------------------------------------------------------------------------


def test_round_robin_sends_job_k_to_server_k_modulo_n():
    _, c = rows("round_robin", places=50, load=0.4)
    assert np.array_equal(c["server"], c["job"] % 6)
    _, tight = rows("round_robin", places=1, load=1.5)
    taken = tight["server"] >= 0
    assert 0 < taken.sum() < taken.size  # a blocked job has had its turn, too
    assert np.array_equal(tight["server"][taken], tight["job"][taken] % 6)


def test_weighted_round_robin_gives_each_server_its_share_within_a_job():
    system, c = rows("weighted_round_robin", places=100, length=500.0)
    had = np.bincount(c["server"], minlength=6)
    assert np.abs(had - c["job"].size * system.rates.vector() / 6).max() <= 1.0


# ---- least work ----------------------------------------------------------------------------------------------


def test_least_work_by_hand():
    """Rates 3/2 and 1/2, a job of size 1 each 1/2: services take 2/3 and 2. Ties by index, so the fast server begins.

    At 1 it has 1/6 left and the slow one is idle; at 2 it has 1/6 left and the slow one 1, at 5/2 1/3 and 1/2;
    at 3 the slow one has just finished.
    """
    _, c = rows(
        {"name": "least_work", "ties": "index"},
        fleet=rates.as_rates([1.5, 0.5]),
        load=1.0,
        size="deterministic",
        arrivals="deterministic",
        length=4.25,
    )
    assert c["server"].tolist() == [0, 1, 0, 0, 0, 1, 0, 0]
    np.testing.assert_allclose(c["start"] - c["arrival"], [0, 0, 0, 1 / 6, 1 / 3, 0, 0, 1 / 6], atol=1e-12)


def kiefer_wolfowitz(system, seed, n_jobs):
    """Waits of G/G/N first come first served, by the recursion of its sorted workloads."""
    block = next(JobDraws(system, Seed.of(seed), 0).blocks())
    work, waits = np.zeros(system.n_servers), []
    for gap, size in zip(block.gaps[:n_jobs], block.sizes[:n_jobs], strict=True):
        work = np.sort(np.maximum(work - gap, 0.0))
        waits.append(work[0])
        work[0] += size
    return np.array(waits)


@pytest.mark.parametrize("name", ["least_work", "central_queue"])
@pytest.mark.parametrize("size", ["exponential", {"law": "lognormal", "scv": 6.0}], ids=["exponential", "lognormal"])
def test_equal_servers_that_never_block_wait_as_kiefer_and_wolfowitz_say(name, size):
    """Where all speeds are equal the least loaded server is the one a central queue would have given, job by job."""
    system, c = rows(name, fleet=rates.homogeneous(5), places=200, load=0.9, size=size, length=400.0)
    assert (c["server"] >= 0).all()
    expected = kiefer_wolfowitz(system, 1, c["job"].size)
    assert (expected > 0).sum() > 300
    np.testing.assert_allclose(c["start"] - c["arrival"], expected, atol=1e-9)


# ---- one queue -----------------------------------------------------------------------------------------------


def test_one_queue_by_hand():
    """Rates 3/2 and 1/2, two places each: jobs of size 1 at 1/4, 1/2, ... The fast server takes 2/3, the slow one 2."""
    _, c = rows("central_queue", fleet=rates.as_rates([1.5, 0.5]), places=2, load=2.0, size="deterministic",
                arrivals="deterministic", length=2.0)  # fmt: skip
    # both are busy from 1/2 on; whoever waits starts at the fast one at 11/12, 19/12, 9/4, or at the slow one at 5/2
    assert c["server"].tolist() == [0, 1, 0, 0, 0, -1, 1]
    assert c["level"].tolist() == [0, 0, 1, 1, 1, 2, 1]  # two may wait, one seated at each server
    joined = c["server"] >= 0
    np.testing.assert_allclose(c["start"][joined], [1 / 4, 1 / 2, 11 / 12, 19 / 12, 9 / 4, 5 / 2], atol=1e-12)


def test_one_queue_with_what_has_not_started_when_the_run_ends():
    system = System(rates.homogeneous(2), load=3.0, places=3, policy="central_queue")
    sink = MemorySink()
    outcome = process.run(system, Seed.of(4), 0, Window(0.0, 20.0, drain=0.5), sink=sink)
    c = sink.columns()
    unfinished = (c["server"] >= 0) & np.isnan(c["departure"])
    assert outcome.tallies[0].unfinished == unfinished.sum() > 2
    Trace(system, c).check()


def broken(column, row, value):
    """A trace of one queue with one number changed."""
    system, c = rows("central_queue", fleet=rates.linear(3, ratio=3), load=0.9, places=4, length=60.0)
    if callable(row):
        row = int(np.flatnonzero(row(c))[3])
    c[column][row] = value(c, row) if callable(value) else value
    if column == "start":  # the service goes with it
        c["departure"][row] = c["start"][row] + c["size"][row] / system.rates.vector()[c["server"][row]]
    return Trace(system, c)


def waited(c):
    return (c["server"] >= 0) & (c["level"] > 0)


def started_at_once(c):
    return (c["server"] >= 0) & (c["level"] == 0)


@pytest.mark.parametrize(
    ("column", "row", "value", "says"),
    [
        ("level", started_at_once, 1, "not that of the first free seat"),
        ("level", waited, lambda c, i: c["level"][i] + 1, "not that of the first free seat|by a server"),
        ("start", waited, lambda c, i: c["arrival"][i], "before its server was free"),
        ("start", started_at_once, lambda c, i: c["start"][i] + 0.25, "before its server was free, or later"),
        ("server", waited, lambda c, i: -1, "blocked"),
    ],
)
def test_a_trace_of_one_queue_that_breaks_a_rule_is_found_out(column, row, value, says):
    with pytest.raises(IdentityError, match=says):
        broken(column, row, value).check()


def test_a_trace_of_queues_of_their_own_is_not_one_of_one_queue():
    """JFSQ's own trace, held against the rules of one queue: somebody overtakes, or waits at a busy server beside an idle one."""
    system, c = rows("jfsq", length=100.0)
    with pytest.raises(IdentityError):
        Trace(system.replaced(policy="central_queue"), c).check()


def snapshots_from_rows(c, times, n_servers):
    """Jobs present and servers busy at each time, from the records alone."""
    joined = c["server"] >= 0
    arrival, start, departure = (c[name][joined] for name in ("arrival", "start", "departure"))
    present = [(np.sum(arrival < t) - np.sum(departure <= t)) for t in times]
    busy = [np.sum(start < t) - np.sum((departure <= t) & (start < t)) for t in times]
    return np.array(present), np.minimum(busy, n_servers)


@pytest.mark.parametrize("observe", [NOTHING, Observables(path=True, idle_tails=((2, 1.0),))], ids=["levels", "more"])
def test_snapshots_of_one_queue_are_what_the_records_say(observe):
    system = System(rates.linear(4, ratio=3), load=0.95, places=4, policy="central_queue")
    sink, window = MemorySink(), Window(3.0, 100.0, batches=3)
    tallies = process.run(system, Seed.of(6), 0, window, observe=observe, sink=sink).tallies
    present, busy = snapshots_from_rows(sink.columns(), window.snapshot_times(), 4)
    levels = sum(t.levels for t in tallies)
    assert sum(t.snapshots for t in tallies) == present.size == 800
    assert int((levels @ np.arange(5)).sum()) == present.sum()
    assert int(levels[:, 1:].sum()) == busy.sum()
    assert [t.snapshots for t in tallies] == [len(x) for x in np.array_split(present, 3)]
    if observe.path:
        assert np.array_equal(np.concatenate([t.path for t in tallies]), present)


# ---- ties, given the past ------------------------------------------------------------------------------------

TIED = {  # who could have got a job that finds queue lengths q, last departures f: the rule again, in plain Python
    "jsq": lambda q, f: [n for n in range(6) if q[n] == min(q)],
    "jiq": lambda q, f: [n for n in range(6) if q[n] == 0] or list(range(6)),
    "jiq_d": lambda q, f: [n for n in range(6) if q[n] == 0],
    "jfiq": lambda q, f: [n for n in range(6) if q[n] == 0] or list(range(6)),
    "sed": lambda q, f: [n for n in range(6) if q[n] == min(q)],
    "least_work": lambda q, f: [n for n in range(6) if q[n] == 0],
    "random": lambda q, f: list(range(6)),
}


@pytest.mark.parametrize("name", list(TIED))
def test_ties_are_uniform_given_the_past(name):
    """Equal servers, so any of the tied may be chosen. They are put in the order in which they last changed."""
    _, c = rows(name, fleet=EQUAL, load=0.7, places=6, length=2500.0, seed=7)
    since, queue, leaving = [0.0] * 6, [0] * 6, []
    seen = {m: np.zeros(m, int) for m in range(2, 7)}
    for arrival, server, departure in zip(c["arrival"].tolist(), c["server"].tolist(), c["departure"].tolist(), strict=True):
        for t, n in sorted(d for d in leaving if d[0] <= arrival):
            queue[n], since[n] = queue[n] - 1, t
        leaving = [d for d in leaving if d[0] > arrival]
        tied = sorted(TIED[name](queue, None), key=lambda n: since[n])
        if server >= 0 and len(tied) > 1:
            seen[len(tied)][tied.index(server)] += 1
        if server >= 0:
            queue[server], since[server] = queue[server] + 1, arrival
            leaving.append((departure, server))
    counts = [k for k in seen.values() if k.sum() >= 100]
    assert counts
    statistic = sum(stats.chisquare(k).statistic for k in counts)
    assert stats.chi2.sf(statistic, sum(k.size - 1 for k in counts)) > FALSE_ALARM
