"""What dispatchers know of the servers: how many dispatchers there are, and which queue lengths each of them has in mind.

In    a name, a table or an object: {dispatchers = 12, queues = {name = "refreshed", every = 2.0}}
Out   a frozen Knowledge, which the engines of the jobs view read
Rule  a dispatcher ranks servers by the queue lengths on its *board*, right or wrong. The job meets the queue
      there is: it is blocked if the server is truly full, and a refusal teaches nothing. Levels found,
      counts and traces tell the truth
Cost  nothing

Where nothing is said, there is one dispatcher and it counts all jobs: then its board is the truth.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, TypeVar

from jfsq_simpy.beliefs import Speeds, as_speeds
from jfsq_simpy.errors import ModelError
from jfsq_simpy.policies import AskWork, OneQueue, Policy
from jfsq_simpy.rates import Rates

Made = TypeVar("Made")

MOST_DISPATCHERS = 65_535
LATEST = 64  # reports a server's news may be behind
MOST_ON_BOARDS = 2**25  # boards x servers: some 50 bytes each where they are compiled
SHORTEST = 1e-6  # time units between refreshes


@dataclass(frozen=True)
class Now:
    """All queue lengths as they are, whoever sent the jobs."""

    name: ClassVar[str] = "now"


@dataclass(frozen=True)
class Own:
    """Its own jobs and no others: one more at a server when it has sent one there, one less when one of these leaves."""

    name: ClassVar[str] = "own"


@dataclass(frozen=True)
class Refreshed:
    """Queue lengths as they were at the last refresh, every `every` time units; `count_own` adds what it has sent there since.

    Refresh k is at time k every, after the departures and before the arrivals of that instant, of all
    boards at once. With `staggered` dispatchers take turns: refresh k is dispatcher k mod M's, at k every / M.
    Without its own jobs this is the bulletin board of Mitzenmacher 2000, *How useful is old information?*
    """

    every: float
    count_own: bool = False
    staggered: bool = False
    name: ClassVar[str] = "refreshed"

    def __post_init__(self) -> None:
        if not _is_number(self.every) or not SHORTEST <= self.every < math.inf:
            raise ModelError(
                f"knowledge.queues.every = {self.every!r} must be a time, at least {SHORTEST:g}: how long until queue lengths are "
                "read again."
            )
        _true_or_false("count_own", self.count_own)
        _true_or_false("staggered", self.staggered)


@dataclass(frozen=True)
class Reported:
    """What servers said: each reports its queue length whenever a job leaves, and `late` such reports are still on their way.

    With late = 1 a dispatcher goes by the report before the last one; until there have been two, by the
    queue at time 0. `count_own` adds the jobs it has sent there since that report was written.
    """

    late: int = 1
    count_own: bool = False
    name: ClassVar[str] = "reported"

    def __post_init__(self) -> None:
        if isinstance(self.late, bool) or not isinstance(self.late, int) or not 0 <= self.late <= LATEST:
            raise ModelError(
                f"knowledge.queues.late = {self.late!r} must be a whole number from 0 (the last report is known) to {LATEST}."
            )
        _true_or_false("count_own", self.count_own)


Queues = Now | Own | Refreshed | Reported
QUEUES: dict[str, Callable[..., Queues]] = {kind.name: kind for kind in (Now, Own, Refreshed, Reported)}


@dataclass(frozen=True)
class Knowledge:
    """What dispatchers know.

    Parameters
    ----------
    dispatchers : int, 1 to 65,535   each job comes to one of them, whichever, uniformly
    queues : name, table or object   "own" (the default), "now", {"name": "refreshed", "every": 2.0} or
        {"name": "reported"}: which queue lengths a dispatcher has in mind
    speeds : table or Speeds, optional   which speeds all of them believe in; default None, the true ones

    Errors: ModelError.

    >>> Knowledge().perfect, Knowledge(dispatchers=12).perfect, Knowledge(dispatchers=12, queues="now").perfect
    (True, False, True)
    """

    dispatchers: int = 1
    queues: Queues = Own()
    speeds: Speeds | None = None

    def __post_init__(self) -> None:
        m = self.dispatchers
        if isinstance(m, bool) or not isinstance(m, int) or not 1 <= m <= MOST_DISPATCHERS:
            raise ModelError(f"knowledge.dispatchers = {m!r} must be a whole number from 1 to {MOST_DISPATCHERS:,}.")
        object.__setattr__(self, "queues", as_queues(self.queues))
        object.__setattr__(self, "speeds", as_speeds(self.speeds))

    @property
    def perfect(self) -> bool:
        """Whether every dispatcher knows all there is to know, so that there might as well be one."""
        return self.true_queues and self.speeds is None

    @property
    def true_queues(self) -> bool:
        """Whether boards show the queues as they are: who sends all jobs and sees all leave need not be told."""
        return isinstance(self.queues, Now) or (isinstance(self.queues, Own) and self.dispatchers == 1)

    @property
    def boards(self) -> int:
        """How many different boards there are: one for all, where none counts its own jobs and all are told the same at once."""
        queues = self.queues
        if isinstance(queues, Own) or getattr(queues, "count_own", False) or getattr(queues, "staggered", False):
            return self.dispatchers
        return 1

    def check(self, policy: Policy, rates: Rates) -> None:
        """Whether a policy can go by such boards, and by such speeds of these servers. Errors: ModelError."""
        if self.speeds is not None:
            self.speeds.check(rates, policy)
        if self.true_queues:
            return
        if self.boards * rates.n_servers > MOST_ON_BOARDS:
            raise ModelError(
                f"knowledge: {self.boards:,} boards of {rates.n_servers:,} servers each are more than memory is likely to hold "
                f"({MOST_ON_BOARDS:,} entries); take fewer dispatchers, or one board for all: refreshed, without count_own."
            )
        if isinstance(policy.query, OneQueue):
            raise ModelError(
                f"knowledge: under policy {policy.name!r} jobs wait together and nobody dispatches, so there is nothing to be "
                "mistaken about; take another policy, or leave knowledge out."
            )
        if isinstance(policy.query, AskWork):
            raise ModelError(
                f"knowledge: policy {policy.name!r} goes by the work left at servers, and boards show queue lengths; take another "
                "policy, or leave knowledge out."
            )

    def describe(self) -> dict[str, Any]:
        """What a record keeps."""
        told = {"dispatchers": self.dispatchers, "queues": {"name": self.queues.name, **asdict(self.queues)}}
        return told | ({"speeds": self.speeds.describe()} if self.speeds is not None else {})


def as_knowledge(spec: Knowledge | str | Mapping[str, Any]) -> Knowledge:
    """Knowledge from "perfect", a table with its fields, or itself. Errors: ModelError.

    >>> as_knowledge({"dispatchers": 3, "queues": {"name": "refreshed", "every": 2.0}}).boards
    1
    """
    if isinstance(spec, Knowledge):
        return spec
    if spec == "perfect":
        return Knowledge()
    if not isinstance(spec, Mapping):
        raise ModelError(f'knowledge = {spec!r} must be "perfect" or a table, for example {{dispatchers = 12, queues = "own"}}.')
    return _made("knowledge", Knowledge, spec)


def as_queues(spec: Queues | str | Mapping[str, Any]) -> Queues:
    """What is known of queues, from a name, a table with key `name`, or itself. Errors: ModelError.

    >>> as_queues({"name": "reported", "count_own": True})
    Reported(late=1, count_own=True)
    """
    if isinstance(spec, Queues):
        return spec
    table = {"name": spec} if isinstance(spec, str) else spec
    name = table.get("name") if isinstance(table, Mapping) else None
    if not isinstance(name, str) or name not in QUEUES:
        raise ModelError(f"knowledge.queues: {spec!r} must be a name, or a table with a name, of {', '.join(QUEUES)}.")
    return _made(f"knowledge.queues: {name!r}", QUEUES[name], {k: v for k, v in table.items() if k != "name"})


def _made(what: str, make: Callable[..., Made], parameters: Mapping[str, Any]) -> Made:
    try:
        inspect.signature(make).bind(**parameters)
    except TypeError as error:
        raise ModelError(f"{what}: {error}; it takes {', '.join(inspect.signature(make).parameters) or 'nothing'}.") from None
    return make(**parameters)


def _true_or_false(key: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise ModelError(f"knowledge.queues.{key} = {value!r} must be true or false.")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
