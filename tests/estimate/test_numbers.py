"""Numbers with their limits: from one unit, from counts alone, and where nothing was seen."""

import math
from dataclasses import replace

import numpy as np
import pytest

from jfsq_simpy.estimate import estimate, upper_limit
from jfsq_simpy.tally import N_BINS, merged
from tests.estimate.units import NONE_SEEN, SYSTEM, sample, tally, waits_and_jobs


def test_one_unit_has_a_value_and_no_interval():
    e = estimate(sample(waits_and_jobs(np.random.default_rng(4), 1)), "waiting_probability")
    assert 0 < e.value < 1
    assert math.isnan(e.low)
    assert math.isnan(e.high)


def test_binned_times_do_not_change_a_number():
    units = waits_and_jobs(np.random.default_rng(5), 5)
    with_bins = [
        replace(t, wait_bins=np.ones((2, N_BINS), int), response_bins=np.ones((2, N_BINS), int), wait_ticks=9) for t in units
    ]
    assert estimate(sample(with_bins), "waiting_probability") == estimate(sample(units), "waiting_probability")
    assert estimate(sample(with_bins), "mean_wait").value == pytest.approx(5 * 9 / 2**24 / merged(units).accepted)


# ---- nothing seen --------------------------------------------------------------------------------------------


def test_nothing_seen_gives_the_rule_of_three():
    e = estimate(sample(NONE_SEEN, looks=1000.0), "waiting_probability")
    assert (e.value, e.low) == (0.0, 0.0)
    assert e.high == pytest.approx(3 / 1000, rel=2e-3)
    assert "one-sided" in e.method
    assert estimate(sample(NONE_SEEN, looks=0.5), "blocking_probability").high == 1.0
    assert estimate(sample(NONE_SEEN, looks=1000.0, level=0.99), "waiting_probability").high == pytest.approx(4.605e-3, rel=1e-3)


def test_nothing_seen_bounds_what_cannot_be_without_it():
    looks = 1000.0
    limit = upper_limit(sample(NONE_SEEN, looks=looks))
    assert estimate(sample(NONE_SEEN), "mean_wait").high == pytest.approx(limit / 0.5)  # behind one job at the slow server
    assert estimate(sample(NONE_SEEN), "mean_waiting_jobs").high == pytest.approx(limit * 2)
    heavy = SYSTEM.replaced(size={"law": "lognormal", "scv": 9.0})
    assert estimate(sample(NONE_SEEN, system=heavy), "mean_wait").high == pytest.approx(5 * limit / 0.5)


def test_what_must_be_zero_is_zero():
    loss = SYSTEM.replaced(places=1)
    units = [tally([[10], [0]], levels=[[1, 0], [1, 0]]) for _ in range(5)]
    for name in ("mean_wait", "buffered_probability", "mean_waiting_jobs"):
        assert (estimate(sample(units, system=loss), name).low, estimate(sample(units, system=loss), name).high) == (0.0, 0.0)


# ---- nothing else seen ---------------------------------------------------------------------------------------


def test_nothing_else_seen_has_a_lower_limit():
    """Every job waited and everybody was busy: how rarely it is otherwise is not known better than how rarely a job waits."""
    units = [tally([[0, 10], [0, 0]], levels=[[0, 1, 0], [0, 1, 0]]) for _ in range(5)]
    limit = upper_limit(sample(units))
    for name, most in (("waiting_probability", 1.0), ("mean_busy", 2.0), ("busy_capacity", 2.0)):
        e = estimate(sample(units), name)
        assert (e.value, e.high) == (most, most)
        assert e.low == pytest.approx(most * (1 - limit))
        assert "one-sided" in e.method
    idle = estimate(sample(units), "idle_among_n2")
    assert (idle.value, idle.low) == (0.0, 0.0)
    assert idle.high == pytest.approx(limit * SYSTEM.n2.floor)


def test_no_interval_reaches_where_a_metric_cannot_be():
    units = [tally([[5, 5], [0, 0]], levels=x) for x in ([[0, 1, 0], [0, 1, 0]], [[1, 0, 0], [0, 1, 0]], [[0, 1, 0], [0, 1, 0]])]
    assert estimate(sample(units), "mean_busy").high == 2.0


def test_waits_measured_one_by_one_may_be_longer_than_any_mean():
    """One server, two places, always full: every wait is one service, 1 in the mean and more or less in a run."""
    full = SYSTEM.replaced(rates=[1.0], load=50.0)
    ticks = (2**24 * np.array([11, 10, 12, 9, 11])).tolist()
    bins = np.ones((1, N_BINS), int)
    full_all_along = {"levels": [[0, 0, 1]], "wait_bins": bins, "response_bins": bins}
    units = [tally([[0, 10]], wait_ticks=t, **full_all_along) for t in ticks]
    e = estimate(sample(units, system=full), "mean_wait")
    assert e.value == pytest.approx(1.06)
    assert e.low < 1.0 < 1.06 < e.high
