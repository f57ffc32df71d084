"""Erlang's formulas: loss, delay, and a finite queue, stable to a billion servers.

In    servers (real numbers allowed in B), offered load a = arrival rate / service rate
Out   blocking and waiting probabilities, waits
Rule  B is a Poisson ratio P(X = m) / P(X <= m): the recursion's billion steps are replaced by Loader's form
      of the point probability, which keeps all its digits, and by the incomplete gamma function
Cost  O(1)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import scipy

from jfsq_simpy.errors import ModelError

STIRLING_FROM = 16.0  # where the series of log m! - Stirling has converged to a float


def erlang_b(servers: float, offered: float) -> float:
    """The share of jobs lost by M/M/m/m: Erlang's B(m, a).

    >>> erlang_b(2, 1.0)
    0.2
    >>> round(erlang_b(1e9, 1e9) * math.sqrt(math.pi * 1e9 / 2), 4)
    1.0
    """
    return math.exp(log_erlang_b(servers, offered))


def log_erlang_b(servers: float, offered: float) -> float:
    """log B(m, a); finite where B itself underflows. Errors: ModelError for m < 0 or a <= 0."""
    if servers < 0 or not offered > 0 or not math.isfinite(servers + offered):
        raise ModelError(f"Erlang B needs servers >= 0 and an offered load > 0; given {servers} and {offered}.")
    below = float(scipy.special.gammaincc(servers + 1, offered))  # P(Poisson(a) <= m)
    if below > 1e-200:
        return log_poisson(servers, offered) - math.log(below)
    return -math.log(_inverse_b_by_series(servers, offered))


def _inverse_b_by_series(servers: float, offered: float) -> float:
    """1 + m/a + m(m-1)/a^2 + ...: for overload, where it falls at least as fast as (m/a)^k."""
    total = term = 1.0
    k = 0
    while term > 1e-17 * total and servers - k > 0:
        term *= (servers - k) / offered
        total += term
        k += 1
    return total


def log_poisson(m: float, a: float) -> float:
    """log of a^m e^-a / Gamma(m + 1), without the cancellation of its terms (Loader 2000).

    >>> math.isclose(log_poisson(3, 2.0), math.log(8 / 6) - 2)
    True
    """
    if m == 0:
        return -a
    return -_stirling_error(m) - _deviance(m, a) - 0.5 * math.log(2 * math.pi * m)


def _stirling_error(m: float) -> float:
    """log Gamma(m + 1) - (m + 1/2) log m + m - log sqrt(2 pi)."""
    if m < STIRLING_FROM:
        return math.lgamma(m + 1) - (m + 0.5) * math.log(m) + m - 0.5 * math.log(2 * math.pi)
    s = 1 / (m * m)
    return (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s * (1 / 1188 - s * 691 / 360360))))) / m


def _deviance(m: float, a: float) -> float:
    """m log(m/a) + a - m, by a series where m is near a."""
    v = (m - a) / (m + a)
    if abs(v) > 0.1:
        return m * math.log(m / a) + a - m
    total, power, k = (m - a) * v, 2 * m * v, 1
    while True:
        power *= v * v
        step = power / (2 * k + 1)
        if total + step == total:
            return total
        total += step
        k += 1


@dataclass(frozen=True)
class Delay:
    """What a pooled queue of equal servers does to its jobs."""

    waiting_probability: float  # of all jobs, blocked ones included
    blocking_probability: float
    mean_waiting_jobs: float
    mean_busy: float
    mean_wait: float  # of accepted jobs


def erlang_c(servers: float, offered: float) -> float:
    """The share of jobs that wait in M/M/m: C = B / (1 - rho (1 - B)); 1 in overload.

    >>> round(erlang_c(2, 1.0), 6)
    0.333333
    """
    rho = offered / servers
    if rho >= 1:
        return 1.0
    b = erlang_b(servers, offered)
    return b / (1 - rho * (1 - b))


def mmnk(servers: int, capacity: float, arrival_rate: float) -> Delay:
    """M/M/N/K: N servers of rate 1, at most K jobs present (K may be inf when arrival_rate < N).

    States below N are a Poisson law cut at N, those above geometric with ratio rho: everything follows
    from B(N, a) and sums of powers. Errors: ModelError when K < N or the queue has no steady state.

    >>> mmnk(1, 2, 0.5).blocking_probability        # 1, 1/2, 1/4 -> 1/7
    0.14285714285714285
    """
    rho = arrival_rate / servers
    room = capacity - servers
    if room < 0 or (math.isinf(room) and rho >= 1):
        raise ModelError(f"M/M/N/K with N = {servers}, K = {capacity}, load {rho:.6g}: needs K >= N, and load < 1 where K is inf.")
    b = erlang_b(servers, arrival_rate)
    # weights with p_N = 1: states 0 .. N sum to 1/B, states N+1 .. K to rho + .. + rho^room
    total = 1 / b + _power_sum(rho, room) - 1
    all_busy = _power_sum(rho, room) / total
    full = rho**room / total if math.isfinite(room) else 0.0
    waiting = _weighted_power_sum(rho, room) / total
    accepted = arrival_rate * (1 - full)  # also the mean number of busy servers, rates being 1
    return Delay(all_busy, full, waiting, accepted, waiting / accepted)


def _power_sum(rho: float, last: float) -> float:
    """1 + rho + ... + rho^last."""
    if abs(rho - 1) < 1e-9:
        return last + 1 + (rho - 1) * last * (last + 1) / 2
    if math.isinf(last):
        return 1 / (1 - rho)
    return math.expm1((last + 1) * math.log(rho)) / (rho - 1)


def _weighted_power_sum(rho: float, last: float) -> float:
    """rho + 2 rho^2 + ... + last rho^last."""
    if math.isfinite(last) and abs(math.log(rho)) * last < 1:  # the closed form below would cancel
        return _by_euler_maclaurin(math.log(rho), last)
    if math.isinf(last):
        return rho / (1 - rho) ** 2
    top = math.exp(last * math.log(rho))
    return rho * (1 - (last + 1) * top + last * top * rho) / (1 - rho) ** 2


def _by_euler_maclaurin(theta: float, last: float) -> float:
    """Sum of t e^(theta t) over t = 1 .. last, |theta| last < 1: integral, end point, and two derivatives."""
    if last <= 64:
        return math.fsum(t * math.exp(theta * t) for t in range(1, int(last) + 1))
    x = theta * last
    integral: float = last * last * math.fsum(x**k / (math.factorial(k) * (k + 2)) for k in range(20))
    top = math.exp(x)
    first = top * (1 + x) - 1
    third = theta * theta * (top * (3 + x) - 3)
    return integral + last * top / 2 + first / 12 - third / 720


def halfin_whitt_delay(beta: float) -> float:
    """The limit of C when lambda = 1 - beta / sqrt N: 1 / (1 + beta Phi(beta) / phi(beta)). Halfin & Whitt (1981).

    >>> round(halfin_whitt_delay(1.0), 4)
    0.2234
    """
    if not beta > 0:
        raise ModelError(f"beta = {beta} must be above 0: lambda = 1 - beta / sqrt N.")
    density = math.exp(-beta * beta / 2) / math.sqrt(2 * math.pi)
    return 1 / (1 + beta * float(scipy.special.ndtr(beta)) / density)
