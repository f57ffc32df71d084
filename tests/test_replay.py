"""Replaying a log: the same jobs, to the last bit; the same policy gives the same trace; bad logs get one line."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jfsq_simpy import rates
from jfsq_simpy.draws import Seed
from jfsq_simpy.engines import ENGINES
from jfsq_simpy.errors import DataError, PlanError
from jfsq_simpy.jobs.trace import open_sink
from jfsq_simpy.laws.recorded import RecordedGaps
from jfsq_simpy.replay import replay
from jfsq_simpy.replay.redispatch import _round_load
from jfsq_simpy.replay.stream import gaps_to
from jfsq_simpy.system import System
from jfsq_simpy.tally import Window
from tests.jobs.systems import random_case


def recorded(system, seed=3, horizon=60.0, replications=(0,), start="empty", to=True, drain=np.inf):
    window = Window(0.0, horizon, drain=drain)
    with open_sink(to, system, seed=Seed.of(seed), replications=replications, engine="process", window=window) as recording:
        for number in replications:
            sink = recording.of(number)
            ENGINES["process"].load().run(system, Seed.of(seed), number, window, start=start, sink=sink)
        return recording.commit()


FLEET = rates.from_speeds([3.0, 2.0, 1.0])


# ---- the stream ----------------------------------------------------------------------------------------------


def clock(gaps):
    """As an engine adds them up: one after the other."""
    now, times = 0.0, []
    for gap in gaps.tolist():
        now += gap
        times.append(now)
    return np.array(times)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rate=st.floats(1e-3, 1e3) | st.integers(-9, 9).map(lambda k: 2.0**k),
    stamps=st.sampled_from(["fine", "coarse"]),
)
def test_the_clock_shows_the_times_of_the_log(seed, rate, stamps):
    rng = np.random.default_rng(seed)
    arrival = np.sort(rng.exponential(100.0, 500)) if rng.random() < 0.5 else np.cumsum(rng.exponential(0.3, 500))
    arrival = np.floor(arrival * 8) / 8 if stamps == "coarse" else arrival
    gaps = gaps_to(arrival, rate)
    shown = clock(gaps / rate)
    assert (gaps >= 0).all()
    assert (np.abs(shown - arrival) <= np.spacing(arrival)).all()
    # where gaps are short beside the clock, some float leads to the time wanted; before, not always
    long = np.flatnonzero(4 * np.diff(arrival, prepend=0.0) > arrival)
    settled = arrival > (arrival[long[-1]] if long.size else -1.0)
    assert np.array_equal(shown[settled], arrival[settled])
    if stamps == "coarse" and np.log2(rate).is_integer():
        assert np.array_equal(shown, arrival)


def test_a_clock_that_an_engine_once_showed_is_shown_again():
    """Times an engine made are within its reach, from the first job on; plain differences miss one stream in a hundred."""
    missed = 0
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        rate = rng.uniform(0.1, 100.0)
        arrival = clock(rng.standard_exponential(20) / rate)
        assert np.array_equal(clock(gaps_to(arrival, rate) / rate), arrival)
        missed += not np.array_equal(clock(np.diff(arrival, prepend=0.0) * rate / rate), arrival)
    assert missed > 0


def test_gaps_divided_by_their_mean_would_not_do():
    """Why laws.RecordedGaps is not enough here: whole seconds would not all come out whole."""
    off = 0
    for seed in range(40):
        arrival = np.floor(np.cumsum(np.random.default_rng(seed).exponential(3.0, 500)))
        law = RecordedGaps(arrival)
        off += bool((clock(law.draw(None, arrival.size) / (law.load(7) * 7)) != arrival).any())
        rate = _round_load(arrival, 7) * 7
        assert np.array_equal(clock(gaps_to(arrival, rate) / rate), arrival)
    assert off > 5


@pytest.mark.parametrize("n_servers", [1, 2, 3, 7, 49, 1000, 999_983])
def test_the_arrival_rate_of_a_foreign_log_is_a_power_of_two(n_servers):
    for span in (1e-6, 1.0, 3.0, 12345.6, 1e12):
        arrival = np.linspace(0.0, span, 10)
        rate = _round_load(arrival, n_servers) * n_servers
        assert np.log2(rate).is_integer()
        assert 0.7 < rate / (10 / span) < 1.42


# ---- a trace of ours -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", range(40))
def test_a_trace_replayed_under_its_own_policy_is_itself(case):
    case = random_case(case, jobs=150)
    trace = recorded(case.system, seed=case.system.n_servers, horizon=case.window.length)
    if not len(trace):
        pytest.skip("no job came")
    again = replay(trace, policy=case.system.policy, engine="process")
    for name in trace.names:
        assert np.array_equal(again.trace[name], trace[name], equal_nan=trace[name].dtype.kind == "f"), name
    again.trace.check()
    assert again.counts()["less"] == again.counts()["longer"] == 0


def test_other_policies_get_the_same_jobs_and_other_waits():
    trace = recorded(System(FLEET, load=0.9, places=6, policy="random"), horizon=300.0)
    found = replay(trace, policy="jfsq", engine="process")
    found.trace.check()
    assert np.array_equal(found.trace["arrival"], trace["arrival"])
    assert np.array_equal(found.trace["size"], trace["size"])
    table = found.difference()
    both = ~trace["blocked"] & ~found.trace["blocked"]
    assert np.allclose(table.difference[both], (found.trace["wait"] - trace["wait"])[both])
    gain = found.mean_difference()
    assert gain.value == pytest.approx(table.difference.mean())
    assert gain.high < 0  # looking before sending beats sending blindly
    assert sum(found.counts().values()) == len(trace)


def test_the_other_replay_is_compared_with_its_own_jobs():
    trace = recorded(System(FLEET, load=0.9, places=6))
    a, b = (replay(trace, policy=p, engine="process") for p in ("jfsq", "random"))
    assert np.allclose(a.difference(b).difference, -b.difference(a).difference, equal_nan=True)
    other = replay(recorded(System(FLEET, load=0.9, places=6), seed=4), policy="jfsq", engine="process")
    with pytest.raises(PlanError, match="different logs"):
        a.difference(other)


def test_places_and_rates_may_change_too():
    trace = recorded(System(FLEET, load=0.9, places=2))
    roomy = replay(trace, policy="jfsq", places=50, engine="process")
    assert trace["blocked"].any()
    assert not roomy.trace["blocked"].any()
    assert roomy.counts()["blocked_before"] == trace["blocked"].sum()
    equal = replay(trace, policy="jfsq", rates=rates.homogeneous(3), engine="process")
    assert set(np.unique(equal.trace["speed"][~equal.trace["blocked"]])) == {1.0}


def test_one_of_several_replications_is_chosen_by_its_number(tmp_path):
    trace = recorded(System(FLEET, load=0.9, places=3), replications=(2, 5), to=tmp_path / "both.parquet")
    with pytest.raises(PlanError, match="say which one"):
        replay(trace, policy="jfsq")
    with pytest.raises(PlanError, match="no replication 3"):
        replay(trace, policy="jfsq", replication=3)
    again = replay(tmp_path / "both.parquet", policy="jfsq", replication=5, engine="process", trace=tmp_path / "again.parquet")
    mine = trace["replication"] == 5
    assert np.array_equal(again.trace["server"], trace["server"][mine])
    assert again.trace.facts.replications == (5,)


def test_jobs_present_at_the_start_cannot_be_replayed():
    with pytest.raises(PlanError, match="present at time 0"):
        replay(recorded(System(FLEET, load=0.9, places=3), start="busy"), policy="jfsq")


# ---- a log of somebody else's --------------------------------------------------------------------------------


def log_of(trace, unit, origin, labels):
    """What a log in other units, with named servers, would say of a trace."""
    speed = trace["speed"] / unit  # jobs per unit of the log's time
    keep = ~trace["blocked"]
    service = (trace["departure"] - trace["start"]) * unit
    return pd.DataFrame(
        {
            "arrival": origin + unit * trace["arrival"],
            "service_time": service,
            "server": np.array(labels)[trace["server"]],
            "start": origin + unit * trace["start"],
            "speed": speed,
        }
    )[keep].reset_index(drop=True)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_log_in_other_units_with_named_servers_gives_its_own_waits_back(tmp_path, suffix):
    fleet = rates.from_speeds([10.0, 30.0, 20.0], labels=["old", "new", "mid"])  # jobs a second
    trace = recorded(System(fleet, load=0.9, places=60), horizon=400.0)
    log = log_of(trace, fleet.time_unit, 5.0e4, fleet.labels)
    path = tmp_path / f"log{suffix}"
    log.to_csv(path, index=False) if suffix == ".csv" else log.to_parquet(path)
    found = replay(path, rates=fleet, policy="jfsq", places=60, rng=3, engine="process")
    table = found.difference()
    # one rounding each for shift, unit and size, at a clock of 5e4: 1e-11 a job, along a busy period
    assert np.abs(table.difference).max() < 1e-8
    assert (table.server == table.server_before).all()
    assert np.abs(found.jobs.arrival - log.arrival).max() <= 2 * np.spacing(5.1e4)
    assert found.counts() == {"less": 0, "same": len(log), "longer": 0, "blocked_now": 0, "blocked_before": 0, "blocked_twice": 0}


def test_by_hand_in_whole_seconds():
    """One server, rate 1, whole seconds: departures and arrivals of one instant stay at one instant."""
    log = pd.DataFrame({"arrival": [100, 101, 103, 106, 106], "size": [3, 2, 1, 1, 4]})
    found = replay(log, rates=rates.homogeneous(1), policy="jfsq", places=2, engine="process")
    # 100-103, 101 waits to 103-105, 103: one has just left, one is there: waits to 105-106, 106: empty again; 106: waits
    assert found.jobs.wait.tolist() == [0.0, 2.0, 2.0, 0.0, 1.0]
    assert found.trace["level"].tolist() == [0, 1, 1, 0, 1]
    assert found.jobs.departure.tolist() == [103.0, 105.0, 106.0, 107.0, 111.0]
    assert found.offered_load == pytest.approx(11 / 6)
    with pytest.raises(PlanError, match="does not say how long its jobs waited"):
        found.difference()


def test_servers_are_numbered_as_in_the_array_given():
    log = pd.DataFrame({"arrival": [0.0, 0.5], "service_time": [2.0, 2.0], "server": [0, 1], "wait": [0.0, 0.0]})
    found = replay(log, rates=[0.5, 1.5], policy="jfsq", places=3, engine="process")
    assert found.trace["size"].tolist() == [1.0, 3.0]
    table = found.difference()
    assert table.server.tolist() == [1, 0]  # the fast one first, which the log calls 1
    assert table.server_before.tolist() == [0, 1]


@pytest.mark.parametrize(
    "log",
    [
        {"wait": [0.0, 1.0]},
        {"start": [7.0, 9.0]},
        {"response": [2.0, 3.0], "service_time": [2.0, 2.0]},
        {"departure": [9.0, 11.0], "service_time": [2.0, 2.0]},
    ],
    ids=lambda log: next(iter(log)),
)
def test_the_logs_own_waits_are_found_in_any_of_four_ways(log):
    table = pd.DataFrame({"arrival": [7.0, 8.0], "size": [2.0, 2.0], **log})
    found = replay(table, rates=rates.homogeneous(1), policy="jfsq", places=9, engine="process")
    assert found.difference().wait_before.tolist() == [0.0, 1.0]
    assert found.difference().difference.tolist() == [0.0, 0.0]


# ---- what is not a log ---------------------------------------------------------------------------------------

GOOD = {"arrival": [0.0, 1.0], "size": [1.0, 1.0]}
BAD = {
    "no arrival": ({"time": [0.0]}, r"no column `arrival` \(found: none\)"),
    "neither size nor service": ({"arrival": [0.0]}, "neither `size` nor both"),
    "service without server": ({"arrival": [0.0], "service_time": [1.0]}, "neither `size` nor both"),
    "no rows": ({"arrival": [], "size": []}, "holds no job"),
    "unsorted": (GOOD | {"arrival": [1.0, 0.5]}, "row 1 holds 0.5, but row 0 holds 1.0 already; sort"),
    "nan time": (GOOD | {"arrival": [0.0, np.nan]}, "`arrival`, row 1 holds nan"),
    "infinite time": (GOOD | {"arrival": [0.0, np.inf]}, "`arrival`, row 1 holds inf"),
    "words": (GOOD | {"arrival": ["0", "noon"]}, "`arrival`, row 1 holds 'noon', which is not a number"),
    "dates": (GOOD | {"arrival": pd.to_datetime(["2024-01-01", "2024-01-02"])}, "give times as numbers"),
    "negative size": (GOOD | {"size": [1.0, -1.0]}, "`size`, row 1 holds -1.0; it must be a finite number at or above 0"),
    "nan size": (GOOD | {"size": [np.nan, 1.0]}, "`size`, row 0 holds nan"),
    "refused job": ({"arrival": [0.0], "service_time": [np.nan], "server": [0]}, "leave it out, or give `size`"),
    "nobody's server": ({"arrival": [0.0], "service_time": [1.0], "server": [1]}, "`server`, row 0 .*|neither"),
    "one known, one not": ({"arrival": [0.0, 1.0], "service_time": [1.0, 1.0], "server": [0, 7]}, "row 1 names a server"),
    "starts before it comes": (GOOD | {"start": [0.0, 0.5]}, "row 1 waits -0.5"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("as_file", ["frame", ".csv", ".parquet"])
def test_a_bad_log_gets_one_clear_line(name, as_file, tmp_path):
    table, message = BAD[name]
    log = pd.DataFrame(table)
    if as_file == ".csv" and name == "dates":
        message = "which is not a number"
    if as_file == ".csv" and name == "no rows":
        message = "holds no job|not a number"
    if as_file != "frame":
        path = tmp_path / f"log{as_file}"
        log.to_csv(path, index=False) if as_file == ".csv" else log.to_parquet(path)
        log = path
    with pytest.raises(DataError, match=message) as caught:
        replay(log, rates=rates.homogeneous(1), policy="jfsq", places=3)
    assert "\n" not in str(caught.value)
    assert as_file == "frame" or str(caught.value).startswith(str(tmp_path))


@pytest.mark.parametrize("name", ["log.csv", "log.parquet"])
def test_files_that_are_not_there_or_not_tables(name, tmp_path):
    path = tmp_path / name
    with pytest.raises(DataError, match="cannot be read"):
        replay(path, rates=rates.homogeneous(1), policy="jfsq", places=3)
    for content in (b"", b"\x00\xff" * 40, b"PAR1" + b"x" * 40 + b"PAR1"):
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            replay(path, rates=rates.homogeneous(1), policy="jfsq", places=3)
        assert "\n" not in str(caught.value)


def test_a_log_needs_rates_and_places():
    with pytest.raises(PlanError, match="give rates and places"):
        replay(pd.DataFrame(GOOD), policy="jfsq")


def test_rates_beyond_what_the_facts_keep_come_from_the_jobs():
    trace = recorded(System(rates.linear(80, ratio=4), load=0.95, places=3), horizon=60.0)
    assert "speeds" not in trace.facts.system["rates"]
    again = replay(trace, policy="jfsq", engine="process")
    assert np.array_equal(again.trace["departure"], trace["departure"], equal_nan=True)
    short = recorded(System(rates.linear(80, ratio=4), load=0.3, places=3), horizon=2.0)
    with pytest.raises(PlanError, match="servers that took no job; give rates"):
        replay(short, policy="jfsq")
    assert len(replay(short, policy="jfsq", rates=rates.linear(80, ratio=4), engine="process").trace) == len(short)
