"""Alias tables: every probability is what its weight says, to the last integer."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jfsq_simpy.chain.alias import WEIGHT_BITS, alias_table, integer_weights

positive = st.floats(min_value=1e-12, max_value=1e12)
weight_lists = st.lists(positive, min_size=1, max_size=40)


def probabilities(table, n):
    """Exact probabilities of outcomes 0 .. n-1, read off the table as a word reads it."""
    low = (1 << table.bits) - 1
    width = 1 << (64 - table.bits)  # words that share a column
    total = [0] * n
    for own, entry in enumerate(table.column.tolist()):
        kept = (entry & ~low) >> table.bits
        for outcome, amount in ((own, kept), (entry & low, width - kept)):
            if amount:
                total[outcome] += amount
    return [Fraction(x, 2**64) for x in total]


@given(weight_lists)
@settings(max_examples=80, deadline=None)
def test_probabilities_are_right_to_2_to_the_minus_62(weights):
    table, total = alias_table(np.array(weights))
    exact = sum(map(Fraction, weights))
    assert total == float(exact)
    for p, weight in zip(probabilities(table, len(weights)), weights, strict=True):
        assert abs(p - Fraction(weight) / exact) < Fraction(1, 2**WEIGHT_BITS)


@pytest.mark.parametrize("weights", [[1.0], [1.0] * 64, [1e-300, 1.0], [2.0**60, 1.0, 1.0], list(range(1, 200))])
def test_edges(weights):
    table, _ = alias_table(np.array(weights, dtype=float))
    p = probabilities(table, len(weights))
    assert sum(p) == 1
    exact = sum(map(Fraction, map(float, weights)))
    assert all(abs(x - Fraction(float(w)) / exact) < Fraction(1, 2**62) for x, w in zip(p, weights, strict=True))


def test_a_word_is_read_as_the_table_says():
    table, _ = alias_table(np.array([3.0, 1.0, 4.0, 1.0, 5.0]))
    words = np.random.default_rng(1).integers(0, 2**64, 500, dtype=np.uint64)
    low = (1 << table.bits) - 1
    for word, drawn in zip(words.tolist(), table.draw(words).tolist(), strict=True):
        own = word >> (64 - table.bits)
        entry = int(table.column[own])
        assert drawn == (own if (word << table.bits) % 2**64 < entry & ~low else entry & low)


def test_integer_weights_keep_nothing_back():
    whole, _ = integer_weights(np.random.default_rng(2).random(1000))
    assert whole.sum() == 2**WEIGHT_BITS
    assert whole.min() > 0
