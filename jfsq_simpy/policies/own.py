"""A policy of one's own that is no ranking: any object with a method `choose`.

In    an object with `choose(sight) -> server`; where it likes, `name`, `samples`, `messages` and `describe()`
Out   a query that hands the choice to it
Rule  every replication begins with a copy of the object as it was handed over, so what it remembers of
      one never reaches another, and any replication can be rerun alone
Cost  the user's own; `process` alone runs it
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, Protocol

import numpy as np

from jfsq_simpy.errors import JfsqError, ModelError
from jfsq_simpy.policies.sight import Sight
from jfsq_simpy.rates import IntArray, Rates


class Chooser(Protocol):
    """What a rule must have: `choose`, which gives a server's number, 0 the fastest.

    If that server is full the job is blocked. Randomness comes from the Sight: `u`, and `samples` where
    the rule has an attribute `samples` that says how many it wants; then runs can be repeated, and
    compared with other policies on the same jobs.
    """

    def choose(self, sight: Sight) -> int:
        """The server that gets the job."""


@dataclass(frozen=True)
class Chosen:
    """A server the user's rule names.

    >>> from jfsq_simpy.rates import homogeneous
    >>> class Last:
    ...     def choose(self, sight):
    ...         return sight.rates.n_servers - 1
    >>> Chosen(Last()).candidates(Sight.of(homogeneous(3), places=2, queue_lengths=[0, 0, 0]))
    array([2])
    """

    rule: Chooser

    def __post_init__(self) -> None:
        samples = getattr(self.rule, "samples", 0)
        if not isinstance(samples, int) or isinstance(samples, bool) or samples < 0:
            raise ModelError(f"policy {self.name}: samples = {samples!r} must be how many uniform numbers a job brings, 0 or more.")

    @property
    def name(self) -> str:
        """The rule's own name, or its class's."""
        return str(getattr(self.rule, "name", type(self.rule).__name__))

    @property
    def samples(self) -> int:
        return int(getattr(self.rule, "samples", 0))

    def candidates(self, sight: Sight) -> IntArray:
        where = f"policy {self.name}: {type(self.rule).__qualname__}.choose"
        try:
            server = self.rule.choose(sight)
        except JfsqError:
            raise
        except Exception as error:
            raise ModelError(f"{where} failed for job {sight.job} at time {sight.now:.6g}: {error!r}.") from error
        if not isinstance(server, Integral) or isinstance(server, bool) or not 0 <= server < sight.rates.n_servers:
            raise ModelError(
                f"{where} gave {server!r} for job {sight.job}; it must give a server, a whole number from 0 (the fastest) "
                f"to {sight.rates.n_servers - 1}."
            )
        return np.array([int(server)])

    def check(self, rates: Rates) -> None:
        """What the rule gives is checked when it gives it."""

    def asks(self, rates: Rates) -> float:
        return float(rates.n_servers)

    def describe(self) -> dict[str, Any]:
        own = self.rule.describe() if hasattr(self.rule, "describe") else {}
        return {"ask": "choose", "by": type(self.rule).__qualname__, **own}
