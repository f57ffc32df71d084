"""Limits: where they may be on every scale, and the limit for what was never seen, which is honest."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jfsq_simpy import System
from jfsq_simpy.draws import Seed
from jfsq_simpy.engines import ENGINES
from jfsq_simpy.estimate import on_log_scale, on_logit_scale, symmetric
from jfsq_simpy.run import Run
from jfsq_simpy.tally import Window
from tests.estimate.units import FALSE_ALARM, tally
from tests.textbook import solve

values, halves = st.floats(1e-6, 1 - 1e-6), st.floats(1e-12, 10)


@given(values, halves)
def test_intervals_hold_their_value_and_stay_where_they_can_be(value, half):
    for scale in (symmetric, on_log_scale, on_logit_scale):
        low, high = scale(value, half)
        assert 0 <= low <= value * (1 + 1e-12)
        assert value * (1 - 1e-12) <= high
    assert on_logit_scale(value, half).high <= 1


@given(values)
def test_precise_intervals_are_the_same_on_every_scale(value):
    half = 1e-4 * value * (1 - value)
    for scale in (on_log_scale, on_logit_scale):
        assert np.array(scale(value, half)) == pytest.approx(np.array(symmetric(value, half)), rel=1e-7)


@given(values, halves)
def test_on_the_logit_scale_p_and_1_minus_p_are_mirror_images(value, half):
    low, high = on_logit_scale(value, half)
    mirrored = on_logit_scale(1 - value, half)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((low, high), abs=1e-9)


def test_scales_of_0_of_1_and_of_nan():
    for scale in (on_log_scale, on_logit_scale):
        low, high = scale([0.0, 1.0, 0.5], [0.0, 0.0, np.nan])
        assert (low[0], high[0], low[1], high[1]) == (0, 0, 1, 1)
        assert math.isnan(low[2])
        assert math.isnan(high[2])
    assert np.array(on_logit_scale(0.5, 1e300)) == pytest.approx([0.0, 1.0], abs=1e-300)


# ---- nothing seen --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mu", "load", "places"),
    [([1.0], 0.02, 3), ([1.0], 0.3, 5), ([1.0] * 4, 0.35, 2), ([1.9, 0.1], 0.1, 2), ([1.3, 1.0, 0.7], 0.25, 3)],
)
def test_the_limit_for_nothing_seen_is_honest(mu, load, places):
    """P(nothing seen) <= exp(-p looks): then a true p above the limit shows with probability `level` at least."""
    solved = solve(mu, load, places)
    system = System(mu, load=load, places=places)
    p = solved.waiting_probability
    length = 1.0 / p * (solved.relaxation_time + 1 / system.arrival_rate)
    run = Run(system, "events", Seed.of(0), Window(0, length), [0], [[tally([[1, 0]])]], 0, 0.0)
    engine, n, none = ENGINES["events" if ENGINES["events"].available else "process"].load(), 400, 0
    for r in range(n):
        outcome = engine.run(system, Seed.of(8), r, Window(30 * solved.relaxation_time, length))
        none += outcome.tallies[0].joins[:, 1:].sum() + outcome.tallies[0].blocked == 0
    assert stats.binomtest(int(none), n, math.exp(-p * run.sample.looks), alternative="greater").pvalue > FALSE_ALARM
