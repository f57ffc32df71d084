"""A policy's card: what someone choosing a dispatcher wants to know of it, in a line each.

In    facts
Out   a Card; `cards.py` has one for each policy of the zoo
Rule  what an engine, `exact` or the mean field can do is not written down: they are asked (`jfsq list policies`)
Cost  nothing
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
