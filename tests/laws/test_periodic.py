"""Time-varying load: exact against the cumulated rate, and the variance by two roads."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from jfsq_simpy.draws import BLOCK
from jfsq_simpy.laws import Periodic, Sinusoidal

FALSE_ALARM = 1e-6  # a red run means a bug, not bad luck

PROFILES = [
    Periodic(levels=[0.4, 1.0, 1.6, 1.0], period=500.0),
    Periodic(levels=[3.0, 0.0, 0.5], durations=[10.0, 40.0, 250.0]),
    Periodic(levels=[0.0, 1.0, 0.0], durations=[3.0, 1.0, 5.0]),  # begins and ends with a pause
    Periodic(levels=[2.0, 1.0], period=0.01),  # shorter than a gap
    Periodic(levels=[1.0], period=10.0),
    Sinusoidal(amplitude=0.5, period=500.0),
    Sinusoidal(amplitude=1.0, period=2000.0),
    Sinusoidal(amplitude=1.0, period=0.3),
]
profiles = pytest.mark.parametrize("law", PROFILES, ids=lambda law: f"{law.name}-{law.period:g}")


def generator(j):
    return np.random.Generator(np.random.PCG64DXSM(j))


def cumulated_over_periods(law, times):
    periods, rest = np.divmod(times, law.period)
    return periods * law.period + law.cumulated(rest)


@profiles
def test_the_cumulated_rate_at_arrivals_is_a_poisson_process_of_rate_one(law):
    """Exact, not statistical: read back through the rate, the gaps are the exponentials they were made from, across blocks."""
    state, times, units, now = law.start(), [], [], 0.0
    for j in range(3):
        gaps, state = law.draw_block(generator(j), 5000, state)
        assert (gaps >= 0).all()
        times.append(now + np.cumsum(gaps))
        now = times[-1][-1]
        units.append(generator(j).standard_exponential(5000))
    cumulated = cumulated_over_periods(law, np.concatenate(times))
    assert np.allclose(cumulated, np.cumsum(np.concatenate(units)), rtol=1e-11, atol=1e-9)


@profiles
def test_the_inverse_undoes_the_cumulated_rate(law):
    wanted = np.linspace(0, law.period, 10_001)[:-1]
    assert np.allclose(law.cumulated(law.inverse(wanted)), wanted, rtol=0, atol=2e-14 * max(law.period, 1))
    assert law.cumulated(law.period) == pytest.approx(law.period, rel=1e-13)


@pytest.mark.parametrize("law", [law for law in PROFILES if law.period >= 300], ids=lambda law: f"{law.name}-{law.period:g}")
def test_arrivals_fall_where_the_rate_says(law, blocks):
    gaps = blocks(law, 4).ravel()
    place = np.cumsum(gaps) % law.period
    edges = np.linspace(0, law.period, 21)
    counts, _ = np.histogram(place, edges)
    whole = np.diff([law.cumulated(edge) for edge in edges]) / law.period
    possible = whole > 0
    assert counts[~possible].sum() == 0
    # the stream ends inside a period: leave that one out
    last = np.cumsum(gaps)[-1] // law.period * law.period
    counts, _ = np.histogram(place[np.cumsum(gaps) < last], edges)
    expected = whole[possible] * counts.sum()
    assert stats.chisquare(counts[possible], expected).pvalue > FALSE_ALARM
    if len(expected) == 20 and not np.allclose(np.roll(whole, 1), whole):
        assert stats.chisquare(counts, np.roll(whole, 1) * counts.sum() + 1e-9, sum_check=False).pvalue < FALSE_ALARM


@profiles
def test_variance_by_averaging_over_arrivals(law):
    """E[G^2] for the gap after an arrival at cumulated rate s, averaged over s; the law's formula averages over time instead."""

    def time_at(cumulated):
        periods, rest = np.divmod(cumulated, law.period)
        return periods * law.period + law.inverse(rest)

    s = (np.arange(20_000) + 0.5) / 20_000 * law.period
    nodes, weights = np.polynomial.legendre.leggauss(4)  # for the exponential, on panels of length 1/2
    square = 0.0
    for low in np.arange(0, 30, 0.5):
        for node, weight in zip(low + 0.25 * (1 + nodes), 0.25 * weights, strict=True):
            square += weight * math.exp(-node) * np.mean((time_at(s + node) - time_at(s)) ** 2)
    assert square - 1 == pytest.approx(law.variance, rel=3e-3)


def test_many_steps_along_a_sine_are_the_sine():
    """Two formulas that share nothing: a recursion over steps, and an integral of a Bessel function."""
    for amplitude, period in ((0.5, 20.0), (1.0, 300.0), (0.9, 5000.0)):
        places = (np.arange(4000) + 0.5) / 4000
        steps = Periodic(levels=1 + amplitude * np.sin(2 * math.pi * places), period=period)
        assert steps.variance == pytest.approx(Sinusoidal(amplitude, period).variance, rel=2e-5)


def test_a_slow_profile_is_a_mixture_of_exponentials():
    """Gap after an arrival at level r is exponential(r); arrivals weigh levels by r, so E[G^2] = average over time of 2 / r."""
    levels = [0.5, 1.5]
    assert Periodic(levels, period=1e9).variance == pytest.approx(np.mean([2 / r for r in levels]) - 1, rel=1e-6)
    slow_sine, _ = integrate.quad(lambda t: 2 / (1 + 0.5 * math.sin(2 * math.pi * t)), 0, 1)
    assert Sinusoidal(0.5, period=1e9).variance == pytest.approx(slow_sine - 1, rel=1e-6)


def test_a_profile_faster_than_the_gaps_is_poisson():
    assert Periodic([2.0, 0.0, 1.0], period=1e-3).variance == pytest.approx(1, abs=1e-5)
    assert Sinusoidal(1.0, period=1e-3).variance == pytest.approx(1, abs=1e-5)
    assert Periodic([3.0], period=7.0).variance == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("law", [PROFILES[0], PROFILES[1], PROFILES[5]], ids=lambda law: f"{law.name}-{law.period:g}")
def test_gaps_have_mean_one_and_the_stated_variance(law, blocks):
    drawn = blocks(law, 20)
    for seen, expected in ((drawn.mean(axis=1), 1.0), (((drawn - 1) ** 2).mean(axis=1), law.variance)):
        allowed = stats.t.isf(FALSE_ALARM / 2, 19) * seen.std(ddof=1) / math.sqrt(20)
        assert abs(seen.mean() - expected) <= allowed
        assert allowed < 0.1 * expected


def test_a_pause_holds_nobody(blocks):
    law = Periodic(levels=[1.0, 0.0], period=100.0)
    times = np.cumsum(blocks(law, 1).ravel()) % 100.0
    assert times.max() <= 50.0 + 1e-9
    assert times.size == BLOCK


def test_a_round_that_begins_with_a_pause_makes_the_first_job_wait_for_it():
    law = Periodic(levels=[0.0, 1.0], durations=[5.0, 1.0])
    firsts = np.array([law.draw(generator(j), 1)[0] for j in range(200)])
    assert (firsts >= 5.0).all()
    assert (firsts < 5.6).any()
