"""A trace of ours obeys every rule; a trace with one thing wrong is refused, whatever it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jfsq_simpy.draws import Seed
from jfsq_simpy.engines import ENGINES
from jfsq_simpy.errors import IdentityError
from jfsq_simpy.jobs.sinks import MemorySink
from jfsq_simpy.jobs.trace import Trace
from jfsq_simpy.jobs.trace_rows import MemoryRows, TraceFacts, column
from jfsq_simpy.rates import from_speeds
from jfsq_simpy.system import System
from jfsq_simpy.tally import Window
from tests.jobs.systems import random_case


def recorded(system, window, seed=1, *, start="empty", engine="process", replication=0):
    """Every column of a run, derived ones written out, so that any of them can be changed."""
    sink = MemorySink()
    ENGINES[engine].load().run(system, Seed.of(seed), replication, window, start=start, sink=sink)
    columns = sink.columns()
    rates = system.rates.vector()
    derived = ("speed", "blocked", "wait", "response", "finished")
    return columns | {name: np.array(column(name, columns, rates)) for name in derived}


def check(system, columns, block_rows=64):
    Trace(TraceFacts.of(system), MemoryRows(columns, block_rows=block_rows)).check()


# ---- a trace of ours passes ----------------------------------------------------------------------------------


def engines_here():
    return [name for name in ("process", "events") if ENGINES[name].available]


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    case=st.integers(0, 2**32 - 1).map(lambda n: random_case(n, jobs=100)),
    seed=st.integers(0, 2**32 - 1),
    block_rows=st.sampled_from([2, 7, 30, 1000]),
)
def test_a_trace_of_any_system_obeys_every_rule(case, seed, block_rows):
    """Ties, lattice times, sizes of 0, overload, every kind of policy, runs cut off and runs to the end; every engine."""
    for engine in engines_here():
        columns = recorded(case.system, case.window, seed, start=case.start, engine=engine)
        check(case.system, columns, block_rows)
        if np.isinf(case.window.drain):
            assert not np.isnan(columns["departure"][columns["server"] >= 0]).any()


# ---- a corrupted trace is refused ----------------------------------------------------------------------------

SYSTEM = System(rates=from_speeds([3.0, 2.0, 1.0]), load=1.1, places=3)
COLUMNS = recorded(SYSTEM, Window(0.0, 120.0, drain=0.0), seed=5, start="busy")
ACCEPTED = COLUMNS["server"] >= 0
STARTED = ~np.isnan(COLUMNS["start"])
LEFT = ~np.isnan(COLUMNS["departure"])
WAITED = LEFT & (COLUMNS["wait"] > 0)
NEW = COLUMNS["job"] >= 0


def derived_again(c):
    """The derived columns follow the change, so only the rule itself can notice it."""
    for name in ("blocked", "wait", "response", "finished"):
        c[name] = np.array(column(name, {k: c[k] for k in ("arrival", "server", "start", "departure")}))
    return c


def row_twice(c, i):
    return {k: np.insert(v, i, v[i]) for k, v in c.items()}


def row_missing(c, i):
    return {k: np.delete(v, i) for k, v in c.items()}


def row_missing_and_renumbered(c, i):
    c = row_missing(c, i)
    c["job"] = np.where(c["job"] >= 0, np.cumsum(c["job"] >= 0) - 1, c["job"])
    return c


def arrivals_swapped(c, i):
    for name in set(c) - {"job"}:
        c[name][[i - 1, i]] = c[name][[i, i - 1]]
    return c


def late_start(c, i):
    c["start"][i] += 0.5
    c["departure"][i] = c["start"][i] + c["size"][i] / c["speed"][i]
    return derived_again(c)


def early_start(c, i):
    c["start"][i] = (c["arrival"][i] + c["start"][i]) / 2
    c["departure"][i] = c["start"][i] + c["size"][i] / c["speed"][i]
    return derived_again(c)


def longer_by_one_ulp(c, i):
    c["departure"][i] = np.nextafter(c["departure"][i], np.inf)
    return derived_again(c)


def level_off_by_one(c, i):
    c["level"][i] += 1 if c["level"][i] == 0 else -1
    return c


def blocked_yet_served(c, i):
    c["start"][i], c["departure"][i] = c["arrival"][i], c["arrival"][i] + 1
    return derived_again(c)


def full_server_took_it(c, i):
    c["level"][i] = SYSTEM.places
    return c


def blocked_for_no_reason(c, i):
    c["server"][i], c["speed"][i] = -1, np.nan
    c["start"][i] = c["departure"][i] = np.nan
    return derived_again(c)


def other_server(c, i):
    """Moved to the next server with all its times: that one serves two at once, or out of turn."""
    c["server"][i] = (c["server"][i] + 1) % SYSTEM.n_servers
    return c


def no_such_server(c, i):
    c["server"][i] = SYSTEM.n_servers
    return c


def other_speed(c, i):
    c["speed"][i] *= 1.25
    c["departure"][i] = c["start"][i] + c["size"][i] / c["speed"][i]
    return derived_again(c)


def never_left(c, i):
    c["departure"][i] = np.nan
    return derived_again(c)


def never_started(c, i):
    c["start"][i] = c["departure"][i] = np.nan
    return derived_again(c)


def negative_size(c, i):
    c["size"][i] = -c["size"][i] - 1e-3
    return c


def arrival_not_a_number(c, i):
    c["arrival"][i] = np.nan
    return derived_again(c)


def wait_written_wrong(c, i):
    c["wait"][i] += 1e-9
    return c


def response_without_its_wait(c, i):
    c["response"][i] -= c["wait"][i]
    return c


def flag_flipped(c, i):
    c["finished"][i] = not c["finished"][i]
    return c


def blocked_flag_flipped(c, i):
    c["blocked"][i] = not c["blocked"][i]
    return c


def turns_swapped(c, i):
    """Job i and the one behind it at its server change turns."""
    later = np.flatnonzero((c["server"] == c["server"][i]) & (np.arange(c["job"].size) > i))[0]
    for name in ("start", "departure", "size"):
        c[name][[i, later]] = c[name][[later, i]]
    return derived_again(c)


# one that waits and whose successor at the server came before it started
HAS_FOLLOWER = np.zeros(ACCEPTED.size, bool)
for _i in np.flatnonzero(WAITED):
    _later = np.flatnonzero((COLUMNS["server"] == COLUMNS["server"][_i]) & (np.arange(ACCEPTED.size) > _i))
    HAS_FOLLOWER[_i] = bool(_later.size) and COLUMNS["arrival"][_later[0]] < COLUMNS["start"][_i] and LEFT[_later[0]]

NOT_LAST = np.arange(ACCEPTED.size) < ACCEPTED.size - 40  # the run goes on after them

# what is done to the trace -> jobs it can be done to, and what the message says
KINDS = {
    row_twice: (NEW, "ids are not"),
    row_missing: (NEW & NOT_LAST, "ids are not"),
    row_missing_and_renumbered: (LEFT & NEW & NOT_LAST & HAS_FOLLOWER, "early, late or out of turn"),
    arrivals_swapped: (NEW & (np.arange(NEW.size) > 5), "arrivals are out of order|out of turn"),
    late_start: (LEFT, "early, late or out of turn"),
    early_start: (WAITED, "early, late or out of turn"),
    turns_swapped: (HAS_FOLLOWER, "early, late or out of turn"),
    longer_by_one_ulp: (LEFT, "size / rate"),
    level_off_by_one: (ACCEPTED, "level found|free place|full server"),
    blocked_yet_served: (~ACCEPTED, "a blocked job was served"),
    full_server_took_it: (ACCEPTED, "a full server took a job"),
    blocked_for_no_reason: (ACCEPTED, "free place"),
    other_server: (ACCEPTED, "changed its speed"),
    no_such_server: (ACCEPTED, "no such server"),
    other_speed: (LEFT, "changed its speed"),
    never_left: (LEFT & NOT_LAST, "had not left|what the server held|out of turn"),
    never_started: (LEFT & NOT_LAST, "idle though|what the server held|out of turn"),
    negative_size: (ACCEPTED, "size is not"),
    arrival_not_a_number: (NEW, "arrival time is not"),
    wait_written_wrong: (LEFT, "`wait`"),
    response_without_its_wait: (WAITED, "`response`"),
    flag_flipped: (ACCEPTED, "`finished`"),
    blocked_flag_flipped: (ACCEPTED, "`blocked`"),
}


def test_the_trace_that_is_about_to_be_corrupted_is_sound_and_rich():
    check(SYSTEM, COLUMNS)
    present = ACCEPTED & ~LEFT
    assert min((~ACCEPTED).sum(), WAITED.sum(), HAS_FOLLOWER.sum()) > 20
    assert (STARTED & ~LEFT).any()
    assert (present & ~STARTED).any()
    assert ACCEPTED.size == LEFT.sum() + (~ACCEPTED).sum() + present.sum()


@pytest.mark.parametrize("corrupt", KINDS, ids=lambda f: f.__name__)
def test_each_kind_of_corruption_is_found(corrupt):
    eligible, message = KINDS[corrupt]
    rng = np.random.default_rng(3)
    for i in rng.choice(np.flatnonzero(eligible), size=12).tolist():
        broken = corrupt({name: values.copy() for name, values in COLUMNS.items()}, i)
        for block_rows in (7, 10_000):
            with pytest.raises(IdentityError, match=message):
                check(SYSTEM, broken, block_rows)


def test_a_server_with_more_jobs_than_places_is_found():
    roomy = recorded(SYSTEM.replaced(places=5), Window(0.0, 120.0, drain=0.0), seed=5)
    with pytest.raises(IdentityError, match=r"level outside|full server"):
        check(SYSTEM, roomy)  # the facts say three places


def test_a_fast_server_numbered_after_a_slow_one_is_found():
    renumbered = COLUMNS | {"server": np.where(ACCEPTED, 2 - COLUMNS["server"], -1)}
    with pytest.raises(IdentityError, match="fastest first"):
        check(SYSTEM, renumbered)


def test_replications_must_follow_each_other_and_are_checked_apart():
    window = Window(0.0, 40.0)
    facts = TraceFacts.of(SYSTEM, replications=[0, 1])
    parts = [recorded(SYSTEM, window, replication=r) | {"replication": None} for r in (0, 1)]
    for r, part in enumerate(parts):
        part["replication"] = np.full(part["job"].size, r)

    def joined(*pieces):
        return MemoryRows({k: np.concatenate([p[k] for p in pieces]) for k in parts[0]}, block_rows=50)

    Trace(facts, joined(*parts)).check()
    head = {k: v[:20] for k, v in parts[0].items()}
    tail = {k: v[20:] for k, v in parts[0].items()}
    with pytest.raises(IdentityError, match="two pieces"):
        Trace(facts, joined(head, parts[1], tail)).check()
    late = {k: v.copy() for k, v in parts[1].items()}
    late_start(late, 3)
    with pytest.raises(IdentityError, match="of replication 1"):
        Trace(facts, joined(parts[0], late)).check()
