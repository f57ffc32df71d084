"""Servers that fail and are repaired: how long they are up, how long down, and whether the dispatcher sees it.

In    mean times up and down, laws of mean 1 for both, `seen`
Out   frozen Breakdowns, which a System carries
Rule  a server fails whether it works or not, and all are up at time 0. The load stays arrivals per unit of
      *full-speed* capacity: what servers can do in the long run is `availability` times that
Cost  nothing
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from jfsq_simpy.errors import ModelError
from jfsq_simpy.knowledge import Knowledge
from jfsq_simpy.laws import Exponential, Law, as_law
from jfsq_simpy.laws.parameters import number
from jfsq_simpy.policies import OneQueue, Policy

MEMORYLESS = Exponential()


@dataclass(frozen=True)
class Breakdowns:
    """Each server by itself is up for a while, then down, and so on.

    Parameters
    ----------
    mean_up, mean_down : float > 0   mean time until a server that is up fails, and until it is repaired
    up, down : name, table or Law    their laws, of mean 1; default "exponential"
    seen : bool
        False: the dispatcher takes no notice.
        True: it knows who is down. Of the servers it asks, those that are down come after those that are up;
        where the policy passes over full servers, after those that are up with a free place and before the
        full ones. Rules that look at servers (idle ones first, work left, one's own) see one that is down
        as full. Round robin asks nobody, so it does not know.

    >>> Breakdowns(mean_up=90, mean_down=10).availability
    0.9
    """

    mean_up: float
    mean_down: float
    up: Law = MEMORYLESS  # names and tables become Laws below
    down: Law = MEMORYLESS
    seen: bool = True

    def __post_init__(self) -> None:
        for name, why in (("mean_up", "how long a server works until it fails"), ("mean_down", "how long a repair takes")):
            object.__setattr__(self, name, number(f"breakdowns.{name}", getattr(self, name), f"{why}, in time units", above=0))
        for name in ("up", "down"):
            law = as_law(getattr(self, name), f"breakdowns.{name}")
            if law.use != "sizes and gaps":
                raise ModelError(f"breakdowns.{name}: law {law.name!r} is for {law.use} only; times {name} need another.")
            object.__setattr__(self, name, law)
        if not isinstance(self.seen, bool):
            raise ModelError(f"breakdowns.seen = {self.seen!r} must be true or false: whether the dispatcher sees who is down.")

    @property
    def availability(self) -> float:
        """The share of time a server is up, in the long run."""
        return self.mean_up / (self.mean_up + self.mean_down)

    def check(self, policy: Policy, knowledge: Knowledge) -> None:
        """Whether such servers go with a policy and with what is known of queues. Errors: ModelError."""
        if isinstance(policy.query, OneQueue):
            raise ModelError(
                f"breakdowns: under policy {policy.name!r} jobs wait together for a server that is free, and it is not said "
                "whether one that is down is; take another policy, or leave breakdowns out."
            )
        if self.seen and not knowledge.perfect:
            raise ModelError(
                "breakdowns.seen = true and knowledge: who goes by queue lengths that may be wrong would have to be told of "
                "failures in time; give breakdowns.seen = false, or leave knowledge out."
            )

    def describe(self) -> dict[str, Any]:
        """What a record keeps."""
        return {
            "mean_up": self.mean_up,
            "mean_down": self.mean_down,
            "up": self.up.describe(),
            "down": self.down.describe(),
            "seen": self.seen,
        }


def as_breakdowns(spec: Any) -> Breakdowns | None:
    """Breakdowns from None, a table, or Breakdowns themselves. Errors: ModelError.

    >>> as_breakdowns({"mean_up": 100, "mean_down": 1, "seen": False}).seen
    False
    """
    if spec is None or isinstance(spec, Breakdowns):
        return spec
    known = [f.name for f in fields(Breakdowns)]
    if not isinstance(spec, Mapping):
        raise ModelError(f"breakdowns = {spec!r} must be None or a table, for example {{mean_up = 100, mean_down = 5}}.")
    for name in spec:
        if name not in known:
            raise ModelError(f"breakdowns.{name}: there is no such key; known: {', '.join(known)}.")
    for name in ("mean_up", "mean_down"):
        if name not in spec:
            raise ModelError(f"breakdowns.{name} is missing: give mean_up and mean_down, in time units.")
    return Breakdowns(**spec)
