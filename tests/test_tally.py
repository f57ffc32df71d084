"""Windows, bins, groups and sums: integers that add up in any order."""

import itertools
import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jfsq_simpy import System, rates
from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import PlanError
from jfsq_simpy.jobs import process
from jfsq_simpy.tally import (
    MOST_BANDS,
    MOST_CLASSES,
    N_BINS,
    TICKS,
    Observables,
    Tally,
    Window,
    bin_edges,
    groups_of,
    merged,
    ticks,
    time_bin,
)

times = st.floats(0, 1e7, allow_subnormal=False)

# ---- windows -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ({"warmup": -1.0}, "warmup = -1.0"),
        ({"warmup": math.inf}, "warmup = inf"),
        ({"warmup": math.nan}, "warmup = nan"),
        ({"length": 0.0}, "horizon = 0.0"),
        ({"length": math.inf}, "horizon = inf"),
        ({"length": math.nan}, "horizon = nan"),
        ({"batches": 0}, "batches = 0"),
        ({"drain": -1.0}, "drain = -1.0"),
        ({"drain": math.nan}, "drain = nan"),
    ],
)
def test_a_window_that_is_none_is_refused(plan, says):
    with pytest.raises(PlanError, match=says):
        Window(**({"warmup": 0.0, "length": 1.0} | plan))


def test_snapshots_by_hand():
    assert Window(1.0, 0.5).snapshot_times().tolist() == [1.0, 1.125, 1.25, 1.375]
    assert Window(1.0, 0.51).snapshot_times().tolist() == [1.0, 1.125, 1.25, 1.375, 1.5]
    assert Window(0.0, 0.01).snapshot_times().tolist() == [0.0]
    assert Window(2.0, 4.0, batches=4).edges.tolist() == [2.0, 3.0, 4.0, 5.0, 6.0]


@given(st.floats(0, 1e6), st.floats(1e-3, 50), st.integers(1, 9), st.lists(st.floats(0, 1), max_size=8), st.booleans())
def test_snapshots_before_is_a_search_in_the_grid(warmup, length, batches, shares, inclusive):
    window = Window(warmup, length, batches)
    grid = window.snapshot_times()
    assert grid[0] == warmup
    assert grid[-1] < window.end <= warmup + grid.size / 8
    asked = np.concatenate(
        [[0.0, warmup, window.end, np.inf], window.edges, warmup + np.array(shares) * length, grid[:3], grid[-3:]]
    )
    side = "right" if inclusive else "left"
    assert window.snapshots_before(asked, inclusive=inclusive).tolist() == np.searchsorted(grid, asked, side=side).tolist()


# ---- bins and ticks ------------------------------------------------------------------------------------------


@given(st.lists(times, min_size=1, max_size=20))
def test_a_time_lies_in_its_bin(values):
    t = np.array(values)
    k, edges = time_bin(t), bin_edges()
    assert np.all(edges[k] <= t)
    assert np.all((t < edges[k + 1]) | (t == 0))
    assert np.array_equal(k == 0, t == 0)


def test_bins_are_at_most_one_percent_wide():
    edges = bin_edges()
    assert edges.size == N_BINS + 1
    inner = edges[2:-1]
    assert np.all(np.diff(inner) / inner[:-1] < 0.01)
    assert inner[0] < 1e-6
    assert inner[-1] > 1e6


def test_times_beyond_the_bins_are_kept_in_the_outer_ones():
    assert time_bin(np.array([-0.0, 1e-30, 1e30])).tolist() == [0, 1, N_BINS - 1]


def test_bins_look_the_same_whatever_the_array():
    t = np.linspace(0, 5, 100)
    assert np.array_equal(time_bin(t)[::3], time_bin(t[::3]))
    assert time_bin(t.reshape(10, 10)).shape == (10, 10)


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=20))
def test_ticks_round_to_the_nearest_and_add_up_in_any_order(values):
    t = np.array(values)
    assert np.all(np.abs(ticks(t) / TICKS - t) <= 0.5 / TICKS * (1 + 1e-6) + 1e-15)
    assert ticks(t).sum() == ticks(t[::-1]).sum() == sum(ticks(t).tolist())


# ---- groups --------------------------------------------------------------------------------------------------


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


# ---- tallies -------------------------------------------------------------------------------------------------

OBSERVE = Observables(joint=((0, 2, 9), (0, 1, 4)), tails=((0.0, 3.0, 1.0),), idle_tails=((2, 1.0),), powers=((0.5, 2),), path=True)


def some_tallies():
    system = System(rates.linear(4, 3), load=0.9, places=3)
    return system, process.run(system, Seed.of(1), 0, Window(1.0, 50.0, batches=5), observe=OBSERVE).tallies


def test_merging_adds_every_count_in_any_order():
    _, parts = some_tallies()
    whole = merged(parts)
    for f in fields(Tally):
        values = [getattr(t, f.name) for t in parts]
        total = np.concatenate(values) if f.name == "path" else sum(values[1:], values[0])
        assert np.array_equal(getattr(whole, f.name), total), f.name
    backwards = merged(parts[::-1])
    assert np.array_equal(backwards.joins, whole.joins)
    assert np.array_equal(backwards.wait_bins, whole.wait_bins)
    assert (backwards.wait_ticks, backwards.routed, backwards.snapshots) == (whole.wait_ticks, whole.routed, whole.snapshots)


def test_merging_leaves_its_parts_alone():
    _, parts = some_tallies()
    before = parts[0].joins.copy()
    merged(parts)
    assert np.array_equal(parts[0].joins, before)


def test_tallies_are_equal_when_every_count_is():
    _, parts = some_tallies()
    _, again = some_tallies()
    assert parts == again
    for f in fields(Tally):
        changed = merged([parts[0]])
        value = getattr(changed, f.name)
        setattr(changed, f.name, value + 1 if isinstance(value, int) else np.append(value, 1))
        assert changed != parts[0], f.name


def test_observing_one_snapshot_is_observing_a_path_of_one():
    system, _ = some_tallies()
    groups = groups_of(system, OBSERVE)
    one, other = (Tally.empty(groups, 3, OBSERVE, per_job=False) for _ in range(2))
    levels = np.zeros((groups.n_groups, 4), np.int64)
    levels[:, 0] = groups.sizes
    levels[0] = [0, 1, 0, 0]
    levels[-1] = [0, 0, 0, 1]
    one.observe(OBSERVE, groups, levels)
    # the fastest holds one job, the slowest three; two are idle, one of them among the two fastest
    other.levels += levels
    other.snapshots = 1
    other.count_paths(OBSERVE, groups, np.array([4]), np.array([2]), [np.array([1])])
    assert one == other
    assert one.joint.tolist() == [[0, 0], [0, 1]]
    assert one.tails.tolist() == [1]  # min(2 - 0, 3 - 2) >= 1
    assert one.idle_tails.tolist() == [1]
    assert one.powers.tolist() == [0.25]  # (4/4 - 1/2)^2
    assert one.path.tolist() == [4]
    assert one.wait_bins is None


# ---- surges --------------------------------------------------------------------------------------------------


def test_surges_by_hand():
    observe = Observables(surges=(10.0, 2.0))
    tally = Tally(np.zeros((1, 1), np.int64), np.zeros((1, 2), np.int64), surges=np.zeros(4))
    tally.count_surges(observe, np.array([10, 12]), np.array([0.5, -1.0]))
    tally.count_surges(observe, np.array([4]), np.array([2.0]))
    crowded = np.array([0.0, 1 / math.sqrt(2), -3 / math.sqrt(10)])  # jobs 0, 1 and -3 scales above the centre
    assert tally.surges == pytest.approx([(np.array([0.5, -1.0, 2.0]) * crowded**k).sum() for k in range(4)], rel=1e-14)
    assert merged([tally, tally]).surges == pytest.approx(2 * tally.surges)


def test_surges_not_asked_for_are_not_counted():
    tally = Tally(np.zeros((1, 1), np.int64), np.zeros((1, 2), np.int64))
    tally.count_surges(Observables(), np.array([1]), np.array([1.0]))
    assert tally.surges.size == 0
