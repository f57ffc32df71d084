"""Dispatchers who go by boards: both engines to the last bit, limits in which the answer is known, and that boards are stale."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import System, rates, simulate
from jfsq_simpy.draws import JobDraws, Seed
from jfsq_simpy.errors import ModelError, PlanError
from jfsq_simpy.jobs import kernels, process
from jfsq_simpy.jobs.sinks import MemorySink
from jfsq_simpy.jobs.trace import Trace
from jfsq_simpy.knowledge import Knowledge
from jfsq_simpy.policies import AskWork
from jfsq_simpy.tally import NOTHING, Window
from tests.jobs.systems import Case, Lattice, random_case, with_a_query, with_boards

events = pytest.importorskip("jfsq_simpy.jobs.events")
pytest.importorskip("numba")

FALSE_ALARM = 1e-6
ENGINES = [process, events]


def run_of(engine, case: Case, seed: int = 1):
    sink = MemorySink()
    outcome = engine.run(case.system, Seed.of(seed), 0, case.window, observe=case.observe, start=case.start, sink=sink)
    return outcome, sink.columns()


def rows(knowledge, *, engine=process, fleet=None, length=200.0, seed=1, start="empty", **changes):
    system = System(fleet or rates.two_speed(6, ratio=3), **({"load": 0.9, "places": 4} | changes), knowledge=knowledge)
    return system, run_of(engine, Case(system, Window(0.0, length), NOTHING, start), seed)[1]


def assert_same_rows(one, other):
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def draws_of(system, n, seed=1):
    """Of the first n jobs: the numbers that break ties, the dispatchers."""
    block = next(JobDraws(system, Seed.of(seed), 0).blocks())
    return block.ties[:n], block.marks[:n]


# ---- both engines --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(120))
def test_random_systems_give_the_same_records_and_tallies(seed):
    """Lattice times, ties, one server, one place, overload, every query, every kind of board."""
    case = random_case(seed, jobs=200)
    if seed % 2:
        case = with_a_query(case, seed // 2)
    if isinstance(case.system.policy.query, AskWork):
        case = random_case(seed, jobs=200)
    case = with_boards(case, seed)
    slow, slow_rows = run_of(process, case, seed)
    fast, fast_rows = run_of(events, case, seed)
    assert_same_rows(fast_rows, slow_rows)
    assert fast.arrivals == slow.arrivals
    assert fast.tallies == slow.tallies
    Trace(case.system, slow_rows).check()


@pytest.mark.parametrize(("policy", "length"), [({"name": "jfsq_d", "d": 2}, 145.0), ("jfsq", 6.0)], ids=str)
def test_many_servers_and_more_jobs_than_a_block_of_draws(policy, length):
    system = System(rates.two_speed(500, ratio=2), load=0.95, places=3, policy=policy, knowledge={"dispatchers": 3})
    case = Case(system, Window(2.0, length, batches=3), NOTHING, "busy")
    slow, slow_rows = run_of(process, case)
    fast, fast_rows = run_of(events, case)
    assert slow.arrivals > 65_536 * (length > 100)
    assert_same_rows(fast_rows, slow_rows)
    assert fast.tallies == slow.tallies


# ---- where boards show the truth -----------------------------------------------------------------------------


class Told(Knowledge):
    """Of one dispatcher who counts all jobs, made to go by its board all the same."""

    @property
    def true_queues(self) -> bool:
        return False


TRUE_BOARDS = {
    "one dispatcher counts its own jobs": Told(),
    "the last report and own jobs": {"queues": {"name": "reported", "late": 0, "count_own": True}},
    "read again and again": {"queues": {"name": "refreshed", "every": 1e-6, "count_own": True}},
    "dispatchers who know all": {"dispatchers": 12, "queues": "now"},
}


@pytest.mark.parametrize("knowledge", TRUE_BOARDS.values(), ids=list(TRUE_BOARDS))
@pytest.mark.parametrize(
    "policy", ["jfsq", "jsq", "sed", "jiq", {"name": "jsq_d", "d": 2}, {"name": "jiq_d", "d": 2}, "round_robin"], ids=str
)
@pytest.mark.parametrize("engine", ENGINES)
def test_boards_that_show_the_truth_change_nothing(knowledge, policy, engine):
    for start, load in (("empty", 0.9), ("busy", 1.4)):
        known = rows(knowledge, policy=policy, engine=engine, start=start, load=load)[1]
        assert_same_rows(known, rows("perfect", policy=policy, engine=engine, start=start, load=load)[1])


@pytest.mark.parametrize("engine", ENGINES)
def test_on_a_lattice_a_refresh_comes_after_departures_and_before_arrivals(engine):
    """Sizes are multiples of 1/2, gaps of 1/8, a refresh each 1/8: only that order shows the truth, with own jobs counted."""
    plan = {
        "fleet": rates.homogeneous(8),
        "load": 0.5,
        "size": Lattice(0.0),
        "arrivals": Lattice(0.3),
        "places": 2,
        "engine": engine,
    }
    known = {"queues": {"name": "refreshed", "every": 0.125, "count_own": True}}
    assert_same_rows(rows(known, **plan)[1], rows("perfect", **plan)[1])
    seldom = {"queues": {"name": "refreshed", "every": 0.375, "count_own": True}}
    assert not np.array_equal(rows(seldom, **plan)[1]["server"], rows("perfect", **plan)[1]["server"])


# ---- where boards show nothing -------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_a_board_that_is_never_read_again_is_as_good_as_none(engine):
    """Empty at the start, so all servers tie for ever: the same number of each job chooses the same server as at random."""
    never = {"dispatchers": 3, "queues": {"name": "refreshed", "every": 1e9}}
    for policy in ("jsq", "jiq"):
        blind = rows(never, policy=policy, engine=engine, load=1.3)[1]
        assert_same_rows(blind, rows("perfect", policy="random", engine=engine, load=1.3)[1])


def mm1b_blocking(load: float, places: int) -> float:
    return float(load**places / (load ** np.arange(places + 1)).sum())


def mm1b_jobs(load: float, places: int) -> float:
    p = load ** np.arange(places + 1)
    return float(p @ np.arange(places + 1) / p.sum())


def test_servers_chosen_blindly_are_queues_of_their_own():
    """JFSQ by a board that is never read again: product form, every server M/M/1/b."""
    system = System(
        rates.homogeneous(20), load=0.8, places=4, knowledge={"dispatchers": 12, "queues": {"name": "refreshed", "every": 1e9}}
    )
    run = simulate(system, jobs=50_000, replications=20, rng=1, warmup=30, level=1 - FALSE_ALARM)
    for found, exact in ((run.blocking_probability, mm1b_blocking(0.8, 4)), (run.mean_queue, mm1b_jobs(0.8, 4))):
        assert found.low < exact < found.high
        assert found.half_width < 0.05 * exact


def test_dispatchers_with_hardly_a_job_each_choose_as_if_at_random():
    """65,535 dispatchers and some ten jobs present: a board is empty but for one job in thousands."""
    _, c = rows({"dispatchers": 65_535}, policy="jsq", load=1.2, length=5000.0, engine=events)
    chance = rows("perfect", policy="random", load=1.2, length=5000.0, engine=events)[1]
    other = np.count_nonzero(c["server"] != chance["server"])
    assert c["job"].size > 30_000
    assert 0 < other < 60  # at most 24 of 65,535 dispatchers have a job there: 11 of 36,000 are expected to differ, or fewer


# ---- against Markov chains made for the purpose --------------------------------------------------------------


def stationary(begin, moves):
    """The stationary law of a chain whose `moves(state)` are pairs (next state, rate), as {state: probability}."""
    states, waiting = {begin: 0}, [begin]
    rates_of = []
    while waiting:
        state = waiting.pop()
        for to, rate in moves(state):
            if to not in states:
                states[to] = len(states)
                waiting.append(to)
            rates_of.append((states[state], states[to], rate))
    generator = np.zeros((len(states), len(states)))
    for here, there, rate in rates_of:
        generator[here, there] += rate
        generator[here, here] -= rate
    law = np.linalg.lstsq(np.vstack([generator.T, np.ones(len(states))]), np.eye(len(states) + 1)[-1], rcond=None)[0]
    return dict(zip(states, law.tolist(), strict=True))


def changed(state, n, server):
    return tuple(server if i == n else s for i, s in enumerate(state))


def own_jobs_chain(speeds, places, dispatchers, arrival_rate):
    """JSQ by own jobs: each server's state is the dispatchers of its jobs, in their order."""

    def moves(state):
        for m in range(dispatchers):
            board = [line.count(m) for line in state]
            tied = [n for n in range(len(state)) if board[n] == min(board)]
            for n in tied:
                taken = len(state[n]) < places
                yield (changed(state, n, (*state[n], m)) if taken else state), arrival_rate / dispatchers / len(tied)
        for n, line in enumerate(state):
            if line:
                yield changed(state, n, line[1:]), speeds[n]

    law = stationary(((),) * len(speeds), moves)
    blocked = 0.0
    for state, p in law.items():
        for m in range(dispatchers):
            board = [line.count(m) for line in state]
            tied = [n for n in range(len(state)) if board[n] == min(board)]
            blocked += p * sum(len(state[n]) == places for n in tied) / len(tied) / dispatchers
    return blocked, sum(p * sum(map(len, state)) for state, p in law.items())


def reported_chain(speeds, places, arrival_rate):
    """JSQ by the report before the last: each server's state is its queue, that report and the last one."""

    def choices(state):
        board = [older for _, older, _ in state]
        if min(board) < places:
            return [n for n in range(len(state)) if board[n] == min(board)]
        return list(range(len(state)))

    def moves(state):
        tied = choices(state)
        for n in tied:
            queue, older, last = state[n]
            to = changed(state, n, (queue + 1, older, last)) if queue < places else state
            yield to, arrival_rate / len(tied)
        for n, (queue, _, last) in enumerate(state):
            if queue:
                yield changed(state, n, (queue - 1, last, queue - 1)), speeds[n]

    law = stationary(((0, 0, 0),) * len(speeds), moves)
    blocked = sum(p * np.mean([state[n][0] == places for n in choices(state)]) for state, p in law.items())
    return blocked, sum(p * sum(queue for queue, _, _ in state) for state, p in law.items())


CHAINS = {
    "two who count their own": ({"dispatchers": 2}, lambda mu, rate: own_jobs_chain(mu, 2, 2, rate)),
    "three who count their own": ({"dispatchers": 3}, lambda mu, rate: own_jobs_chain(mu, 2, 3, rate)),
    "one report late": ({"queues": {"name": "reported"}}, lambda mu, rate: reported_chain(mu, 2, rate)),
}


@pytest.mark.parametrize("name", list(CHAINS))
def test_small_systems_are_what_a_markov_chain_of_queues_and_boards_says(name):
    known, exact = CHAINS[name]
    system = System([1.25, 0.75], load=0.8, places=2, policy="jsq", knowledge=known)
    blocked, present = exact(system.rates.vector().tolist(), system.arrival_rate)
    run = simulate(system, jobs=60_000, replications=15, rng=4, warmup=50, workers=1, level=1 - FALSE_ALARM)
    for found, value in ((run.blocking_probability, blocked), (run.mean_jobs, present)):
        assert found.low < value < found.high
        assert found.half_width < 0.04 * value
    told = simulate(system.replaced(knowledge="perfect"), jobs=60_000, replications=15, rng=4, warmup=50, workers=1)
    assert abs(float(told.blocking_probability) - blocked) > 2 * run.blocking_probability.half_width, "true boards would show"


# ---- what stands on a board, from the records alone ----------------------------------------------------------


def queue_at(c, time, server, of=None, arriving=False):
    """Jobs at a server just after the departures of an instant (and, with `arriving`, after its arrivals)."""
    here = c["server"] == server
    if of is not None:
        here &= of
    came = c["arrival"] <= time if arriving else c["arrival"] < time
    return int(np.count_nonzero(here & came & ~(c["departure"] <= time)))


@pytest.mark.parametrize("engine", ENGINES)
def test_each_job_goes_to_a_server_with_the_fewest_jobs_of_its_own_dispatcher(engine):
    system, c = rows({"dispatchers": 3}, policy="jsq", fleet=rates.homogeneous(5), places=8, engine=engine, length=150.0)
    ties, marks = draws_of(system, c["job"].size)
    assert (c["server"] >= 0).all()
    mistaken = 0
    for k in range(c["job"].size):
        own = marks == marks[k]
        board = [queue_at(c, c["arrival"][k], n, own) for n in range(5)]
        tied = np.flatnonzero(np.array(board) == min(board))
        assert c["server"][k] == tied[int(ties[k] * tied.size)]
        truth = [queue_at(c, c["arrival"][k], n) for n in range(5)]
        mistaken += truth[c["server"][k]] > min(truth)
    assert mistaken > 100, "the boards were stale"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("staggered", [False, True])
@pytest.mark.parametrize("count_own", [False, True])
def test_each_job_goes_by_the_queues_of_the_last_refresh(engine, staggered, count_own):
    known = {"dispatchers": 3, "queues": {"name": "refreshed", "every": 0.7, "count_own": count_own, "staggered": staggered}}
    system, c = rows(known, policy="jsq", fleet=rates.homogeneous(5), load=0.8, engine=engine, length=150.0, start="busy")
    c = {name: column[c["job"] >= 0] if name != "before" else column for name, column in c.items()} | {"all": c}
    ties, marks = draws_of(system, c["job"].size)
    every, turns = 0.7, 3 if staggered else 1
    mistaken = 0
    for k in range(c["job"].size):
        now = c["arrival"][k]
        j = max(i for i in range(int(now * turns / every) + 2) if i * every / turns <= now)
        while staggered and j > 0 and j % 3 != marks[k]:
            j -= 1
        last = j * every / turns
        board = [queue_at(c["all"], last, n) for n in range(5)]
        if j == 0:  # all boards show what was there at time 0
            board = [int(np.count_nonzero((c["all"]["server"] == n) & (c["all"]["job"] < 0))) for n in range(5)]
        if count_own:
            since = (c["arrival"] >= last) & (np.arange(c["job"].size) < k) & (marks == marks[k])
            board = [min(q + int(np.count_nonzero(since & (c["server"] == n))), system.places) for n, q in enumerate(board)]
        full = system.places
        tied = np.flatnonzero(np.array(board) == min(board)) if min(board) < full else np.arange(5)
        sent = tied[int(ties[k] * tied.size)]
        truth = queue_at(c["all"], now, sent)
        assert c["level"][k] == truth
        assert c["server"][k] == (sent if truth < full else -1)
        mistaken += truth > min(queue_at(c["all"], now, n) for n in range(5))
    assert mistaken > 50, "the boards were stale"


@pytest.mark.parametrize("engine", ENGINES)
def test_between_two_refreshes_the_herd_goes_to_one_server(engine):
    _, c = rows(
        {"dispatchers": 12, "queues": {"name": "refreshed", "every": 3.0}}, fleet=rates.linear(6, ratio=3), places=3, engine=engine
    )
    period = np.floor(c["arrival"] / 3.0)
    crowds = [np.unique(c["server"][(period == p) & (c["server"] >= 0)]).size for p in np.unique(period)]
    assert set(crowds) <= {0, 1}
    assert (c["server"] < 0).mean() > 0.5, "most of them are blocked, and nobody learns"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("late", [0, 1, 3])
def test_each_job_goes_by_reports_that_are_late(engine, late):
    known = {"dispatchers": 2, "queues": {"name": "reported", "late": late, "count_own": True}}
    system, c = rows(known, policy="jsq", fleet=rates.homogeneous(4), places=9, load=0.8, engine=engine, length=100.0)
    ties, marks = draws_of(system, c["job"].size)
    for k in range(c["job"].size):
        now, board = c["arrival"][k], []
        for n in range(4):
            reports = np.sort(c["departure"][(c["server"] == n) & (c["departure"] <= now)])
            of = reports[-1 - late] if reports.size > late else -1.0
            then = queue_at(c, of, n)
            sent = (c["server"] == n) & (c["arrival"] >= of) & (np.arange(c["job"].size) < k) & (marks == marks[k])
            board.append(min(then + int(np.count_nonzero(sent)), system.places))
        tied = np.flatnonzero(np.array(board) == min(board))
        sent = tied[int(ties[k] * tied.size)]
        assert c["server"][k] == (sent if c["level"][k] < system.places else -1)


@pytest.mark.parametrize("engine", ENGINES)
def test_dispatchers_give_turns_each_by_itself(engine):
    system, c = rows({"dispatchers": 3}, policy="round_robin", places=50, load=0.4, engine=engine)
    _, marks = draws_of(system, c["job"].size)
    for m in range(3):
        mine = c["server"][marks == m]
        assert np.array_equal(mine, (2 * m + np.arange(mine.size)) % 6)  # of 6 servers each begins two further on


def test_turns_go_on_from_block_to_block():
    system = System(rates.two_speed(6, ratio=3), load=0.9, places=4, policy="weighted_round_robin", knowledge={"dispatchers": 3})
    blocks = JobDraws(system, Seed.of(1), 0).blocks()
    first, second = next(blocks), next(blocks)
    turns, marks = np.concatenate([first.turns, second.turns]), np.concatenate([first.marks, second.marks])
    for m in range(3):
        mine = turns[marks == m]
        assert np.array_equal(mine, system.policy.query.turns(system.rates, 2 * m, mine.size))


def test_jobs_come_to_dispatchers_uniformly_and_independently_of_the_rest():
    system = System(rates.homogeneous(4), load=0.9, places=4, knowledge={"dispatchers": 12})
    block = next(JobDraws(system, Seed.of(3), 0).blocks())
    assert stats.chisquare(np.bincount(block.marks, minlength=12)).pvalue > FALSE_ALARM
    assert stats.chisquare(np.bincount(12 * block.marks[1:] + block.marks[:-1], minlength=144)).pvalue > FALSE_ALARM
    pairs = np.bincount(12 * block.marks + (12 * block.ties).astype(int), minlength=144)
    assert stats.chisquare(pairs).pvalue > FALSE_ALARM
    one = next(JobDraws(system.replaced(knowledge="perfect"), Seed.of(3), 0).blocks())
    assert np.array_equal(one.gaps, block.gaps)
    assert np.array_equal(one.ties, block.ties)


# ---- objects that choose -------------------------------------------------------------------------------------


class Counting:
    """Sends to the shortest queue it sees, and remembers how many jobs it has sent."""

    def __init__(self):
        self.sent = 0

    def choose(self, sight):
        self.sent += 1
        return int(np.argmin(sight.queue_lengths)) if self.sent < 4 else 5


def test_each_dispatcher_has_its_own_copy_of_an_object_that_chooses():
    system, c = rows({"dispatchers": 2}, policy=Counting(), load=0.3, places=200, length=60.0)
    _, marks = draws_of(system, c["job"].size)
    for m in range(2):
        mine = c["server"][marks == m]
        assert (mine[:3] < 5).all()
        assert (mine[3:] == 5).all()


class Clairvoyant:
    def choose(self, sight):
        return int(np.argmin(sight.free_at))


def test_an_object_that_wants_to_know_work_is_told_that_boards_do_not():
    with pytest.raises(Exception, match="not when servers will be free"):
        rows({"dispatchers": 2}, policy=Clairvoyant())


# ---- runs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "queues",
    ["own", {"name": "refreshed", "every": 2.0}, {"name": "refreshed", "every": 2.0, "count_own": True}, {"name": "reported"}],
    ids=str,
)
def test_what_must_balance_balances_whatever_dispatchers_believe(queues):
    """Work, jobs and levels; an identity is off only when |z| > 5, once in 1.7 million."""
    system = System(rates.two_speed(10, ratio=3), load=0.8, places=4, knowledge={"dispatchers": 4, "queues": queues})
    run = simulate(system, jobs=20_000, replications=10, rng=5, warmup=50, workers=1)
    assert run.engine == "events"
    assert run.identities()["holds"].all()
    assert not run.warnings
    assert "up from 1 = down to 1" in set(run.identities()["identity"]), "sizes stay unknown to dispatchers, so levels balance"


def test_waits_are_erlang_behind_what_jobs_truly_find():
    system = System(
        rates.homogeneous(5), load=0.8, places=5, knowledge={"dispatchers": 3, "queues": {"name": "refreshed", "every": 1.0}}
    )
    run = simulate(system, jobs=40_000, replications=12, rng=2, warmup=30, workers=1, level=1 - FALSE_ALARM)
    times = [0.0, 0.5, 1.0, 2.0, 4.0]
    measured, mixed = run.wait_ccdf(times, method="empirical"), run.wait_ccdf(times, method="erlang")
    assert (measured.low <= mixed.high).all()
    assert (mixed.low <= measured.high).all()
    assert ((measured.high - measured.low) < 0.2 * measured.value).all()


def test_stale_boards_cost_and_staler_ones_cost_more():
    """On the same jobs, replication by replication: Student's t at the stated level."""
    system = System(rates.homogeneous(20), load=0.9, places=20)

    def mean_response(knowledge):
        known = system.replaced(knowledge=knowledge)
        plan = {"jobs": 20_000, "warmup": 50, "rng": 8, "workers": 1, "engine": "events"}
        return np.array([float(simulate(known, replications=[r], batches=1, **plan).mean_response) for r in range(8)])

    found = [mean_response({"queues": {"name": "refreshed", "every": every}}) for every in (0.05, 0.5, 2.0)]
    for fresh, stale in zip([mean_response("perfect"), *found], found, strict=False):
        worse = stale - fresh
        assert worse.mean() > stats.t.isf(FALSE_ALARM, worse.size - 1) * worse.std(ddof=1) / np.sqrt(worse.size)


def test_engines_of_the_chain_view_refuse_and_auto_takes_events():
    system = System(rates.homogeneous(4), load=0.9, places=4, knowledge={"dispatchers": 12})
    for engine in ("chain", "lockstep"):
        with pytest.raises(PlanError, match="not what dispatchers know"):
            simulate(system, jobs=100, engine=engine)
    shared = system.replaced(knowledge={"dispatchers": 12, "queues": "now"})
    assert simulate(shared, jobs=100, replications=2, warmup=1, workers=1).engine == "chain"


def test_more_boards_than_memory_holds_are_refused():
    shared = {"dispatchers": 10_000, "queues": {"name": "refreshed", "every": 1.0}}
    many = System(rates.homogeneous(10_000), load=0.9, places=2, knowledge=shared)
    assert many.knowledge.boards == 1, "one board serves all"
    with pytest.raises(ModelError, match="10,000 boards of 10,000 servers each are more than memory is likely to hold"):
        many.replaced(knowledge={"dispatchers": 10_000})


def test_a_loop_is_compiled_once_whatever_the_system():
    """Ties by rate, ties by number, boards with trees and without: arrays of the same types, so no loop is compiled anew."""
    for ties in ("uniform", "rate"):
        for policy in ({"name": "jsq", "ties": ties}, {"name": "jsq_d", "ties": ties}, {"name": "jiq_d", "ties": ties}):
            for knowledge in ("perfect", {"dispatchers": 2}, {"queues": {"name": "reported"}}):
                rows(knowledge, policy=policy, engine=events, length=5.0)
    loops = (kernels.advance_by_sets, kernels.advance_by_any, kernels.advance_by_board)
    assert [len(loop.signatures) <= 1 for loop in loops] == [True] * 3
