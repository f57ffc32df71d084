"""Lemmas 1 to 4: idle servers among the fastest, and state-space collapse, as tail bounds.

In    Parameters, and which reading of the lemma
Out   logarithms of tail bounds, and Statements
Rule  "statement" is what is printed, "exact" the value of Lemma 5's formula, "whole" the same with a
      whole number of steps, as Lemma 5 has it; the default holds. Lemmas 1 and 2 need index ties:
      their proofs send a job to the first N1 servers whenever one of those is idle
Cost  nothing
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

from jfsq_simpy.theory import conditions as given
from jfsq_simpy.theory.drift import lemma_5
from jfsq_simpy.theory.geometry import Parameters
from jfsq_simpy.theory.record import Measure, Statement, check_variant

IdleReading = Literal["statement", "exact", "whole"]
CollapseReading = Literal["statement", "proof", "paper gamma", "exact", "whole"]
IDLE, COLLAPSE = get_args(IdleReading), get_args(CollapseReading)
NOTHING = Measure("none")


class Gammas(NamedTuple):
    """How fast V drifts down beyond its starting point: in both cases of the proof, and as printed."""

    case_1: float
    case_2: float
    paper: float


def gammas(p: Parameters) -> Gammas:
    """The drifts of Lemma 3 or 4; negative ones mean that V may drift up.

    Lemma 3: eps c_0 X/(b-1), eps (c_0 - 1/2) X/(b-1), and printed eps X/(4(b-1)), right for nu >= 3.
    Lemma 4: eps (c_1 X + A)/(b-1), the same less X, and printed eps A/(2(b-1)).
    """
    per_job = p.epsilon / (p.places - 1)
    if p.side == "sub":
        return Gammas(per_job * p.c_0 * p.x, per_job * (p.c_0 - 0.5) * p.x, per_job * p.x / 4)
    pull = per_job * (p.c_1 * p.x + p.a)
    return Gammas(pull, pull - p.x, per_job * p.a / 2)


# ---- idle servers among the fastest --------------------------------------------------------------------------


def lemma_1_threshold(p: Parameters) -> float:
    """1 + 8 log^2 N."""
    return 1 + 8 * p.log_n**2


def lemma_1_log_tail(p: Parameters, variant: IdleReading = "statement") -> float:
    """log P(at least 1 + 8 log^2 N idle among the N1 fastest), bounded."""
    check_variant(variant, IDLE, "Lemma 1")
    if variant == "statement":
        return -p.delta * p.log_n**2
    return lemma_5(_steps(4 * p.log_n**2, variant), pull=p.delta / 2, rate=1.0)  # both in units of N


def lemma_2_threshold(p: Parameters) -> float:
    """5 sqrt N log N."""
    return 5 * math.sqrt(p.n) * p.log_n


def lemma_2_log_tail(p: Parameters, variant: IdleReading = "statement") -> float:
    """log P(at least 5 sqrt N log N idle among the N2 fastest), bounded."""
    check_variant(variant, IDLE, "Lemma 2")
    if variant == "statement":
        return -p.epsilon * p.log_n**2
    root = math.sqrt(p.n)
    return lemma_5(_steps(2 * root * p.log_n, variant), pull=p.mu_n2 * p.log_n / root, rate=1.0)


def lemma_1(p: Parameters, variant: IdleReading = "statement", n1: int | None = None) -> Statement:
    """Few of the N1 fastest servers are idle. `n1`: the whole number of servers, where it is to be measured."""
    t = lemma_1_threshold(p)
    return Statement(
        name="Lemma 1",
        variant=variant,
        quantity="P(idle among N1 fastest >= 1 + 8 log^2 N)",
        log_bound=lemma_1_log_tail(p, variant),
        trivial=1.0,
        conditions=given.lemma_1(p),
        equation="Lemma 1",
        sentence=f"It is rare that {t:.4g} or more of the fastest servers, carrying {1 - p.delta:.3g} of the capacity, are idle.",
        regime=p.regime,
        sound=variant != "exact",
        measure=Measure("idle_tail", idle_tail=(n1, t)) if n1 is not None else NOTHING,
    )


def lemma_2(p: Parameters, variant: IdleReading = "statement", n2: int | None = None) -> Statement:
    """Few of the N2 fastest servers are idle."""
    t = lemma_2_threshold(p)
    return Statement(
        name="Lemma 2",
        variant=variant,
        quantity="P(idle among N2 fastest >= 5 sqrt N log N)",
        log_bound=lemma_2_log_tail(p, variant),
        trivial=1.0,
        conditions=given.lemma_2(p),
        equation="Lemma 2",
        sentence=f"It is rare that {t:.4g} or more of the servers that carry the load are idle.",
        regime=p.regime,
        sound=variant != "exact",
        measure=Measure("idle_tail", idle_tail=(n2, t)) if n2 is not None else NOTHING,
    )


# ---- state-space collapse ------------------------------------------------------------------------------------


def collapse_log_tail(p: Parameters, variant: CollapseReading = "whole") -> float:
    """log P(V >= T), bounded: Lemma 3 below Halfin-Whitt, Lemma 4 at and above it.

    >>> p = Parameters.of(n_servers=1e4, alpha=0.5, places=2)
    >>> round(collapse_log_tail(p, "exact"), 4), round(collapse_log_tail(p, "statement"), 4)
    (-12.4072, -18.4207)
    """
    check_variant(variant, COLLAPSE, "Lemmas 3 and 4")
    return _lemma_3_log_tail(p, variant) if p.side == "sub" else _lemma_4_log_tail(p, variant)


def _lemma_3_log_tail(p: Parameters, variant: CollapseReading) -> float:
    drift = gammas(p)
    steps = 3 * p.x / (16 * p.nu)
    if variant == "statement":
        return -2 * p.order * p.log_n
    if variant == "proof":  # before the last step, with the term for leaving E_0 that the proof does not need
        outside = math.log(p.n / drift.paper + 1) - p.epsilon * p.log_n**2
        return _log_add(-2 * (p.order + 1) * p.log_n, outside)
    if variant == "paper gamma":
        return lemma_5(steps, pull=drift.paper, rate=p.n)
    return lemma_5(_steps(steps, variant), pull=drift.case_2, rate=p.n)


def _lemma_4_log_tail(p: Parameters, variant: CollapseReading) -> float:
    if variant == "statement":
        return -2 * p.order * p.log_n
    if variant == "proof":
        return -p.order * p.log_n
    pull = 12 * p.order * p.mu_1 * p.log_n / p.x  # eps A / (2(b - 1)) in units of N
    return lemma_5(_steps(p.c_1 * p.x, variant), pull=pull, rate=1.0)


def collapse(p: Parameters, variant: CollapseReading = "whole") -> Statement:
    """Lemma 3 or 4: many waiting jobs and many idle servers do not go together."""
    number = 3 if p.side == "sub" else 4
    own = given.lemma_3(p) if number == 3 else given.lemma_4(p)
    drift = given.lemma_3_drift(p) if number == 3 else given.lemma_4_drift(p)
    if number == 3 and variant in ("statement", "paper gamma", "proof"):
        drift = (given.nu_at_least_3(p),)
    conditions = drift if variant in ("exact", "whole", "paper gamma") else (*own, *drift)
    sound = variant == "whole" or (variant == "statement" and number == 3) or (variant == "proof" and number == 4)
    what = "waiting jobs and servers idle beyond N2" if number == 3 else f"waiting jobs beyond {p.a:.4g} and idle servers"
    return Statement(
        name=f"Lemma {number}",
        variant=variant,
        quantity=f"P(V{number} >= {'(1 - 3/(8 nu)) X' if number == 3 else 'X/(2 mu_1)'})",
        log_bound=collapse_log_tail(p, variant),
        trivial=1.0,
        conditions=conditions,
        equation=f"Lemma {number}, ({number + 2})",
        sentence=f"It is rare that {what} both reach {p.threshold:.4g}.",
        regime=p.regime,
        sound=sound,
        measure=Measure("tail", tail=(p.a, p.b, p.threshold)),
    )


def unreachable(p: Parameters) -> bool:
    """Whether V can never reach its threshold, so that Lemma 3 or 4 says nothing.

    y busy servers have at most (b - 1) y waiting jobs, so V <= min((b - 1) y - A, B - y), which is largest
    at y = (A + B)/b: V <= ((b - 1) B - A)/b.

    >>> unreachable(Parameters.of(n_servers=1e4, alpha=0.5, places=2))
    True
    """
    return p.threshold > ((p.places - 1) * p.b - p.a) / p.places


def _steps(steps: float, variant: str) -> float:
    return math.floor(steps) if variant == "whole" else steps


def _log_add(a: float, b: float) -> float:
    high, low = max(a, b), min(a, b)
    return high + math.log1p(math.exp(low - high))
