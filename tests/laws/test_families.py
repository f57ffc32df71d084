"""Laws without memory against scipy's own: moments, distribution functions, Laplace transforms.

Every law is compared with a distribution it was not computed from, at more than one parameter.
"""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from jfsq_simpy.laws import (
    BoundedPareto,
    Coxian2,
    Deterministic,
    Erlang,
    Exponential,
    Gamma,
    Hyperexponential,
    Lognormal,
    PhaseType,
    Uniform,
    Weibull,
)

FALSE_ALARM = 1e-6  # a red run means a bug, not bad luck


def lognormal(scv):
    return stats.lognorm(math.sqrt(math.log(1 + scv)), scale=1 / math.sqrt(1 + scv))


def weibull(shape):
    return stats.weibull_min(shape, scale=1 / math.gamma(1 + 1 / shape))


def pareto(shape, ratio):
    return stats.truncpareto(shape, ratio, scale=1 / stats.truncpareto(shape, ratio).mean())


COUNTERPARTS = [
    (Exponential(), stats.expon()),
    (Uniform(width=2.0), stats.uniform(0, 2)),
    (Uniform(low=0.7, high=1.3), stats.uniform(0.7, 0.6)),
    (Gamma(scv=0.3), stats.gamma(1 / 0.3, scale=0.3)),
    (Gamma(scv=5.0), stats.gamma(0.2, scale=5.0)),
    (Erlang(1), stats.expon()),
    (Erlang(7), stats.gamma(7, scale=1 / 7)),
    (Lognormal(scv=0.2), lognormal(0.2)),
    (Lognormal(scv=9.0), lognormal(9.0)),
    (Weibull(shape=3.0), weibull(3.0)),
    (Weibull(shape=0.4), weibull(0.4)),
    (BoundedPareto(shape=1.5, ratio=1000.0), pareto(1.5, 1000.0)),
    (BoundedPareto(shape=0.7, ratio=50.0), pareto(0.7, 50.0)),
]
ids = [repr(law) for law, _ in COUNTERPARTS]


@pytest.mark.parametrize(("law", "scipys"), COUNTERPARTS, ids=ids)
def test_moments_are_scipys(law, scipys):
    assert scipys.mean() == pytest.approx(1, rel=1e-11)
    assert law.variance == pytest.approx(scipys.var(), rel=1e-9)


@pytest.mark.parametrize(("law", "scipys"), COUNTERPARTS, ids=ids)
def test_draws_follow_scipys_distribution_function(law, scipys, blocks):
    draws = blocks(law, 4).ravel()
    assert stats.kstest(draws, scipys.cdf).pvalue > FALSE_ALARM
    # sharp: a mean 5 % off could not hide
    assert stats.kstest(draws, lambda x: scipys.cdf(x / 1.05)).pvalue < FALSE_ALARM


@pytest.mark.parametrize(
    ("law", "density"),
    [
        (Exponential(), stats.expon().pdf),
        (Uniform(width=1.2), stats.uniform(0.4, 1.2).pdf),
        (Gamma(scv=0.3), stats.gamma(1 / 0.3, scale=0.3).pdf),
        (Erlang(7), stats.gamma(7, scale=1 / 7).pdf),
        (
            Hyperexponential(scv=4.0),
            lambda x: sum(w * 2 * w * math.exp(-2 * w * x) for w in ((1 + math.sqrt(0.6)) / 2, (1 - math.sqrt(0.6)) / 2)),
        ),
    ],
    ids=lambda value: "density" if callable(value) else repr(value),  # a function's repr holds its address
)
@pytest.mark.parametrize("s", [0.0, 0.3, 2.0, 40.0])
def test_laplace_is_the_integral_it_stands_for(law, density, s):
    ends = (0.4, 1.6) if law.name == "uniform" else (0, np.inf)
    integral, error = integrate.quad(lambda x: math.exp(-s * x) * density(x), *ends, epsabs=1e-12)
    assert law.laplace(s) == pytest.approx(integral, abs=max(1e-9, 10 * error))


def test_laplace_solves_gm1_where_the_answer_is_known():
    """M/M/1: an arrival waits with probability load. E2/M/1: sigma solves a cubic (root by hand)."""

    def chance_to_wait(law, load):
        sigma = 0.5
        for _ in range(500):
            sigma = law.laplace((1 - sigma) / load)
        return sigma

    assert chance_to_wait(Exponential(), 0.8) == pytest.approx(0.8, abs=1e-12)
    # sigma (load * 2 + 1 - sigma)^2 = (2 load)^2, divided by its root sigma = 1
    load = 0.5
    by_hand = ((4 * load + 1) - math.sqrt(8 * load + 1)) / 2
    assert chance_to_wait(Erlang(2), load) == pytest.approx(by_hand, abs=1e-12)
    assert chance_to_wait(Deterministic(), 0.5) == pytest.approx(0.2031878699799798, abs=1e-12)  # -W(-2 exp(-2)) / 2


# ---- parameters that can be given in two ways ----------------------------------------------------------------


@pytest.mark.parametrize("scv", [2e-6, 0.01, 1.0, 4.0, 1e4, 1e10])
def test_weibull_by_scv_has_that_scv(scv):
    law = Weibull(scv=scv)
    assert law.scv == pytest.approx(scv, rel=1e-9)
    assert Weibull(shape=law.shape) == law


def test_weibull_with_scv_one_is_exponential():
    assert Weibull(scv=1.0).shape == pytest.approx(1.0, rel=1e-12)


def test_uniform_by_ends_is_uniform_by_width():
    assert Uniform(low=0.5, high=1.5) == Uniform(width=1.0)


@pytest.mark.parametrize("scv", [1e-9, 1e-3, 1.0, 1e6])
@pytest.mark.parametrize("make", [Gamma, Lognormal])
def test_laws_by_scv_give_finite_draws_over_their_whole_range(make, scv, blocks):
    draws = blocks(make(scv), 1)
    assert np.isfinite(draws).all()
    assert (draws >= 0).all()
    if scv <= 1:
        assert draws.mean() == pytest.approx(1, abs=6 * math.sqrt(scv / draws.size))  # false alarm 2e-9


@pytest.mark.parametrize("law", [Weibull(shape=0.05), Weibull(shape=1000.0), BoundedPareto(0.01, 1e12), BoundedPareto(100, 1.01)])
def test_ends_of_ranges_are_usable(law, blocks):
    assert math.isfinite(law.variance)
    assert law.variance > 0
    assert np.isfinite(blocks(law, 1)).all()


def test_bounded_pareto_stays_between_its_ends(blocks):
    law = BoundedPareto(shape=0.2, ratio=20.0)  # flat enough that both ends are nearly reached
    draws = blocks(law, 1)
    assert law.low * (1 - 1e-12) <= draws.min() < law.low * 1.01
    assert law.high * 0.99 < draws.max() <= law.high * (1 + 1e-12)


@pytest.mark.parametrize("shape", [1 - 1e-9, 1.0, 2.0, 2 + 1e-9])
def test_bounded_pareto_has_no_hole_where_an_exponent_vanishes(shape):
    law, near = BoundedPareto(shape, 100.0), BoundedPareto(shape + 1e-6, 100.0)
    assert law.variance == pytest.approx(near.variance, rel=1e-5)
    assert law.low == pytest.approx(near.low, rel=1e-5)


def test_hyperexponential_keeps_its_small_weight_to_full_precision():
    _, slow = Hyperexponential(scv=1e6).weights
    assert slow * (1 - slow) == pytest.approx(1 / (2 * (1e6 + 1)), rel=1e-14)  # p q = (1 - root^2) / 4


# ---- phase types ---------------------------------------------------------------------------------------------


SAME_LAW = [
    (Erlang(3), PhaseType([1, 0, 0], [[-3, 3, 0], [0, -3, 3], [0, 0, -3]])),
    (Exponential(), PhaseType([0.5, 0.5], [[-2, 1], [1, -2]])),  # both phases leave at rate 1
    (Coxian2(rate1=1.0, rate2=3.0, second=0.5), PhaseType([1, 0], [[-1, 0.5], [0, -3]])),
]


@pytest.mark.parametrize(("law", "phase_type"), SAME_LAW, ids=[law.name for law, _ in SAME_LAW])
def test_a_phase_type_is_the_law_it_spells(law, phase_type, blocks):
    assert phase_type.variance == pytest.approx(law.variance, rel=1e-12)
    for s in (0.1, 1.0, 10.0):
        assert phase_type.laplace(s) == pytest.approx(law.laplace(s), rel=1e-12)
    drawn, by_phases = blocks(law, 2, seed=1).ravel(), blocks(phase_type, 2, seed=2).ravel()
    assert stats.ks_2samp(drawn, by_phases).pvalue > FALSE_ALARM
    assert stats.ks_2samp(drawn * 1.05, by_phases).pvalue < FALSE_ALARM


def phase_type_cdf(law):
    """1 - initial exp(T x) 1, by eigenvalues: nothing the law itself computes."""
    initial, t = law.phases
    values, vectors = np.linalg.eig(t)
    weights = (initial @ vectors) * np.linalg.solve(vectors, np.ones(len(initial)))
    return lambda x: 1 - np.real(np.exp(np.outer(np.asarray(x), values)) @ weights)


@pytest.mark.parametrize(
    "law",
    [
        Hyperexponential(scv=4.0),
        Hyperexponential(scv=1.0),
        Coxian2(scv=0.5 + 1e-6),
        Coxian2(scv=3.0),
        PhaseType([0.6, 0.4], [[-3.0, 1.0], [0.5, -0.8]]),
        PhaseType([0.2, 0.3, 0.5], [[-4.0, 4.0, 0.0], [0.0, -1.0, 0.5], [2.0, 0.0, -3.0]]),  # with a way round
    ],
    ids=repr,
)
def test_phase_types_follow_their_distribution_function(law, blocks):
    cdf = phase_type_cdf(law)
    draws = blocks(law, 4).ravel()
    assert stats.kstest(draws, cdf).pvalue > FALSE_ALARM
    assert stats.kstest(draws, lambda x: cdf(np.asarray(x) / 1.05)).pvalue < FALSE_ALARM


@pytest.mark.parametrize("scv", [0.5, 0.8, 1.0, 7.0])
def test_coxian_by_scv_has_that_scv(scv):
    law = Coxian2(scv=scv)
    assert law.scv == pytest.approx(scv, rel=1e-12)
    assert 1 / law.rate1 == pytest.approx(0.5)  # half of the mean in each phase


def test_coxian_rates_are_scaled_to_mean_one():
    law = Coxian2(rate1=10.0, rate2=1.0, second=0.4)
    assert law.rate2 / law.rate1 == pytest.approx(0.1)
    assert 1 / law.rate1 + law.second / law.rate2 == pytest.approx(1, rel=1e-12)


def test_rows_that_sum_to_zero_but_for_rounding_never_leave():
    """Phase 0 leaves only through phase 2: its shares are known to sum to 1 only up to the last bit."""
    rng = np.random.default_rng(1)
    for first, second in rng.random((100, 2)):
        law = PhaseType([1, 0, 0], [[-(first + second), first, second], [0.0, -1.0, 1.0], [0.0, 0.0, -1.0]])
        assert law._steps[0, -1] == 1.0
        assert law.draw(rng, 10).size == 10
