"""Rates: every profile by hand, the critical indices at their boundaries, inequality by definition."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jfsq_simpy import rates
from jfsq_simpy.errors import DataError, ModelError, TooLargeError
from jfsq_simpy.rates import Rates

positive = st.floats(1e-3, 1e3)


def by_hand(mu, capacity):
    """Floor and fractional index by adding up servers one at a time."""
    total = 0.0
    for n, rate in enumerate(mu):
        if total + rate > capacity * (1 + 1e-12):
            return n, n + max(capacity - total, 0.0) / rate
        total += rate
    return len(mu), float(len(mu))


# ---- profiles ------------------------------------------------------------------------------------------------


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


# ---- what a server is ----------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 4), positive), min_size=1, max_size=6))
def test_vector_classes_and_single_servers_say_the_same(groups):
    fleet = rates.classes([c for c, _ in groups], [s for _, s in groups])
    mu = fleet.vector()
    assert mu.size == fleet.n_servers == sum(c for c, _ in groups)
    assert [fleet.rate_of(n) for n in range(mu.size)] == mu.tolist()
    assert fleet.speeds[fleet.class_of_server()].tolist() == mu.tolist()
    assert fleet.first_server.tolist() == [0, *itertools.accumulate(fleet.counts.tolist())]


def test_a_server_that_does_not_exist_is_refused():
    with pytest.raises(ModelError, match="server 3 does not exist"):
        rates.homogeneous(3).rate_of(3)


def test_from_speeds_keeps_labels_and_the_unit_of_time():
    fleet = rates.from_speeds([4.0, 12.0, 8.0], labels=["a", "b", "c"])
    assert fleet.labels == ("b", "c", "a")
    # 8 jobs per user's time unit is the average server: one unit of time here is 1/8 of the user's
    assert fleet.time_unit == 0.125
    # a job of the fastest takes 1 / 12 of the user's unit
    assert fleet.time_unit / fleet.fastest == pytest.approx(1 / 12, rel=1e-15)


def test_rates_do_not_change_under_the_user():
    speeds, counts = np.array([1.5, 0.5]), np.array([1, 1])
    fleet = Rates(speeds, counts)
    speeds[0], counts[0] = 9.0, 9
    assert fleet.vector().tolist() == [1.5, 0.5]
    for array in (fleet.speeds, fleet.counts):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 3


# ---- N1 and N2 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("speeds", "capacity", "floor", "fractional"),
    [
        ([1.5, 1.0, 0.5], 0.0, 0, 0.0),
        ([1.5, 1.0, 0.5], 0.75, 0, 0.5),
        ([1.5, 1.0, 0.5], 1.5, 1, 1.0),
        ([1.5, 1.0, 0.5], 2.0, 1, 1.5),
        ([1.5, 1.0, 0.5], 2.5, 2, 2.0),
        ([1.5, 1.0, 0.5], 2.75, 2, 2.5),
        ([1.5, 1.0, 0.5], 3.0, 3, 3.0),
        ([1.5, 1.0, 0.5], 99.0, 3, 3.0),
        ([1.0, 1.0, 1.0, 1.0], 2.25, 2, 2.25),
        ([1.6, 1.6, 0.4, 0.4], 3.4, 2, 2.5),
        ([1.0], 0.7, 0, 0.7),
    ],
)
def test_critical_index_by_hand(speeds, capacity, floor, fractional):
    index = rates.as_rates(speeds).critical_index(capacity)
    assert index.floor == floor
    assert index.fractional == pytest.approx(fractional, rel=1e-12)


@given(st.lists(positive, min_size=1, max_size=12), st.floats(0, 1.2))
def test_critical_index_adds_up_servers(speeds, share):
    fleet = rates.from_speeds(speeds)
    floor, fractional = by_hand(fleet.vector(), share * fleet.n_servers)
    index = fleet.critical_index(share * fleet.n_servers)
    assert index.floor == floor
    assert index.fractional == pytest.approx(fractional, rel=1e-9, abs=1e-9)
    assert index.floor <= index.fractional <= fleet.n_servers


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(1, 5), positive), min_size=1, max_size=6),
    st.data(),
    st.sampled_from([0.0, 1e-15, -1e-15, 4e-14]),
)
def test_a_capacity_of_whole_servers_is_whole_despite_rounding(groups, data, noise):
    """Cutting at n servers means n, whichever way their rates were added up."""
    fleet = rates.classes([c for c, _ in groups], [s for _, s in groups])
    mu = fleet.vector()
    n = data.draw(st.integers(1, mu.size))
    for capacity in (mu[:n].sum(), sum(sorted(mu[:n].tolist())), np.cumsum(mu)[n - 1]):
        index = fleet.critical_index(float(capacity) * (1 + noise))
        assert index.floor == n
        assert index.fractional == pytest.approx(n, rel=1e-13 * fleet.heterogeneity.max_over_min)


def test_homogeneous_critical_index_is_the_capacity():
    for n in (100, 10**4, 10**6, 10**9):
        assert rates.homogeneous(n).critical_index(n - n**0.5).floor == n - round(n**0.5)
    assert rates.homogeneous(10**9).critical_index(0.3 * 10**9 + 0.4).floor == 3 * 10**8


def test_a_negative_capacity_or_nan_is_refused():
    for capacity in (-1.0, float("nan")):
        with pytest.raises(ModelError, match="capacity"):
            rates.homogeneous(3).critical_index(capacity)


# ---- how unequal ---------------------------------------------------------------------------------------------


def test_heterogeneity_by_hand():
    index = rates.as_rates([1.5, 0.5]).heterogeneity
    assert index.max_over_min == pytest.approx(3)
    assert index.max_over_mean == pytest.approx(1.5)
    assert index.coefficient_of_variation == pytest.approx(0.5)
    assert index.gini == pytest.approx(0.25)  # mean |x - y| / (2 mean) = (1/2) / 2
    assert rates.homogeneous(7).heterogeneity == (1, 1, 0, 0)


@given(st.lists(positive, min_size=1, max_size=12))
def test_heterogeneity_by_definition(speeds):
    mu = rates.from_speeds(speeds).vector()
    index = rates.from_speeds(speeds).heterogeneity
    differences = np.abs(np.subtract.outer(mu, mu)).mean()
    assert index.gini == pytest.approx(differences / (2 * mu.mean()), abs=1e-12)
    assert index.coefficient_of_variation == pytest.approx(mu.std() / mu.mean(), abs=1e-7)
    assert index.max_over_min == pytest.approx(mu.max() / mu.min())


# ---- size ----------------------------------------------------------------------------------------------------


def test_a_billion_servers_in_five_classes_cost_nothing():
    tracemalloc.start()
    fleet = rates.classes([2 * 10**8] * 5, [5, 4, 3, 2, 1])
    assert fleet.n_servers == 10**9
    assert fleet.critical_index(0.9 * 10**9).floor > 0
    assert fleet.heterogeneity.max_over_min == pytest.approx(5)
    assert fleet.describe()["servers"] == 10**9
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


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


# ---- bad input -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: rates.as_rates([1.0, 2.0]), "sum to 3 but must sum to N = 2.*from_speeds"),
        (lambda: rates.as_rates([2.0, 0.0]), r"rates\[1\] = 0.0"),
        (lambda: rates.as_rates([2.0, -1.0, 2.0]), r"rates\[1\] = -1.0"),
        (lambda: rates.as_rates([1.0, float("nan")]), r"rates\[1\] = nan"),
        (lambda: rates.as_rates([1.0, float("inf")]), r"rates\[1\] = inf"),
        (lambda: rates.as_rates([]), "at least one server"),
        (lambda: rates.as_rates([[1.0, 1.0]]), "must be a vector"),
        (lambda: rates.as_rates(["fast", "slow"]), "must be numbers"),
        (lambda: rates.from_speeds([1e308, 1e308]), "run from 1e\\+308 to 1e\\+308.*unit"),
        (lambda: rates.from_speeds([1e-13, 1.0]), "run from 1e-13 to 1"),
        (lambda: rates.linear(3, ratio=1e13), "run from"),
        (lambda: rates.from_speeds([1, 2], labels=["a"]), "2 speeds but 1 labels"),
        (lambda: Rates(np.array([1.0]), np.array([2]), labels=("a",)), "2 servers but 1 labels"),
        (lambda: Rates(np.array([0.5, 1.5]), np.array([1, 1])), "fastest first"),
        (lambda: Rates(np.array([1.0]), np.array([0])), "at least 1"),
        (lambda: Rates(np.array([1.0]), np.array([1.0])), "whole number"),
        (lambda: Rates(np.array([1.0]), np.array([1, 1])), "1 speeds but 2 counts"),
        (lambda: rates.homogeneous(0), "servers = 0"),
        (lambda: rates.homogeneous(2.5), "servers = 2.5"),
        (lambda: rates.homogeneous(float("nan")), "servers = nan"),
        (lambda: rates.homogeneous("ten"), "servers = ten"),
        (lambda: rates.homogeneous(True), "servers = True"),
        (lambda: rates.linear(3, ratio=0.5), "rates.ratio = 0.5"),
        (lambda: rates.linear(3, ratio="4"), "rates.ratio = 4"),
        (lambda: rates.geometric(3, ratio=float("inf")), "rates.ratio = inf"),
        (lambda: rates.two_speed(3, ratio=2, fast_share=1.0), "rates.fast_share = 1.0"),
        (lambda: rates.pareto(3, shape=1.0), "rates.shape = 1.0"),
        (lambda: rates.classes([1, 2], [1.0]), "2 counts but 1 speeds"),
        (lambda: rates.classes([1, 0], [1.0, 2.0]), "rates.counts = 0"),
    ],
)
def test_bad_input_is_one_clear_line(make, says):
    with pytest.raises(ModelError, match=says) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_more_servers_than_can_be_counted_exactly_are_refused():
    with pytest.raises(TooLargeError, match="2\\^53"):
        rates.homogeneous(10**30)


# ---- files ---------------------------------------------------------------------------------------------------


def written(tmp_path, text):
    path = tmp_path / "fleet.csv"
    path.write_text(text)
    return path


def test_a_file_with_labels(tmp_path):
    fleet = rates.file(written(tmp_path, "label, speed\nold, 100\nnew, 300\n"))
    assert fleet.vector().tolist() == [1.5, 0.5]
    assert fleet.labels == ("new", "old")
    assert fleet.time_unit == 0.005


def test_a_file_with_counts(tmp_path):
    fleet = rates.file(written(tmp_path, "speed,count,label\n1,2,slow\n4,1,fast\n1,1,spare\n"))
    assert fleet.vector() == pytest.approx([16 / 7, 4 / 7, 4 / 7, 4 / 7])
    assert fleet.labels == ("fast", "slow", "slow", "spare")
    assert rates.file(written(tmp_path, "speed,count\n1,1000000000\n2,1\n")).n_servers == 10**9 + 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not a CSV file"),
        ("rate\n1\n", "has no column `speed` \\(found: rate\\)"),
        ("speed\n1\nfast\n", "must be numbers"),
        ("speed\n1\n0\n", r"speeds\[1\] = 0.0"),
        ("speed,label\n1,a\n,b\n", r"speeds\[1\] = nan"),
        ("speed\n", "at least one server"),
        ("speed,count\n1,1\n2,\n", "rates.counts = nan"),
        ("speed,count\n1,1\n2,1.5\n", "rates.counts = 1.5"),
        ("speed,count\n1,many\n", "rates.counts = many"),
        ("speed,count\n1,1e30\n", "2\\^53"),
        ('speed\n"1\n', "is not a CSV file"),
    ],
)
def test_a_bad_file_is_named_with_its_fault(tmp_path, text, says):
    path = written(tmp_path, text)
    with pytest.raises(DataError, match=says) as caught:
        rates.file(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_a_directory_and_bytes_are_named(tmp_path):
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00speed")
    for path in (tmp_path / "missing.csv", tmp_path, tmp_path / "bytes.csv"):
        with pytest.raises(DataError, match=str(path)):
            rates.file(path)
