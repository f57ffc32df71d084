"""Theorem 2: moments of the mean queue beyond eta, and what follows for its mean and its tail.

In    Parameters (its `order` is r)
Out   bounds as floats, and Statements
Rule  the default is recursion (20), evaluated: the printed constants (1 in the statement, 34 in the proof
      for r = 1) are not what the recursion gives, which is 11 below Halfin-Whitt and 20 above
Cost  O(r)
"""

from __future__ import annotations

import math
from typing import Literal, get_args

from jfsq_simpy.theory import conditions as given
from jfsq_simpy.theory.geometry import Parameters
from jfsq_simpy.theory.record import Condition, Measure, Statement, check_variant, log, power

MomentReading = Literal["statement", "proof", "corrected", "recursion"]
MeanReading = Literal["statement", "proof", "recursion"]
MOMENT, MEAN = get_args(MomentReading), get_args(MeanReading)
EQUATIONS = {"statement": "(1), (2)", "proof": "(21), section 3.5", "corrected": "from (20)", "recursion": "(20), (25)"}
MOST_ORDERS = 12  # beyond, r^r outgrows what a higher moment gains at any N where conditions can hold


def recursion(p: Parameters, order: int | None = None) -> float:
    """M_r of (18)-(20), (25): M_0 = 1, M_j = z_j + w_j M_(j-1), so that E[h^r(mean queue)] <= M_r.

    Below Halfin-Whitt w_j = k_sub j / X, z_j = k_sub (2^(j+2) + 2) / N^(j - alpha); at and above it
    w_j = 2 j / X, z_j = (2 + 2^(j+3)) / N^(j - alpha). eta stays the one of `p` whatever `order`.

    >>> p = Parameters.of(n_servers=1e4, alpha=0.5, places=2)
    >>> round(recursion(p) * p.x, 12)
    20.0
    """
    moment = 1.0
    for j in range(1, (p.order if order is None else order) + 1):
        moment = z(p, j) + w(p, j) * moment
    return moment


def w(p: Parameters, j: int) -> float:
    """The factor of the moment below, before (19)."""
    return (p.k_sub if p.side == "sub" else 2.0) * j / p.x


def z(p: Parameters, j: int) -> float:
    """What states outside the collapse and steps across eta add, before (19) and in (25)."""
    scale = math.exp(-(j - p.alpha) * p.log_n)
    return scale * float(p.k_sub * (2 ** (j + 2) + 2) if p.side == "sub" else 2 + 2 ** (j + 3))


def moment_bound(p: Parameters, variant: MomentReading = "recursion") -> float:
    """E[((mean queue - eta)+)^r], bounded as printed, as proved in (21), as corrected, or by the recursion.

    Above Halfin-Whitt "proof" is section 3.5's 32 (2 r / X)^r and "corrected" the statement's 10 (2 r / X)^r.
    """
    check_variant(variant, MOMENT, "Theorem 2")
    r = p.order
    if variant == "recursion":
        return recursion(p)
    if p.side == "super":
        return (32 if variant == "proof" else 10) * power(2 * r / p.x, r)
    scale = p.k_sub / p.x
    bounds = {"statement": power(scale, r), "proof": 17 * power(2 * r * scale, r), "corrected": 11 * power(r * scale, r)}
    return bounds[variant]


def mean_queue_bound(p: Parameters, variant: MeanReading = "recursion") -> float:
    """E[mean queue] <= eta + M_1: k_sub/X as stated, 34 k_sub/X by (21), 11 k_sub/X by (20); 20/X above."""
    check_variant(variant, MEAN, "E[mean queue]")
    p = p.with_order(1)
    return p.eta + moment_bound(p, variant)


def queue_tail(p: Parameters, beyond: float) -> tuple[float, int]:
    """P(mean queue >= eta + beyond) <= min over r of M_r / beyond^r: the bound and the r that gives it.

    eta is that of `p`; in super-Halfin-Whitt it belongs to p's own r, which must be at least the one used.
    """
    most = MOST_ORDERS if p.side == "sub" else p.order
    return min((recursion(p, r) / power(beyond, r), r) for r in range(1, most + 1))


def moment(p: Parameters, variant: MomentReading = "recursion") -> Statement:
    """Theorem 2 as a record."""
    bound = moment_bound(p, variant)
    return Statement(
        name="Theorem 2",
        variant=variant,
        quantity=f"E[((mean queue - eta)+)^{p.order}]",
        log_bound=log(bound),
        trivial=power(max(p.places - p.eta, 0.0), p.order),
        conditions=conditions_of(p, variant),
        equation=EQUATIONS[variant],
        sentence=f"A server holds hardly more than {p.eta:.4g} jobs on average: the excess has moment {p.order} below {bound:.3g}.",
        regime=p.regime,
        sound=is_sound(p, variant),
        measure=Measure("power", power=(p.eta, p.order)),
    )


def mean_queue(p: Parameters, variant: MeanReading = "recursion") -> Statement:
    """E[mean queue] as a record."""
    bound = mean_queue_bound(p, variant)
    return Statement(
        name="E[Qbar]",
        variant=variant,
        quantity="mean_queue",
        log_bound=log(bound),
        trivial=float(p.places),
        conditions=conditions_of(p.with_order(1), variant),
        equation="after Theorem 2",
        sentence=f"The average server holds at most {bound:.4g} jobs in the mean.",
        regime=p.regime,
        sound=is_sound(p, variant),
        measure=Measure("metric", "mean_queue"),
    )


def is_sound(p: Parameters, variant: str) -> bool:
    """Whether recursion (20) carries this reading; the statement's constant 1 below Halfin-Whitt it does not."""
    return not (p.side == "sub" and variant == "statement")


def conditions_of(p: Parameters, variant: str) -> tuple[Condition, ...]:
    """What a reading rests on: the printed assumption for the printed statement, everything needed else."""
    return given.assumption(p, "paper") if not is_sound(p, variant) else given.sufficient(p)
