"""When to add replications, when to stop, and what is said."""

from __future__ import annotations

import math

import pytest

from jfsq_simpy.errors import PlanError
from jfsq_simpy.estimate import Estimate
from jfsq_simpy.stopping import Precision, is_reached, more_wanted, times_as_much, why_not

GOAL = Precision("blocking_probability", relative=0.1, max_seconds=100.0)


def never(n: int = 30) -> Estimate:
    return Estimate(0.0, 0.0, 0.01, 0.95, n, "none seen: one-sided upper limit")


def known(value: float, half: float, n: int = 30) -> Estimate:
    return Estimate(value, value - half, value + half, 0.95, n, "Student t")


@pytest.mark.parametrize(
    ("estimate", "cost", "more"),
    [
        (known(0.5, 0.06), 1.0, 14),  # 1.2 times too wide: 1.44 times as many
        (known(0.5, 0.5), 1.0, 30),  # at most twice as many
        (known(0.5, 0.5), 98.5, 0),  # time for half a replication
        (known(0.5, 0.5), 96.0, 1),
        (known(0.5, math.nan), 1.0, 30),
        (never(), 0.7, 30),  # 128 times as much is 90 s: it may still be seen often enough
        (never(), 0.8, 0),  # 102 s: it cannot
        (never(n=29), 0.8, 30),  # 29 units are not enough to say so
    ],
)
def test_how_many_are_added(estimate: Estimate, cost: float, more: int) -> None:
    assert more_wanted(GOAL, estimate, 30, cost=cost, spent=cost) == more


def test_what_was_never_seen_takes_as_many_events_as_its_precision_over_three() -> None:
    assert times_as_much(GOAL, never()) == pytest.approx(1.959964**2 * 100 / -math.log(0.05), rel=1e-6)
    assert times_as_much(Precision(relative=5.0), never()) == 2.0  # to be seen at all, at least as many again


def test_what_others_took_counts_though_none_of_it_was_spent_now() -> None:
    assert more_wanted(GOAL, never(), 30, cost=0.8, spent=1e-6) == 0
    assert more_wanted(GOAL, known(0.5, 0.5), 30, cost=0.8, spent=1e-6) == 30


def test_reached_is_a_share_of_the_value_on_units_enough() -> None:
    assert is_reached(GOAL, known(0.5, 0.049))
    assert not is_reached(GOAL, known(0.5, 0.051))
    assert not is_reached(GOAL, known(0.5, 0.01, n=29))
    assert not is_reached(GOAL, never())
    assert is_reached(GOAL, known(0.0, 0.0))  # a metric that is 0 by its definition, such as messages of a blind rule


def test_what_is_said_is_what_is_known_and_the_way_out() -> None:
    said = why_not(GOAL, never(), 30, cost=0.8, spent=0.8)
    assert "was 0 in all 30 replications and is known to be at most 0.01" in said
    assert "128 times as much, 103 s (max_seconds = 100)" in said
    assert "half width 0.05" in why_not(GOAL, known(0.1, 0.05), 30, cost=100.0, spent=100.0)
    assert "\n" not in said
    few = why_not(GOAL, known(0.5, 0.01, n=12), 12, cost=100.0, spent=100.0)
    assert "spread of 12 units, and fewer than 30 are not believed" in few


@pytest.mark.parametrize("fields", [{"relative": True}, {"relative": "0.1"}, {"max_seconds": math.inf}, {"metric": "p_w"}])
def test_a_precision_that_is_none_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(PlanError, match="precision"):
        Precision(**fields)  # type: ignore[arg-type]
