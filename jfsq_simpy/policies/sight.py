"""What a dispatcher sees when a job comes, and what a query is: the part of a policy that says whom to look at.

In    the servers as they are now; the job and the uniform numbers it brings
Out   queue lengths, times at which servers will be free, speeds: arrays by server, fastest first
Rule  a Sight is live: it shows the servers as they are when it is read, so keep numbers and not the Sight
Cost  a property that shows every server is O(N); a query that asks two servers reads none of them
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from jfsq_simpy.rates import FloatArray, IntArray, Rates

NO_SAMPLES: FloatArray = np.empty(0)


class Seen(Protocol):
    """What can be seen of a server."""

    @property
    def queue_length(self) -> int:
        """Jobs there, the one in service included."""

    @property
    def free_at(self) -> float:
        """When the last job it has accepted leaves."""


class Coming(Protocol):
    """What can be seen of a job."""

    id: int
    size: float
    tie: float
    samples: Any
    turn: int


@dataclass
class AServer:
    """A server as an example has it."""

    queue_length: int
    free_at: float = 0.0


class Sight:
    """What a dispatcher sees when a job comes: the servers, and the job.

    `rates`, `places` : the system's. `speeds` : float array (N,), jobs per unit time, fastest first.
    `now` : the time. `job` : its number, from 0. `size` : its service requirement, mean 1 (only
    dispatchers that know sizes beforehand may look). `u` : its uniform number in [0, 1), which breaks
    ties. `samples` : float array, its further uniform numbers, as many as the policy says it needs.
    `turn` : the server whose turn it is, where servers take turns.

    >>> from jfsq_simpy.rates import two_speed
    >>> Sight.of(two_speed(2, ratio=3), places=4, queue_lengths=[2, 0]).queue_lengths
    array([2, 0])
    """

    def __init__(self, rates: Rates, places: int, servers: Sequence[Seen]) -> None:
        self.rates, self.places, self.servers = rates, places, servers
        self.speeds = rates.vector()
        self.now, self.job, self.size, self.u, self.turn = 0.0, 0, 1.0, 0.0, 0
        self.samples: FloatArray = NO_SAMPLES

    @classmethod
    def of(
        cls,
        rates: Rates,
        places: int,
        queue_lengths: ArrayLike,
        *,
        free_at: ArrayLike | None = None,
        u: float = 0.0,
        samples: ArrayLike = (),
        turn: int = 0,
    ) -> Sight:
        """A state made up, to try a rule on: queue lengths (N,), and where they matter times (N,)."""
        lengths = np.asarray(queue_lengths).tolist()
        times = [0.0] * len(lengths) if free_at is None else np.asarray(free_at, dtype=np.float64).tolist()
        sight = cls(rates, places, [AServer(q, t) for q, t in zip(lengths, times, strict=True)])
        sight.u, sight.samples, sight.turn = u, np.asarray(samples, dtype=np.float64), turn
        return sight

    def at(self, now: float, job: Coming) -> Sight:
        """The same servers, as `job` finds them now."""
        self.now, self.job, self.size = now, job.id, job.size
        self.u, self.samples, self.turn = job.tie, job.samples, job.turn
        return self

    @property
    def queue_lengths(self) -> IntArray:
        """int array (N,): jobs at each server, the one in service included. O(N)."""
        return np.array([server.queue_length for server in self.servers])

    @property
    def free_at(self) -> FloatArray:
        """float array (N,): when each server will have done what it has; in the past for an idle one. O(N).

        To know this a dispatcher must know the sizes of the jobs.
        """
        return np.array([server.free_at for server in self.servers])


class Query(Protocol):
    """Whom a dispatcher looks at: the part of a policy that comes before ranking and ties."""

    @property
    def samples(self) -> int:
        """Uniform numbers a job uses, beside the one that breaks ties."""

    def candidates(self, sight: Sight) -> IntArray:
        """The servers looked at: indices, ascending, each once."""

    def check(self, rates: Rates) -> None:
        """Whether it makes sense for such servers. Errors: ModelError."""

    def asks(self, rates: Rates) -> float:
        """How many servers a job that asks does ask, in the mean."""

    def describe(self) -> dict[str, Any]:
        """What a record keeps."""
