"""Tallies: counts that add up in any order, and snapshots by hand."""

import math
from dataclasses import fields

import numpy as np
import pytest

from jfsq_simpy import System, rates
from jfsq_simpy.draws import Seed
from jfsq_simpy.jobs import process
from jfsq_simpy.tally import Observables, Tally, Window, groups_of, merged

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
