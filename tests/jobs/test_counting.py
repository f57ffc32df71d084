"""The tally rebuilt from records, by hand and by walking every event in plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from jfsq_simpy import System, rates
from jfsq_simpy.draws import Seed
from jfsq_simpy.jobs import process, records
from jfsq_simpy.jobs.counting import JobCounter
from jfsq_simpy.jobs.sinks import MemorySink
from jfsq_simpy.tally import Observables, Tally, Window, groups_of, ticks, time_bin
from tests.jobs.systems import Case, random_case


def rows_of(case: Case, seed: int = 1) -> tuple[list[Tally], dict[str, np.ndarray]]:
    sink = MemorySink()
    outcome = process.run(case.system, Seed.of(seed), 0, case.window, observe=case.observe, start=case.start, sink=sink)
    return outcome.tallies, sink.columns()


# ---- the brute-force twin ------------------------------------------------------------------------------------


def events_in_order(columns, window):
    """Departures, then snapshots, then arrivals, each arrival with the departure it causes at once, in order of k.

    Jobs present at time 0 are there before anything else happens.
    """
    n = columns["job"].size
    events = [((t, 1, 0, 0), ("snapshot", t)) for t in window.snapshot_times().tolist()]
    for i in range(n):
        job, server = int(columns["job"][i]), int(columns["server"][i])
        arrival, departure = float(columns["arrival"][i]), float(columns["departure"][i])
        if server < 0:
            continue
        present_at_0 = job < 0
        came = (-1.0, 0, 0, 0) if present_at_0 else (arrival, 2, job, 0)
        events.append((came, ("join", server)))
        if not np.isnan(departure):
            at_once = departure == arrival and not present_at_0
            events.append(((departure, 2, job, 1) if at_once else (departure, 0, 0, 0), ("leave", server)))
    return [event for _, event in sorted(events, key=lambda e: e[0])]


def walked(case: Case, columns) -> list[Tally]:
    """The tallies by the definitions, one event at a time."""
    system, window, observe = case.system, case.window, case.observe
    groups = groups_of(system, observe)
    group_of = [int(np.searchsorted(groups.edges, n, side="right")) - 1 for n in range(system.n_servers)]
    tallies = [Tally.empty(groups, system.places, observe, per_job=True) for _ in range(window.batches)]

    def batch_of(t):
        return next(b for b in range(window.batches) if t < window.edges[b + 1])

    queue = [0] * system.n_servers
    for kind, what in events_in_order(columns, window):
        if kind == "join":
            queue[what] += 1
        elif kind == "leave":
            queue[what] -= 1
        else:
            levels = np.zeros((groups.n_groups, system.places + 1), np.int64)
            for n, q in enumerate(queue):
                levels[group_of[n], q] += 1
            _look(tallies[batch_of(what)], observe, queue, levels)
    for i in range(columns["job"].size):
        row = {name: column[i] for name, column in columns.items()}
        if row["job"] >= 0 and window.warmup <= row["arrival"] < window.end:
            _count(tallies[batch_of(row["arrival"])], groups, group_of, row)
    return tallies


def _look(tally, observe, queue, levels):
    tally.levels += levels
    tally.snapshots += 1
    n, present, idle = len(queue), sum(queue), queue.count(0)
    busy, waiting = n - idle, present - (n - idle)
    if observe.path:
        tally.path = np.append(tally.path, present)
    if observe.joint:
        for i in range(len(observe.joint[0]) - 1):
            for j in range(len(observe.joint[1]) - 1):
                inside = observe.joint[0][i] <= waiting < observe.joint[0][i + 1]
                tally.joint[i, j] += inside and observe.joint[1][j] <= idle < observe.joint[1][j + 1]
    for i, (a, c, t) in enumerate(observe.tails):
        tally.tails[i] += min(waiting - a, c - busy) >= t
    for i, (m, t) in enumerate(observe.idle_tails):
        tally.idle_tails[i] += queue[:m].count(0) >= t
    for i, (eta, r) in enumerate(observe.powers):
        tally.powers[i] += max(present / n - eta, 0.0) ** r


def _count(tally, groups, group_of, row):
    if row["server"] < 0:
        tally.blocked += 1
        return
    group = group_of[int(row["server"])]
    tally.joins[group, int(row["level"])] += 1
    if np.isnan(row["departure"]):
        tally.unfinished += 1
        return
    wait, response = row["start"] - row["arrival"], row["departure"] - row["arrival"]
    tally.wait_ticks += int(ticks(np.array(wait)))
    tally.response_ticks += int(ticks(np.array(response)))
    tally.wait_bins[groups.band[group], time_bin(np.array([wait]))[0]] += 1
    tally.response_bins[groups.band[group], time_bin(np.array([response]))[0]] += 1


def assert_same(tallies: list[Tally], expected: list[Tally]) -> None:
    for tally, other in zip(tallies, expected, strict=True):
        np.testing.assert_allclose(tally.powers, other.powers, rtol=1e-12)
        tally.powers = other.powers  # ** r rounds differently from r - 1 products
        assert tally == other


@pytest.mark.parametrize("seed", range(60))
def test_counting_is_walking_every_event(seed):
    """Random systems: lattice times, jobs of size 0, batches of the window, jobs at time 0, jobs that never left."""
    case = random_case(seed, jobs=200)
    tallies, columns = rows_of(case, seed)
    assert_same(tallies, walked(case, columns))


@pytest.mark.parametrize("seed", range(60, 90))
def test_counting_does_not_depend_on_how_rows_are_handed_on(seed):
    case = random_case(seed, jobs=200)
    tallies, columns = rows_of(case, seed)
    rng = np.random.default_rng(seed)
    counter = JobCounter(case.system, case.window, case.observe)
    n, done = columns["job"].size, 0
    finished = np.flatnonzero((columns["server"] >= 0) & np.isnan(columns["departure"]))
    complete = int(finished[0]) if finished.size else n  # rows before the first unfinished one may go at any time
    while done < complete:
        more = min(int(rng.integers(1, 20)), complete - done)
        counter.add({name: column[done : done + more] for name, column in columns.items()})
        done += more
    counter.add({name: column[done:] for name, column in columns.items()})
    assert_same(counter.finish(), tallies)


def test_the_recorder_hands_on_rows_while_the_run_goes_on(monkeypatch):
    monkeypatch.setattr(records, "ROWS_AT_ONCE", 7)
    for seed in range(90, 110):
        case = random_case(seed, jobs=200)
        tallies, columns = rows_of(case, seed)
        assert_same(tallies, walked(case, columns))
        assert np.all(np.diff(columns["job"][columns["job"] >= 0]) == 1)


def test_random_cases_have_what_is_hard():
    """Else the tests above could pass without looking."""
    seen = {"one instant": 0, "at once": 0, "unfinished": 0, "initial": 0, "blocked": 0, "on the grid": 0, "batches": 0}
    for seed in range(60):
        case = random_case(seed, jobs=200)
        _, c = rows_of(case, seed)
        came, left = c["arrival"], c["departure"]
        seen["one instant"] += np.intersect1d(came, left).size > 0
        seen["at once"] += bool((came == left).any())
        seen["unfinished"] += bool((np.isnan(left) & (c["server"] >= 0)).any())
        seen["initial"] += bool((c["job"] < 0).any())
        seen["blocked"] += bool((c["server"] < 0).any())
        seen["on the grid"] += np.intersect1d(case.window.snapshot_times(), came).size > 0
        seen["batches"] += case.window.batches > 1
    assert min(seen.values()) >= 5, seen


def test_by_hand():
    """One server, jobs of size 1 every 1/2: 0 served at 1/2, 1 waits from 1 to 3/2, 2 finds two and is blocked, ..."""
    system = System([1.0], load=2.0, places=2, size="deterministic", arrivals="deterministic")
    window = Window(0.0, 2.25)
    observe = Observables(path=True)
    sink = MemorySink()
    tally = process.run(system, Seed.of(1), 0, window, observe=observe, sink=sink).tallies[0]
    c = sink.columns()
    # arrivals 1/2, 1, 3/2, 2: at 3/2 job 0 has just left, so job 2 finds one job; at 2 it finds two: blocked
    assert c["arrival"].tolist() == [0.5, 1.0, 1.5, 2.0]
    assert c["level"].tolist() == [0, 1, 1, 2]
    assert c["server"].tolist() == [0, 0, 0, -1]
    assert c["start"][:3].tolist() == [0.5, 1.5, 2.5]
    assert c["departure"][:3].tolist() == [1.5, 2.5, 3.5]
    # snapshots at 0, 1/8, ..., 17/8; one at an arrival's instant does not see it, one at a departure's does
    assert tally.path.tolist() == [0] * 5 + [1] * 4 + [2] * 3 + [1] + [2] * 5
    assert tally.joins.tolist() == [[1, 2]]
    assert tally.blocked == 1
    assert tally.levels.tolist() == [[5, 5, 8]]
    assert tally.wait_ticks == int((0.5 + 1.0) * 2**24)
    assert tally.response_ticks == int((1.0 + 1.5 + 2.0) * 2**24)


def test_a_snapshot_at_time_0_sees_the_jobs_present_then():
    system = System([1.0, 1.0], load=0.5, places=2, size="deterministic", arrivals="deterministic")
    observe = Observables(path=True)
    tally = process.run(system, Seed.of(1), 0, Window(0.0, 1.0), observe=observe, start="busy").tallies[0]
    # one of the two servers carries the load, so one job is there from 0 to 1, when the next one comes
    np.testing.assert_array_equal(tally.path, np.ones(8))
    np.testing.assert_array_equal(tally.levels.sum(axis=0), [8, 8, 0])


def test_batches_add_up_to_the_whole():
    system = System(rates.linear(5, 4), load=0.9, places=3)
    whole = process.run(system, Seed.of(3), 0, Window(2.0, 41.3)).tallies[0]
    parts = process.run(system, Seed.of(3), 0, Window(2.0, 41.3, batches=7)).tallies
    assert sum(t.snapshots for t in parts) == whole.snapshots
    assert sum(t.routed for t in parts) == whole.routed
    assert np.array_equal(sum(t.levels for t in parts), whole.levels)
    assert np.array_equal(sum(t.wait_bins for t in parts), whole.wait_bins)
