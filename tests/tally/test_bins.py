"""Bins and ticks: every time in its bin, sums the same in any order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jfsq_simpy.tally import N_BINS, TICKS, bin_edges, ticks, time_bin

times = st.floats(0, 1e7, allow_subnormal=False)


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
