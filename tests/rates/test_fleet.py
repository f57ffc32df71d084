"""A fleet: who its servers are, the critical indices at their boundaries, inequality by definition."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jfsq_simpy import rates
from jfsq_simpy.errors import ModelError
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
