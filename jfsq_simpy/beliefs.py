"""The speeds dispatchers believe in: noisy, wrong about sick servers, out of date.

In    a table: believed = [...], noise = 0.25, sick = {servers = 1, factor = 10}, drift = {sigma = 0.5, every = 10, memory = 100}
Out   frozen Speeds: from true rates and normal numbers, the rates a dispatcher ranks servers by
Rule  rates are what servers do, always: they carry the load and the unit of time. What is believed decides
      where jobs go and nothing else
Cost  O(N) whenever beliefs change

A believed rate is the true one (or the one given), times `factor` for a sick server, times a lognormal of mean 1
and the variance `noise`, drawn once a replication, times what drift has made of it. Drift begins at the truth, and at
every, 2 every, ... the logarithm of each server's factor moves on as an Ornstein-Uhlenbeck process does, by itself:

    x' = rho x + sigma sqrt(1 - rho^2) z,   rho = exp(-every / memory),   factor = exp(x - variance / 2)

so that in the long run x has standard deviation sigma and is forgotten at the rate 1 / memory; the factor's
mean is 1 at any time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from jfsq_simpy.errors import ModelError
from jfsq_simpy.laws.parameters import number, numbers_in, whole
from jfsq_simpy.policies import AskWork, InTurn, OneQueue, Policy
from jfsq_simpy.rates import FloatArray, Rates

MOST_NOISE = 100.0
MOST_SIGMA = 3.0
MOST_FACTOR = 1e6


@dataclass(frozen=True)
class Sick:
    """Servers that run at 1 / `factor` of what is believed: so many of the slowest, or a list of their numbers (0 the fastest)."""

    servers: int | tuple[int, ...] = 1
    factor: float = 10.0

    def __post_init__(self) -> None:
        place = "knowledge.speeds.sick"
        why = "believed rate over true rate"
        object.__setattr__(self, "factor", number(f"{place}.factor", self.factor, why, above=0, most=MOST_FACTOR))
        if isinstance(self.servers, (list, tuple)):
            listed = tuple(
                whole(f"{place}.servers", n, "a server's number, 0 the fastest", least=0, most=2**53) for n in self.servers
            )
            object.__setattr__(self, "servers", listed)
        else:
            whole(f"{place}.servers", self.servers, "how many of the slowest, or a list of servers", least=1, most=2**53)

    def among(self, n_servers: int) -> list[int]:
        """Their numbers. Errors: ModelError."""
        chosen = range(n_servers - self.servers, n_servers) if isinstance(self.servers, int) else self.servers
        if any(not 0 <= n < n_servers for n in chosen):
            raise ModelError(f"knowledge.speeds.sick.servers = {self.servers} names servers beyond the {n_servers} there are.")
        return sorted(set(chosen))


@dataclass(frozen=True)
class Drift:
    """How beliefs go wrong: at every, 2 every, ... they move; `sigma` is how far off their logarithms are in the long run."""

    sigma: float
    every: float
    memory: float

    def __post_init__(self) -> None:
        place = "knowledge.speeds.drift"
        of_sigma = "standard deviation of the logarithm of believed over true rates"
        object.__setattr__(self, "sigma", number(f"{place}.sigma", self.sigma, of_sigma, least=0, most=MOST_SIGMA))
        object.__setattr__(self, "every", number(f"{place}.every", self.every, "time units from one change to the next", above=0))
        object.__setattr__(self, "memory", number(f"{place}.memory", self.memory, "time units until errors are forgotten", above=0))

    @property
    def keeps(self) -> float:
        """rho: what is left of an error after one step."""
        return math.exp(-self.every / self.memory)

    def moved(self, x: FloatArray, normals: FloatArray) -> FloatArray:
        """The logarithms (N,) one step later."""
        return self.keeps * x + self.sigma * math.sqrt(-math.expm1(-2 * self.every / self.memory)) * normals

    def factor(self, x: FloatArray, steps: int) -> FloatArray:
        """Believed over true (N,) after so many steps: of mean 1."""
        variance = -(self.sigma**2) * math.expm1(-2 * steps * self.every / self.memory)
        return np.exp(x - variance / 2)


@dataclass(frozen=True)
class Speeds:
    """What dispatchers believe of speeds; where nothing is said, the truth.

    Parameters
    ----------
    believed : floats (N,), optional   a rate for each server, in the order of true speed, fastest first
    noise : float >= 0                 squared coefficient of variation of believed over true rates
    sick : table or Sick, optional     servers that are slower than believed
    drift : table or Drift, optional   beliefs that go wrong in time

    >>> Speeds(sick={"servers": 1, "factor": 10}).at_first(np.array([1.1, 0.9, 0.1]), np.zeros(3))
    array([1.1, 0.9, 1. ])
    """

    believed: tuple[float, ...] | None = None
    noise: float = 0.0
    sick: Sick | None = None
    drift: Drift | None = None

    def __post_init__(self) -> None:
        place = "knowledge.speeds"
        if self.believed is not None:
            given = numbers_in(f"{place}.believed", self.believed)
            if given.min() <= 0:
                raise ModelError(f"{place}.believed[{int(given.argmin())}] = {given.min()} must be above 0: it is a rate.")
            object.__setattr__(self, "believed", tuple(given.tolist()))
        why = "the squared coefficient of variation of believed over true rates"
        object.__setattr__(self, "noise", number(f"{place}.noise", self.noise, why, least=0, most=MOST_NOISE))
        object.__setattr__(self, "sick", _made(f"{place}.sick", Sick, self.sick))
        object.__setattr__(self, "drift", _made(f"{place}.drift", Drift, self.drift))

    def check(self, rates: Rates, policy: Policy) -> None:
        """Whether such beliefs go with the servers and with a policy. Errors: ModelError."""
        if self.believed is not None and len(self.believed) != rates.n_servers:
            raise ModelError(
                f"knowledge.speeds.believed holds {len(self.believed)} rates for {rates.n_servers} servers; give one for each, in "
                "the order of true speed, fastest first."
            )
        if self.sick is not None:
            self.sick.among(rates.n_servers)
        if isinstance(policy.query, (OneQueue, AskWork)):
            raise ModelError(
                f"knowledge.speeds: policy {policy.name!r} goes by who is free when, which is the servers' own doing; take "
                "another policy, or leave speeds out."
            )
        if self.drift is not None and isinstance(policy.query, InTurn) and policy.query.weighted:
            raise ModelError(
                f"knowledge.speeds.drift: policy {policy.name!r} gives turns by a plan made beforehand; take another policy, or "
                "noise, which stays as it is."
            )

    def at_first(self, rates: FloatArray, normals: FloatArray) -> FloatArray:
        """Believed rates (N,) at time 0, from the true ones and one normal number each."""
        speeds = np.array(rates if self.believed is None else self.believed, dtype=np.float64)
        if self.sick is not None:
            speeds[self.sick.among(speeds.size)] *= self.sick.factor
        if self.noise:
            variance = math.log1p(self.noise)
            speeds = speeds * np.exp(math.sqrt(variance) * normals - variance / 2)
        return speeds

    def describe(self) -> dict[str, Any]:
        """What a record keeps: what was said."""
        return {k: v for k, v in asdict(self).items() if v not in (None, 0.0)}


def as_speeds(spec: Any) -> Speeds | None:
    """Speeds from None or "true", a table with their fields, or themselves. Errors: ModelError.

    >>> as_speeds({"noise": 0.25}).noise, as_speeds("true")
    (0.25, None)
    """
    if spec is None or spec == "true":
        return None
    speeds: Speeds = _made("knowledge.speeds", Speeds, spec)
    return speeds


def _made(place: str, kind: type[Any], spec: Any) -> Any:
    if spec is None or isinstance(spec, kind):
        return spec
    known = [f.name for f in fields(kind)]
    if not isinstance(spec, Mapping):
        raise ModelError(f"{place} = {spec!r} must be a table with keys of {', '.join(known)}.")
    for name in spec:
        if name not in known:
            raise ModelError(f"{place}.{name}: there is no such key; known: {', '.join(known)}.")
    for f in fields(kind):
        if f.name not in spec and kind is Drift:
            raise ModelError(f"{place}.{f.name} is missing; a drift is {{sigma = 0.5, every = 10, memory = 100}}.")
    return kind(**spec)
