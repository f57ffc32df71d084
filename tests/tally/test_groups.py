"""Groups: each server in one, of its own speed where there are not too many, and narrow where there are."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jfsq_simpy import System, rates
from jfsq_simpy.tally import MOST_BANDS, MOST_CLASSES, Observables, groups_of


def test_groups_are_speed_classes_cut_at_n1_and_n2():
    # 3.2 of 4: the floor of N2 is 2; N1 for delta = 0.2 carries 3.2 too
    system = System([1.6, 1.2, 0.8, 0.4], load=0.8, places=2)
    groups = groups_of(system)
    assert groups.edges.tolist() == [0, 1, 2, 3, 4]
    homogeneous = System(rates.homogeneous(100), alpha=0.5, places=5)
    assert groups_of(homogeneous).edges.tolist() == [0, 75, 90, 100]
    assert groups_of(homogeneous).speeds.tolist() == [1.0] * 3
    assert groups_of(homogeneous).speed_class.tolist() == [0, 0, 0]
    assert groups_of(homogeneous).spread == 0
    cut = groups_of(homogeneous, Observables(idle_tails=((10, 1.0), (90, 2.0), (100, 1.0), (0, 1.0))))
    assert cut.edges.tolist() == [0, 10, 75, 90, 100]


@given(st.lists(st.tuples(st.integers(1, 5), st.floats(0.1, 10)), min_size=1, max_size=6), st.floats(0.1, 1.5))
def test_every_server_is_in_one_group_of_its_own_speed(servers, load):
    system = System(rates.classes([c for c, _ in servers], [s for _, s in servers]), load=load, places=2)
    groups = groups_of(system)
    of = groups.of_server()
    assert groups.sizes.sum() == system.n_servers == of.size
    assert groups.speeds[of].tolist() == system.rates.vector().tolist()
    assert groups.speed_class[of].tolist() == system.rates.class_of_server().tolist()
    assert groups.band[of].tolist() == system.rates.class_of_server().tolist()  # up to 64 classes, a band each


def test_groups_of_a_long_tail_are_as_narrow_as_any():
    speeds = np.random.default_rng(1).lognormal(0.0, 0.7, 20_000)
    system = System(rates.from_speeds(speeds), alpha=0.5, places=2)
    groups, mu = groups_of(system), system.rates.vector()
    step = (mu[0] / mu[-1]) ** (1 / MOST_CLASSES) - 1
    worst = max(mu[a] / mu[b - 1] - 1 for a, b in itertools.pairwise(groups.edges.tolist()))
    assert worst == pytest.approx(groups.spread)
    assert worst <= step * (1 + 1e-9) < 0.002
    assert np.allclose(groups.speeds, [mu[a:b].mean() for a, b in itertools.pairwise(groups.edges.tolist())])


def test_many_speeds_share_groups_within_the_spread_that_is_said():
    system = System(rates.linear(20_000, 4), load=0.9, places=2)
    groups, mu = groups_of(system), system.rates.vector()
    assert MOST_CLASSES <= groups.n_groups <= MOST_CLASSES + 2
    assert groups.n_bands == MOST_BANDS
    of = groups.of_server()
    for g in (0, 1, groups.n_groups // 2, groups.n_groups - 1):
        inside = mu[of == g]
        assert groups.speeds[g] == pytest.approx(inside.mean(), rel=1e-9)
        assert inside[0] / inside[-1] - 1 <= groups.spread * (1 + 1e-9)
    assert 0 < groups.spread < 0.01
    assert np.all(np.diff(groups.band) >= 0)


def test_bands_cover_more_than_64_classes_evenly():
    groups = groups_of(System(rates.linear(640, 4), load=0.9, places=2))
    assert groups.n_bands == 64
    assert set(np.bincount(groups.band).tolist()) <= {10, 11, 12}  # 10 servers a band, cut at N1 and N2


def test_a_billion_servers_have_a_few_groups():
    system = System(rates.classes([5 * 10**8, 5 * 10**8], [3, 1]), load=0.95, places=3)
    assert groups_of(system).edges.tolist() == [0, 5 * 10**8, 9 * 10**8, 10**9]  # N1 carries 3/4: the fast half
    assert groups_of(system).sizes.sum() == 10**9
