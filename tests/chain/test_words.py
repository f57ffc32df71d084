"""The words of the chain view as randomness, on the bits as they are used, within and between replications.

Every test is a chi-square or a normal statistic on fixed seeds: it is red for a poor generator and, the
seeds being fixed, never by bad luck once it is green.
"""

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import System, rates
from jfsq_simpy.chain import tables
from jfsq_simpy.chain.decode import mix64 as compiled_mix64
from jfsq_simpy.chain.tables import server_events, times_high
from jfsq_simpy.chain.uniform import nth_one
from jfsq_simpy.draws import Purpose, Seed, mix64, word_stream

FALSE_ALARM = 1e-4
N = 400_000
SEED = Seed.of(2026)


def words(replication, purpose=Purpose.EVENTS, n=N):
    return word_stream(SEED, replication, purpose).words(0, n)


def chi_square(seen, expected=None):
    return stats.chisquare(seen, expected).pvalue


@pytest.mark.parametrize("shift", [0, 8, 16, 24, 32, 40, 48, 56])
def test_every_byte_is_uniform(shift):
    seen = np.bincount(((words(0) >> np.uint64(shift)) & np.uint64(255)).astype(int), minlength=256)
    assert FALSE_ALARM < chi_square(seen) < 1 - FALSE_ALARM


def test_every_bit_is_fair_and_free_of_the_one_before():
    w = words(1)
    for before in (1, 2, 3, 64):
        flips = w[before:] ^ w[:-before]
        for bit in range(64):
            for x in (w, flips):
                ones = int(((x >> np.uint64(bit)) & np.uint64(1)).sum())
                assert abs(ones - x.size / 2) < 5.5 * np.sqrt(x.size) / 2


def test_bits_of_two_replications_are_independent():
    """Replications 0 .. 40 against their neighbour, the one after, and themselves one word later: 64-bit distance."""
    size, distances = 20_000, stats.binom(64, 0.5).pmf(np.arange(65))
    rows = [words(r, n=size + 1) for r in range(41)]
    for later, replications_apart in ((0, 1), (0, 2), (1, 1), (1, 7)):
        seen = np.zeros(65)
        for one, other in zip(rows, rows[replications_apart:], strict=False):
            seen += np.bincount(np.bitwise_count(one[later:][:size] ^ other[:size]), minlength=65)
        expected = distances * seen.sum()
        usual = expected > 10
        assert chi_square(seen[usual], expected[usual] * seen[usual].sum() / expected[usual].sum()) > FALSE_ALARM


def test_purposes_do_not_share_words():
    assert not set(words(0, Purpose.EVENTS, 5000).tolist()) & set(words(0, Purpose.CHOICES, 5000).tolist())


@pytest.mark.parametrize("replication", [0, 1, 2**31])
def test_events_come_at_their_rates_and_pairs_of_them_independently(replication):
    system = System(rates.linear(24, 3), load=0.9, places=2)
    codes = server_events(system).decode(words(replication)[None])
    p = np.append(system.rates.vector(), system.arrival_rate)
    p /= p.sum()
    assert FALSE_ALARM < chi_square(np.bincount(codes, minlength=25), p * N) < 1 - FALSE_ALARM
    for apart in (1, 2, 5):
        pairs = np.bincount(codes[:-apart] * 25 + codes[apart:], minlength=625)
        assert FALSE_ALARM < chi_square(pairs, np.outer(p, p).ravel() * (N - apart)) < 1 - FALSE_ALARM


def test_runs_of_departures_before_an_arrival_are_geometric():
    system = System(rates.linear(24, 3), load=1.0, places=2)
    at = np.flatnonzero(server_events(system).decode(words(3)[None]) == 24)
    seen = np.bincount(np.minimum(np.diff(at) - 1, 12), minlength=13)
    expected = np.append(0.5 ** np.arange(1, 13), 0.5**12) * seen.sum()
    assert FALSE_ALARM < chi_square(seen, expected) < 1 - FALSE_ALARM


def test_second_words_are_uniform_whatever_the_first_said():
    fleet = rates.linear(tables.MOST_IN_ONE_WORD + 1, 1.02)  # flat enough to compare cells
    events = server_events(System(fleet, load=0.5, places=1))
    codes = events.decode(words(4, n=2 * N).reshape(-1, 2).T)
    inside = codes[codes < fleet.n_servers]
    for servers in (inside & 63, inside >> 8):
        groups = np.bincount(servers)
        expected = np.bincount((np.arange(fleet.n_servers) & 63) if servers.max() == 63 else np.arange(fleet.n_servers) >> 8,
                               weights=fleet.vector())  # fmt: skip
        assert FALSE_ALARM < chi_square(groups, expected / expected.sum() * groups.sum()) < 1 - FALSE_ALARM


@pytest.mark.parametrize("count", [3, 10, 1000])
def test_choices_are_uniform_and_free_of_the_events(count):
    chosen, event = times_high(words(5, Purpose.CHOICES), count), words(5) >> np.uint64(61)
    table = np.zeros((count, 8))
    np.add.at(table, (chosen, event.astype(int)), 1)
    assert FALSE_ALARM < chi_square(table.ravel()) < 1 - FALSE_ALARM


def test_compiled_words_are_the_words():
    z = np.random.default_rng(1).integers(0, 2**64, 1000, dtype=np.uint64)
    plain = getattr(
        compiled_mix64, "py_func", compiled_mix64
    )  # the compiled one is for kernels only; `test_agreement` compares them
    with np.errstate(over="ignore"):
        assert [int(plain(x)) for x in z] == mix64(z).tolist()


def test_the_nth_bit_is_found_by_halving():
    plain = getattr(nth_one, "py_func", nth_one)
    for word in np.random.default_rng(2).integers(1, 2**64, 50, dtype=np.uint64):
        on = [i for i in range(64) if int(word) >> i & 1]
        assert [int(plain(word, np.uint64(n))) for n in range(len(on))] == on
