"""Rank tables: by hand, against sorting with the key itself, and what happens to keys that do not order."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jfsq_simpy import rates
from jfsq_simpy.errors import ModelError, TooLargeError
from jfsq_simpy.policies.policy import nothing, shortest, shortest_then_fastest
from jfsq_simpy.policies.ranking import LARGEST_TABLE, rank_table

TWO = np.array([1.5, 0.5])


def expected_delay(q, mu):
    return (q + 1) / mu, -mu


def table(key, speeds=TWO, places=2, full_last=True):
    return rank_table(key, np.asarray(speeds, dtype=float), places, full_last=full_last).tolist()


@pytest.mark.parametrize(
    ("key", "full_last", "expected"),
    [
        (shortest_then_fastest, True, [[0, 2, 4], [1, 3, 4]]),  # all full servers are alike: nobody can take the job
        (shortest_then_fastest, False, [[0, 2, 4], [1, 3, 5]]),
        (shortest, True, [[0, 1, 2], [0, 1, 2]]),
        (nothing, True, [[0, 0, 1], [0, 0, 1]]),
        (nothing, False, [[0, 0, 0], [0, 0, 0]]),
        # (q + 1) / mu: 2/3, 4/3 | 2 and 2, 4 | 6: the fast server with two jobs ties with the idle slow one, and wins
        (expected_delay, False, [[0, 1, 2], [3, 4, 5]]),
        (lambda q, mu: (q + 1) / mu, False, [[0, 1, 2], [2, 3, 4]]),
        (lambda q, mu: -q, True, [[1, 0, 2], [1, 0, 2]]),
        (lambda q, mu: (q > 0, -mu), True, [[0, 2, 4], [1, 3, 4]]),
    ],
)
def test_tables_by_hand(key, full_last, expected):
    assert table(key, full_last=full_last) == expected


@given(
    st.lists(st.floats(0.1, 10), min_size=1, max_size=5, unique=True),
    st.integers(1, 5),
    st.sampled_from([shortest_then_fastest, shortest, expected_delay, nothing]),
)
def test_ranks_order_servers_as_the_key_does(speeds, places, key):
    """On small whole parts of the rates, so that float keys are as good as exact ones."""
    mu = np.unique(np.round(np.array(speeds) * 8) / 8 + 0.125)[::-1]
    ranks = rank_table(key, mu, places, full_last=False)
    cells = [(c, q) for c in range(mu.size) for q in range(places + 1)]
    keys = [np.atleast_1d(key(q, mu[c])).astype(float).round(9).tolist() for c, q in cells]
    order = sorted({tuple(k) for k in keys})
    assert [int(ranks[cell]) for cell in cells] == [order.index(tuple(k)) for k in keys]
    assert ranks.dtype == np.int32


def test_keys_that_differ_by_rounding_share_a_rank():
    """3 / 0.3 and 1 / 0.1 are one number to a user, two to a computer."""
    speeds = [0.3, 0.1]
    assert 3 / 0.3 != 1 / 0.1 or (0.1 + 0.2) / 0.3 != 1.0
    ranks = rank_table(lambda q, mu: (q + 1) * (0.1 + 0.2) / mu, np.array([0.1 + 0.2, 0.3, 0.1]), 3, full_last=False)
    assert ranks[0].tolist() == ranks[1].tolist()
    assert table(lambda q, mu: (q + 1) / mu, speeds, places=3, full_last=False) == [[0, 1, 2, 3], [2, 4, 5, 6]]


def test_nearly_equal_speeds_tie_under_jfsq():
    mu = np.array([1.0 + 4e-16, 1.0, 1.0 - 1e-9])
    assert table(shortest_then_fastest, mu, places=1) == [[0, 2], [0, 2], [1, 2]]


def test_infinite_keys_are_legal_and_apart_from_finite_ones():
    def never_the_slow(q, mu):
        return np.where(mu < 1, np.inf, q)

    assert table(never_the_slow, full_last=False) == [[0, 1, 2], [3, 3, 3]]
    assert table(lambda q, mu: np.where(q == 0, -np.inf, q), full_last=False) == [[0, 1, 2], [0, 1, 2]]
    assert table(lambda q, mu: np.where(q == 2, np.inf, q - 0.5), full_last=False) == [[0, 1, 2], [0, 1, 2]]


def test_a_key_written_for_plain_numbers_is_asked_number_by_number():
    def careful(q, mu):
        if q == 0:
            return (0, -mu)
        return (math.floor(q), -mu)

    assert table(careful) == table(shortest_then_fastest)
    assert table(lambda q, mu: min(q, 1)) == [[0, 1, 2], [0, 1, 2]]


def test_a_key_of_nan_names_the_function_and_the_state():
    def my_rule(q, mu):
        return np.where((q == 1) & (mu < 1), np.nan, q)

    with pytest.raises(ModelError, match=r"my_rule gave nan for queue length 1 and rate 0.5"):
        table(my_rule)


def test_a_key_that_fails_names_the_function_and_the_state():
    def my_rule(q, mu):
        return 1 / (2 - int(q))

    with pytest.raises(ModelError, match=r"my_rule failed for queue length 2 and rate 1.5: ZeroDivisionError"):
        table(my_rule)


@pytest.mark.parametrize("value", ["short", [1, "a"], None, (1, None), {}])
def test_a_key_that_gives_no_number_is_refused(value):
    with pytest.raises(ModelError, match="number or a tuple of numbers"):
        table(lambda q, mu: value)


def test_keys_of_unequal_length_are_refused():
    with pytest.raises(ModelError, match="number or a tuple of numbers"):
        table(lambda q, mu: (1, 2) if int(q) else (1,))


def test_a_table_too_large_is_refused_before_memory_is_touched():
    speeds = np.broadcast_to(1.0, LARGEST_TABLE // 2)
    with pytest.raises(TooLargeError, match="fewer speed classes"):
        rank_table(shortest, speeds, 2, full_last=True)


def test_a_large_table_is_dense_and_in_order():
    fleet = rates.linear(2000, 4)
    ranks = rank_table(shortest_then_fastest, fleet.speeds, 5, full_last=True)
    assert np.array_equal(ranks[:, :5], np.arange(2000)[:, None] + 2000 * np.arange(5))
    assert np.all(ranks[:, 5] == 10_000)
