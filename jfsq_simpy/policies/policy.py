"""A policy as data: whom it asks, how it ranks them, how it breaks ties.

In    a key function, a query, a tie rule
Out   a Policy every engine reads the same way, and `choose_among`, the rule itself written to be read
Rule  ties fall uniformly whatever happened before: the tied servers are listed by index and one
      uniform number of the job picks among them. "index" takes the lowest index instead.
Cost  `choose_among` is O(servers asked): the meaning, against which the engines' O(log N) ways are tested
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.errors import ModelError
from jfsq_simpy.policies.class_queries import AskFastSlow
from jfsq_simpy.policies.own import Chosen
from jfsq_simpy.policies.queries import AskAll, AskWork, IdleFirst, OneQueue
from jfsq_simpy.policies.ranking import Key, RankTable, parts, rank_table
from jfsq_simpy.policies.sight import Query, Sight
from jfsq_simpy.rates import FloatArray, Rates

Ties = Literal["uniform", "index", "rate"]
Messages = Literal["poll", "reports", "reports, else poll", "departures", "none"]

EVERYBODY = AskAll()


@dataclass(frozen=True)
class Policy:
    """A dispatching rule: the best-ranked server among those asked takes the job.

    Parameters
    ----------
    name : str
    key : function (queue_length, rate) -> number or tuple; smaller is better, -inf..inf allowed
    query : AskAll, AskSample, AskClass, AskEachClass, IdleFirst, ...: whom it looks at
    ties : "uniform", "index" (lowest index, that is fastest first) or "rate" (with probability
        proportional to the rate)
    full_last : bool   True: a full server is taken only when all asked are full. False: it ranks by
        its key like any other, and the job is blocked if it is chosen.
    messages : "poll" (a request and a reply for each server asked), "reports" (a server that falls
        idle says so), "reports, else poll" (and only a job that finds nobody idle asks), "departures"
        (a server says so whenever a job leaves) or "none"

    A job is blocked exactly when the chosen server is full.

    A policy of one's own is a key, and where not everybody is asked a query. This one joins the server
    that would have the least work per unit of speed, of three sampled ones, and runs in every engine:

    >>> from jfsq_simpy.policies import AskSample
    >>> mine = Policy("least_relative_queue", key=lambda q, mu: q / mu, query=AskSample(3))
    >>> from jfsq_simpy import System, rates, simulate
    >>> run = simulate(System(rates.linear(10, ratio=4), load=0.8, places=5, policy=mine), jobs=1000, replications=2, rng=1)
    >>> run.system.policy.name
    'least_relative_queue'
    """

    name: str
    key: Key
    query: Query = EVERYBODY
    ties: Ties = "uniform"
    full_last: bool = True
    messages: Messages = "poll"

    def __post_init__(self) -> None:
        if self.ties not in ("uniform", "index", "rate"):
            raise ModelError(f'policy.ties = {self.ties!r} must be "uniform", "index" or "rate".')
        if self.messages not in get_args(Messages):
            raise ModelError(f"policy.messages = {self.messages!r} must be one of {', '.join(map(repr, get_args(Messages)))}.")
        if not callable(self.key):
            raise ModelError(f"policy.key = {self.key!r} must be a function of (queue_length, rate); a smaller value is better.")

    @property
    def samples(self) -> int:
        """Uniform numbers a job uses beside the one that breaks ties."""
        return self.query.samples

    @property
    def erlang_waits(self) -> bool:
        """Whether a job behind j others waits Erlang(j, mu) where sizes are exponential.

        Not where the dispatcher may know sizes: what it then leaves at the front of a queue is not a
        job like any other. Nor in a central queue, where a job waits for whoever is free first.
        """
        return not isinstance(self.query, (AskWork, OneQueue, Chosen))

    @property
    def blind_to_size(self) -> bool:
        """Whether a job's own size has no part in where it goes, so that those blocked are no larger than others.

        An object that chooses is shown the size; `least_work` looks at the work there is, not at the work that comes.
        """
        return not isinstance(self.query, Chosen)

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
        return self.ranks(rates.speeds, places)

    def ranks(self, speeds: FloatArray, places: int) -> RankTable:
        """int32 array (n_speeds, places + 1): the same for any speeds, such as are believed in."""
        key = idle_ahead(self.key) if isinstance(self.query, (IdleFirst, AskFastSlow)) else self.key
        return rank_table(key, speeds, places, full_last=self.full_last)

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


def idle_ahead(key: Key) -> Key:
    """The same key, but every idle server comes before every busy one."""

    @wraps(key)
    def ahead(queue_length: Any, rate: Any) -> Any:
        return (np.minimum(queue_length, 1), *parts(key(queue_length, rate)))

    return ahead


# ---- the rule itself -----------------------------------------------------------------------------------------


def break_tie(ties: Ties, tied: NDArray[np.int64], rates: FloatArray, u: float) -> int:
    """Which of the tied servers (ascending indices) gets the job, from one uniform number in [0, 1)."""
    if ties == "index":
        return int(tied[0])
    if ties == "uniform":
        return int(tied[int(u * tied.size)])
    cumulative = np.cumsum(rates[tied])
    return int(tied[min(np.searchsorted(cumulative, u * cumulative[-1], side="right"), tied.size - 1)])


def choose_among(policy: Policy, rank_of: Callable[[int], int], sight: Sight) -> int:
    """The server a job goes to, 0 being the fastest, by the definition: ask, rank, break the tie.

    `rank_of(n)` is server n's rank now. O(servers asked).
    """
    candidates = policy.query.candidates(sight)
    ranks = np.array([rank_of(n) for n in candidates.tolist()])
    return break_tie(policy.ties, candidates[ranks == ranks.min()], sight.speeds, sight.u)


def route(policy: Policy, sight: Sight) -> int:
    """`choose_among` where a state is all there is: the ranks come from the policy's own table.

    >>> from jfsq_simpy.rates import two_speed
    >>> route(Policy("jsq", shortest), Sight.of(two_speed(4, ratio=2), places=3, queue_lengths=[2, 1, 2, 1], u=0.5))
    3
    """
    table = policy.rank_table(sight.rates, sight.places)
    ranks = table[sight.rates.class_of_server(), sight.queue_lengths]
    return choose_among(policy, lambda n: int(ranks[n]), sight)
