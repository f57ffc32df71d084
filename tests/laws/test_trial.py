"""A law of one's own is tried for mean 1 where it is handed over: what is wrong is refused, what is heavy is not."""

import math

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import System
from jfsq_simpy.breakdowns import Breakdowns
from jfsq_simpy.errors import ModelError
from jfsq_simpy.laws import Exponential, Law, as_law
from jfsq_simpy.laws.trial import CUTS, FALSE_ALARM, PROBE, _by_chance, _is_off


def own(variance, draw, **more):
    return type("Own", (Law,), {"name": "own", "variance": variance, "draw": lambda self, rng, n: draw(rng, n), **more})()


def scaled(distribution, mean=1.0):
    """Draws of a scipy distribution, scaled to this mean."""
    return lambda rng, n: distribution.rvs(size=n, random_state=rng) * (mean / distribution.mean())


def rare(size):
    """0 nearly always, else `size`: a law of mean 1 that hides it well."""
    return own(size - 1.0, lambda rng, n: np.where(rng.random(n) < 1 / size, size, 0.0))


MEAN_ONE = {
    "exponential": own(1.0, lambda rng, n: rng.exponential(1.0, n)),
    "constant": own(0.0, lambda rng, n: np.ones(n)),
    "whole numbers": own(0.0, lambda rng, n: np.ones(n, np.int64)),
    "lognormal, scv 100": own(100.0, scaled(stats.lognorm(math.sqrt(math.log(101))))),
    "Pareto 2.1": own(1 / (2.1 * 0.1), scaled(stats.pareto(2.1))),
    "Pareto 1.5, no variance": own(math.inf, scaled(stats.pareto(1.5))),
    "Pareto 1.05, no variance": own(math.inf, scaled(stats.pareto(1.05))),
    "once in a thousand": rare(1e3),
    "once in a million, not among the draws": rare(1e6),
}
ANOTHER_MEAN = {
    "rate for mean": own(0.25, lambda rng, n: rng.exponential(2.0, n)),
    "uniform on [0, 1]": own(1 / 12, lambda rng, n: rng.random(n)),
    "a tenth too large": own(1.0, lambda rng, n: rng.exponential(1.1, n)),
    "a tenth too small": own(1.0, lambda rng, n: rng.exponential(0.9, n)),
    "a constant of 1.01": own(0.0, lambda rng, n: np.full(n, 1.01)),
    "a constant of 0.99": own(0.0, lambda rng, n: np.full(n, 0.99)),
    "lognormal, three times too large": own(100.0, scaled(stats.lognorm(math.sqrt(math.log(101))), 3.0)),
    "Pareto 1.5, twice too large": own(math.inf, scaled(stats.pareto(1.5), 2.0)),
    "in seconds": own(3600.0**2, lambda rng, n: rng.exponential(3600.0, n)),
}


@pytest.mark.parametrize("name", MEAN_ONE)
def test_a_law_of_mean_one_passes_however_heavy_its_tail(name):
    law = MEAN_ONE[name]
    assert as_law(law, "size") is law


@pytest.mark.parametrize(
    "name", ["exponential", "lognormal, scv 100", "Pareto 2.1", "Pareto 1.5, no variance", "once in a thousand"]
)
def test_it_passes_whatever_the_draws(name):
    law = MEAN_ONE[name]
    assert not any(_is_off(law.draw(np.random.default_rng(seed), PROBE), law.variance) for seed in range(300))


@pytest.mark.parametrize("name", ANOTHER_MEAN)
def test_a_law_of_another_mean_is_refused_where_it_is_handed_over(name):
    law = ANOTHER_MEAN[name]
    with pytest.raises(ModelError, match=r"law 'own' has mean .* and must have mean 1: divide by its mean") as caught:
        System([1.0], load=0.5, places=2, size=law)
    assert str(caught.value).startswith("size: ")
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match=r"^arrivals: "):
        System([1.0], load=0.5, places=2, arrivals=law)
    with pytest.raises(ModelError, match=r"^breakdowns\.down: "):
        Breakdowns(10.0, 1.0, down=law)


def test_a_mean_that_is_named_needs_no_draws():
    law = own(1.0, lambda rng, n: pytest.fail("nothing to draw"), mean=2.0)
    with pytest.raises(ModelError, match=r"has mean = 2\.0 and must have mean 1"):
        as_law(law, "size")


def test_what_its_tail_may_hide_is_not_refused():
    # of draws without a variance a mean that is too small proves nothing: the rest may come once in a million
    law = own(math.inf, lambda rng, n: rng.random(n))
    assert as_law(law, "size") is law


def test_laws_with_memory_records_and_laws_of_the_house_are_not_tried():
    def never(*_):
        pytest.fail("nothing to draw")

    walking = own(1.0, never, draw_block=never)
    assert as_law(walking, "arrivals") is walking
    record = own(0.0, never, mean=1.02, length=100)
    assert as_law(record, "size") is record
    house = Exponential()
    house.draw = never
    assert as_law(house, "size") is house


def test_the_bound_is_above_what_chance_does_in_a_case_that_is_known():
    # sums of exponentials are Gamma; the bound must hold, and be no more than twice what is needed
    t = _by_chance(1.0, 1.0, PROBE)
    alarm = FALSE_ALARM / (1 + len(CUTS))
    assert stats.gamma.cdf(PROBE * (1 - t), PROBE) <= alarm
    assert stats.gamma.cdf(PROBE * (1 - t / 2), PROBE) > alarm
