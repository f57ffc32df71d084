"""Reference models as curves: for each metric of a System, what other theories say about it.

In    a System
Out   Curves: a value for a metric, what kind of word it is, where it comes from
Rule  a "lower bound" holds at this N, "exact" is this system's own value, a "limit" is where growing N leads,
      a "conjecture" may be false; only the first two may judge a measurement
Cost  O(N b) at most (the pooled bound of unequal servers), and some hundred steps of the mean field
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from jfsq_simpy.errors import TooLargeError
from jfsq_simpy.policies import AskAll
from jfsq_simpy.system import System
from jfsq_simpy.theory.reference import fluid, limits, mean_field
from jfsq_simpy.theory.reference.pooled import bounds_it, pooled

NOTHING = 1e-12
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
    """Every reference value that speaks about this system; none where servers fail or dispatchers do not know them as they are.

    >>> from jfsq_simpy import rates
    >>> system = System(rates.homogeneous(1000), alpha=0.75, places=2)
    >>> {c.kind: round(c.value, 4) for c in curves(system) if c.metric == "mean_wait"}
    {'lower bound': 0.1386, 'limit': 0.3557}
    """
    if not system.knowledge.perfect or system.breakdowns is not None:
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
    yield from (Curve(*limit) for limit in limits.speaking(system))


def _mean_field(system: System) -> Iterator[Curve]:
    point = mean_field.of_system(system)
    if point is None:
        response = fluid.mean_response(system)  # of any sizes: where nobody waits only their mean matters
        if response is not None:
            yield Curve("mean_response", response, "limit", "fluid")
        return
    kind: Kind = "exact" if _splits(system) else "limit"
    source = "fluid" if kind == "limit" and isinstance(system.policy.query, AskAll) else "mean field"
    for metric in ("waiting_probability", "blocking_probability", "mean_wait", "mean_response", "mean_queue"):
        value = getattr(point, metric)
        if value > NOTHING:  # where waiting vanishes, that it does is no number to hold a measurement against
            yield Curve(metric, value, kind, source)


def _splits(system: System) -> bool:
    """Whether all servers always tie and chance decides: then each is a queue of its own, and the mean field exact at any N."""
    policy = system.policy
    blind = isinstance(policy.query, AskAll) and not policy.rank_table(system.rates, system.places).any()
    return blind and policy.ties != "index"
