"""The system of section 2: servers, load, places, arrivals, sizes and a policy, checked once.

In    rates, exactly one of alpha and load, places, and names (or objects) for policy, size, arrivals
Out   a frozen System; every engine takes this and only this
Rule  `places` is the paper's b and counts the job in service; load >= 1 is legal, because finite
      buffers have a steady state at any load (alpha is then undefined, and N1 = N2 = N)
Cost  nothing: O(speed classes) memory
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeGuard

from numpy.typing import ArrayLike

from jfsq_simpy.breakdowns import Breakdowns, as_breakdowns
from jfsq_simpy.errors import ModelError
from jfsq_simpy.knowledge import Knowledge, as_knowledge
from jfsq_simpy.laws import Law, as_law, check_pair
from jfsq_simpy.policies import Chooser, Policy, as_policy
from jfsq_simpy.rates import CriticalIndex, Rates, as_rates

MOST_PLACES = 254  # queue lengths are kept in a byte, with one value to spare


@dataclass(frozen=True, init=False, eq=False)
class System:
    """N servers, one dispatcher, finite buffers (section 2).

    Parameters
    ----------
    rates : Rates, or an array that sums to N (any order)
    alpha : float in (0, 1), optional    load = 1 - N^-alpha, the paper's heavy-traffic exponent
    load : float > 0, optional           lambda: arrivals per unit of total capacity
    places : int, 1 to 254               b: jobs a server holds, the one in service included
    policy : name, table, Policy, or an object with a method `choose`; default "jfsq"
    size : name, table or Law            service requirement of mean 1; default "exponential"
    arrivals : name, table or Law        default "poisson"
    knowledge : "perfect", table or Knowledge   what dispatchers know of the servers; default "perfect"
    breakdowns : table or Breakdowns, optional   servers that fail and are repaired

    Exactly one of `alpha` and `load`. Time is in mean service times of the average server. Frozen: another one is
    made by `dataclasses.replace`. Errors: ModelError. O(1) beside its rates. Source: section 2.

    >>> from jfsq_simpy import rates
    >>> system = System(rates=rates.homogeneous(100), alpha=0.5, places=5)
    >>> system.load, system.arrival_rate, system.n2.floor
    (0.9, 90.0, 90)
    """

    rates: Rates
    load: float
    places: int
    policy: Policy
    size: Law
    arrivals: Law
    knowledge: Knowledge
    breakdowns: Breakdowns | None
    given: str  # "alpha" or "load": which of the two the user fixed

    def __init__(
        self,
        rates: Rates | ArrayLike,
        *,
        alpha: float | None = None,
        load: float | None = None,
        places: int,
        policy: Policy | Chooser | str | Mapping[str, Any] = "jfsq",
        size: Law | str | Mapping[str, Any] = "exponential",
        arrivals: Law | str | Mapping[str, Any] = "poisson",
        knowledge: Knowledge | str | Mapping[str, Any] = "perfect",
        breakdowns: Breakdowns | Mapping[str, Any] | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "rates", as_rates(rates))
        put(self, "given", _which(alpha, load))
        put(self, "load", _load_from_alpha(alpha, self.rates.n_servers) if alpha is not None else _checked_load(load))
        if alpha is not None:
            put(self, "alpha", float(alpha))  # as given: 1 - load cancels, so it would come back rounded
        put(self, "places", _checked_places(places))
        put(self, "policy", as_policy(policy))
        put(self, "size", as_law(size, "size"))
        put(self, "arrivals", as_law(arrivals, "arrivals"))
        put(self, "knowledge", as_knowledge(knowledge))
        put(self, "breakdowns", as_breakdowns(breakdowns))
        check_pair(self.size, self.arrivals)
        self.policy.query.check(self.rates)
        self.knowledge.check(self.policy, self.rates)
        if self.breakdowns is not None:
            self.breakdowns.check(self.policy, self.knowledge)

    @property
    def n_servers(self) -> int:
        """N."""
        return self.rates.n_servers

    @property
    def arrival_rate(self) -> float:
        """lambda N, in jobs per unit time."""
        return self.load * self.n_servers

    @property
    def spare_capacity(self) -> float:
        """N (1 - lambda) = N^(1 - alpha), in jobs per unit time; negative in overload."""
        return self.n_servers * (1.0 - self.load)

    @cached_property
    def alpha(self) -> float | None:
        """-log(1 - load) / log N; None where it means nothing (N = 1, load >= 1)."""
        if self.n_servers == 1 or self.load >= 1:
            return None
        return -math.log1p(-self.load) / math.log(self.n_servers)

    @cached_property
    def n2(self) -> CriticalIndex:
        """N2: how many of the fastest servers carry the arrival rate (all N in overload)."""
        return self.rates.critical_index(self.arrival_rate)

    def n1(self, delta: float | None = None) -> CriticalIndex:
        """N1(delta): how many of the fastest servers carry (1 - delta) N. Default delta = min(mu_N, 1/2) / 2."""
        if self.load >= 1:
            return CriticalIndex(self.n_servers, float(self.n_servers))
        if delta is None:
            delta = min(self.rates.slowest, 0.5) / 2
        if not 0 < delta < 1:
            raise ModelError(f"delta = {delta} must lie between 0 and 1: N1 carries the share 1 - delta of the capacity.")
        return self.rates.critical_index((1 - delta) * self.n_servers)

    @property
    def is_markov(self) -> bool:
        """Whether queue lengths alone are a Markov chain: Poisson, exponential, servers known as they are, that never fail."""
        return self.size.memoryless and self.arrivals.memoryless and self.breakdowns is None and self.knowledge.perfect

    @property
    def erlang_waits(self) -> bool:
        """Whether a job behind j others waits Erlang(j, mu): exponential sizes, nobody looks at them, and no server fails."""
        return self.size.memoryless and self.policy.erlang_waits and self.breakdowns is None

    @property
    def availability(self) -> float:
        """The share of time a server is up, in the long run: 1 where servers do not fail."""
        return 1.0 if self.breakdowns is None else self.breakdowns.availability

    def replaced(self, **changes: Any) -> System:
        """The same system with some fields changed; setting alpha drops load, and the reverse."""
        kept = ("rates", "places", "policy", "size", "arrivals", "knowledge", "breakdowns")
        fields: dict[str, Any] = {k: getattr(self, k) for k in kept}
        if not changes.keys() & {"alpha", "load"}:
            fields[self.given] = getattr(self, self.given)
        return System(**(fields | changes))

    def describe(self) -> dict[str, Any]:
        """What a record keeps: every field, defaults filled in; `knowledge` and `breakdowns` only where there is something to say.

        A record's name is a hash of this, and results kept before there were these two keep their names.
        """
        described = {
            "servers": self.n_servers,
            "load": self.load,
            "alpha": self.alpha,
            "places": self.places,
            "rates": self.rates.describe(),
            "policy": self.policy.describe(),
            "size": self.size.describe(),
            "arrivals": self.arrivals.describe(),
        }
        if not self.knowledge.perfect:
            described["knowledge"] = self.knowledge.describe()
        if self.breakdowns is not None:
            described["breakdowns"] = self.breakdowns.describe()
        return described

    def __repr__(self) -> str:
        known = "" if self.knowledge.perfect else f", {self.knowledge!r}"
        known += "" if self.breakdowns is None else f", availability={self.availability:.6g}"
        return (
            f"System(N={self.n_servers}, load={self.load:.6g}, places={self.places}, policy={self.policy.name}, "
            f"size={self.size!r}{known})"
        )


def _which(alpha: float | None, load: float | None) -> str:
    if alpha is not None and load is not None:
        raise ModelError("alpha and load are both given, but each fixes the other (load = 1 - N^-alpha); give one.")
    if alpha is None and load is None:
        raise ModelError("alpha or load is missing: give load (arrivals per unit of capacity) or alpha (load = 1 - N^-alpha).")
    return "alpha" if alpha is not None else "load"


def _load_from_alpha(alpha: float, n_servers: int) -> float:
    if not (_is_number(alpha) and 0 < alpha < 1):
        raise ModelError(f"alpha = {alpha} must lie strictly between 0 and 1 (load = 1 - N^-alpha); or give load instead.")
    if n_servers == 1:
        raise ModelError(
            "alpha with N = 1 would mean load 0 (1 - 1^-alpha): nothing would arrive. Give load instead, say load = 0.9."
        )
    return -math.expm1(-alpha * math.log(n_servers))


def _checked_load(load: float | None) -> float:
    if not (_is_number(load) and 0 < load < math.inf):
        raise ModelError(
            f"load = {load} must be a finite number above 0: with no arrivals there is nothing to measure. "
            "Give the arrival rate as a share of total capacity, for example load = 0.9."
        )
    return float(load)


def _checked_places(places: int) -> int:
    if isinstance(places, bool) or not _is_number(places) or int(places) != places or not 1 <= places <= MOST_PLACES:
        raise ModelError(
            f"places = {places} must be a whole number from 1 to {MOST_PLACES}: jobs a server holds, the one in service included "
            "(1 means no waiting room)."
        )
    return int(places)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
