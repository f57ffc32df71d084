"""What the theory says, as records: an inequality evaluated, a statement with its conditions and bound.

In    numbers
Out   Condition and Statement, ready to print (`row`) or to write (`to_dict`)
Rule  a statement is *sound* when its proof, as mended here, carries it; printed versions that are not
      stay computable by name, and are never judged
Cost  nothing
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from jfsq_simpy.errors import ModelError

Relation = Literal["<=", ">=", "order"]  # an order is a rate without its constant: never judged

SLACK = 1e-12  # relative: epsilon = (b - 1) mu / 3 makes nu = 3 up to rounding, and that must count as 3


@dataclass(frozen=True)
class Condition:
    """`left <= right`, with both sides, and by what factor right exceeds left (below 1 it fails).

    `log_factor` is kept because both sides may be beyond floats at the N where they meet.
    """

    name: str
    left: float
    right: float
    log_factor: float
    source: str

    @property
    def holds(self) -> bool:
        """Whether left <= right, up to rounding."""
        return self.log_factor >= -SLACK

    @property
    def factor(self) -> float:
        """right / left: above 1 there is room, below 1 it is missed by that much."""
        return exp(self.log_factor)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "left": number(self.left),
            "right": number(self.right),
            "holds": self.holds,
            "factor": number(self.factor),
            "source": self.source,
        }


def condition(name: str, left: float, right: float, source: str) -> Condition:
    """From two numbers; a right side at or below 0 misses by a factor 0.

    >>> condition("nu >= 3", 3.0, 2.0, "Lemma 3").holds
    False
    """
    if left <= 0:
        factor = math.inf if right >= left else -math.inf
    else:
        factor = log(right) - math.log(left) if math.isfinite(right) else math.inf
    return Condition(name, left, right, factor, source)


def log_condition(name: str, log_left: float, log_right: float, source: str) -> Condition:
    """From two logarithms, for sides beyond floats."""
    return Condition(name, exp(log_left), exp(log_right), log_right - log_left, source)


def fact(name: str, *, holds: bool, source: str) -> Condition:
    """Something that is so or not, without two numbers."""
    return Condition(name, math.nan, math.nan, 0.0 if holds else -math.inf, source)


@dataclass(frozen=True)
class Measure:
    """What a statement speaks about, in the terms a tally or an exact law can answer.

    kind "metric": the metric `name`; "tail": P(min(Q_W - a, c - busy) >= t); "idle_tail": P(at least t
    idle among the m fastest); "power": E[((mean queue - eta)+)^r]; "none": nothing measurable.
    """

    kind: Literal["metric", "tail", "idle_tail", "power", "none"]
    name: str = ""
    tail: tuple[float, float, float] = (0.0, 0.0, 0.0)
    idle_tail: tuple[int, float] = (0, 0.0)
    power: tuple[float, int] = (0.0, 1)


@dataclass(frozen=True)
class Statement:
    """One claim of the paper, in one of its readings.

    `quantity` what is bounded, from above ("<=") or below (">="); `log_bound` the bound's natural
    logarithm (tails underflow floats); `trivial` a bound that needs no theorem (1 for a probability,
    0 from below): no better than it, the statement is vacuous.
    """

    name: str
    variant: str
    quantity: str
    log_bound: float
    trivial: float
    conditions: tuple[Condition, ...]
    equation: str
    sentence: str
    regime: str
    sound: bool = True
    relation: Relation = "<="
    measure: Measure = field(default_factory=lambda: Measure("none"))

    @property
    def bound(self) -> float:
        """The bound; 0 or inf where floats end."""
        return exp(self.log_bound)

    @property
    def applies(self) -> bool:
        """Whether every condition holds."""
        return all(c.holds for c in self.conditions)

    @property
    def missed(self) -> tuple[Condition, ...]:
        """The conditions that do not hold."""
        return tuple(c for c in self.conditions if not c.holds)

    @property
    def vacuous(self) -> bool:
        """Whether the bound says no more than what is always true."""
        return not (self.bound > self.trivial if self.relation == ">=" else self.bound < self.trivial)

    def with_conditions(self, *more: Condition) -> Statement:
        """The same statement under more conditions."""
        return replace(self, conditions=self.conditions + more)

    def row(self) -> dict[str, Any]:
        """One line of a table."""
        return {
            "statement": self.name,
            "variant": self.variant,
            "quantity": self.quantity,
            "relation": self.relation,
            "bound": number(self.bound),
            "vacuous": self.vacuous,
            "applies": self.applies,
            "sound": self.sound,
            "equation": self.equation,
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, conditions included."""
        return {
            **self.row(),
            "regime": self.regime,
            "log_bound": number(self.log_bound),
            "trivial": number(self.trivial),
            "sentence": self.sentence,
            "conditions": [c.to_dict() for c in self.conditions],
        }


def log(value: float) -> float:
    """Natural logarithm; -inf at and below 0."""
    return math.log(value) if value > 0 else -math.inf


def exp(value: float) -> float:
    """e^value; inf beyond floats."""
    return math.exp(value) if value < 709.0 else math.inf


def power(base: float, exponent: float) -> float:
    """base^exponent, inf beyond floats, where Python would raise.

    >>> power(10.0, 400)
    inf
    """
    return exp(exponent * log(base))


def number(value: float | None) -> float | None:
    """The number, or None where JSON has no word for it (nan, inf)."""
    return None if value is None or not math.isfinite(value) else float(value)


def check_variant(variant: str, known: tuple[str, ...], what: str) -> None:
    """Refuse a reading nobody gave, by name. Errors: ModelError."""
    if variant not in known:
        raise ModelError(f"{what}: there is no variant {variant!r}; known: {', '.join(known)}.")
