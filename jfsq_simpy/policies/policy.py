"""A policy as data: whom it asks, how it ranks them, how it breaks ties.

In    a key function, a query, a tie rule
Out   a Policy every engine reads the same way, and `choose_among`, the rule itself written to be read
Rule  ties fall uniformly whatever happened before: the tied servers are listed by index and one
      uniform number of the job picks among them. "index" takes the lowest index instead.
Cost  `choose_among` is O(servers asked): the meaning, against which the engines' O(log N) ways are tested
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.errors import ModelError
from jfsq_simpy.policies.ranking import Key, RankTable, rank_table
from jfsq_simpy.rates import FloatArray, Rates

Ties = Literal["uniform", "index", "rate"]
Messages = Literal["poll", "reports", "none"]


@dataclass(frozen=True)
class AskAll:
    """Every server is looked at."""

    samples: int = field(default=0, init=False)

    def describe(self) -> dict[str, Any]:
        return {"ask": "all"}


@dataclass(frozen=True)
class AskSample:
    """`d` servers drawn uniformly are looked at; with replacement a server may be drawn twice."""

    d: int
    replace: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.d, bool) or not isinstance(self.d, int) or self.d < 1:
            raise ModelError(f"policy.d = {self.d!r} must be a whole number of servers to ask, at least 1.")

    @property
    def samples(self) -> int:
        """Uniform numbers a job uses to draw whom to ask."""
        return self.d

    def describe(self) -> dict[str, Any]:
        return {"ask": "sample", "d": self.d, "replace": self.replace}


Query = AskAll | AskSample


@dataclass(frozen=True)
class Policy:
    """A dispatching rule: the best-ranked server among those asked takes the job.

    Parameters
    ----------
    name : str
    key : function (queue_length, rate) -> number or tuple; smaller is better, -inf..inf allowed
    query : AskAll or AskSample
    ties : "uniform", "index" (lowest index, that is fastest first) or "rate" (with probability
        proportional to the rate)
    full_last : bool   True: a full server is taken only when all asked are full. False: it ranks by
        its key like any other, and the job is blocked if it is chosen.
    messages : "poll" (a request and a reply for each server asked), "reports" (a server that falls
        idle says so) or "none"

    A job is blocked exactly when the chosen server is full.
    """

    name: str
    key: Key
    query: Query = AskAll()
    ties: Ties = "uniform"
    full_last: bool = True
    messages: Messages = "poll"

    def __post_init__(self) -> None:
        if self.ties not in ("uniform", "index", "rate"):
            raise ModelError(f'policy.ties = {self.ties!r} must be "uniform", "index" or "rate".')

    @property
    def samples(self) -> int:
        """Uniform numbers a job uses beside the one that breaks ties."""
        return self.query.samples

    @property
    def level_then_speed(self) -> bool:
        """Whether this is JFSQ's order, for which the engines need no table."""
        return self.key is shortest_then_fastest and self.full_last and isinstance(self.query, AskAll)

    @property
    def level_only(self) -> bool:
        """Whether this is JSQ's order, for which the engines need no table."""
        return self.key is shortest and self.full_last and isinstance(self.query, AskAll)

    def rank_table(self, rates: Rates, places: int) -> RankTable:
        """int32 array (n_classes, places + 1): rank[speed class, level], 0 the best."""
        return rank_table(self.key, rates.speeds, places, full_last=self.full_last)

    def describe(self) -> dict[str, Any]:
        """What a record keeps."""
        return {"name": self.name, "ties": self.ties, **self.query.describe()}


def shortest_then_fastest(queue_length: Any, rate: Any) -> Any:
    """JFSQ's key."""
    return queue_length, -rate


def shortest(queue_length: Any, rate: Any) -> Any:
    """JSQ's key: blind to speed."""
    return queue_length


def nothing(queue_length: Any, rate: Any) -> Any:
    """The key of a rule that looks at nothing."""
    return 0 * queue_length


# ---- the rule itself -----------------------------------------------------------------------------------------


def asked(query: Query, n_servers: int, samples: FloatArray) -> NDArray[np.int64]:
    """Indices of the servers a job asks, ascending, each once.

    `samples` : float array (query.samples,), in [0, 1). Without replacement pick i is number
    floor(s_i * (N - i)) of the servers not yet picked.

    >>> asked(AskSample(2), 3, np.array([0.5, 0.5]))
    array([1, 2])
    """
    if isinstance(query, AskAll):
        return np.arange(n_servers)
    picks: list[int] = []
    for i, s in enumerate(samples.tolist()):
        if query.replace:
            picks.append(int(s * n_servers))
            continue
        pick = int(s * (n_servers - i))
        for earlier in sorted(picks):
            pick += pick >= earlier
        picks.append(pick)
    return np.unique(np.array(picks))


def break_tie(ties: Ties, tied: NDArray[np.int64], rates: FloatArray, u: float) -> int:
    """Which of the tied servers (ascending indices) gets the job, from one uniform number in [0, 1)."""
    if ties == "index":
        return int(tied[0])
    if ties == "uniform":
        return int(tied[int(u * tied.size)])
    cumulative = np.cumsum(rates[tied])
    return int(tied[min(np.searchsorted(cumulative, u * cumulative[-1], side="right"), tied.size - 1)])


def choose_among(policy: Policy, rank_of: Callable[[int], int], rates: FloatArray, u: float, samples: FloatArray) -> int:
    """The server a job goes to, 0 being the fastest, by the definition: ask, rank, break the tie.

    `rank_of(n)` is server n's rank now; `rates` float array (n_servers,); `u` and `samples` the job's
    uniform numbers. O(servers asked).
    """
    candidates = asked(policy.query, rates.size, samples)
    ranks = np.array([rank_of(n) for n in candidates.tolist()])
    return break_tie(policy.ties, candidates[ranks == ranks.min()], rates, u)


def route(policy: Policy, ranks: NDArray[np.integer[Any]], rates: FloatArray, u: float, samples: FloatArray) -> int:
    """`choose_among` with every server's rank given: int array (n_servers,). O(N)."""
    return choose_among(policy, lambda n: int(ranks[n]), rates, u, samples)
