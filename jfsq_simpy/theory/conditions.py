"""Under what conditions the paper's statements hold: both assumptions, each lemma's own, the hidden ones.

In    Parameters
Out   tuples of Condition: both sides, holds or fails, by what factor
Rule  Assumption 1 is sub-Halfin-Whitt's, Assumption 2 super's; what a proof uses and neither says is
      listed as hidden. Sides are compared as logarithms: they meet at N = 10^34 and beyond.
Cost  nothing
"""

from __future__ import annotations

from math import exp, log, log1p
from typing import Literal

from jfsq_simpy.errors import ModelError
from jfsq_simpy.theory.geometry import Parameters
from jfsq_simpy.theory.record import Condition, condition, log_condition

Reading = Literal["paper", "corrected"]
LEMMA_1_COUNT = {"paper": 2, "corrected": 8}  # (16) and Assumption 1 print 2 log^2 N where Lemma 1 gives 8
LEMMA_2_COUNT = {"paper": 3, "corrected": 5}  # (16) prints 3 sqrt N log N where Lemma 2 gives 5


def assumption(p: Parameters, reading: Reading = "corrected") -> tuple[Condition, ...]:
    """Assumption 1 below Halfin-Whitt, Assumption 2 at and above it, as printed or as corrected.

    >>> [c.holds for c in assumption(Parameters.of(n_servers=1e10, alpha=0.5, places=2))]
    [True]
    """
    return assumption_1(p, reading) if p.side == "sub" else assumption_2(p)


def assumption_1(p: Parameters, reading: Reading = "corrected") -> tuple[Condition, ...]:
    """Assumption 1: epsilon neither too small nor above 1/2, and mu_1 not too large for the spare capacity.

    Corrected: 8 log^2 N where 2 log^2 N is printed, so that it implies the inequality before (17).
    """
    _side(p, "sub", "Assumption 1")
    ll, le = log(p.log_n), log(p.epsilon)
    room = LEMMA_1_COUNT[reading] * p.log_n**2 + 3
    second = log(27 * (p.order + 1) * p.places) + ll - (0.25 - 0.5 * p.alpha) * p.log_n
    fourth = p.log_x - log(64 * p.places * room)
    return (
        log_condition("2(r+1)/log N <= epsilon", log(2 * (p.order + 1)) - ll, le, "Assumption 1"),
        log_condition("27(r+1) b log N / N^(1/4 - alpha/2) <= epsilon", second, le, "Assumption 1"),
        condition("epsilon <= 1/2", p.epsilon, 0.5, "Assumption 1"),
        log_condition(
            f"mu_1/epsilon^2 <= X / (64 b ({LEMMA_1_COUNT[reading]} log^2 N + 3))", log(p.mu_1) - 2 * le, fourth, "Assumption 1"
        ),
    )


def assumption_2(p: Parameters) -> tuple[Condition, ...]:
    """Assumption 2: mu_1 / epsilon small enough for the spare capacity."""
    _side(p, "super", "Assumption 2")
    right = p.log_x - log(24 * p.order * p.places) - 2 * log(p.log_n)
    return (log_condition("mu_1/epsilon <= X / (24 r b log^2 N)", log(p.mu_1 / p.epsilon), right, "Assumption 2"),)


def lemma_1(p: Parameters) -> tuple[Condition, ...]:
    """2/N^alpha <= delta <= 1/2."""
    return (
        log_condition("2/N^alpha <= delta", log(2) - p.alpha * p.log_n, log(p.delta), "Lemma 1"),
        condition("delta <= 1/2", p.delta, 0.5, "Lemma 1"),
    )


def lemma_2(p: Parameters) -> tuple[Condition, ...]:
    """mu_N2 <= sqrt N / log N."""
    return (log_condition("mu_N2 <= sqrt N / log N", log(p.mu_n2), p.log_n / 2 - log(p.log_n), "Lemma 2"),)


def lemma_3(p: Parameters) -> tuple[Condition, ...]:
    """Lemma 3's own three conditions, as printed in the statement and at the end of its proof."""
    _side(p, "sub", "Lemma 3")
    needed = log(128 * (p.order + 1) * (p.places - 1) ** 2 * p.mu_n2 * p.log_n) - 2 * log(p.epsilon)
    return (
        log_condition("128(r+1)(b-1)^2 mu_N2 log N / epsilon^2 <= N^(1 - 2 alpha)", needed, (1 - 2 * p.alpha) * p.log_n, "Lemma 3"),
        condition("2(r+1)/log N <= epsilon", 2 * (p.order + 1) / p.log_n, p.epsilon, "Lemma 3"),
        log_condition("4(b-1)/epsilon + 2 <= X", log(4 * (p.places - 1) / p.epsilon + 2), p.log_x, "proof of Lemma 3"),
    )


def lemma_3_drift(p: Parameters) -> tuple[Condition, ...]:
    """What makes the drift in the proof of Lemma 3 negative at all: nu > 3/2 (printed: b >= 5), and B >= 1 in Lemma 5."""
    _side(p, "sub", "Lemma 3")
    return (
        condition("3/2 < nu", 1.5 * (1 + 1e-9), p.nu, "proof of Lemma 3, case 2"),
        log_condition("1 <= c_0 X", 0.0, log(p.c_0) + p.log_x if p.c_0 > 0 else -float("inf"), "Lemma 5"),
    )


def lemma_4(p: Parameters) -> tuple[Condition, ...]:
    """12 r mu_1 log N <= X."""
    _side(p, "super", "Lemma 4")
    return (log_condition("12 r mu_1 log N <= X", log(12 * p.order * p.mu_1 * p.log_n), p.log_x, "Lemma 4"),)


def lemma_4_drift(p: Parameters) -> tuple[Condition, ...]:
    """What the exact value of Lemma 4's bound needs: X <= 12 r mu_1 N^alpha log N, and B = c_1 X >= 1 in Lemma 5."""
    _side(p, "super", "Lemma 4")
    pull = log(12 * p.order * p.mu_1 * p.log_n) + p.alpha * p.log_n
    return (
        log_condition("X <= 12 r mu_1 N^alpha log N", p.log_x, pull, "proof of Lemma 4, case 2"),
        log_condition("1 <= c_1 X", 0.0, log(p.c_1) + p.log_x, "Lemma 5"),
    )


def nu_at_least_3(p: Parameters) -> Condition:
    """c_0 - 1/2 >= 1/4: the last step of Lemma 3's drift. b >= 4 suffices, b >= 5 is printed."""
    return condition("3 <= nu", 3.0, p.nu, "proof of Lemma 3 (printed as b >= 5)")


def equation_16(p: Parameters, reading: Reading = "corrected") -> Condition:
    """What the last step of (16) needs: the servers kept busy beyond N2 outweigh the fast ones left idle."""
    _side(p, "sub", "equation (16)")
    fast_idle = p.mu_n2 + p.mu_1 * (LEMMA_1_COUNT[reading] * p.log_n**2 + 1)
    others = log(LEMMA_2_COUNT[reading] * p.mu_n1 * p.log_n) + p.log_n / 2
    left = log(p.k_sub) + _log_sum(log(fast_idle), others)
    c, d = LEMMA_1_COUNT[reading], LEMMA_2_COUNT[reading]
    return log_condition(f"k_sub (mu_N2 + mu_1 ({c} log^2 N + 1) + {d} mu_N1 sqrt N log N) <= X", left, p.log_x, "before (17)")


def hidden_sub(p: Parameters, reading: Reading = "corrected") -> tuple[Condition, ...]:
    """What the sub-Halfin-Whitt proofs use and Assumption 1 does not say."""
    _side(p, "sub", "these conditions")
    return (
        log_condition("4/epsilon <= N^alpha", log(4 / p.epsilon), p.alpha * p.log_n, "Lemma 1 with delta = epsilon/2, for (16)"),
        condition("epsilon/2 <= delta", p.epsilon / 2, p.delta, "Lemma 1, for (16)"),
        condition("delta <= 1/2", p.delta, 0.5, "Lemma 1, for (16)"),
        nu_at_least_3(p),
        log_condition("b^r <= N", p.order * log(p.places), p.log_n, "before (18)"),
        equation_16(p, reading),
        *lemma_2(p),
        *lemma_3(p),
    )


def hidden_super(p: Parameters) -> tuple[Condition, ...]:
    """What the super-Halfin-Whitt proofs use and Assumption 2 does not say (the first is implied by it)."""
    _side(p, "super", "these conditions")
    return (
        *lemma_4(p),
        *lemma_4_drift(p),
        log_condition("b e^(1/4) <= N", log(p.places) + 0.25, p.log_n, "(25), Lemma 4's exponent"),
    )


def printed_in_35(p: Parameters) -> tuple[Condition, ...]:
    """What section 3.5 asks for on the way: used by its printed bounds, not by the corrected ones."""
    return (
        log_condition("2/N^alpha <= epsilon", log(2) - p.alpha * p.log_n, log(p.epsilon), "section 3.5"),
        log_condition("20 log N <= sqrt N", log(20 * p.log_n), p.log_n / 2, "section 3.5"),
        condition("1 <= epsilon log N", 1.0, p.epsilon * p.log_n, "section 3.5, Lemma 2 with probability 1 - 1/N"),
    )


def blocking_printed(p: Parameters) -> Condition:
    """What section 3.5 asks for so that p_B <= 1/N; for r = 1 it does not give it (17/log(17 N) is left)."""
    needed = log(2 * p.order * p.k_sub) + log(log(17) + p.log_n)
    return log_condition("2 r k_sub log(17 N) <= X", needed, p.log_x, "section 3.5")


def geometric_sum(p: Parameters) -> Condition:
    """What the sum before (21) asks for, as printed."""
    return log_condition("k_sub r / 4 <= X", log(p.k_sub * p.order / 4), p.log_x, "before (21)")


def sufficient(p: Parameters) -> tuple[Condition, ...]:
    """Everything Theorem 2's mended proof needs: the assumption as corrected, and what it left unsaid."""
    return (*assumption(p), *(hidden_sub(p) if p.side == "sub" else hidden_super(p)))


def every(p: Parameters) -> dict[str, tuple[Condition, ...]]:
    """All conditions by the place they come from, for a report."""
    shared = {"Lemma 1": lemma_1(p), "Lemma 2": lemma_2(p), "section 3.5": printed_in_35(p)}
    if p.side == "sub":
        return {
            "Assumption 1, printed": assumption_1(p, "paper"),
            "Assumption 1, corrected": assumption_1(p),
            "hidden": hidden_sub(p),
            "Lemma 3": (*lemma_3(p), *lemma_3_drift(p)),
            "equation (16), printed": (equation_16(p, "paper"),),
            "Theorem 2": (geometric_sum(p), blocking_printed(p)),
            **shared,
        }
    return {
        "Assumption 2": assumption_2(p),
        "hidden": hidden_super(p),
        "Lemma 4": (*lemma_4(p), *lemma_4_drift(p)),
        "p_B": (condition("1 <= b - eta", 1.0, p.places - p.eta, "section 3.5"),),
        **shared,
    }


def _log_sum(a: float, b: float) -> float:
    high, low = max(a, b), min(a, b)
    return high + log1p(exp(low - high))


def _side(p: Parameters, side: str, what: str) -> None:
    if p.side != side:
        where = "below" if side == "sub" else "at or above"
        raise ModelError(f"{what} speaks for alpha {where} 1/2; here alpha = {p.alpha:.6g}.")
