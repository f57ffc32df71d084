"""A policy's card: what someone choosing a dispatcher wants to know of it, in a line each.

In    the facts, beside the function that makes the policy
Out   a Card; `CARDS` holds one a name, in the order in which they were written
Rule  what an engine or `exact` can run is not written here: they are asked (`jfsq list policies`)
Cost  nothing
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from jfsq_simpy.policies.policy import Policy

Factory = TypeVar("Factory", bound=Callable[..., Policy])


@dataclass(frozen=True)
class Card:
    """A dispatcher in words.

    Stability is said for servers without a limit of places and exponential sizes (with finite places
    every system has a steady state); `load` is arrivals per unit of total capacity, N the number of
    servers, mu_n their rates, which sum to N. Sources are cited as author and year; see docs/guides/policies.md.
    """

    ties: str  # who gets the job when several are as good
    knows: str  # what the dispatcher must know
    messages: str  # what a job costs
    stability: str  # loads for which queues do not grow for ever
    cost: str  # of a decision, in the readable engine and the compiled one
    source: str
    exact: str  # closed forms and limits known
    example: Mapping[str, Any] = field(default_factory=dict)  # parameters it cannot do without, for two speed classes


CARDS: dict[str, Card] = {}
POLICIES: dict[str, Callable[..., Policy]] = {}


def named(**facts: Any) -> Callable[[Factory], Factory]:
    """Register a policy under its function's name, with its card."""

    def register(make: Factory) -> Factory:
        POLICIES[make.__name__] = make
        CARDS[make.__name__] = Card(**facts)
        return make

    return register


def rule(name: str) -> str:
    """What the policy does, in a sentence: the first paragraph of its function's docstring.

    >>> from jfsq_simpy.policies import zoo
    >>> rule("jsq")
    'Join the shortest queue, blind to speed.'
    """
    return " ".join((inspect.getdoc(POLICIES[name]) or "").split("\n\n")[0].split())
