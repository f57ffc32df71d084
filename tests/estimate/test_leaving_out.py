"""The jackknife: against hand computations and the delta method."""

import math
from dataclasses import fields

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy.estimate import estimate, jackknife
from jfsq_simpy.tally import Tally, merged
from tests.estimate.units import sample, tally, waits_and_jobs


def test_leaving_one_out_is_merging_the_others():
    units = waits_and_jobs(np.random.default_rng(1), 7)
    seen = []
    jackknife(sample(units), lambda t: seen.append(t) or 0.0)
    others = [merged([t for j, t in enumerate(units) if j != i]) for i in range(7)]
    assert seen[0] == merged(units)
    for left_out, expected in zip(seen[1:], others, strict=True):
        assert all(np.array_equal(getattr(left_out, f.name), getattr(expected, f.name)) for f in fields(Tally))


def test_for_a_plain_mean_it_is_student_t():
    """Units of equal size: the mean of snapshots."""
    busy = np.array([3, 5, 4, 8, 6, 6, 2])
    units = [tally([[1, 0], [0, 0]], levels=[[10 - b, b, 0], [10, 0, 0]], snapshots=10) for b in busy.tolist()]
    for name in ("mean_jobs", "mean_busy"):
        e = estimate(sample(units), name)
        assert e.value == pytest.approx(busy.mean() / 10)
        assert (e.low, e.high) == pytest.approx(stats.t.interval(0.95, 6, busy.mean() / 10, stats.sem(busy) / 10))
        assert (e.n, e.method) == (7, "replications, jackknife, Student t")


def test_for_a_ratio_it_is_the_delta_method():
    """Numerator and denominator move together; treating the denominator as fixed would be wrong by a factor."""
    units = waits_and_jobs(np.random.default_rng(2), 400)
    waiting = np.array([t.joins[0, 1] for t in units])
    jobs = np.array([t.routed for t in units])
    ratio = waiting.sum() / jobs.sum()
    _, half = jackknife(sample(units), lambda t: t.joins[0, 1] / t.routed)
    by_delta = stats.t.ppf(0.975, 399) * np.std(waiting - ratio * jobs, ddof=1) / math.sqrt(400) / jobs.mean()
    fixed = stats.t.ppf(0.975, 399) * np.std(waiting, ddof=1) / math.sqrt(400) / jobs.mean()
    assert half == pytest.approx(by_delta, rel=0.01)
    assert fixed > 1.5 * half


def test_a_measure_may_be_an_array():
    units = waits_and_jobs(np.random.default_rng(3), 9)
    value, half = jackknife(sample(units), lambda t: t.joins.sum(axis=0) / t.routed)
    for i in range(2):
        v, h = jackknife(sample(units), lambda t, i=i: t.joins[:, i].sum() / t.routed)
        assert (value[i], half[i]) == pytest.approx((v, h))
