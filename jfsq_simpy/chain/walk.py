"""The chain's rule, one event after the other, as plainly as it can be said: what the other two must repeat.

In    a System, one replication's words
Out   the state after every event, and the Outcome that `lockstep` and `jump` must equal
Rule  event k reads its own words and nothing else: words k W .. k W + W - 1 of the stream `EVENTS`,
      and, where the rule needs a choice, words k C .. k C + C - 1 of the stream `CHOICES`
Cost  about 10^4 events a second: for tests and for reading, not for measuring
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from jfsq_simpy.chain.choices import choice_words, picked
from jfsq_simpy.chain.exchange import cuts_of, overlap, seeds
from jfsq_simpy.chain.plan import Plan, arrivals_between_snapshots, asking_all, first_holding, grid_of, plan_of
from jfsq_simpy.chain.shares import by_group, exchanged
from jfsq_simpy.chain.streams import Streams
from jfsq_simpy.chain.tables import class_events, rate_weights, server_events, times_high
from jfsq_simpy.draws import Purpose, Seed, Words, word_stream
from jfsq_simpy.rates import IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import NOTHING, Groups, Observables, Outcome, Tally, Window, groups_of

_BLOCK = 1024  # events decoded at a time; what is decoded does not depend on it


class _State(Protocol):
    words: int
    rate: float

    def apply(self, words: Words, choices: Words) -> tuple[int, int] | None: ...

    def copy(self) -> IntArray: ...

    def levels(self) -> IntArray: ...


class ServerState:
    """Form "servers": how many jobs each server holds, fastest first."""

    def __init__(self, system: System, plan: Plan, holding: int, groups: Groups) -> None:
        self.system, self.plan, self.groups = system, plan, groups
        self.events = server_events(system)
        self.words, self.rate = self.events.words, self.events.rate
        self.queues = np.zeros(system.n_servers, dtype=np.int64)
        self.queues[:holding] = 1
        self.class_of = system.rates.class_of_server()
        self.group_of = groups.of_server()
        self.weights = rate_weights(system.rates)[self.class_of]
        if plan.rule == "sample":
            self.ranks = system.policy.rank_table(system.rates, system.places)

    def apply(self, words: Words, choices: Words) -> tuple[int, int] | None:
        """One event. For an arrival: the group and level of the server it is sent to."""
        code = int(self.events.decode(words[:, None])[0])
        if code < self.system.n_servers:
            self.queues[code] -= self.queues[code] > 0
        if code != self.system.n_servers:
            return None
        server = self.choose(choices)
        level = int(self.queues[server])
        self.queues[server] += level < self.system.places
        return int(self.group_of[server]), level

    def choose(self, choices: Words) -> int:
        """The server an arrival is sent to."""
        if self.plan.rule == "first":
            return int(self.queues.argmin())
        if self.plan.rule == "uniform":
            tied = np.flatnonzero(self.queues == self.queues.min())
            return int(tied[times_high(choices[0], tied.size)])
        asked = picked(self.system, choices)
        ranks = self.ranks[self.class_of[asked], self.queues[asked]]
        tied = asked[ranks == ranks.min()]
        return int(tied[_break_tie(self.system, self.weights[tied], choices[-1])])

    def copy(self) -> IntArray:
        return self.queues.copy()

    def levels(self) -> IntArray:
        """Servers by group and level, int array (n_groups, places + 1)."""
        table = np.zeros((self.groups.n_groups, self.system.places + 1), dtype=np.int64)
        np.add.at(table, (self.group_of, self.queues), 1)
        return table


class ClassState:
    """Form "classes": how many servers of each speed class hold 0 .. places jobs."""

    def __init__(self, system: System, plan: Plan, holding: int, groups: Groups) -> None:
        self.system, self.plan, self.groups = system, plan, groups
        self.events = class_events(system)
        self.words, self.rate = self.events.words, self.events.rate
        rates = system.rates
        busy = np.clip(holding - rates.first_server[:-1], 0, rates.counts)
        self.counts = np.zeros((rates.n_classes, system.places + 1), dtype=np.int64)
        self.counts[:, 0], self.counts[:, 1] = rates.counts - busy, busy
        self.weights = rate_weights(rates)
        self.ranks = system.policy.rank_table(rates, system.places)

    def apply(self, words: Words, choices: Words) -> tuple[int, int] | None:
        """One event. For an arrival: the speed class and level of the server it is sent to."""
        which, place = (int(x[0]) for x in self.events.decode(words[:, None]))
        if which < self.events.n_classes:
            level = self.level_at(which, place)
            if level > 0:
                self.counts[which, level] -= 1
                self.counts[which, level - 1] += 1
            return None
        chosen, level = self.choose(choices)
        if level < self.system.places:
            self.counts[chosen, level] -= 1
            self.counts[chosen, level + 1] += 1
        return chosen, level

    def level_at(self, which: int, place: int) -> int:
        """The level of the server at a place of a class, idle servers first."""
        return int(np.searchsorted(np.cumsum(self.counts[which]), place, side="right"))

    def choose(self, choices: Words) -> tuple[int, int]:
        """The class and level an arrival is sent to."""
        if self.plan.rule == "sample":
            asked = picked(self.system, choices)
            classes = np.searchsorted(self.system.rates.first_server, asked, side="right") - 1
            places = asked - self.system.rates.first_server[classes]
            levels = np.array([self.level_at(c, p) for c, p in zip(classes, places, strict=True)])
            ranks = self.ranks[classes, levels]
            tied = np.flatnonzero(ranks == ranks.min())
            one = tied[_break_tie(self.system, self.weights[classes[tied]], choices[-1])]
            return int(classes[one]), int(levels[one])
        best = self.ranks[self.counts > 0].min()
        classes, levels = np.nonzero((self.ranks == best) & (self.counts > 0))
        sizes = self.counts[classes, levels]
        weights = sizes * self.weights[classes] if self.system.policy.ties == "rate" else sizes
        index = self.system.policy.ties == "index"
        one = 0 if index else _number_in(weights, choices[0])
        return int(classes[one]), int(levels[one])

    def copy(self) -> IntArray:
        return self.counts.copy()

    def levels(self) -> IntArray:
        """Servers by speed class and level, int array (n_classes, places + 1)."""
        return self.counts.copy()


def _break_tie(system: System, weights: IntArray, word: np.uint64) -> int:
    """Which of the tied servers, given in index order."""
    if system.policy.ties == "index":
        return 0
    if system.policy.ties == "uniform":
        return int(times_high(word, weights.size))
    return _number_in(weights, word)


def _number_in(weights: IntArray, word: np.uint64) -> int:
    """Which of them a word names, each with its weight's share of the words."""
    return int(np.searchsorted(np.cumsum(weights), int(times_high(word, int(weights.sum()))), side="right"))


def start_state(system: System, *, observe: Observables = NOTHING, start: str = "empty", form: str | None = None) -> _State:
    """The state at time 0."""
    system = asking_all(system)
    plan = plan_of(system, form)
    kind = ClassState if plan.counts else ServerState
    return kind(system, plan, first_holding(system, start), groups_of(system, observe))


def events(state: _State, system: System, seed: Seed, replication: int) -> Iterator[tuple[Words, Words]]:
    """Each event's words and choices, without end."""
    width = choice_words(system)
    stream, choices = (word_stream(seed, replication, p) for p in (Purpose.EVENTS, Purpose.CHOICES))
    block = 0
    while True:
        rows = stream.words(block * _BLOCK * state.words, _BLOCK * state.words).reshape(_BLOCK, state.words)
        yield from zip(rows, choices.words(block * _BLOCK * width, _BLOCK * width).reshape(_BLOCK, width), strict=True)
        block += 1


def path(system: System, seed: Seed, replication: int, n_events: int, *, start: str = "empty", form: str | None = None) -> IntArray:
    """The state after 0, 1, .. n_events events: queue lengths (n_events + 1, n_servers), or counts (.., n_classes, places + 1).

    >>> from jfsq_simpy.system import System
    >>> path(System(rates=[1.0], load=1.0, places=2), Seed.of(1), 0, 6).ravel()
    array([0, 1, 2, 2, 1, 0, 0])
    """
    system = asking_all(system)
    state = start_state(system, start=start, form=form)
    states = [state.copy()]
    for _, (words, choices) in zip(range(n_events), events(state, system, seed, replication), strict=False):
        state.apply(words, choices)
        states.append(state.copy())
    return np.array(states)


def run(
    system: System,
    seed: Seed,
    replication: int,
    window: Window,
    *,
    observe: Observables = NOTHING,
    start: str = "empty",
    form: str | None = None,
) -> Outcome:
    """One replication, counted event by event."""
    system = asking_all(system)
    plan = plan_of(system, form)
    groups = groups_of(system, observe)
    state = start_state(system, observe=observe, start=start, form=form)
    grid = grid_of(state.rate, window)
    tallies = [Tally.empty(groups, system.places, observe, per_job=False) for _ in range(window.batches)]
    n_rows = system.rates.n_classes if plan.counts else groups.n_groups
    joins = np.zeros((window.batches, n_rows, system.places + 1), dtype=np.int64)
    held = np.zeros_like(joins)
    first = system.rates.first_server if plan.counts else groups.edges  # of each row
    cuts, streams = cuts_of(system, observe), Streams(seed, [replication])

    def idle_before_cut(i: int, snapshot: int, idle: IntArray) -> IntArray:
        m, begin, end = (int(x[i]) for x in cuts)
        counted, of_class = idle[first[:-1] < begin].sum(), idle[(first[:-1] >= begin) & (first[:-1] < end)].sum(keepdims=True)
        seed_of = seeds(streams.choice_start, streams.choice_gamma, snapshot, cuts.fastest.size, i)
        among: IntArray = counted + overlap(end - begin, m - begin, of_class, seed_of)
        return among

    expected = arrivals_between_snapshots(system, state.rate, grid)
    arrivals, last = 0, (-1, 0, 0)  # of the last snapshot: its batch, jobs present, arrivals before it
    for k, (words, choices) in zip(range(-grid.warmup, grid.length), events(state, system, seed, replication), strict=False):
        batch = int(np.searchsorted(grid.edges, k, side="right")) - 1
        if k >= 0 and k % grid.stride == 0:
            levels = state.levels()
            held[batch] += levels
            tallies[batch].snapshots += 1
            present = np.array([(levels @ np.arange(system.places + 1)).sum()])
            idle_among = [idle_before_cut(i, k // grid.stride, levels[:, 0]) for i in range(cuts.fastest.size)]
            tallies[batch].count_paths(observe, groups, present, levels[:, 0].sum(keepdims=True), idle_among)
            if last[0] == batch:
                tallies[batch].count_surges(observe, np.array([last[1]]), np.array([arrivals - last[2] - expected]))
            last = batch, int(present[0]), arrivals
        sent = state.apply(words, choices)
        arrivals += sent is not None
        if k >= 0 and sent is not None:
            joins[batch][sent] += 1
    for i, tally in enumerate(tallies):
        whole = [by_group(x, system.rates, groups) if plan.counts else exchanged(x, system, groups) for x in (joins[i], held[i])]
        tally.joins[:], tally.blocked, tally.levels[:] = whole[0][:, :-1], int(whole[0][:, -1].sum()), whole[1]
    return Outcome(tallies, arrivals)
