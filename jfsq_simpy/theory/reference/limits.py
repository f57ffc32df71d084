"""Limits as N grows: Erlang's loss below Halfin-Whitt, a constant at it, the Gamma law above, and a conjecture.

In    a System, or N, alpha and beta
Out   curves for p_W and E[W], the limit law of (jobs - N)/N^alpha
Rule  a conjecture is marked as one and is never used to judge; a limit says nothing about any one N
Cost  nothing
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import scipy

from jfsq_simpy.errors import ModelError
from jfsq_simpy.rates import Rates
from jfsq_simpy.system import System
from jfsq_simpy.theory.reference.erlang import erlang_b
from jfsq_simpy.theory.reference.orders import rule_of
from jfsq_simpy.theory.scope import HALF, why_silent

# lambda = 1 - 1/sqrt N, equal servers: p_W sqrt N of the exact laws of two places, 0.7637, 0.7977, 0.8089, 0.8124 at
# N = 10^3 .. 10^6, in powers of N^-1/2. Levels above 2 vanish in this limit, so b does not matter
HALFIN_WHITT_WAITING = 0.8141


class Limit(NamedTuple):
    """Where a metric leads as N grows: the value that limit has at this N."""

    metric: str
    value: float
    kind: Literal["limit", "conjecture"]
    source: str


def speaking(system: System) -> Iterator[Limit]:
    """The limits of JFSQ and JSQ, by whatever name, that speak about a system, side by side of Halfin-Whitt.

    Ordered entry counts jobs that find the first m servers busy as lost to them, so it needs waiting to be rare:
    below Halfin-Whitt only (above, it would leave eight times too many servers idle at N = 10^4, alpha = 3/4).

    >>> from jfsq_simpy import rates
    >>> [(c.metric, round(c.value, 5)) for c in speaking(System(rates.homogeneous(10_000), alpha=0.5, places=3))]
    [('waiting_probability', 0.00814), ('mean_wait', 0.00814)]
    """
    if why_silent(system) or system.alpha is None or not system.is_markov:
        return
    rule = rule_of(system)
    if rule is None:
        return
    equal, x = system.rates.n_classes == 1, system.spare_capacity
    if system.alpha > 1 - HALF:
        gamma = gamma_conjecture(system.rates, rule)
        kind: Literal["limit", "conjecture"] = "limit" if gamma.proved else "conjecture"
        yield Limit("waiting_probability", gamma.waiting_constant / x, kind, "Gamma law")
        yield Limit("mean_wait", gamma.mean / x, kind, "Gamma law")
    elif equal:
        # a job that waits does so behind one other and for 1 time unit in the mean, as soon as waiting is rare
        below = system.alpha < HALF
        value = loss_curve(system) if below else HALFIN_WHITT_WAITING / math.sqrt(system.n_servers)
        for metric in ("waiting_probability", "mean_wait"):
            yield Limit(metric, value, "limit", "Erlang B" if below else "Halfin-Whitt")
        if below and system.policy.ties == "index":
            for metric, m in (("idle_among_n1", system.n1().floor), ("idle_among_n2", system.n2.floor)):
                yield Limit(metric, ordered_idle(m, system.arrival_rate), "limit", "ordered entry")


@dataclass(frozen=True)
class GammaLimit:
    """(jobs - N) / N^alpha in the limit: a Gamma law. `proved` is False for the conjecture."""

    shape: float
    rate: float
    waiting_constant: float  # p_W N^(1 - alpha) in the limit
    proved: bool
    source: str

    @property
    def mean(self) -> float:
        """The law's mean."""
        return self.shape / self.rate

    @property
    def variance(self) -> float:
        """The law's variance."""
        return self.shape / self.rate**2

    def tail(self, x: float) -> float:
        """P(the limit > x): for shape 2, (1 + beta x) e^(-beta x).

        >>> round(jsq_gamma(1.0).tail(2.0), 6)      # 3 e^-2
        0.406006
        """
        return float(scipy.special.gammaincc(self.shape, self.rate * max(x, 0.0)))


def jsq_gamma(beta: float = 1.0) -> GammaLimit:
    """Equal servers, lambda = 1 - beta N^-alpha, 1/2 < alpha < 1: Gamma(2, beta); E[W] and p_W fall as 2/X.

    Zhao, Banerjee & Mukherjee (2025).
    """
    if not beta > 0:
        raise ModelError(f"beta = {beta} must be above 0: lambda = 1 - beta N^-alpha.")
    return GammaLimit(2.0, beta, 2.0 * beta, proved=True, source="Zhao, Banerjee & Mukherjee (2025)")


def gamma_conjecture(rates: Rates, policy: str = "jfsq") -> GammaLimit:
    """CONJECTURE: with speed classes of size proportional to N, Gamma(1 + mu_I/mu_D, 1) and p_W X -> mu_I + mu_D.

    Heuristic: jobs X in excess of N drift by (c/x - 1) with variance 2, where idle servers (rate mu_I)
    feed on servers with two jobs (rate mu_D). Under JFSQ the idle ones are the slowest class and the
    queues stand at the fastest: mu_I = mu_N, mu_D = mu_1. Under JSQ, blind to speed, mu_I is the
    size-biased mean rate and mu_D the harmonic mean. With equal servers it is the proved Gamma(2, 1).
    Simulations alone cannot decide it: with speeds 1.8 and 0.2, alpha = 3/4, the mean is 1.12(4), 1.32(5) at N = 10^3, 10^4,
    where 10/9 is conjectured. It has to rise past the limit and come back, because fast servers are idle too, and
    `excess` says how far; what it says agrees with every run, and leads to the conjecture.

    >>> from jfsq_simpy import rates
    >>> gamma_conjecture(rates.two_speed(100, ratio=3)).shape
    1.3333333333333333
    """
    share = rates.counts / rates.n_servers
    if policy == "jfsq":
        idle, drain = rates.slowest, rates.fastest
    elif policy == "jsq":
        idle, drain = float(share @ rates.speeds**2) / float(share @ rates.speeds), 1 / float(share @ (1 / rates.speeds))
    else:
        raise ModelError(f'policy = {policy!r}: the conjecture speaks of "jfsq" and "jsq".')
    return GammaLimit(1 + idle / drain, 1.0, idle + drain, proved=rates.n_classes == 1, source="conjecture")


def loss_curve(system: System) -> float:
    """Equal servers below Halfin-Whitt: p_W falls like Erlang's B(N, lambda N), waiting being negligible.

    The ratio is 1.09, 1.03, 1.009 at N = 100, 1000, 10^4 with alpha = 1/4.
    """
    if system.rates.n_classes > 1:
        raise ModelError("the loss curve is for equal servers; unequal ones have no closed form.")
    return erlang_b(system.n_servers, system.arrival_rate)


def ordered_idle(m: int, offered: float) -> float:
    """Mean idle servers among the first m of equal servers filled in order: m - a (1 - B(m, a)).

    What Lemmas 1 and 2 see under index ties when waiting is negligible (jobs overflow past the first m as
    if lost). At m = a it is about sqrt(2 a / pi).

    >>> round(ordered_idle(8000, 9000.0), 2)
    7.86
    """
    if m == 0:
        return 0.0
    return m - offered * (1 - erlang_b(m, offered))


def boundary_excess(fast: int, fast_rate: float, slow_rate: float) -> float:
    """E[jobs] - N2 when N2 is exactly all fast servers: a B(a, a) (mu_f/mu_s - 1) with a = their number.

    Fast servers idle now and then (Erlang loss), and slow ones make up for it, taking longer: of order
    sqrt N, about sqrt(2 a / pi) (mu_f/mu_s - 1). Negligible waiting. Breaks section 3.5's display.
    """
    return fast * erlang_b(fast, float(fast)) * (fast_rate / slow_rate - 1)
