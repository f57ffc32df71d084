"""Laws the user brings: scipy's distributions, samples, functions."""

import math
import re

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import laws
from jfsq_simpy.draws import JobDraws, Seed
from jfsq_simpy.errors import ModelError
from jfsq_simpy.laws import Empirical, FromScipy, as_law, checked_draws, from_function
from jfsq_simpy.system import System

FALSE_ALARM = 1e-6  # a red run means a bug, not bad luck

# ---- scipy ---------------------------------------------------------------------------------------------------

FROZEN = [
    stats.burr12(3.0, 2.0),
    stats.gamma(2.0, scale=7.0),
    stats.lognorm(s=1.0),
    stats.beta(2, 5),
    stats.expon(loc=3.0),
    stats.invgauss(0.7),
    stats.weibull_min(1.5, scale=0.01),
    stats.rv_histogram(np.histogram([1.0, 2.0, 2.5, 6.0], bins=3)).freeze(),
]


@pytest.mark.parametrize("frozen", FROZEN, ids=lambda f: f.dist.name)
def test_scipys_distributions_are_divided_by_their_mean(frozen, blocks):
    law = FromScipy(frozen)
    assert law.factor == pytest.approx(frozen.mean(), rel=1e-12)
    assert law.variance == pytest.approx(frozen.var() / frozen.mean() ** 2, rel=1e-12)
    draws = blocks(law, 1).ravel()
    assert stats.kstest(draws, lambda x: frozen.cdf(x * frozen.mean())).pvalue > FALSE_ALARM
    assert stats.kstest(draws, lambda x: frozen.cdf(x * frozen.mean() * 1.1)).pvalue < FALSE_ALARM


def test_a_discrete_distribution_may_give_zeros(blocks):
    draws = blocks(FromScipy(stats.poisson(2.0)), 1)
    assert set(np.unique(draws * 2)) >= {0.0, 1.0, 2.0, 3.0}
    assert (draws == 0).mean() == pytest.approx(math.exp(-2), abs=5 * math.sqrt(0.117 / draws.size))  # false alarm 6e-7


def test_an_infinite_variance_is_no_reason_to_refuse():
    law = FromScipy(stats.pareto(1.5))
    assert law.variance == math.inf
    assert law.factor == pytest.approx(3.0)


def test_by_name_and_frozen_are_one_law():
    by_name = as_law({"law": "scipy", "distribution": "burr12", "parameters": {"c": 3.0, "d": 2.0}}, "size")
    assert by_name == FromScipy(stats.burr12(3.0, d=2.0)) == FromScipy(stats.burr12(c=3.0, d=2.0))
    assert by_name != FromScipy(stats.burr12(3.0, 2.5))


def test_histograms_of_other_data_are_other_laws():
    one, other = (FromScipy(stats.rv_histogram(np.histogram(data, bins=2)).freeze()) for data in ([1, 2, 3], [1, 1, 3]))
    assert one.describe() == other.describe()
    assert one != other


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: FromScipy(stats.cauchy()), "cauchy() has mean nan"),
        (lambda: FromScipy(stats.pareto(0.9)), "pareto(b=0.9) has mean inf"),
        (lambda: FromScipy(stats.gamma(-1.0)), "gamma(a=-1.0) has mean nan"),
        (lambda: FromScipy(stats.norm(5, 1)), "norm(loc=5, scale=1) can be negative (its values start at -inf)"),
        (lambda: FromScipy(stats.uniform(-0.1, 2)), "can be negative (its values start at -0.1)"),
        (lambda: FromScipy(stats.poisson(0)), "is always 0"),
        (lambda: FromScipy(stats.gamma([1.0, 2.0])), "many distributions; give one"),
        (lambda: FromScipy(stats.gamma), "must be a frozen scipy.stats distribution"),
        (lambda: FromScipy(stats.gamma(2.0), {"a": 2.0}), "or a name with a table of parameters"),
        (lambda: FromScipy("gama", {"a": 2.0}), "scipy.stats has no distribution 'gama'"),
        (lambda: FromScipy("linregress", {}), "scipy.stats has no distribution 'linregress'"),
        (lambda: FromScipy("gamma", {"shape": 2.0}), "gamma takes a and loc, scale"),
        (lambda: FromScipy("gamma", {"a": "2"}), "parameters.a = '2' must be a finite number"),
        (lambda: FromScipy("gamma", [2.0]), "must be a table of names and numbers"),
    ],
)
def test_distributions_that_are_no_law_are_refused(make, said):
    with pytest.raises(ModelError, match=re.escape(said)) as caught:
        make()
    assert "\n" not in str(caught.value)


# ---- a sample ------------------------------------------------------------------------------------------------


def test_a_sample_is_drawn_from_evenly(blocks):
    values = [1.0, 2.0, 4.0, 9.0]
    law = Empirical(values)
    assert law.factor == 4.0
    assert law.variance == pytest.approx(np.var(values) / 16)
    seen, counts = np.unique(blocks(law, 1) * law.factor, return_counts=True)
    assert seen.tolist() == values
    assert stats.chisquare(counts).pvalue > FALSE_ALARM


def test_a_sample_has_the_laplace_transform_of_its_points():
    law = Empirical([1.0, 3.0])
    assert law.laplace(2.0) == pytest.approx((math.exp(-1.0) + math.exp(-3.0)) / 2)


def test_a_record_of_a_sample_tells_samples_apart():
    assert Empirical([1.0, 3.0]) == Empirical(np.array([1, 3]))
    assert Empirical([1.0, 3.0]) != Empirical([3.0, 1.0])
    assert Empirical([1.0, 3.0]).describe().keys() == {"law", "n", "factor", "sha256"}


# ---- a function ----------------------------------------------------------------------------------------------


def triangle(rng, n):
    return rng.triangular(0.0, 1.0, 2.0, n)


def test_a_function_is_a_law():
    law = from_function(triangle, variance=1 / 6)
    assert (law.name, law.scv) == ("triangle", 1 / 6)
    system = System(np.ones(2), load=0.5, places=3, size=law)
    sizes = next(JobDraws(system, Seed.of(1), 0).blocks()).sizes
    assert np.array_equal(sizes, triangle(Seed.of(1).generator(0, 3, 0), sizes.size))
    assert law.describe() == {"law": "triangle", "function": f"{__name__}.triangle", "variance": 1 / 6}


def test_a_function_may_be_nameless_or_partial():
    import functools

    assert from_function(lambda rng, n: np.ones(n), name="one").name == "one"
    assert "triangle" in from_function(functools.partial(triangle)).name


def test_functions_of_one_name_are_not_equal():
    def make(scale):
        return from_function(lambda rng, n: rng.gamma(scale, 1 / scale, n), name="g")

    one = make(2.0)
    assert one == one
    assert one != make(3.0)


def test_an_unknown_variance_is_asked_for_only_when_needed():
    law = from_function(triangle)
    assert law.describe()["variance"] is None
    with pytest.raises(ModelError, match=re.escape("its variance is not known; give it: from_function(triangle, variance=...)")):
        _ = law.scv


def test_a_heavy_tail_without_variance_is_not_judged_by_its_sample_mean():
    law = from_function(lambda rng, n: (0.05 / 1.05) * (1 + rng.pareto(1.05, n)), name="tail", variance=math.inf)
    assert law.variance == math.inf


counted = iter(range(10**6))


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda rng, n: rng.standard_normal(n) + 1, "at or above 0"),
        (lambda rng, n: np.full(n, np.nan), "gave nan at place 0"),
        (lambda rng, n: rng.standard_exponential(), "shape ()"),
        (lambda rng, n: rng.standard_exponential(n + 1), "shape (4097,); it must give (4096,)"),
        (lambda rng, n: 2 * rng.standard_exponential(n), "and must have mean 1: divide by its mean"),
        (lambda rng, n: np.full(n, 1.001), "has mean 1.001"),
        (lambda rng, n: np.random.exponential(size=n), "gave other draws from the same generator"),  # noqa: NPY002
        (lambda rng, n: np.ones(n) + next(counted), "gave other draws from the same generator"),
    ],
)
def test_a_function_that_is_no_law_is_refused_at_once_by_name(function, said):
    function.__qualname__ = "my_sizes"
    with pytest.raises(ModelError, match=re.escape(said)) as caught:
        from_function(function)
    assert "my_sizes" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_function_that_goes_wrong_later_is_named_with_its_value():
    def sometimes(rng, n):
        draws = rng.standard_exponential(n)
        if n > 20_000:
            draws[17] = -0.3
        return draws

    law = from_function(sometimes, variance=1.0)
    with pytest.raises(ModelError, match=re.escape("sometimes(rng, 65536) gave -0.3 at place 17; sizes and gaps must be finite")):
        next(JobDraws(System(np.ones(2), load=0.5, places=3, size=law), Seed.of(1), 0).blocks())


@pytest.mark.parametrize(("wrong", "said"), [({"variance": -1.0}, "variance = -1.0"), ({"variance": math.nan}, "variance = nan")])
def test_a_variance_that_is_none_is_refused(wrong, said):
    with pytest.raises(ModelError, match=said):
        from_function(triangle, **wrong)


@pytest.mark.parametrize("no_function", [3.0, "triangle", None, laws.Erlang])
def test_what_is_no_function_is_refused(no_function):
    with pytest.raises(ModelError, match="takes a function of"):
        from_function(no_function)


def test_checks_come_with_the_block_and_cost_the_draw_nothing():
    law = from_function(triangle)
    assert checked_draws(law, law.draw(np.random.default_rng(1), 10), 10).shape == (10,)
