"""The best of d servers drawn, for the jobs of many replications at once.

In    queue lengths or counts, choice words
Out   the server, or the cell (class * levels + level), each job is sent to
Rule  picks stand in ascending order, so that ties are listed by index; a server drawn twice counts once
Cost  O(d^2) array operations a step
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.chain.choices import sampling
from jfsq_simpy.chain.tables import rate_weights, times_high
from jfsq_simpy.draws import Words
from jfsq_simpy.rates import IntArray
from jfsq_simpy.system import System


class Sampler:
    """The best of d servers drawn, for many jobs at once."""

    def __init__(self, system: System) -> None:
        self.system, self.query = system, sampling(system)
        self.first_server, self.levels = system.rates.first_server, system.places + 1
        self.ranks = system.policy.rank_table(system.rates, system.places)
        self.weights = rate_weights(system.rates)

    def choose(self, queues: NDArray[np.uint8], choices: Words) -> IntArray:
        """Servers, int array (n,), from queue lengths (n, n_servers) and choices (n, d + 1)."""
        asked = self._picked(choices)
        classes = self._class_of(asked)
        best = self._best(classes, queues[np.arange(asked.shape[0])[:, None], asked], asked, choices[:, -1])
        server: IntArray = asked[np.arange(best.size), best]
        return server

    def choose_cells(self, counts: IntArray, choices: Words) -> IntArray:
        """Cells (class * levels + level), int array (n,), from counts (n, n_classes, levels)."""
        asked = self._picked(choices)
        classes = self._class_of(asked)
        place = asked - self.first_server[classes]
        running = np.cumsum(counts, axis=2)[np.arange(asked.shape[0])[:, None], classes]
        levels = (running <= place[:, :, None]).sum(axis=2)
        best = self._best(classes, levels, asked, choices[:, -1])
        row = np.arange(best.size)
        cell: IntArray = classes[row, best] * self.levels + levels[row, best]
        return cell

    def _picked(self, choices: Words) -> IntArray:
        """Servers asked, int array (n, d), ascending; with replacement a server may stand twice."""
        picks = np.empty((choices.shape[0], 0), dtype=np.int64)
        for i in range(self.query.d):
            pick = times_high(choices[:, i], self.system.n_servers - (0 if self.query.replace else i))
            if not self.query.replace:
                for j in range(i):  # picks are kept in ascending order
                    pick += pick >= picks[:, j]
            picks = np.sort(np.column_stack([picks, pick]), axis=1)
        return picks

    def _class_of(self, servers: IntArray) -> IntArray:
        classes: IntArray = np.searchsorted(self.first_server, servers, side="right") - 1
        return classes

    def _best(self, classes: IntArray, levels: NDArray[np.integer[Any]], asked: IntArray, word: Words) -> IntArray:
        """Which column of the asked wins, int array (n,)."""
        ranks = self.ranks[classes, levels]
        tied = ranks == ranks.min(axis=1, keepdims=True)
        tied[:, 1:] &= asked[:, 1:] != asked[:, :-1]  # a server drawn twice counts once
        column: IntArray
        if self.system.policy.ties == "index":
            column = tied.argmax(axis=1)
            return column
        running = np.cumsum(tied * self.weights[classes] if self.system.policy.ties == "rate" else tied, axis=1)
        column = (running > times_high(word, running[:, -1])[:, None]).argmax(axis=1)
        return column
