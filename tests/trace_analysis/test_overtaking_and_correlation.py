"""Who overtook whom; how far a run's jobs are from independent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jfsq_simpy.errors import PlanError
from jfsq_simpy.rates import from_speeds
from jfsq_simpy.system import System
from jfsq_simpy.tally import Window
from jfsq_simpy.trace_analysis import autocorrelation, naive_and_honest, overtaking, summary
from tests.jobs.systems import random_case
from tests.trace_analysis.sources import by_hand, recorded, single_server

FLEET = System(from_speeds([3.0, 2.0, 1.0, 1.0]), load=0.9, places=4)


# ---- overtaking ----------------------------------------------------------------------------------------------


def test_overtaking_by_hand():
    # departures 2, 5, 4, 5, -, not yet: job 2 (at 4) leaves before job 1 (at 5); job 3 leaves with it, not before
    found = overtaking(by_hand())
    assert (found.count, found.jobs, found.share) == (1, 4, 0.25)
    assert found.listed[["job", "passed", "by"]].to_numpy().tolist() == [[2, 1, 1.0]]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(number=st.integers(0, 2**32 - 1), block_rows=st.sampled_from([1, 7, 10_000]), many=st.booleans())
def test_overtaking_is_that_of_the_definition(number, block_rows, many):
    case = random_case(number, jobs=60)
    numbers = (0, 1) if many else (0,)
    trace = recorded(case.system, Window(0.0, case.window.length, drain=case.window.drain), number, numbers, case.start, block_rows)
    table = trace.to_pandas()
    expected = []
    for _, c in table[table.server >= 0].groupby("replication" if many else 0 * table.job):
        leaves = c.departure.fillna(np.inf).to_numpy()
        overtakers = [j for j in range(len(c)) if c.job.iloc[j] >= 0 and leaves[j] < max([0.0, *leaves[:j]])]
        expected += [(c.job.iloc[j], leaves[:j].max() - leaves[j]) for j in overtakers]
    found = overtaking(trace)
    assert found.count == len(expected)
    assert found.listed.job.tolist() == [job for job, _ in expected]
    assert np.array_equal(found.listed.by, [by for _, by in expected])


def test_nobody_overtakes_in_one_queue():
    assert overtaking(recorded(System(rates=[1.0], load=0.9, places=9), Window(0.0, 300.0))).count == 0


def test_the_list_is_as_long_as_asked():
    trace = recorded(FLEET, Window(0.0, 100.0))
    assert len(overtaking(trace, most_listed=3).listed) == 3
    assert overtaking(trace, most_listed=0).count == overtaking(trace).count > 10


# ---- correlation ---------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1), block_rows=st.sampled_from([1, 13, 10_000]), many=st.booleans())
def test_the_autocorrelation_is_that_of_the_definition(seed, block_rows, many):
    trace = recorded(FLEET, Window(0.0, 25.0), seed, (0, 1) if many else (0,), block_rows=block_rows)
    c = trace.to_pandas()
    c = c[c.server >= 0]
    mean = c.wait.mean()
    series = [w.to_numpy() - mean for _, w in c.groupby("replication" if many else 0 * c.job).wait]
    expected = [sum((y[k:] * y[: y.size - k]).sum() for y in series) for k in range(31)]
    found = autocorrelation(trace, 30)
    assert np.allclose(found.correlation, np.array(expected) / expected[0], atol=1e-9)
    assert found.correlation[0] == 1.0


def test_lags_beyond_the_series_are_zero():
    found = autocorrelation(by_hand(), 8)
    assert np.allclose(found.correlation[5:], 0.0, atol=1e-12)


@pytest.mark.parametrize("lags", [0, 2.5, True])
def test_lags_are_whole(lags):
    with pytest.raises(PlanError, match="whole number of jobs"):
        autocorrelation(by_hand(), lags)


def test_the_acf_of_an_m_m_1_queue():
    """At load 0.5 neighbours' waits are far from independent, and those 40 jobs apart nearly so."""
    found = autocorrelation(single_server(400_000, 0.5, seed=2), 40)
    assert (found.correlation[1:10] > 0.1).all()
    assert (np.diff(found.correlation) < 0.02).all()
    assert abs(found.correlation[40]) < 0.05


def test_naive_intervals_are_too_short_by_the_correlation():
    """Effective jobs times the sum of the autocorrelation is the number of jobs."""
    trace = single_server(200_000, 0.5, seed=3)
    table = naive_and_honest(trace)
    acf = autocorrelation(trace, 100).correlation
    inflation = 1 + 2 * acf[1:].sum()
    measured = table.jobs[0] / table.jobs[1]
    assert inflation > 5
    # a variance from 32 batches is good to a factor of 2 (chi-square with 31 degrees, 1e-4 each side)
    assert 0.4 < measured / inflation < 2.5
    assert table.value[0] == table.value[1]


def test_the_naive_interval_is_the_textbook_one():
    trace = single_server(5_000, 0.5, seed=4, burn=0)
    w = trace["wait"][:-1]  # the window ends before the last arrival
    table = naive_and_honest(trace)
    assert table.half_width[0] == pytest.approx(1.959964 * w.std(ddof=1) / np.sqrt(w.size), rel=1e-6)


# ---- the summary ---------------------------------------------------------------------------------------------


def test_the_summary_agrees_with_the_tally():
    """Counts of the trace and of the engine's tally are the same numbers, found in two ways."""
    from jfsq_simpy.simulate import simulate

    run = simulate(FLEET, horizon=300.0, warmup=20.0, engine="process", trace=True, rng=5, replications=1)
    found = summary(run.trace, (20.0, 320.0))
    for name in ("waiting_probability", "blocking_probability", "buffered_probability", "mean_response"):
        assert found["estimates"][name]["value"] == pytest.approx(run[name].value, rel=1e-6), name
    assert found["estimates"]["mean_wait"]["value"] == pytest.approx(run["mean_wait"].value, rel=1e-6)
    assert found["mean_jobs"] == pytest.approx(
        run["mean_jobs"].value, rel=0.05
    )  # the tally looks 8 times a unit, this all the time
    assert found["jobs"]["arrived"] == found["jobs"]["finished"] + found["jobs"]["blocked"]


def test_the_summary_is_json_whatever_is_missing():
    import json

    found = summary(by_hand())
    json.dumps(found, allow_nan=False)
    assert found["jobs"] == {"arrived": 6, "blocked": 1, "waited": 2, "finished": 4, "unfinished": 1}
