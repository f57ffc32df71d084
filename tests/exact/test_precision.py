"""Componentwise accuracy against rational arithmetic, on systems stiff enough to ruin an ordinary solver."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from jfsq_simpy import System, exact, rates

TINY, HUGE = 2.0**-20, 2.0**40


def rational_law(mu, arrival_rate, places):
    """JFSQ's stationary law in fractions: {queue lengths: probability}. Elimination over all states, by hand."""
    mu, lam = [Fraction(x) for x in mu], Fraction(arrival_rate)
    states = list(itertools.product(range(places + 1), repeat=len(mu)))
    flow = {s: {} for s in states}
    for s in states:
        free = [n for n in range(len(mu)) if s[n] < places]
        if free:
            best = min((s[n], -mu[n]) for n in free)
            tied = [n for n in free if (s[n], -mu[n]) == best]
            for n in tied:
                flow[s][_moved(s, n, 1)] = lam / len(tied)
        for n in range(len(mu)):
            if s[n]:
                flow[s][_moved(s, n, -1)] = mu[n]
    return _stationary(states, flow)


def _moved(s, n, step):
    return (*s[:n], s[n] + step, *s[n + 1 :])


def _stationary(states, flow):
    order, outflow = list(reversed(states)), {}
    for s in order[:-1]:  # watch the chain only outside s
        out = flow.pop(s)
        outflow[s] = (sum(out.values()), {r: f.pop(s) for r, f in flow.items() if s in f})
        for r, rate in outflow[s][1].items():
            for t, onward in out.items():
                if t != r:
                    flow[r][t] = flow[r].get(t, Fraction(0)) + rate * onward / outflow[s][0]
    law = {order[-1]: Fraction(1)}
    for s in reversed(order[:-1]):
        total, into = outflow[s]
        law[s] = sum(law[r] * rate for r, rate in into.items()) / total
    mass = sum(law.values())
    return {s: p / mass for s, p in law.items()}


STIFF = [
    ([2 - TINY, TINY], 0.75, 3),  # a server a million times slower
    ([2 - TINY, TINY], TINY, 2),  # rare arrivals: the full state has probability of about 1e-22
    ([1.5, 1.5 - TINY, TINY], 0.5, 2),
    ([1.5, 1.5 - TINY, TINY], 4.0, 2),
    ([1.5, 1.0, 0.5], HUGE, 2),  # services are as nothing beside arrivals: a subtraction would lose them
    ([1.0, 1.0, 1.0], HUGE, 2),
    ([1.0, 1.0, 1.0], TINY, 2),
]


@pytest.mark.parametrize(("mu", "load", "places"), STIFF)
@pytest.mark.parametrize(("method", "tolerance"), [("elimination", 1e-13), ("sweeps", 1e-10)])
def test_every_probability_has_its_digits(mu, load, places, method, tolerance):
    law = exact.solve(System(np.array(mu), load=load, places=places), form="servers", method=method)
    truth = rational_law(mu, Fraction(load) * len(mu), places)
    expected = np.array([float(truth[tuple(q)]) for q in law.queue_lengths.tolist()])
    assert len(truth) == law.n_states
    np.testing.assert_allclose(law.probabilities, expected, rtol=tolerance)


def test_the_stiff_systems_are_stiff():
    """Otherwise the test above shows nothing: an ordinary solver, subtracting, must fail it."""
    mu, load, places = STIFF[1]
    law = exact.solve(System(np.array(mu), load=load, places=places), form="servers")
    q = np.zeros((law.n_states, law.n_states))
    number = {tuple(s): i for i, s in enumerate(law.queue_lengths.tolist())}
    for s, i in number.items():
        best = min(range(2), key=lambda n: (s[n], -mu[n]))
        moves = [(_moved(s, best, 1), 2 * load)] if s[best] < places else []
        moves += [(_moved(s, n, -1), mu[n]) for n in range(2) if s[n]]
        for t, rate in moves:
            q[i, number[t]] += rate
            q[i, i] -= rate
    ordinary = np.linalg.lstsq(np.vstack([q.T, np.ones(law.n_states)]), np.append(np.zeros(law.n_states), 1.0), rcond=None)[0]
    assert law.probabilities.min() < 1e-15
    assert np.abs(ordinary / law.probabilities - 1).max() > 1e-3


@pytest.mark.parametrize("load", [TINY, 0.75, 3.0, HUGE])
def test_excursions_have_every_digit(load):
    n = 4
    truth = rational_law([1.0] * n, Fraction(load) * n, 2)
    law = exact.solve(System(rates.homogeneous(n), load=load, places=2), method="excursions")
    by_counts = {}
    for q, p in truth.items():
        counts = tuple(q.count(level) for level in range(3))
        by_counts[counts] = by_counts.get(counts, Fraction(0)) + p
    expected = np.array([float(by_counts[tuple(c)]) for c in law.levels[:, 0].tolist()])
    assert len(by_counts) == law.n_states
    np.testing.assert_allclose(law.probabilities, expected, rtol=1e-13)
