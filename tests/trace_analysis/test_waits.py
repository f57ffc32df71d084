"""Tails, quantiles and means: exact counts, whatever the blocks; intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from jfsq_simpy.errors import PlanError
from jfsq_simpy.jobs.trace_rows import MemoryRows
from jfsq_simpy.rates import from_speeds, linear
from jfsq_simpy.system import System
from jfsq_simpy.tally import Window
from jfsq_simpy.trace_analysis import ccdf, decomposition, quantiles
from jfsq_simpy.trace_analysis.intervals import join, neighbour_correlation, pairs_to_join, ratio, share
from tests.trace_analysis.sources import by_hand, recorded, single_server

FLEET = System(from_speeds([3.0, 2.0, 1.0, 1.0]), load=0.9, places=4)
WINDOW = Window(2.0, 60.0)


# ---- counts --------------------------------------------------------------------------------------------------


def test_the_tail_by_hand():
    # waits of accepted jobs: 0, 0, 1, 2, 0
    table = ccdf(by_hand(), [1.0, 0.0, 2.0, 0.5])
    assert table.t.tolist() == [1.0, 0.0, 2.0, 0.5]
    assert table.value.tolist() == [0.2, 0.4, 0.0, 0.4]
    assert set(table.jobs) == {5}
    response = ccdf(by_hand(), [2.5], of="response")
    assert response.value.tolist() == [0.75]  # responses 2, 4, 3, 3; one not known
    assert response.attrs["unknown"] == 1


def test_quantiles_by_hand():
    table = quantiles(by_hand(), [0.5, 0.6, 0.61, 0.8, 0.81])
    assert table.value.tolist() == [0.0, 0.0, 1.0, 1.0, 2.0]


def test_the_response_is_taken_apart_by_hand():
    table = decomposition(by_hand(), by="level").set_index(["level", "part"])["mean"]
    assert table.loc[(0, "wait")] == 0.0
    assert table.loc[(0, "service")] == table.loc[(0, "response")] == 3.0
    assert table.loc[(1, "wait")] == table.loc[(1, "service")] == 1.5
    assert (2, "wait") not in table.index  # two places more than anybody found taken


def test_levels_and_speeds_without_a_job_have_no_rows_and_a_slice_of_time_shows_as_a_gap():
    alone = recorded(System([1.5, 0.5], load=0.01, places=9), Window(0.0, 100.0))  # one job, or a few, and no queue
    at = alone["arrival"]
    for by in ("level", "speed"):
        tables = [ccdf(alone, [0.0, 1.0], by=by), quantiles(alone, [0.5, 0.9], by=by), decomposition(alone, by=by)]
        assert all(table[by].tolist() == [tables[0][by][0]] * len(table) for table in tables)
        assert [len(table) for table in tables] == [2, 2, 3]
        assert all((table.jobs > 0).all() for table in tables)
        assert all(table.index.tolist() == list(range(len(table))) for table in tables)
        assert all(table.attrs["level"] == 0.95 for table in tables)
    slices = decomposition(alone, by="time")
    assert len(slices) == 30
    came = np.bincount((at[at < 100.0] // 10.0).astype(int), minlength=10)
    assert (came == 0).any()
    assert slices["jobs"].tolist() == np.repeat(came, 3).tolist()
    assert slices["mean"].isna().tolist() == (slices.jobs == 0).tolist()


def plainly(trace, of, by, begin, end):
    """The times and groups, straight from the definition."""
    c = trace.to_pandas()
    c = c[(c.job >= 0) & (c.server >= 0) & (c.arrival >= begin) & (c.arrival < end)]
    time = {"wait": c.start - c.arrival, "response": c.departure - c.arrival, "service": c.departure - c.start}[of]
    group = {None: 0 * c.job, "speed": c.speed, "level": c.level, "time": np.floor((c.arrival - begin) / (end - begin) * 10)}[by]
    return time, group


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32 - 1),
    of=st.sampled_from(["wait", "response", "service"]),
    by=st.sampled_from([None, "speed", "level", "time"]),
    block_rows=st.sampled_from([5, 13, 10_000]),
    replications=st.sampled_from([(0,), (0, 1, 2)]),
    size=st.sampled_from(["exponential", "deterministic"]),
)
def test_values_are_those_of_the_definition(seed, of, by, block_rows, replications, size):
    system = FLEET.replaced(size=size, arrivals="deterministic" if size == "deterministic" else "poisson")
    trace = recorded(system, Window(2.0, 20.0), seed, replications, block_rows=block_rows)
    times, group = plainly(trace, of, by, 2.0, 22.0)
    table = ccdf(trace, [0.0, 0.3, 1.0], of=of, by=by)
    tail = quantiles(trace, [0.1, 0.5, 0.9], of=of, by=by)
    labels = table[by].unique() if by else [0]
    for i, label in enumerate(labels):
        mine = times[group == (i if by == "time" else label)].to_numpy()
        mine_in = table[table[by] == label] if by else table
        assert set(mine_in.jobs) == {mine.size}
        if mine.size:
            assert np.allclose(mine_in.value, [(mine > t).mean() for t in (0.0, 0.3, 1.0)], rtol=1e-12)
            mine_q = tail[tail[by] == label] if by else tail
            assert np.array_equal(mine_q.value, np.quantile(mine, [0.1, 0.5, 0.9], method="inverted_cdf"))
            inside = (mine_q.low <= mine_q.value) & (mine_q.value <= mine_q.high)
            assert (inside | mine_q.low.isna() | mine_q.high.isna()).all()


def test_quantiles_of_many_equal_times_and_of_zeros():
    trace = single_server(5_000, 0.5, seed=1, burn=0)
    columns = dict(trace.rows.columns)
    columns["start"] = columns["arrival"] + np.where(np.arange(5_000) % 4 == 0, 1.0, -0.0)
    trace.rows = MemoryRows(columns | {"wait": np.zeros(5_000)}, np.ones(1), block_rows=999)
    table = quantiles(trace, [0.5, 0.74, 0.76, 0.99])
    assert table.value[0] == table.value[1] == 0.0
    assert np.allclose(table.value[2:], 1.0, atol=1e-9)


def test_groups_of_more_than_64_speeds_are_bands_of_neighbours():
    trace = recorded(System(linear(200, ratio=4), load=0.9, places=3), Window(0.0, 20.0))
    table = decomposition(trace, by="speed")
    assert table.speed.nunique() == 64
    assert (np.diff(table.speed.unique()) < 0).all()
    assert table[table.part == "wait"].jobs.sum() == (~trace["blocked"]).sum()


def test_the_window_is_by_arrival_and_defaults_to_the_measured_part():
    trace = recorded(FLEET, WINDOW)
    whole, part = ccdf(trace, [0.0]), ccdf(trace, [0.0], window=(10.0, 20.0))
    assert whole.attrs["window"] == (2.0, 62.0)
    at = trace["arrival"][~trace["blocked"]]
    assert whole.jobs[0] == ((at >= 2.0) & (at < 62.0)).sum()
    assert part.jobs[0] == ((at >= 10.0) & (at < 20.0)).sum()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: ccdf(t, []), "times must be"),
        (lambda t: ccdf(t, [np.nan]), "times must be"),
        (lambda t: ccdf(t, [0.0], level=1.0), "level = 1.0 must lie"),
        (lambda t: ccdf(t, [0.0], by="server"), "by = 'server' must be"),
        (lambda t: ccdf(t, [0.0], window=(2.0, 1.0)), "the first before the second"),
        (lambda t: quantiles(t, [1.0]), "strictly between"),
    ],
)
def test_bad_questions_get_one_line(call, message):
    with pytest.raises(PlanError, match=message):
        call(by_hand())


# ---- intervals -----------------------------------------------------------------------------------------------


def test_equal_counts_give_the_plain_student_interval():
    x = np.array([1.0, 4.0, 2.0, 5.0, 3.0])
    found = ratio(10 * x, np.full(5, 10.0), 0.9, "replications")
    half = stats.t.ppf(0.95, 4) * x.std(ddof=1) / np.sqrt(5)
    assert float(found.value) == pytest.approx(3.0)
    assert float(found.half_width) == pytest.approx(half)


def test_one_unit_says_nothing_about_spread():
    assert np.isnan(ratio(np.array([3.0, 0.0]), np.array([2.0, 0.0]), 0.95, "replications").half_width)


def test_what_neighbouring_batches_share_widens_the_interval():
    smooth = 5 + np.sin(np.arange(32) / 3)
    apart, running = (ratio(smooth, np.ones(32), 0.95, what) for what in ("replications", "batches"))
    assert float(running.half_width / apart.half_width) == pytest.approx(3.0)  # r = 0.8, the most that is believed
    assert float(running.value) == float(apart.value)


def test_limits_of_a_share_stay_inside():
    sums = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 4.0])
    found = share(sums, np.full(8, 1000.0), 0.95, "replications")
    assert 0 < float(found.low) < 5 / 8000 < float(found.high)
    assert float(ratio(sums, np.full(8, 1000.0), 0.95, "replications").low) < 0  # where symmetric limits would not


def test_never_seen_is_not_never():
    found = share(np.zeros(32), np.full(32, 100.0), 0.95, "replications")
    assert (float(found.low), float(found.high)) == (0.0, pytest.approx(1 - 0.05 ** (1 / 32)))
    always = share(np.full(32, 100.0), np.full(32, 100.0), 0.95, "replications")
    assert (float(always.low), float(always.high)) == (pytest.approx(0.05 ** (1 / 32)), 1.0)


def test_correlated_batches_are_joined_until_they_are_not():
    rng = np.random.default_rng(1)
    slow = np.repeat(rng.normal(size=16), 2)  # neighbours in pairs
    assert neighbour_correlation(slow) > 0.3
    assert pairs_to_join(slow, np.ones(32)) == 1
    assert join(np.arange(8.0), 2).tolist() == [6.0, 22.0]
    assert pairs_to_join(rng.normal(size=32), np.ones(32)) == 0
    assert pairs_to_join(np.arange(32.0), np.ones(32)) == 2  # never fewer than 8


def test_replications_are_units_where_there_are_several():
    trace = recorded(FLEET, WINDOW, replications=(0, 1, 2, 3, 4))
    table = ccdf(trace, [0.0])
    c = trace.to_pandas()
    c = c[(c.server >= 0) & (c.arrival >= 2.0)]
    shares = c.groupby("replication").wait.agg(lambda w: (w > 0).mean())
    assert table.attrs["method"].startswith("5 replications")
    assert table.value[0] == pytest.approx((c.wait > 0).mean())
    assert abs((table.high[0] - table.low[0]) / 2 / (stats.t.ppf(0.975, 4) * shares.std() / np.sqrt(5)) - 1) < 0.05


FALSE_ALARM = 1e-6  # a red run means a bug, not bad luck
EXPERIMENTS = 150


def test_the_intervals_cover_and_naive_ones_do_not():
    """M/M/1 at load 0.6, 12,000 jobs: P(W > 1), the 0.9 quantile and E[W] have closed forms."""
    load = 0.6
    truth = {"tail": load * np.exp(-(1 - load)), "quantile": np.log(load / 0.1) / (1 - load), "mean": load / (1 - load)}
    covered, naive = dict.fromkeys(truth, 0), 0
    for seed in range(EXPERIMENTS):
        trace = single_server(14_000, load, seed)
        found = {
            "tail": ccdf(trace, [1.0]),
            "quantile": quantiles(trace, [0.9]),
            "mean": decomposition(trace).iloc[:1].rename(columns={"mean": "value"}),
        }
        for name, table in found.items():
            covered[name] += bool(table.low[0] <= truth[name] <= table.high[0])
        w = trace["wait"][2_000:]
        naive += abs(w.mean() - truth["mean"]) <= 1.96 * w.std() / np.sqrt(w.size)
    fewest, most = stats.binom.ppf([FALSE_ALARM, 1 - FALSE_ALARM], EXPERIMENTS, 0.95)
    assert all(fewest - 3 <= n <= most for n in covered.values()), covered  # 2 % for skewness at this length
    assert naive < fewest  # the same test refuses intervals that take jobs for independent
