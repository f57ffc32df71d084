"""Windows: what is none is refused, and the grid of snapshots is counted without being stored."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jfsq_simpy.errors import PlanError
from jfsq_simpy.tally import Window


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
