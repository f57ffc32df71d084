"""Section 3.5: explicit bounds on p_B, E[Q_W], E[W] and p_W, as printed and as corrected; Theorem 1's orders.

In    Parameters, the reading, and what to put in for p_B
Out   bounds as floats (inf where p_B's bound is no bound), and orders
Rule  printed: "paper". Corrected below Halfin-Whitt keeps the (1 - 1/(4 nu)) X that Theorem 2 has and 3.5
      drops; "identity" also needs no Lemma 2. p_W needs the factor mu_1, because a job that waits does
      so 1/mu_1 at least, not E[S]. The default holds.
Cost  nothing
"""

from __future__ import annotations

import math
from typing import Literal, get_args

from jfsq_simpy.theory import conditions as given
from jfsq_simpy.theory.geometry import Parameters
from jfsq_simpy.theory.moments import MOST_ORDERS, recursion
from jfsq_simpy.theory.record import check_variant, power

WaitReading = Literal["paper", "corrected", "identity"]
WaitingReading = Literal["paper", "mu_1 paper", "corrected", "identity"]
BlockingReading = Literal["paper", "recursion"]
OrderReading = Literal["paper", "corrected"]
WAIT, WAITING, BLOCKING, ORDER = (get_args(r) for r in (WaitReading, WaitingReading, BlockingReading, OrderReading))


def blocking_probability(p: Parameters, variant: BlockingReading = "recursion") -> float:
    """p_B: printed, 17 (2 k_sub r / ((b - eta) X))^r or 32 (2 r / X)^r; default min over r of M_r / (b - eta)^r.

    inf where eta >= b: then h cannot tell a full system. Each r has an eta and conditions of its own.

    >>> blocking_probability(Parameters.of(n_servers=1e4, alpha=0.5, places=2))
    inf
    """
    check_variant(variant, BLOCKING, "p_B")
    if variant == "recursion":
        return _blocking_of_order(best_blocking_order(p))
    r = p.order
    if p.side == "super":
        return 32 * power(2 * r / p.x, r)
    room = p.places - p.eta
    return 17 * power(2 * p.k_sub * r / (room * p.x), r) if room > 0 else math.inf


def best_blocking_order(p: Parameters) -> Parameters:
    """`p` with the r that bounds p_B best, among those whose conditions hold where there are any."""
    candidates = [p.with_order(r) for r in range(1, MOST_ORDERS + 1)]
    met = [c for c in candidates if all(s.holds for s in given.sufficient(c)) and c.eta < c.places]
    return min(met or candidates, key=_blocking_of_order)


def _blocking_of_order(p: Parameters) -> float:
    room = p.places - p.eta
    return recursion(p) / power(room, p.order) if room > 0 else math.inf


def waiting_jobs(p: Parameters, variant: WaitReading | None = None, blocking: float | None = None) -> float:
    """E[Q_W], before (26) and in (27).

    Sub: paper (34 k_sub + log N) N^alpha + 6 sqrt N log N; corrected (1 - 1/(4 nu)) X + 11 k_sub N^alpha +
    6 sqrt N log N; identity lambda N p_B / mu_cut in place of 6 sqrt N log N (E[busy] >= N2(accepted work)).
    Super: paper X/mu_1 + 2 A + 64 N^alpha + 1; corrected X/(2 mu_1) + A + 20 N^alpha + 1; identity
    A + 20 N^alpha + (X + lambda N p_B) / epsilon. `blocking`: p_B, by default its own bound.
    """
    p, variant = p.with_order(1), default_wait(p) if variant is None else variant
    check_variant(variant, WAIT, "E[Q_W]")
    blocking = blocking_probability(p) if blocking is None else blocking
    lost = p.arrival_rate * blocking
    if p.side == "super":
        if variant == "paper":
            return p.x / p.mu_1 + 2 * p.a + 64 * p.n_alpha + 1
        idle = p.x / (2 * p.mu_1) + 1 if variant == "corrected" else (p.x + lost) / p.epsilon
        return p.a + 20 * p.n_alpha + idle
    lemma_2 = 6 * math.sqrt(p.n) * p.log_n
    if variant == "paper":
        return (34 * p.k_sub + p.log_n) * p.n_alpha + lemma_2
    return (1 - 1 / (4 * p.nu)) * p.x + 11 * p.k_sub * p.n_alpha + (lemma_2 if variant == "corrected" else lost / p.mu_cut)


def default_wait(p: Parameters) -> WaitReading:
    """The reading that holds and is the sharper one as N grows."""
    return "identity" if p.side == "sub" else "corrected"


def mean_wait(p: Parameters, variant: WaitReading | None = None, blocking: float | None = None) -> float:
    """E[W] = E[Q_W] / (lambda N (1 - p_B)), Little's law (26); inf when p_B is not bounded below 1.

    >>> p = Parameters.of(n_servers=1e4, alpha=0.5, places=2)
    >>> round(mean_wait(p, "paper", blocking=1 / p.n), 4), mean_wait(p)
    (5.1228, inf)
    """
    blocking = blocking_probability(p) if blocking is None else blocking
    if not blocking < 1:
        return math.inf
    return waiting_jobs(p, variant, blocking) / (p.arrival_rate * (1 - blocking))


def waiting_probability(p: Parameters, variant: WaitingReading | None = None, blocking: float | None = None) -> float:
    """p_W = p_wait + p_B.

    "paper" is the final display, whose factor 4 stands for N2 >= N/4 and whose p_B is 1/N; the others are
    mu_1 E[Q_W] / (lambda N) + p_B, with E[Q_W] as printed ("mu_1 paper") or as corrected.
    """
    variant = default_wait(p) if variant is None else variant
    check_variant(variant, WAITING, "p_W")
    if variant == "paper":
        return _printed_waiting(p.with_order(1))
    blocking = blocking_probability(p) if blocking is None else blocking
    inner: WaitReading = "paper" if variant == "mu_1 paper" else variant
    return p.mu_1 * waiting_jobs(p, inner, blocking) / p.arrival_rate + blocking


def _printed_waiting(p: Parameters) -> float:
    if p.side == "sub":
        top = 4 * (34 * p.k_sub + p.log_n) * p.n_alpha + 24 * math.sqrt(p.n) * p.log_n + 1
    else:
        top = 4 * p.x / p.mu_1 + 8 * p.a + 256 * p.n_alpha + 5
    return top / p.n


# ---- Theorem 1's orders --------------------------------------------------------------------------------------


def mean_wait_order(p: Parameters, variant: OrderReading = "corrected") -> float:
    """Theorem 1's order of E[W]: N^-alpha + k_sub/X, or k_super log N / X (printed: + log N / sqrt N, never needed)."""
    check_variant(variant, ORDER, "Theorem 1")
    if p.side == "sub":
        return 1 / p.n_alpha + p.k_sub / p.x
    extra = p.log_n / math.sqrt(p.n) if variant == "paper" else 0.0
    return p.k_super * p.log_n / p.x + extra


def waiting_probability_order(p: Parameters, variant: OrderReading = "corrected") -> float:
    """Theorem 1's order of p_W.

    Printed k_sub/X + log N / sqrt N, and k_super log N / X; the proof carries mu_1 (N^-alpha + k_sub/X), and
    mu_1 k_super log N / X.
    """
    check_variant(variant, ORDER, "Theorem 1")
    if variant == "corrected":
        return p.mu_1 * mean_wait_order(p)
    if p.side == "sub":
        return p.k_sub / p.x + p.log_n / math.sqrt(p.n)
    return p.k_super * p.log_n / p.x


def order_exponent(p: Parameters) -> float:
    """The power of N that Theorem 1's (corrected) orders fall by, logarithms aside: min(alpha, 1 - alpha)."""
    return min(p.alpha, 1 - p.alpha)
