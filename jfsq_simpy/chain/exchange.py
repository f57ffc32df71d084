"""Which servers of a speed class are idle, when the chain's own answer is not the policy's.

In    a cut inside a class (the m fastest servers end there), how many of the class are idle
Out   how many idle servers lie before the cut
Rule  inside a class the chain takes the lowest index, whatever `ties` says. With uniform (or rate) ties
      the idle servers are, given their number, any of the class with equal probability: their number
      before the cut is drawn from that law at each snapshot. With index ties it is counted
Cost  one word for each server of the smallest of four numbers (idle or not, before the cut or after),
      and only where `Observables.idle_tails` cuts a class
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jfsq_simpy.chain.tables import times_high
from jfsq_simpy.draws import Words, mix64
from jfsq_simpy.rates import IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Observables

FIRST_WORD = 2**63  # of the stream of choices: no event comes so far
STEP = np.uint64(0x9E3779B97F4A7C15)  # SplitMix64's own increment: each draw has a stream of its own


class Cuts(NamedTuple):
    """For each of `idle_tails`: servers 0 .. begin - 1 are counted, and of the class begin .. end - 1
    the share before `fastest` is drawn (begin = end where no class is cut)."""

    fastest: IntArray
    begin: IntArray
    end: IntArray


def cuts_of(system: System, observe: Observables) -> Cuts:
    """Where `idle_tails` cuts a System's servers."""
    m = np.minimum(np.array([m for m, _ in observe.idle_tails], dtype=np.int64), system.n_servers)
    if system.policy.ties == "index" or system.rates.all_distinct or m.size == 0:
        return Cuts(m, m, m)
    first = system.rates.first_server
    k = np.searchsorted(first, m, side="right") - 1
    whole = first[k] == m
    return Cuts(m, first[k], np.where(whole, m, first[np.minimum(k + 1, first.size - 1)]))


def seeds(start: Words | np.uint64, gamma: Words | np.uint64, snapshot: IntArray | int, n_cuts: int, cut: int) -> Words:
    """The word that starts a draw's own stream, uint64 array: one for each cut of each snapshot of the window.

    Arrays (n_paths,) of `start` and `gamma`, those of the streams of choices, or (n_snapshots,) of `snapshot`.
    """
    with np.errstate(over="ignore"):
        word = np.asarray(snapshot, dtype=np.uint64) * np.uint64(n_cuts) + np.uint64(FIRST_WORD + cut + 1)
        first: Words = start + word * gamma
        return mix64(first)


def overlap(n: int, marked: int, drawn: IntArray, seed: Words) -> IntArray:
    """How many of the first `marked` of n servers are among `drawn` of them drawn at random, int array (n_paths,).

    An urn, one draw after the other, of whichever of the two sets or their complements is smallest.

    >>> overlap(10, 4, np.array([0, 3, 10]), np.arange(3, dtype=np.uint64)).tolist()[::2]
    [0, 4]
    """
    few_marked, few_drawn = min(marked, n - marked), np.minimum(drawn, n - drawn)
    draws, target = np.minimum(few_marked, few_drawn), np.maximum(few_marked, few_drawn)
    hits = np.zeros_like(drawn)
    with np.errstate(over="ignore"):
        for t in range(int(draws.max(initial=0))):
            ball = times_high(mix64(seed + np.uint64(t + 1) * STEP), n - t)
            hits += (t < draws) & (ball < target - hits)
    among_few = np.where(drawn > few_drawn, few_marked - hits, hits)
    return np.where(marked > few_marked, drawn - among_few, among_few)
