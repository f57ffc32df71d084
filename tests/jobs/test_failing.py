"""Servers that fail: by hand, against a loop that owes SimPy nothing, and against small Markov chains."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice, product, repeat

import numpy as np
import pytest
import simpy
from scipy import stats

from jfsq_simpy import Scenario, System, Trace, exact, rates, simulate
from jfsq_simpy.draws import JobDraws, Seed
from jfsq_simpy.engines import able, choose
from jfsq_simpy.errors import IdentityError, JfsqError, ModelError, PlanError
from jfsq_simpy.jobs import failing, process
from jfsq_simpy.jobs.failing import FailingServer, Lookout
from jfsq_simpy.jobs.job import Job
from jfsq_simpy.jobs.sinks import MemorySink
from jfsq_simpy.metrics import METRICS, averages
from jfsq_simpy.policies import Sight
from jfsq_simpy.policies.policy import choose_among
from jfsq_simpy.tally import Window, groups_of
from jfsq_simpy.theory.reference import curves
from tests.jobs.systems import Case, Lattice, random_case, with_a_query

FALSE_ALARM = 1e-6  # of each family of comparisons: a red run means a bug, not bad luck
NEVER = {"mean_up": 1e300, "mean_down": 1.0}
COLUMNS = ("job", "arrival", "server", "level", "start", "departure", "size")


def rows_of(case: Case, seed: int = 1) -> dict[str, np.ndarray]:
    sink = MemorySink()
    process.run(case.system, Seed.of(seed), 0, case.window, observe=case.observe, start=case.start, sink=sink)
    return sink.columns()


# ---- by hand: the pieces alone -------------------------------------------------------------------------------

Spells = Iterator[tuple[float, float]]


def model(spells: list[Spells], jobs: list[Job], *, speeds: list[float], places: int, seen: bool, until: float = 100.0) -> None:
    """These jobs, to servers that fail as said, under JFSQ."""
    env = simpy.Environment()
    system = System(speeds, load=1.0, places=places)
    servers = [FailingServer(env, n, rate, places, s) for n, (rate, s) in enumerate(zip(speeds, spells, strict=True))]
    dispatcher = process.Dispatcher(env, system, servers)
    if seen:
        Lookout(dispatcher, system, servers)
    env.process(dispatcher.run(jobs))
    env.run(until=until)


def jobs_of(sizes: list[float], gap: float = 1.0) -> list[Job]:
    return [Job(k, gap=gap, size=size, tie=0.0) for k, size in enumerate(sizes)]


def test_a_job_goes_on_where_it_stopped():
    """Up until 2, down until 5, up until 7, down until 10, and so on; jobs of size 3 at times 1 and 2."""
    jobs = jobs_of([3.0, 3.0])
    model([repeat((2.0, 3.0))], jobs, speeds=[1.0], places=2, seen=False)
    # the first works in [1, 2] and [5, 7]; its end meets a failure, and the second has the server from then on
    assert [(job.start, job.departure) for job in jobs] == [(1.0, 7.0), (7.0, 16.0)]


def test_who_leaves_at_the_instant_of_a_failure_has_left():
    jobs = jobs_of([1.0])
    model([repeat((2.0, 3.0))], jobs, speeds=[1.0], places=1, seen=False)
    assert jobs[0].departure == 2.0


@pytest.mark.parametrize(("seen", "server"), [(True, 1), (False, 0)])
def test_who_comes_at_the_instant_of_a_failure_finds_the_server_down(seen, server):
    jobs = jobs_of([1.0])
    model([repeat((1.0, 3.0)), repeat((50.0, 1.0))], jobs, speeds=[1.5, 0.5], places=1, seen=seen)
    assert jobs[0].server == server
    assert jobs[0].start == 1.0
    assert jobs[0].departure == (3.0 if seen else 4 + 1 / 1.5)


def test_who_comes_at_the_instant_of_a_repair_finds_the_server_up():
    jobs = jobs_of([1.5])
    model([repeat((0.5, 0.5)), repeat((50.0, 1.0))], jobs, speeds=[1.5, 0.5], places=1, seen=True)
    assert jobs[0].server == 0
    assert jobs[0].departure == 2.5  # up in [1, 3/2] and [2, 5/2]


def _in_order() -> None:
    test_who_leaves_at_the_instant_of_a_failure_has_left()
    test_who_comes_at_the_instant_of_a_failure_finds_the_server_down(True, 1)


@pytest.mark.parametrize("priority", [0.5, 2.5])
def test_at_another_priority_they_are_not_in_this_order(priority, monkeypatch):
    """The control: failures before departures, or after arrivals."""

    def schedule(self, env, delay):
        super(failing.Change, self).__init__(env, delay, priority=priority)

    monkeypatch.setattr(failing.Change, "__init__", schedule)
    with pytest.raises(AssertionError):
        _in_order()


def test_a_server_seen_to_be_down_comes_after_those_up_and_before_the_full_ones():
    """Two places each. Server 0 is down from 1/2 on; jobs that stay fill 1, then 0 although it is down, then nobody."""
    jobs = jobs_of([80.0] * 5)
    model([iter([(0.5, 90.0)]), repeat((99.0, 1.0))], jobs, speeds=[1.5, 0.5], places=2, seen=True)
    assert [job.server for job in jobs] == [1, 1, 0, 0, -1]


def test_with_several_failures_in_one_service_nothing_is_lost():
    jobs = jobs_of([10.0], gap=0.25)
    model([repeat((0.5, 0.5))], jobs, speeds=[1.0], places=1, seen=False)
    assert jobs[0].departure == 20.25  # 1/4 at first, then a half in every unit of time, the last quarter ending at 20 1/4


def test_work_left_is_reckoned_anew_at_a_repair():
    env = simpy.Environment()
    server = FailingServer(env, 0, rate=2.0, places=3, spells=repeat((1.0, 4.0)))
    for k in range(2):
        server.queue_length += 1
        server.accept(Job(k, gap=0.0, size=3.0, tie=0.0))
    assert server.free_at == 3.0
    env.run(until=5.5)
    assert server.free_at == 7.0  # 1/2 of the first and 3/2 of the second are left at 5


# ---- a loop of its own ---------------------------------------------------------------------------------------


class Schedule:
    """A server's times up and down, and what they do to a job: the definition, without events."""

    def __init__(self, spells: Iterator[tuple[float, float]]) -> None:
        self.spells, self.times = spells, [0.0]  # repaired (up at first), failed, repaired, failed, ...

    def reach(self, time: float) -> None:
        while self.times[-1] <= time:
            for lasting in next(self.spells):
                self.times.append(self.times[-1] + lasting)

    def down(self, time: float) -> bool:
        self.reach(time)
        return bool(np.searchsorted(self.times, time, side="right") % 2 == 0)

    def done(self, begin: float, work: float, comes: bool) -> float:
        """When `work` is done; who comes at the instant of a failure is too late for it, who follows another is not."""
        self.reach(begin)
        i = int(np.searchsorted(self.times, begin, side="right" if comes else "left"))
        if i % 2 == 0 and i > 0:
            begin, i = self.times[i], i + 1  # down: until the repair
        elif i == 0:
            i = 1
        while begin + work > self._at(i):
            work -= self._at(i) - begin
            begin, i = self._at(i + 1), i + 2
        return begin + work

    def _at(self, i: int) -> float:
        while i >= len(self.times):
            self.reach(self.times[-1])
        return self.times[i]


def plain_loop(case: Case, seed: int) -> dict[str, np.ndarray]:
    """The model without SimPy; the choice by the definition, with servers seen to be down moved back."""
    system, draws = case.system, JobDraws(case.system, Seed.of(seed), 0)
    mu, places, seen = system.rates.vector(), system.places, system.breakdowns.seen
    table, of = system.policy.rank_table(system.rates, places), system.rates.class_of_server()
    schedules = [Schedule(draws.spells(n)) for n in range(system.n_servers)]
    leaving: list[list[float]] = [[] for _ in range(system.n_servers)]
    out = []
    if case.start == "busy":
        for n, size in enumerate(draws.initial_sizes(system.n2.floor).tolist()):
            leaving[n].append(schedules[n].done(0.0, size / mu[n], comes=False))
            out.append((-1 - n, 0.0, n, 0, 0.0, leaving[n][0], size))
    now = 0.0
    for block in draws.blocks():
        columns = zip(block.gaps.tolist(), block.sizes.tolist(), block.ties, block.samples, strict=True)
        for k, (gap, size, tie, samples) in enumerate(columns):
            now += gap
            if not now < case.window.end:
                return {name: np.array(column) for name, column in zip(COLUMNS, zip(*out, strict=True), strict=True)} if out else {}
            leaving = [[t for t in d if t > now] for d in leaving]
            queue = np.array([len(d) for d in leaving])
            down = np.array([seen and s.down(now) for s in schedules])
            turn = int(block.turns[k]) if block.turns.size else 0
            shown = np.where(down, places, queue)
            sight = Sight.of(system.rates, places, shown, u=tie, samples=samples, turn=turn)
            behind = system.policy.full_last

            def rank(n: int, queue=queue, down=down, behind=behind) -> int:
                full = behind and queue[n] == places
                return (2 * 10**6 if full else 10**6 * int(down[n])) + (0 if full else int(table[of[n], queue[n]]))

            n = choose_among(system.policy, rank, sight)
            level = int(queue[n])
            if level == places:
                out.append((k, now, -1, level, math.nan, math.nan, size))
            else:
                start = leaving[n][-1] if level else now
                leaving[n].append(schedules[n].done(start, size / mu[n], comes=level == 0))
                out.append((k, now, n, level, start, leaving[n][-1], size))
    raise AssertionError("streams do not end")


def failing_case(seed: int) -> Case:
    case = with_a_query(random_case(seed, jobs=150), seed) if seed % 3 == 0 else random_case(seed, jobs=150)
    if type(case.system.policy.query).__name__ == "AskWork":  # it goes by times that a repair alone puts right
        case = random_case(seed, jobs=150)
    rng = np.random.default_rng([seed, 2])
    law: object = "exponential"
    if seed % 4 == 0:  # all times on a lattice of binary fractions: failures meet departures and arrivals, and sums are exact
        n, load, law = int(2 ** rng.integers(0, 4)), float(2.0 ** rng.integers(-1, 3)), Lattice(0.1)
        policy = str(rng.choice(["jfsq", "jsq", "random"]))
        system = System(np.ones(n), load=load, places=3, policy=policy, size=Lattice(0.2), arrivals=Lattice(0.3))
        case = Case(system, Window(0.0, 40.0), case.observe, case.start)
    mean = [(4.0, 1.0), (1.0, 1.0), (16.0, 0.5)][rng.integers(3)]
    table = {"mean_up": mean[0], "mean_down": mean[1], "up": law, "down": law, "seen": bool(rng.random() < 0.5)}
    return replace(case, system=case.system.replaced(breakdowns=table), window=replace(case.window, drain=math.inf))


@pytest.mark.parametrize("seed", range(40))
def test_simpy_gives_what_a_plain_loop_gives(seed):
    """Who goes where, and when (times but for the rounding of interrupted work): every policy, ties, lattice times."""
    case = failing_case(seed)
    expected, got = plain_loop(case, seed), rows_of(case, seed)
    for name in ("job", "server", "level", "arrival", "size"):
        np.testing.assert_array_equal(got[name], expected.get(name, np.empty(0)), err_msg=name)
    for name in ("start", "departure"):
        np.testing.assert_allclose(got[name], expected.get(name, np.empty(0)), rtol=1e-11, err_msg=name)


def test_such_cases_have_failures_that_meet_departures():
    meetings = 0
    for seed in range(0, 40, 4):
        case = failing_case(seed)
        rows, draws = rows_of(case, seed), JobDraws(case.system, Seed.of(seed), 0)
        for n in range(case.system.n_servers):
            failed = np.cumsum(list(islice(draws.spells(n), 200)))[0::2]
            meetings += np.isin(failed, rows["departure"][rows["server"] == n]).sum()
    assert meetings > 50


@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize("seed", range(30))
def test_servers_that_never_fail_are_plain_servers_to_the_last_bit(seed, seen):
    case = random_case(seed, jobs=150) if seed % 2 else with_a_query(random_case(seed, jobs=150), seed // 2)
    never = replace(case, system=case.system.replaced(breakdowns=NEVER | {"seen": seen}))
    plain, same = rows_of(case, seed), rows_of(never, seed)
    for name in COLUMNS:
        np.testing.assert_array_equal(same[name], plain[name], err_msg=name)


def test_a_server_fails_at_times_of_its_own():
    """Whatever the policy, the load and the other servers; and replication by replication anew."""
    table = {"mean_up": 3.0, "mean_down": 1.0}
    one, other = (
        System(rates.homogeneous(n), load=load, places=2, policy=policy, breakdowns=table)
        for n, load, policy in ((2, 0.5, "jfsq"), (9, 0.9, "random"))
    )
    first = list(islice(JobDraws(one, Seed.of(7), 3).spells(1), 150))
    assert first == list(islice(JobDraws(other, Seed.of(7), 3).spells(1), 150))
    assert first[0] != first[64]
    assert not set(first) & set(islice(JobDraws(one, Seed.of(7), 4).spells(1), 150))
    assert not set(first) & set(islice(JobDraws(one, Seed.of(7), 3).spells(0), 150))


# ---- exact: the chain of queue lengths and who is up ---------------------------------------------------------

State = tuple[tuple[int, bool], ...]  # of each server: queue length, up
Route = Callable[[State], int]


def chain_law(speeds: list[float], load: float, places: int, up: float, down: float, route: Route) -> dict[str, float]:
    """Stationary means, from the generator by linear algebra. Arrivals see time averages."""
    states: list[State] = list(product(product(range(places + 1), (True, False)), repeat=len(speeds)))
    number = {s: i for i, s in enumerate(states)}
    arrivals = load * len(speeds)
    q = np.zeros((len(states), len(states)))

    def go(s: State, n: int, to: tuple[int, bool], rate: float) -> None:
        q[number[s], number[(*s[:n], to, *s[n + 1 :])]] += rate

    for s in states:
        n = route(s)
        if s[n][0] < places:
            go(s, n, (s[n][0] + 1, s[n][1]), arrivals)
        for n, (level, works) in enumerate(s):
            go(s, n, (level, not works), 1 / up if works else 1 / down)
            if works and level:
                go(s, n, (level - 1, works), speeds[n])
    np.fill_diagonal(q, q.diagonal() - q.sum(axis=1))
    pi = np.linalg.lstsq(np.vstack([q.T, np.ones(len(states))]), np.append(np.zeros(len(states)), 1.0), rcond=None)[0]
    found = np.array([s[route(s)][0] for s in states])
    present = np.array([sum(level for level, _ in s) for s in states])
    blocked = float(pi @ (found == places))
    return {
        "waiting_probability": float(pi @ (found > 0)),
        "blocking_probability": blocked,
        "mean_jobs": float(pi @ present),
        "mean_response": float(pi @ present) / (arrivals * (1 - blocked)),
        "mean_busy": float(pi @ np.array([sum(level > 0 for level, _ in s) for s in states])),
    }


def jfsq_blind(s: State) -> int:
    return min(range(len(s)), key=lambda n: (s[n][0], n))  # fastest first


def jfsq_seen(places: int) -> Route:
    def route(s: State) -> int:
        return min(range(len(s)), key=lambda n: (s[n][0] == places, not s[n][1], s[n][0], n))

    return route


def test_the_chain_without_failures_is_the_one_that_exact_solves():
    law = exact.solve(System([1.4, 0.6], load=0.8, places=3))
    mine = chain_law([1.4, 0.6], 0.8, 3, 1e12, 1e-6, jfsq_blind)
    for name, value in mine.items():
        assert value == pytest.approx(getattr(law, name), rel=1e-6), name


UP, DOWN = 6.0, 2.0


def check_chain(system: System, law: dict[str, float], length: float, sharp: dict[str, float]) -> None:
    """Each value inside Student's interval over 16 replications; `sharp`: an error of so much could not hide in it."""
    groups, window = groups_of(system), Window(60.0, length)
    found = [averages(system, groups, process.run(system, Seed.of(2025), r, window).tallies[0]) for r in range(16)]
    for name, value in law.items():
        x = np.array([METRICS[name](a) for a in found])
        allowed = stats.t.ppf(1 - FALSE_ALARM / len(law) / 2, x.size - 1) * x.std(ddof=1) / math.sqrt(x.size)
        assert abs(x.mean() - value) <= allowed, name
        assert allowed < sharp.get(name, 0.25 * value), name


def test_one_server_that_fails():
    """All of 0.6 must be done in 3/4 of the time; had each failed service begun anew, or none been lost, it would show."""
    law, never = (chain_law([1.0], 0.6, 4, up, DOWN, jfsq_blind) for up in (UP, 1e12))
    assert law["blocking_probability"] > 2 * never["blocking_probability"]
    check_chain(System([1.0], load=0.6, places=4, breakdowns={"mean_up": UP, "mean_down": DOWN}), law, 4000.0, {})


@pytest.mark.parametrize("seen", [True, False])
def test_two_servers_and_a_dispatcher_that_sees_who_is_down_or_not(seen):
    """The two laws are further apart than a run may err: the dispatcher that sees joins a busy server that is up."""
    law, other = (chain_law([1.3, 0.7], 0.2, 2, UP, DOWN, jfsq_seen(2) if s else jfsq_blind) for s in (seen, not seen))
    apart = abs(law["waiting_probability"] - other["waiting_probability"])
    assert apart > 0.03
    system = System([1.3, 0.7], load=0.2, places=2, breakdowns={"mean_up": UP, "mean_down": DOWN, "seen": seen})
    check_chain(system, law, 16_000.0, {"waiting_probability": 0.5 * apart, "blocking_probability": 0.01})


# ---- traces, identities, what is said ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_traces_obey_the_rules(seed):
    case = failing_case(seed)
    Trace(case.system, rows_of(case, seed)).check()


def test_a_trace_whose_jobs_leave_too_early_does_not():
    system = System([1.0], load=0.7, places=4, breakdowns={"mean_up": 3.0, "mean_down": 1.0})
    rows = rows_of(Case(system, Window(0.0, 200.0), failing_case(0).observe, "empty"))
    stayed, service = rows["departure"] - rows["start"], rows["size"]
    assert (stayed > 1.5 * service).any()  # interrupted ones stay longer
    k = int(np.flatnonzero(np.diff(rows["start"]) > 0)[-1])
    rows["departure"][k] = rows["start"][k] + 0.5 * rows["size"][k]
    with pytest.raises(IdentityError, match="a job left before its service was done"):
        Trace(system, rows).check()


def test_what_must_balance_balances_and_the_rest_is_not_asked_for():
    system = System([1.3, 0.7], load=0.6, places=3, breakdowns={"mean_up": 6.0, "mean_down": 2.0})
    run = simulate(system, horizon=800, warmup=40, replications=8, rng=5, workers=1)
    assert run.engine == "process"
    table = run.identities().set_index("identity")
    assert table.holds.all()
    assert "busy capacity = accepted work" not in table.index
    row = table.loc["accepted work <= busy capacity"]
    assert row.right > 1.1 * row.left  # servers that are down hold jobs
    assert not run.warnings
    with pytest.raises(PlanError, match="servers fail"):
        run.wait_ccdf([1.0], method="erlang")


def test_a_load_above_the_availability_is_said():
    system = System([1.0], load=0.8, places=3, breakdowns={"mean_up": 3.0, "mean_down": 1.0})
    assert system.availability == 0.75
    run = simulate(system, horizon=100, warmup=10, replications=4, rng=5, workers=1)
    assert any("load = 0.8 is above 0.75" in text for text in run.warnings)


def test_records_keep_it_and_replaced_does_too():
    system = System([1.0], load=0.8, places=3, breakdowns={"mean_up": 30, "mean_down": 1.5, "down": {"law": "erlang", "k": 3}})
    told = system.replaced(load=0.5).describe()["breakdowns"]
    assert told == {
        "mean_up": 30.0,
        "mean_down": 1.5,
        "up": {"law": "exponential"},
        "down": {"law": "erlang", "k": 3},
        "seen": True,
    }
    assert "breakdowns" not in System([1.0], load=0.8, places=3).describe()
    assert System([1.0], load=0.5, places=3, breakdowns=told).describe()["breakdowns"] == told


TEXT = """# Do failures matter?
[system]
servers = 4
load = 0.6
places = 3
[system.breakdowns]
mean_up = 50
mean_down = 5
down = {law = "erlang", k = 2}
seen = false
"""


def test_a_scenario_says_it():
    (point,) = Scenario.parse(TEXT).points()
    given = point.system.breakdowns
    assert (given.mean_up, given.mean_down, given.seen, given.down.scv) == (50.0, 5.0, False, 0.5)
    (never,) = Scenario.parse(TEXT.partition("[system.breakdowns]")[0]).points()
    assert never.system.breakdowns is None
    swept = Scenario.parse(TEXT, ["sweep.system.breakdowns.seen=[true, false]", "system.breakdowns.up.law=deterministic"]).points()
    assert [p.system.breakdowns.seen for p in swept] == [True, False]
    assert swept[0].system.breakdowns.up.scv == 0.0


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("system.breakdowns.mean_up=0", "system.breakdowns.mean_up = 0"),
        ("system.breakdowns.mean_dwon=1", "the nearest is system.breakdowns.mean_down"),
        ("system.breakdowns.up=poison", "breakdowns.up: there is no law 'poison'"),
        ('system.breakdowns.up={law = "mmpp", rates = [1, 2], switching = [1, 1]}', "system.breakdowns.up"),
        ("system.policy=central_queue", "system.breakdowns: under policy 'central_queue'"),
        ("system.breakdowns.seen=maybe", "system.breakdowns.seen"),
    ],
)
def test_what_a_scenario_may_not_say(override, said):
    with pytest.raises(JfsqError) as caught:
        Scenario.parse(TEXT, [override])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_other_engine_and_no_formula_takes_it():
    system = System([1.0, 1.0], load=0.8, places=3, breakdowns={"mean_up": 3.0, "mean_down": 1.0})
    assert able(system) == ["process"]
    assert choose("auto", system, trace=False).name == "process"
    for name in ("events", "lockstep", "chain"):
        with pytest.raises(PlanError, match="servers that fail"):
            choose(name, system, trace=False)
    with pytest.raises(ModelError, match="servers that fail"):
        exact.solve(system)
    assert curves(system) == []
    assert curves(system.replaced(breakdowns=None))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"mean_up": 1.0}, "breakdowns.mean_down is missing"),
        ({"mean_up": math.inf, "mean_down": 1.0}, "breakdowns.mean_up = inf"),
        ({"mean_up": 1.0, "mean_down": 1.0, "sen": True}, "breakdowns.sen"),
        ({"mean_up": 1.0, "mean_down": 1.0, "seen": 1}, "breakdowns.seen = 1"),
        ({"mean_up": 1.0, "mean_down": 1.0, "down": "recorded_sizes"}, "breakdowns.down"),
        (3, "breakdowns = 3"),
    ],
)
def test_bad_input_is_refused_in_one_line(table, said):
    with pytest.raises(ModelError) as caught:
        System([1.0], load=0.5, places=2, breakdowns=table)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_seeing_failures_and_mistaking_queues_do_not_go_together():
    table = {"mean_up": 3.0, "mean_down": 1.0}
    with pytest.raises(ModelError, match=r"breakdowns\.seen = true and knowledge"):
        System([1.0, 1.0], load=0.5, places=2, breakdowns=table, knowledge={"dispatchers": 3})
    system = System([1.0, 1.0], load=0.5, places=2, breakdowns=table | {"seen": False}, knowledge={"dispatchers": 3})
    simulate(system, horizon=50, warmup=0, trace=True, rng=1).trace.check()
