"""Reference models as curves: for each metric of a System, what other theories say about it.

In    a System
Out   Curves: a value for a metric, what kind of word it is, where it comes from
Rule  a "lower bound" holds at this N, "exact" is this system's own value, a "limit" is where growing N leads,
      a "conjecture" may be false; only the first two may judge a measurement
Cost  O(N b) at most (the pooled bound of unequal servers)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from jfsq_simpy.errors import TooLargeError
from jfsq_simpy.system import System
from jfsq_simpy.theory.reference import fluid, limits, mean_field
from jfsq_simpy.theory.reference.pooled import bounds_it, pooled
from jfsq_simpy.theory.scope import why_silent

SPLITTING = ("random", "weighted_random")  # every server is a queue of its own: exact at any N
Kind = Literal["exact", "lower bound", "limit", "conjecture"]


@dataclass(frozen=True)
class Curve:
    """What a reference model says about one metric."""

    metric: str
    value: float
    kind: Kind
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(vars(self))


def curves(system: System) -> list[Curve]:
    """Every reference value that speaks about this system; none where dispatchers do not know the servers as they are.

    >>> from jfsq_simpy import rates
    >>> system = System(rates.homogeneous(1000), alpha=0.75, places=2)
    >>> {c.kind: round(c.value, 4) for c in curves(system) if c.metric == "mean_wait"}
    {'lower bound': 0.1386, 'limit': 0.3557}
    """
    if not system.knowledge.perfect:
        return []
    return [*_pooled(system), *_limits(system), *_mean_field(system)]


def _pooled(system: System) -> Iterator[Curve]:
    if not bounds_it(system):
        return
    try:
        found = pooled(system)
    except TooLargeError:
        return
    for metric, value in found.metrics().items():
        yield Curve(metric, value, "lower bound", "pooled queue, fastest server first")


def _limits(system: System) -> Iterator[Curve]:
    response = fluid.mean_response(system)
    if response is not None:
        yield Curve("mean_response", response, "limit", "fluid")
    if why_silent(system) or system.alpha is None or not system.is_markov or system.policy.name not in ("jfsq", "jsq"):
        return
    if system.alpha < 0.5 and system.rates.n_classes == 1:
        yield Curve("waiting_probability", limits.loss_curve(system), "limit", "Erlang B")
    if system.alpha > 0.5:
        gamma, x = limits.gamma_conjecture(system.rates, system.policy.name), system.spare_capacity
        kind: Kind = "limit" if gamma.proved else "conjecture"
        yield Curve("waiting_probability", gamma.waiting_constant / x, kind, "Gamma law")
        yield Curve("mean_wait", gamma.mean / x, kind, "Gamma law")
    if system.policy.ties == "index" and system.rates.n_classes == 1:
        for metric, m in (("idle_among_n1", system.n1().floor), ("idle_among_n2", system.n2.floor)):
            yield Curve(metric, limits.ordered_idle(m, system.arrival_rate), "limit", "ordered entry")


def _mean_field(system: System) -> Iterator[Curve]:
    point = mean_field.of_system(system)
    if point is None:
        return
    for metric in ("waiting_probability", "blocking_probability", "mean_wait", "mean_response", "mean_queue"):
        yield Curve(metric, getattr(point, metric), "exact" if system.policy.name in SPLITTING else "limit", "mean field")
