"""The seed tree: the only room where randomness enters.

In    `rng=` (an int, a SeedSequence, a Generator or None), a replication number, a System
Out   jobs view: gaps, sizes, ties and samples, entry k belonging to job k; chain view: 64-bit words
Rule  what job k draws depends on (seed, replication, purpose, k) alone: not on the policy, the engine,
      the sweep point, or on how the stream is sliced. All points and policies of a seed see the same jobs.
Cost  jobs view about 10 ns a job and stream; chain view nothing is stored
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, partial
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.errors import PlanError
from jfsq_simpy.laws import FloatArray, Law, checked_draws
from jfsq_simpy.policies import InTurn
from jfsq_simpy.rates import IntArray
from jfsq_simpy.system import System

BLOCK = 65_536  # jobs a block, always drawn whole
SPELLS = 64  # times up, and times down, a block of a server that may fail
FIRST_PILOT = 2**31  # pilot replications count from here, so they share no draw with measured ones


class Purpose(IntEnum):
    """What a stream is for; the numbers are fixed for ever, so that old seeds keep their meaning."""

    EVENTS = 0
    CHOICES = 1
    GAPS = 2
    SIZES = 3
    TIES = 4
    SAMPLES = 5
    MARKS = 6
    REPORTS = 7
    SERVERS = 8
    INITIAL = 9
    BELIEFS = 10


@dataclass(frozen=True)
class Seed:
    """The root of the tree: entropy, and the spawn key the user's own SeedSequence had.

    >>> Seed.of(7)
    Seed(entropy=7, prefix=())
    """

    entropy: int | tuple[int, ...]
    prefix: tuple[int, ...] = ()

    @classmethod
    def of(cls, rng: Any = None) -> Seed:
        """From what SPEC 7 lets a user pass: None (fresh entropy), int, SeedSequence or Generator.

        A Generator gives four 32-bit words, once, and so moves on; nothing global is touched.
        """
        if isinstance(rng, Seed):
            return rng
        if isinstance(rng, np.random.Generator):
            return cls(tuple(int(w) for w in rng.integers(0, 2**32, size=4, dtype=np.uint32)))
        if rng is None:
            rng = np.random.SeedSequence()
        if isinstance(rng, np.random.SeedSequence):
            return cls(_plain_entropy(rng.entropy), tuple(int(k) for k in rng.spawn_key))
        if isinstance(rng, (list, tuple)) and rng and all(isinstance(w, int) and w >= 0 for w in rng):
            return cls(tuple(rng))  # as `describe` records it
        if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0:
            return cls(int(rng))
        raise PlanError(f"rng = {rng!r} must be a whole number >= 0, a numpy SeedSequence or a numpy Generator.")

    def sequence(self, replication: int, purpose: Purpose, *block: int) -> np.random.SeedSequence:
        """The SeedSequence of one stream (or one block of it)."""
        entropy = list(self.entropy) if isinstance(self.entropy, tuple) else self.entropy
        return np.random.SeedSequence(entropy, spawn_key=(*self.prefix, replication, int(purpose), *block))

    def generator(self, replication: int, purpose: Purpose, *block: int) -> np.random.Generator:
        """The generator of one block of a stream of the jobs view."""
        return np.random.Generator(np.random.PCG64DXSM(self.sequence(replication, purpose, *block)))

    def describe(self) -> dict[str, Any]:
        """What a record keeps: enough to rerun."""
        entropy = list(self.entropy) if isinstance(self.entropy, tuple) else self.entropy
        return {"entropy": entropy, "spawn_key": list(self.prefix)}


def _plain_entropy(entropy: Any) -> int | tuple[int, ...]:
    """A SeedSequence's entropy as a record can hold it: a number, or a tuple of numbers."""
    if isinstance(entropy, (int, np.integer)):
        return int(entropy)
    try:
        return tuple(operator.index(word) for word in entropy)
    except TypeError:
        raise PlanError(
            f"rng: the SeedSequence's entropy {entropy!r} must be a whole number or a flat list of them, to be recorded."
        ) from None


# ---- jobs view -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class JobBlock:
    """What BLOCK consecutive jobs draw; row k is job `first + k`."""

    first: int
    gaps: FloatArray  # (BLOCK,) time since the arrival before; infinite once a recorded stream has ended
    sizes: FloatArray  # (BLOCK,) service requirement, mean 1
    samples: FloatArray  # (BLOCK, policy.samples) in [0, 1)
    turns: IntArray  # (BLOCK,) whose turn it is, where servers take turns; else (0,)
    marks: IntArray  # (BLOCK,) the dispatcher it comes to, where there are several with boards of their own; else (0,)
    tie_stream: Callable[[], np.random.Generator]

    @cached_property
    def ties(self) -> FloatArray:
        """float array (BLOCK,), in [0, 1); drawn when first asked for, since where no two servers tie nobody does."""
        return self.tie_stream().random(BLOCK)


class JobDraws:
    """One replication's draws for the jobs view."""

    def __init__(self, system: System, seed: Seed, replication: int) -> None:
        self.system, self.seed, self.replication = system, seed, replication

    def blocks(self) -> Iterator[JobBlock]:
        """Blocks 0, 1, 2, ... without end; laws with memory carry their state across."""
        arrivals, size = self.system.arrivals, self.system.size
        gap_state, size_state = arrivals.start(), size.start()
        turns_had = np.zeros(self.system.knowledge.dispatchers, np.int64)
        j = 0
        while True:
            gaps, gap_state = self._law_block(arrivals, Purpose.GAPS, j, gap_state)
            sizes, size_state = self._law_block(size, Purpose.SIZES, j, size_state)
            tie_stream = partial(self.seed.generator, self.replication, Purpose.TIES, j)
            marks = self._marks(j)
            turns = self._turns(j) if not marks.size else self._turns_by_dispatcher(marks, turns_had)
            yield JobBlock(j * BLOCK, gaps / self.system.arrival_rate, sizes, self._samples(j), turns, marks, tie_stream)
            j += 1

    def initial_sizes(self, n: int) -> FloatArray:
        """Sizes of the jobs present at time 0 (ids -1, -2, ...), float array (n,)."""
        size = self.system.size.initial  # a record of later jobs has nothing to say of these
        state, blocks = size.start(), []
        for j in range(-(-n // BLOCK)):
            block, state = self._law_block(size, Purpose.INITIAL, j, state)
            blocks.append(block)
        return np.concatenate(blocks)[:n] if blocks else np.empty(0)

    def spells(self, server: int) -> Iterator[tuple[float, float]]:
        """How long a server that may fail is up, then down, again and again: its own, whatever jobs and other servers do.

        Block j of its times up is drawn from key (..., server, 0, j), of its times down from (..., server, 1, j).
        """
        given = self.system.breakdowns
        assert given is not None
        laws, means = (given.up, given.down), (given.mean_up, given.mean_down)
        states = [law.start() for law in laws]
        for j in count():
            lasting = []
            for kind, (law, mean) in enumerate(zip(laws, means, strict=True)):
                rng = self.seed.generator(self.replication, Purpose.SERVERS, server, kind, j)
                values, states[kind] = law.draw_block(rng, SPELLS, states[kind])
                lasting.append((mean * checked_draws(law, values, SPELLS)).tolist())
            yield from zip(*lasting, strict=True)

    def beliefs(self) -> Iterator[tuple[float, FloatArray]]:
        """The rates (N,) dispatchers believe in, each time with the instant from which on; the first from 0.

        Noise is drawn from key (..., 0), step i of a drift (from 1) from (..., i); one normal number a server.
        """
        system, given = self.system, self.system.knowledge.speeds
        if given is None:
            yield 0.0, system.rates.vector()
            return
        first = given.at_first(system.rates.vector(), self._normals(0))
        yield 0.0, first
        if given.drift is None:
            return
        now, x = 0.0, np.zeros(system.n_servers)
        for step in count(1):
            now += given.drift.every
            x = given.drift.moved(x, self._normals(step))
            yield now, first * given.drift.factor(x, step)

    def _normals(self, step: int) -> FloatArray:
        return self.seed.generator(self.replication, Purpose.BELIEFS, step).standard_normal(self.system.n_servers)

    @cached_property
    def _first_beliefs(self) -> FloatArray:
        return next(self.beliefs())[1]

    def _law_block(self, law: Law, purpose: Purpose, j: int, state: Any) -> tuple[FloatArray, Any]:
        values, state = law.draw_block(self.seed.generator(self.replication, purpose, j), BLOCK, state)
        return checked_draws(law, values, BLOCK), state

    def _samples(self, j: int) -> FloatArray:
        wanted = self.system.policy.samples
        if not wanted:
            return np.empty((BLOCK, 0))
        return self.seed.generator(self.replication, Purpose.SAMPLES, j).random((BLOCK, wanted))

    def _marks(self, j: int) -> IntArray:
        knowledge = self.system.knowledge
        if knowledge.true_queues:  # they share all they know, and might as well be one
            return np.empty(0, np.int64)
        u = self.seed.generator(self.replication, Purpose.MARKS, j).random(BLOCK) if knowledge.dispatchers > 1 else np.zeros(BLOCK)
        return (u * knowledge.dispatchers).astype(np.int64)

    def _turns_by_dispatcher(self, marks: IntArray, had: IntArray) -> IntArray:
        """Each dispatcher gives turns by itself, beginning elsewhere; `had` jobs each have come before, and are counted on."""
        query, rates = self.system.policy.query, self.system.rates
        if not isinstance(query, InTurn):
            return np.empty(0, np.int64)
        jobs, order = np.bincount(marks, minlength=had.size), np.argsort(marks, kind="stable")
        begin = had + np.arange(had.size) * rates.n_servers // had.size
        turns = np.empty(BLOCK, np.int64)
        turns[order] = np.concatenate(
            [query.turns_at(self._first_beliefs, first, n) for first, n in zip(begin.tolist(), jobs.tolist(), strict=True)]
        )
        had += jobs
        return turns

    def _turns(self, j: int) -> IntArray:
        query = self.system.policy.query
        return query.turns_at(self._first_beliefs, j * BLOCK, BLOCK) if isinstance(query, InTurn) else np.empty(0, np.int64)


# ---- chain view ----------------------------------------------------------------------------------------------

_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_GAMMA_1, _GAMMA_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
Words = NDArray[np.uint64]


@dataclass(frozen=True)
class WordStream:
    """A replication's words: word i is mix64(start + (i + 1) * gamma), SplitMix64, computed and not stored."""

    start: np.uint64
    gamma: np.uint64

    def words(self, first: int, n: int) -> Words:
        """Words first .. first + n - 1, uint64 array (n,)."""
        with np.errstate(over="ignore"):
            return mix64(self.start + np.arange(first + 1, first + n + 1, dtype=np.uint64) * self.gamma)


def word_stream(seed: Seed, replication: int, purpose: Purpose = Purpose.EVENTS) -> WordStream:
    """The words of one replication: `start` and an odd, well-mixed `gamma` from its stream."""
    start, raw = seed.sequence(replication, purpose).generate_state(2, np.uint64)
    return WordStream(np.uint64(start), _mix_gamma(np.uint64(raw)))


def mix64(z: Words) -> Words:
    """SplitMix64's finaliser, on arrays: wraps modulo 2^64."""
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


def _mix_gamma(z: np.uint64) -> np.uint64:
    """An odd number with enough bit changes (Steele, Lea & Flood 2014, section 5)."""
    with np.errstate(over="ignore"):
        z = (z ^ (z >> np.uint64(33))) * _GAMMA_1
        z = (z ^ (z >> np.uint64(33))) * _GAMMA_2
        z = (z ^ (z >> np.uint64(33))) | np.uint64(1)
    few = int(z ^ (z >> np.uint64(1))).bit_count() < 24
    return z ^ np.uint64(0xAAAAAAAAAAAAAAAA) if few else z
