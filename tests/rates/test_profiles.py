"""Profiles by hand, and vectors of one's own."""

import tracemalloc

import numpy as np
import pytest

from jfsq_simpy import rates
from jfsq_simpy.errors import TooLargeError


@pytest.mark.parametrize(
    ("fleet", "expected"),
    [
        (rates.homogeneous(3), [1, 1, 1]),
        (rates.two_speed(4, ratio=3), [1.5, 1.5, 0.5, 0.5]),
        (rates.two_speed(4, ratio=3, fast_share=0.25), [2, 2 / 3, 2 / 3, 2 / 3]),
        (rates.linear(3, ratio=3), [1.5, 1, 0.5]),
        (rates.linear(5, ratio=9), [1.8, 1.4, 1.0, 0.6, 0.2]),
        (rates.geometric(3, ratio=4), [12 / 7, 6 / 7, 3 / 7]),
        (rates.classes([1, 2], [1, 4]), [4 / 3, 4 / 3, 1 / 3]),
        (rates.from_speeds([100, 300]), [1.5, 0.5]),
        (rates.as_rates([0.5, 1.5, 1.0]), [1.5, 1.0, 0.5]),
        (rates.linear(1, ratio=5), [1]),
        (rates.geometric(4, ratio=1), [1, 1, 1, 1]),
        (rates.two_speed(1, ratio=3), [1]),
    ],
)
def test_profiles_by_hand(fleet, expected):
    assert fleet.vector() == pytest.approx(expected, rel=1e-15)


def test_pareto_profile_is_the_quantiles_of_a_pareto_law():
    mu = rates.pareto(4, shape=2).vector()
    quantiles = np.array([(1 - p) ** (-1 / 2) for p in (7 / 8, 5 / 8, 3 / 8, 1 / 8)])  # of P(X > x) = x^-2
    assert mu == pytest.approx(quantiles / quantiles.mean(), rel=1e-14)


@pytest.mark.parametrize(
    "fleet",
    [
        rates.linear(1000, 4),
        rates.geometric(1000, 100),
        rates.pareto(1000, 1.5),
        rates.two_speed(7, 2.5),
        rates.classes([3, 5], [2, 7]),
    ],
)
def test_profiles_sum_to_n_fastest_first(fleet):
    mu = fleet.vector()
    assert mu.sum() == pytest.approx(fleet.n_servers, rel=1e-12)
    assert np.all(np.diff(mu) <= 0)
    assert fleet.fastest == mu[0]
    assert fleet.slowest == mu[-1]


@pytest.mark.parametrize("profile", [rates.linear, rates.geometric])
def test_ratio_is_fastest_over_slowest(profile):
    fleet = profile(50, ratio=8)
    assert fleet.fastest / fleet.slowest == pytest.approx(8, rel=1e-13)


def test_equal_speeds_share_a_class_whoever_brings_them():
    assert rates.from_speeds([2, 1, 2, 1, 1]).counts.tolist() == [2, 3]
    assert rates.classes([1, 2, 3], [5, 7, 5]).counts.tolist() == [2, 4]


def test_every_profile_is_listed_by_its_name():
    assert set(rates.profile_names()) == {"homogeneous", "two_speed", "linear", "geometric", "pareto", "classes", "file"}
    assert all(function.__name__ == name for name, function in rates.PROFILES.items())


def test_from_speeds_keeps_labels_and_the_unit_of_time():
    fleet = rates.from_speeds([4.0, 12.0, 8.0], labels=["a", "b", "c"])
    assert fleet.labels == ("b", "c", "a")
    # 8 jobs per user's time unit is the average server: one unit of time here is 1/8 of the user's
    assert fleet.time_unit == 0.125
    # a job of the fastest takes 1 / 12 of the user's unit
    assert fleet.time_unit / fleet.fastest == pytest.approx(1 / 12, rel=1e-15)


# ---- size ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", [lambda n: rates.linear(n, 4), lambda n: rates.geometric(n, 4), lambda n: rates.pareto(n, 2)])
def test_too_many_distinct_rates_are_refused_before_memory_is_touched(profile):
    tracemalloc.start()
    with pytest.raises(TooLargeError, match=r"GiB.*classes"):
        profile(10**12)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def test_distinct_rates_do_not_pay_for_their_counts():
    assert rates.linear(1000, 4).counts.strides == (0,)
