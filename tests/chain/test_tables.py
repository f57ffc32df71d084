"""Event tables: the rates they imply are the System's, server by server."""

import numpy as np
import pytest

from jfsq_simpy import System, rates
from jfsq_simpy.chain import tables
from jfsq_simpy.chain.alias import AliasTable
from jfsq_simpy.chain.tables import ServerEvents, class_events, rate_weights, server_events, times_high

FLEETS = [
    rates.linear(20_000, 3),
    rates.geometric(20_003, 100),
    rates.pareto(19_999, 1.5),
    rates.classes([13_000, 5_000, 777], [1, 3, 10]),
    rates.homogeneous(17_097),
    rates.from_speeds(np.random.default_rng(1).integers(1, 400, 19_001)),
]


def outcome_probabilities(table: AliasTable) -> np.ndarray:
    columns, low = np.arange(1 << table.bits), np.uint64((1 << table.bits) - 1)
    keep = (table.column & ~low) / 2.0**64
    p = np.zeros(columns.size)
    np.add.at(p, columns, keep / columns.size)
    np.add.at(p, (table.column & low).astype(int), (1 - keep) / columns.size)
    return p


def implied_rates(events: ServerEvents) -> tuple[np.ndarray, float, float]:
    """Each server's departure rate, the arrival rate and the rate of null events, from the tables alone."""
    cell = outcome_probabilities(events.alias)
    rate = np.zeros(events.n_servers)
    for c in range(events.first.size - 1):
        size, begin = 1 << int(events.bits[c]), int(events.first[c])
        certain = events.surely[c] == np.uint64(2**64 - 1)
        limits = events.limit[events.limit_at[c] :][:size]
        accepted = 1.0 if certain else (limits.astype(float) + 1) / 2.0**64
        rate[begin : begin + size] = cell[c] / size * accepted * events.rate
    arrivals = cell[events.first.size - 1] * events.rate
    return rate, arrivals, events.rate - arrivals - rate.sum()


@pytest.mark.parametrize("fleet", FLEETS, ids=lambda f: f"{f.n_servers} servers, {f.n_classes} classes")
def test_two_words_an_event_imply_the_systems_rates(fleet):
    system = System(fleet, alpha=0.5, places=3)
    events = server_events(system)
    rate, arrivals, null = implied_rates(events)
    assert events.words == 2
    assert np.allclose(rate, fleet.vector(), rtol=1e-12, atol=0)
    assert arrivals == pytest.approx(system.arrival_rate, rel=1e-13)
    assert -1e-9 < null < 0.02 * events.rate  # hardly any time is lost to null events


def test_cells_cover_every_server_once():
    for fleet in FLEETS:
        first, bits = tables.cells(fleet)
        assert first[0] == 0
        assert np.array_equal(first[1:], (first + (1 << bits))[:-1])
        assert first[-1] + (1 << bits[-1]) == fleet.n_servers


def test_a_few_very_fast_servers_waste_no_events():
    speeds = np.ones(20_000)
    speeds[7] = 50_000.0
    events = server_events(System(rates.from_speeds(speeds), load=0.9, places=2))
    _, _, null = implied_rates(events)
    assert null < 0.001 * events.rate


def test_decoding_follows_the_tables_word_by_word():
    system = System(rates.geometric(20_003, 1000), load=0.7, places=3)
    events = server_events(system)
    words = np.random.default_rng(3).integers(0, 2**64, 4000, dtype=np.uint64)
    codes = events.decode(words.reshape(-1, 2).T)
    cells = events.alias.draw(words[0::2])
    for cell, second, code in zip(cells.tolist(), words[1::2].tolist(), codes.tolist(), strict=True):
        bits, begin = int(events.bits[cell]), int(events.first[cell])
        if cell == events.first.size - 1:
            assert code == system.n_servers
            continue
        server = begin + (second >> (64 - bits))
        exact = events.surely[cell] == np.uint64(2**64 - 1)
        limit = 2**64 - 1 if exact else int(events.limit[events.limit_at[cell] + server - begin])
        assert code == (server if (second << bits) % 2**64 <= limit else system.n_servers + 1)
    assert (codes == system.n_servers + 1).any()


def test_one_word_an_event_up_to_its_limit():
    small, large = (
        System(rates.homogeneous(n), load=0.5, places=1) for n in (tables.MOST_IN_ONE_WORD, tables.MOST_IN_ONE_WORD + 1)
    )
    assert (server_events(small).words, server_events(large).words) == (1, 2)
    p = outcome_probabilities(server_events(System(rates.linear(100, 3), load=0.5, places=1)).alias)
    assert np.allclose(p[:100] * 150, rates.linear(100, 3).vector(), rtol=1e-14)
    assert p[100] == pytest.approx(50 / 150, rel=1e-14)


def test_classes_share_the_rate_by_their_capacity():
    system = System(rates.classes([10**9, 5, 10**6], [1.0, 2.0, 4.0]), load=0.9, places=2)
    events = class_events(system)
    p = outcome_probabilities(events.alias)[: events.n_classes + 1]
    assert np.allclose(p[:-1] * events.rate, system.rates.speeds * system.rates.counts, rtol=1e-13)
    which, place = events.decode(np.random.default_rng(1).integers(0, 2**64, (2, 1000), dtype=np.uint64))
    counts = np.append(system.rates.counts, 1)
    assert np.all((place >= 0) & (place < counts[which]))


@pytest.mark.parametrize("count", [1, 2, 3, 10**9, 2**32 - 1, 2**32, 2**62 - 1])
def test_times_high_is_exact(count):
    words = np.append(np.random.default_rng(4).integers(0, 2**64, 300, dtype=np.uint64), np.uint64([0, 2**64 - 1, 2**63]))
    assert times_high(words, count).tolist() == [w * count >> 64 for w in words.tolist()]


def test_weights_of_ties_by_rate_are_the_speeds():
    fleet = rates.geometric(1000, 50)
    weights = rate_weights(fleet)
    assert weights.sum() < 2**62
    assert np.allclose(weights / weights.sum() * 1000, fleet.vector(), rtol=1e-12)
