"""The SimPy model: by hand, against a loop that owes SimPy nothing, and against exact values."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import System, rates
from jfsq_simpy.draws import JobDraws, Seed
from jfsq_simpy.jobs import process
from jfsq_simpy.jobs.sinks import MemorySink
from jfsq_simpy.metrics import METRICS, averages
from jfsq_simpy.policies import Sight
from jfsq_simpy.policies.policy import choose_among
from jfsq_simpy.tally import Window, groups_of
from tests.exact.cases import REFERENCE, reference_system
from tests.jobs.systems import Case, Lattice, random_case

FALSE_ALARM = 1e-6  # of each test (of each family of comparisons): a red run means a bug, not bad luck


def rows_of(case: Case, seed: int = 1) -> dict[str, np.ndarray]:
    sink = MemorySink()
    process.run(case.system, Seed.of(seed), 0, case.window, observe=case.observe, start=case.start, sink=sink)
    return sink.columns()


def rows(system: System, length: float, *, seed: int = 1) -> dict[str, np.ndarray]:
    sink = MemorySink()
    process.run(system, Seed.of(seed), 0, Window(0.0, length), sink=sink)
    return sink.columns()


def d_d(rates_of_servers, load, places, **changes) -> System:
    """Jobs of size 1 at equal gaps."""
    return System(rates_of_servers, load=load, places=places, **({"size": "deterministic", "arrivals": "deterministic"} | changes))


# ---- by hand -------------------------------------------------------------------------------------------------


def test_d_d_1_below_load_one_never_waits():
    c = rows(d_d([1.0], load=0.5, places=3), 20.0)
    assert c["arrival"].tolist() == [2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0]
    assert np.array_equal(c["start"], c["arrival"])
    assert np.array_equal(c["departure"], c["arrival"] + 1)


def test_d_d_1_in_overload_blocks_every_other_job_in_the_end():
    """A job every 1/2, each of size 1, two places: full for ever from time 2, a place free at every departure."""
    c = rows(d_d([1.0], load=2.0, places=2), 5.0)
    # at 3/2 the first has just left: departures come before arrivals
    assert c["server"].tolist() == [0, 0, 0, -1, 0, -1, 0, -1, 0]
    assert c["level"].tolist() == [0, 1, 1, 2, 1, 2, 1, 2, 1]
    assert c["start"][c["server"] >= 0].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    assert np.isnan(c["start"][c["server"] < 0]).all()
    assert np.isnan(c["departure"][c["server"] < 0]).all()


def test_jfsq_fills_level_by_level_fastest_first():
    """Three servers, jobs that come faster than they leave: 0, 1, 2, then 0, 1, 2 again, then blocked."""
    c = rows(d_d([1.5, 1.0, 0.5], load=100.0, places=2), 0.025)
    assert c["server"].tolist() == [0, 1, 2, 0, 1, 2, -1]
    assert c["level"].tolist() == [0, 0, 0, 1, 1, 1, 2]


def test_jfsq_goes_back_to_the_fastest_as_soon_as_it_is_free():
    """Rates 3/2 and 1/2, a job each unit of time: the fast server is done in 2/3, so nobody else is needed."""
    c = rows(d_d([1.5, 0.5], load=0.5, places=2), 30.0)
    assert set(c["server"].tolist()) == {0}
    # each 3/4: the fast one (2/3) still suffices; each 1/2: it does not
    assert set(rows(d_d([1.5, 0.5], load=2 / 3, places=2), 30.0)["server"].tolist()) == {0}
    assert set(rows(d_d([1.5, 0.5], load=1.0, places=2), 30.0)["server"].tolist()) == {0, 1}


def test_one_place_is_pure_loss():
    c = rows(d_d([1.0, 1.0], load=2.0, places=1), 10.0)  # a job each 1/4, two servers: of four jobs two find room
    taken = c["server"] >= 0
    assert set(c["level"][taken].tolist()) == {0}
    assert np.array_equal(c["start"][taken], c["arrival"][taken])
    assert np.flatnonzero(taken).tolist() == sorted([*range(0, 39, 4), *range(1, 39, 4)])


def test_first_come_first_served():
    c = rows(System(rates.linear(4, 3), load=0.95, places=6, size={"law": "hyperexponential", "scv": 5.0}), 500.0)
    for n in range(4):
        here = c["server"] == n
        start, departure = c["start"][here], c["departure"][here]
        assert np.all(np.diff(start) >= 0)
        assert np.array_equal(start, np.maximum(c["arrival"][here], np.concatenate([[-np.inf], departure[:-1]])))


def test_a_job_takes_its_size_over_the_rate():
    system = System([1.6, 0.4], load=0.9, places=3)
    c = rows(system, 300.0)
    taken = c["server"] >= 0
    mu = system.rates.vector()[c["server"][taken]]
    assert np.array_equal(c["departure"][taken], c["start"][taken] + c["size"][taken] / mu)


def test_what_has_not_left_when_the_drain_is_over_is_said():
    system = d_d([1.0], load=2.0, places=3)
    tally = process.run(system, Seed.of(1), 0, Window(0.0, 2.25, drain=0.25)).tallies[0]
    # arrivals at 1/2, 1, 3/2, 2; departures at 3/2 and 5/2, which is the last moment waited for
    assert (tally.accepted, tally.blocked, tally.unfinished) == (4, 0, 2)


# ---- a loop of its own ---------------------------------------------------------------------------------------


def plain_loop(system: System, seed: int, end: float, busy: bool) -> dict[str, np.ndarray]:
    """The model without SimPy: a FIFO job's start is known when it comes. The choice is `choose_among`, the definition."""
    draws, mu = JobDraws(system, Seed.of(seed), 0), system.rates.vector()
    by_class, of = system.policy.rank_table(system.rates, system.places), system.rates.class_of_server()
    departures: list[list[float]] = [[] for _ in range(system.n_servers)]
    out = []
    for n, size in enumerate(draws.initial_sizes(system.n2.floor if busy else 0).tolist()):
        departures[n].append(size / mu[n])
        out.append((-1 - n, 0.0, n, 0, 0.0, size / mu[n], size))
    now, k = 0.0, 0
    for block in draws.blocks():
        for gap, size, tie, samples in zip(block.gaps.tolist(), block.sizes.tolist(), block.ties, block.samples, strict=True):
            now += gap
            if not now < end:
                return {name: np.array(column) for name, column in zip(COLUMNS, zip(*out, strict=True), strict=True)} if out else {}
            for n in range(system.n_servers):
                departures[n] = [t for t in departures[n] if t > now]  # who leaves now is gone
            queue = np.array([len(d) for d in departures])
            free_at = [d[-1] if d else now for d in departures]
            turn = int(block.turns[k - block.first]) if block.turns.size else 0
            sight = Sight.of(system.rates, system.places, queue, free_at=free_at, u=tie, samples=samples, turn=turn)
            n = choose_among(system.policy, by_class[of, queue].__getitem__, sight)
            level = int(queue[n])
            if level == system.places:
                out.append((k, now, -1, level, math.nan, math.nan, size))
            else:
                start = departures[n][-1] if level else now
                departures[n].append(start + size / mu[n])
                out.append((k, now, n, level, start, departures[n][-1], size))
            k += 1
    raise AssertionError("streams do not end")


COLUMNS = ("job", "arrival", "server", "level", "start", "departure", "size")


@pytest.mark.parametrize("seed", range(40))
def test_simpy_gives_what_a_plain_loop_gives(seed):
    """Every column, to the last bit: ties, samples, lattice times, jobs of size 0, overload, jobs at time 0."""
    case = random_case(seed, jobs=150)
    case = replace(case, window=replace(case.window, drain=math.inf))
    expected = plain_loop(case.system, seed, case.window.end, case.start == "busy")
    for name, column in rows_of(case, seed).items():
        np.testing.assert_array_equal(column, expected.get(name, np.empty(0)), err_msg=name)


# ---- departures first ----------------------------------------------------------------------------------------


def lattice_system(seed: int) -> System:
    """Times on a lattice of binary fractions, so that arrivals often meet departures, and sums are exact."""
    rng = np.random.default_rng(seed)
    n = int(2 ** rng.integers(0, 4))
    return System(
        np.ones(n),
        load=float(2.0 ** rng.integers(-1, 3)),
        places=int(rng.integers(1, 4)),
        policy=str(rng.choice(["jfsq", "jsq", "random"])),
        size=["deterministic", Lattice(0.2), Lattice(0.0)][rng.integers(3)],
        arrivals=["deterministic", Lattice(0.3), Lattice(0.0)][rng.integers(3)],
    )


def wrong_systems() -> int:
    """On how many of 60 lattice systems SimPy and the plain loop differ."""
    wrong = 0
    for seed in range(60):
        system = lattice_system(seed)
        end = 100 / system.arrival_rate
        got, expected = rows(system, end, seed=seed), plain_loop(system, seed, end, busy=False)
        wrong += any(not np.array_equal(got[name], expected[name], equal_nan=True) for name in COLUMNS)
    return wrong


def test_departures_precede_arrivals_of_their_instant():
    assert wrong_systems() == 0


def test_without_the_priority_they_do_not(monkeypatch):
    """The control: arrivals at SimPy's normal priority see jobs that are leaving at that very moment."""
    monkeypatch.setattr(process.Arrival.__init__, "__defaults__", (1,))
    assert wrong_systems() > 10


# ---- ties ----------------------------------------------------------------------------------------------------


def ages_of_chosen(c: dict[str, np.ndarray], n_servers: int) -> dict[int, np.ndarray]:
    """For each number m of tied servers, how often the one chosen was the oldest, the second oldest, ... in its level.

    All servers alike, so any with the shortest queue may be chosen. Rebuilt from records alone.
    """
    since, queue, leaving = [0.0] * n_servers, [0] * n_servers, []
    seen = {m: np.zeros(m, int) for m in range(2, n_servers + 1)}
    for arrival, server, departure in zip(c["arrival"].tolist(), c["server"].tolist(), c["departure"].tolist(), strict=True):
        for t, n in sorted(d for d in leaving if d[0] <= arrival):
            queue[n] -= 1
            since[n] = t
        leaving = [d for d in leaving if d[0] > arrival]
        tied = sorted((n for n in range(n_servers) if queue[n] == min(queue)), key=lambda n: since[n])
        if server < 0:
            continue
        if len(tied) > 1:
            seen[len(tied)][tied.index(server)] += 1
        queue[server] += 1
        since[server] = arrival
        leaving.append((departure, server))
    return seen


def p_value_of_uniform_ties(seed: int) -> float:
    seen = ages_of_chosen(rows(System(rates.homogeneous(4), load=0.7, places=3), 4000.0, seed=seed), 4)
    counts = [k for k in seen.values() if k.sum() >= 100]
    assert len(counts) == 3
    chi_square = sum(stats.chisquare(k).statistic for k in counts)
    return float(stats.chi2.sf(chi_square, sum(k.size - 1 for k in counts)))


def test_ties_are_uniform_given_the_past():
    assert p_value_of_uniform_ties(seed=11) > FALSE_ALARM


class KeyOnInsertion(process.Dispatcher):
    """The scheme that only looks uniform: a random number drawn when a server enters the sorted list.

    Those that have been in the list for long are those that lost, and so lose again.
    """

    def __init__(self, env, system, servers):
        super().__init__(env, system, servers)
        self.random = np.random.default_rng(0)
        self.lot = self.random.random(len(servers))

    def change(self, server, jobs):
        super().change(server, jobs)
        self.lot[server.index] = self.random.random()

    def choose(self, job):
        best = self.order[0][0]
        tied = [n for rank, n in self.order if rank == best]
        return self.servers[min(tied, key=lambda n: self.lot[n])]


def test_keys_drawn_on_insertion_are_not(monkeypatch):
    """The control: the same statistic on the same number of jobs."""
    monkeypatch.setattr(process, "Dispatcher", KeyOnInsertion)
    assert p_value_of_uniform_ties(seed=11) < FALSE_ALARM


# ---- exact values --------------------------------------------------------------------------------------------


def measured(system: System, length: float, replications: int, names: list[str]) -> dict[str, np.ndarray]:
    """Each metric in each replication."""
    groups, found = groups_of(system), []
    for r in range(replications):
        tally = process.run(system, Seed.of(2024), r, Window(60.0, length)).tallies[0]
        found.append(averages(system, groups, tally))
    return {name: np.array([METRICS[name](a) for a in found]) for name in names}


def assert_near(x: np.ndarray, exact: float, n_comparisons: int, sharp: float) -> None:
    """Student t over replications, at the family's false-alarm rate; and sharp enough to notice that share of error."""
    allowed = stats.t.ppf(1 - FALSE_ALARM / n_comparisons / 2, x.size - 1) * x.std(ddof=1) / math.sqrt(x.size)
    assert abs(x.mean() - exact) <= allowed
    assert allowed < sharp * exact


def test_one_server_blocks_as_often_as_mm1b():
    x = measured(System([1.0], load=0.9, places=4), 3000.0, 12, ["blocking_probability", "waiting_probability"])
    weights = 0.9 ** np.arange(5)
    law = weights / weights.sum()
    assert_near(x["blocking_probability"], law[4], 2, sharp=0.25)
    assert_near(x["waiting_probability"], 1 - law[0], 2, sharp=0.1)


def erlang_b(servers: int, offered: float) -> float:
    blocking = 1.0
    for n in range(1, servers + 1):
        blocking = offered * blocking / (n + offered * blocking)
    return blocking


@pytest.mark.parametrize("size", ["exponential", "deterministic"])
def test_no_waiting_room_blocks_as_erlang_says_whatever_the_sizes(size):
    x = measured(System(rates.homogeneous(5), load=0.8, places=1, size=size), 1500.0, 12, ["blocking_probability"])
    assert_near(x["blocking_probability"], erlang_b(5, 4.0), 1, sharp=0.15)


def test_random_routing_is_as_many_queues_of_their_own():
    system = System([1.4, 0.6], load=0.8, places=3, policy="random")
    x = measured(system, 4000.0, 12, ["blocking_probability", "mean_jobs"])
    laws = [(0.8 / mu) ** np.arange(4) / ((0.8 / mu) ** np.arange(4)).sum() for mu in (1.4, 0.6)]
    assert_near(x["blocking_probability"], np.mean([law[3] for law in laws]), 2, sharp=0.15)
    assert_near(x["mean_jobs"], sum(law @ np.arange(4) for law in laws), 2, sharp=0.1)


NAMES = ["waiting_probability", "blocking_probability", "buffered_probability", "mean_wait", "mean_response", "mean_jobs"]
NAMES += ["mean_waiting_jobs", "mean_busy", "busy_capacity", "idle_among_n2"]
SMALL = ("05-", "07-", "16-", "24-")


def reference_comparisons(case) -> list[str]:
    """What can be compared in a run of this length: values of 1 % and more."""
    return [name for name in NAMES if case["values"].get(name, 0.0) > 0.01]


def check_reference(case, length: float, sharp: float) -> None:
    """`length` in time units: what decides how much a run knows, whatever the number of servers."""
    system = reference_system(case)
    names = reference_comparisons(case)
    x = measured(system, length, 20, names)
    for name in names:
        # rare events and idle servers vary most
        rare = case["values"][name] < 0.1 or name == "idle_among_n2"
        assert_near(x[name], case["values"][name], len(names), sharp * (4 if rare else 1))


@pytest.mark.parametrize("case", [c for c in REFERENCE if c["id"].startswith(SMALL)], ids=lambda c: c["id"])
def test_small_reference_cases(case):
    check_reference(case, length=1500, sharp=0.2)


@pytest.mark.verify
@pytest.mark.parametrize("case", REFERENCE, ids=lambda c: c["id"])
def test_every_reference_case(case):
    large = len(case["rates"]) > 4
    check_reference(case, length=800 if large else 5000, sharp=0.5 if large else 0.2)
