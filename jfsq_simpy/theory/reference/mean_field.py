"""The mean field of a System: where its speed classes rest when servers are many, for nearly every policy.

In    a System: Poisson arrivals, exponential sizes, a policy that looks at queue lengths and speeds
Out   its FixedPoint, or one line that says why there is none
Rule  N grows with the load, the places and the shares of the speed classes kept. Where a few servers are
      asked the error at one N is of order 1/N; where everybody is seen and a class is just used up, 1/sqrt(N)
Cost  some ten linear systems of n_classes (places + 1) numbers where a few are asked, else next to nothing

Three ways to ask, three ways to rest: `in_order` where everybody is seen, `sampling` where a few are asked, and
for idle servers that report themselves the first below load 1 and the second above.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jfsq_simpy.errors import ModelError, TooLargeError
from jfsq_simpy.policies import AskAll, AskClass, IdleFirst, Policy
from jfsq_simpy.policies.policy import shortest
from jfsq_simpy.policies.queries import AskSample
from jfsq_simpy.policies.ranking import RankTable
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.system import System
from jfsq_simpy.theory.reference.fixed_point import FixedPoint
from jfsq_simpy.theory.reference.in_order import CLOSE, Fluid
from jfsq_simpy.theory.reference.sampling import intensity_of, settled
from jfsq_simpy.theory.reference.settling import settle

MOST_CELLS = 20_000  # about a second where a few are asked


@dataclass(frozen=True, eq=False)
class Field:
    """What a mean field is made of: the classes in shares, the policy and its ranks."""

    load: float
    shares: FloatArray
    speeds: FloatArray
    policy: Policy
    ranks: RankTable

    @classmethod
    def of(cls, system: System) -> Field:
        """The field of a System. Errors: ModelError where laws are not Markov, TooLargeError."""
        if not system.knowledge.perfect or system.breakdowns is not None:
            raise ModelError("there is no mean field here for servers that fail, or that dispatchers do not know as they are.")
        if not system.is_markov:
            raise ModelError("there is no mean field here for laws other than Poisson arrivals and exponential sizes; simulate it.")
        rates, policy = system.rates, system.policy
        if rates.n_classes * (system.places + 1) > MOST_CELLS:
            raise TooLargeError(
                f"the mean field of {rates.n_classes:,} speed classes of {system.places} places is above {MOST_CELLS:,} numbers; "
                "group the servers in fewer classes."
            )
        return cls(system.load, rates.counts / rates.n_servers, rates.speeds, policy, policy.rank_table(rates, system.places))

    @property
    def deaths(self) -> FloatArray:
        """Departures from level k + 1, float array (n_classes, places)."""
        return np.repeat(self.speeds[:, None], self.ranks.shape[1] - 1, axis=1)

    @property
    def begin(self) -> int:
        """The level from which its rest is looked for: empty servers below load 1, full ones above."""
        return 0 if self.load < 1 else -1

    def fluid(self) -> Fluid:
        """The policy as one that sees everybody. Errors: ModelError."""
        by_rate = self.policy.ties == "rate"
        ranks = self.ranks if by_rate else settled(self.policy, self.ranks)
        return Fluid(self.shares, self.speeds, ranks, self.speeds if by_rate else np.ones(self.speeds.size))

    def alone(self, k: int, probability: float) -> Field:
        """Class k as a field of its own, which gets this share of the jobs."""
        part = slice(k, k + 1)
        load = self.load * probability / float(self.shares[k])
        return Field(load, np.ones(1), self.speeds[part], self.policy, self.ranks[part])


def fixed_point(system: System) -> FixedPoint:
    """Where a system rests in the limit of many servers. Errors: ModelError, in one line, where none is known; TooLargeError.

    >>> from jfsq_simpy import rates
    >>> fleet = rates.two_speed(100, ratio=3)
    >>> point = fixed_point(System(fleet, load=0.7, places=3, policy={"name": "jsq_d", "d": 2}))
    >>> round(point.mean_queue, 5), round(point.waiting_probability, 5), round(point.blocking_probability, 6)
    (1.43568, 0.56597, 0.041328)
    >>> round(fixed_point(System(fleet, load=0.7, places=3, policy="jiq")).mean_response, 5)     # nobody waits
    1.07056
    """
    return at_rest(Field.of(system))


def of_system(system: System) -> FixedPoint | None:
    """The fixed point, or None where there is none here."""
    try:
        return fixed_point(system)
    except (ModelError, TooLargeError):
        return None


def power_of_d(load: float, d: int, places: int, shares: Sequence[float] = (1.0,), speeds: Sequence[float] = (1.0,)) -> FixedPoint:
    """The shortest of d servers, b places, speed classes by their shares, ties uniform. Errors: ModelError.

    >>> round(power_of_d(0.9, 2, 2).mean_queue, 5)
    1.1528
    """
    g, mu = (np.asarray(x, dtype=np.float64) for x in (shares, speeds))
    if g.shape != mu.shape or not math.isclose(float(g.sum()), 1.0, rel_tol=1e-9) or (mu <= 0).any():
        raise ModelError("shares must sum to 1, with one speed above 0 for each.")
    if not load > 0:
        raise ModelError(f"load = {load} must be above 0.")
    ranks = np.tile(np.arange(places + 1, dtype=np.int32), (g.size, 1))
    return at_rest(Field(load, g, mu, Policy("jsq_d", shortest, AskSample(d)), ranks))


def at_rest(field: Field) -> FixedPoint:
    """The fixed point of a Field. Errors: ModelError."""
    query = field.policy.query
    if isinstance(query, AskAll):
        return field.fluid().at_rest(field.load)
    if isinstance(query, AskClass) and query.d is None:
        return _classes_apart(field, query.probabilities)
    if isinstance(query, IdleFirst):
        return _idle_first(field)
    sees = intensity_of(field.policy, query, field.ranks, field.shares)
    law = settle(lambda law: field.load * sees(law)[:, :-1], field.deaths, field.begin)
    return FixedPoint(field.load, field.shares, field.speeds, law, field.shares[:, None] * law * sees(law))


def _classes_apart(field: Field, probabilities: Sequence[float]) -> FixedPoint:
    """A class drawn by a coin gets a Poisson stream: each class rests by itself."""
    law, sent = np.zeros(field.ranks.shape), np.zeros(field.ranks.shape)
    law[:, 0] = 1.0
    for k, p in enumerate(probabilities):
        if p > 0:
            alone = field.alone(k, p)
            point = alone.fluid().at_rest(alone.load)
            law[k], sent[k] = point.law[0], p * point.sent[0]
    return FixedPoint(field.load, field.shares, field.speeds, law, sent)


def _idle_first(field: Field) -> FixedPoint:
    """Idle servers first: below load 1 some are idle and take all; above, each is taken at once and the rest are sampled."""
    capacity = float(field.shares @ field.speeds)
    if field.load < capacity * (1 - CLOSE):
        return field.fluid().at_rest(field.load)
    if field.load <= capacity * (1 + CLOSE):
        raise ModelError(f"load = {field.load:.6g} is just what all servers can carry; the fluid then comes to rest too slowly.")
    query = field.policy.query
    assert isinstance(query, IdleFirst)
    sees = intensity_of(field.policy, query.then, field.ranks, field.shares)

    def left(law: FloatArray) -> float:
        """Jobs that find nobody idle, per server and unit of time."""
        return field.load - float((field.shares * field.speeds) @ law[:, 1])

    def whole(busy: FloatArray) -> FloatArray:
        return np.pad(busy, ((0, 0), (1, 0)))  # nobody stays idle

    law = whole(settle(lambda busy: left(whole(busy)) * sees(whole(busy))[:, 1:-1], field.deaths[:, 1:], field.begin))
    sent = left(law) * law * sees(law)
    sent[:, 0] = field.speeds * law[:, 1]
    return FixedPoint(field.load, field.shares, field.speeds, law, field.shares[:, None] * sent / field.load)
