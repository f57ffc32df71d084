"""Control variates: the same truth, known better."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

import jfsq_simpy as jfsq
from jfsq_simpy import metrics
from jfsq_simpy.controls import controlled

FALSE_ALARM = 1e-6  # a red run means a bug, not bad luck
SYSTEM = jfsq.System(rates=[1.5, 1.0, 0.5], load=0.9, places=3)


def run(replications, seed=3, **plan):
    return jfsq.simulate(SYSTEM, jobs=2_000, warmup=30, replications=replications, engine="lockstep", rng=seed, workers=1, **plan)


def test_the_interval_covers_the_exact_value_as_often_as_it_says():
    law = jfsq.exact.solve(SYSTEM)
    many = run(2_400)
    for metric in ("waiting_probability", "mean_wait", "blocking_probability"):
        hits = 0
        for k in range(200):
            part = dataclasses.replace(many, replications=list(range(12)), tallies=many.tallies[12 * k : 12 * k + 12])
            found = part.controlled(metric)
            hits += found.low <= law[metric] <= found.high
        # 95 % of 200, with room for chance at the false-alarm rate and for replications this short
        assert hits >= stats.binom.ppf(FALSE_ALARM, 200, 0.93), (metric, hits)
        assert hits >= 165, "too blunt to catch an interval that is too narrow"


def test_it_is_narrower_where_work_explains_waiting():
    many = run(300)
    for metric in ("waiting_probability", "mean_jobs"):
        assert many.controlled(metric).half_width < 0.85 * many[metric].half_width


def test_for_a_plain_mean_it_is_the_intercept_of_a_regression():
    few = run(20)
    units = few.sample.units
    y = np.array([few.sample.averages(t).levels[:, 1:].sum() for t in units])  # mean busy
    joins = np.array([t.accepted / t.routed for t in units])
    work = np.array([metrics.busy_capacity(few.sample.averages(t)) for t in units]) - SYSTEM.arrival_rate * joins
    fit = stats.linregress(work, y)
    # the work balance is a ratio of counts, the regression takes it replication by replication: nearly the same
    assert few.controlled("mean_busy").value == pytest.approx(fit.intercept, rel=1e-3)


def test_few_replications_and_nothing_seen_give_the_plain_estimate():
    few = run(5)
    assert few.controlled("mean_wait") == few["mean_wait"]
    idle = jfsq.simulate(
        jfsq.System(rates=np.ones(50), load=0.1, places=3),
        horizon=20,
        warmup=5,
        replications=12,
        engine="lockstep",
        rng=1,
        workers=1,
    )
    assert controlled(idle.sample, "blocking_probability") == idle["blocking_probability"]
