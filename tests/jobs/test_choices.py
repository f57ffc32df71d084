"""Choices in compiled sets: the server of a given number, in fleets of every depth."""

from __future__ import annotations

import numpy as np
import pytest

from jfsq_simpy.draws import Seed
from jfsq_simpy.jobs import choices, events, order, process
from jfsq_simpy.jobs.sinks import MemorySink
from jfsq_simpy.rates import homogeneous
from jfsq_simpy.system import System
from jfsq_simpy.tally import Window

nth_in_set = getattr(choices.nth_in_set, "py_func", choices.nth_in_set)


@pytest.mark.parametrize("n_servers", [1, 64, 65, 1024, 1025, 20_000, 300_000])
def test_the_server_of_a_given_number(n_servers: int) -> None:
    rng = np.random.default_rng(n_servers)
    for crowded in (0.01, 0.5, 0.99):
        queue = rng.binomial(2, crowded, n_servers).astype(np.uint8)
        words, _, _ = order._sets(queue, 3)
        spans, span_at = order._spans(words)
        for level in range(3):
            members = np.flatnonzero(queue <= level)
            for r in {0, members.size - 1, *rng.integers(max(members.size, 1), size=20).tolist()}:
                if 0 <= r < members.size:
                    found = nth_in_set(words, spans, span_at, np.uint64(level), r)
                    assert int(found) == members[r]


@pytest.mark.skipif(events.bits.numba is None, reason="needs Numba")
def test_twenty_thousand_equal_servers() -> None:
    """Counts of bits two layers deep are kept right, job by job."""
    system = System(homogeneous(20_000), load=0.97, places=2, policy="jsq")
    fast, slow = MemorySink(), MemorySink()
    window = Window(0.0, 0.4)
    one, other = events.run(system, Seed.of(3), 0, window, sink=fast), process.run(system, Seed.of(3), 0, window, sink=slow)
    assert one.tallies == other.tallies
    for name, column in slow.columns().items():
        assert np.array_equal(column, fast.columns()[name], equal_nan=column.dtype.kind == "f")
    assert np.unique(slow.columns()["server"]).size > 5_000
