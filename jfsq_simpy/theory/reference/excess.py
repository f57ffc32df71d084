"""Jobs beyond N in super-Halfin-Whitt at one N: the balance that decides the conjectured Gamma law, solved.

In    Rates, alpha of a JFSQ fleet whose servers hold two jobs at most (longer queues are too rare to matter)
Out   mean and variance of (jobs - N) / N^alpha, p_W N^(1 - alpha)
Rule  jobs s go up at lambda N and down at N - C(s), where C(s) is the mean rate of the idle servers while s jobs are
      there: P(s + 1) (N - C(s + 1)) = P(s) lambda N holds exactly. C is approximated: idle servers come and go
      N^(2 alpha - 1) / X^2 N times faster than s moves, so they are taken at rest. Within 2 % at N = 1,000, alpha = 3/4
Cost  O(points x sqrt N): 0.3 s at N = 10^4, 20 s at 10^9
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jfsq_simpy.errors import ModelError
from jfsq_simpy.rates import FloatArray, Rates

MOST_JOBS = 25.0  # in units of N^alpha beyond N: of a Gamma law of rate 1, e^-25 is left
ROUNDS, CLOSE = 30, 1e-7


class Excess(NamedTuple):
    """Of (jobs - N) / N^alpha the mean and variance; p_W N^(1 - alpha); and how well C balances the work."""

    mean: float
    variance: float
    waiting_constant: float
    balance: float  # E[C] / X, which is 1 when C is right


class _Idle(NamedTuple):
    """Idle servers while s jobs are there."""

    rate: float  # C(s), their summed rates
    none: float  # P(no server is idle)


def excess(rates: Rates, alpha: float, points: int = 300) -> Excess:
    """Jobs beyond N under JFSQ, the idle servers taken at rest at every number of jobs. Errors: ModelError.

    As N grows it leads to Gamma(1 + mu_N/mu_1, 1), but far from straight: with speeds 1.5 and 0.5 the mean rises past
    4/3 and comes back, because some idle servers are fast ones.

    >>> from jfsq_simpy import rates
    >>> round(excess(rates.homogeneous(1000), 0.75).mean, 2)      # the exact law has 1.46
    1.49
    """
    if not 0.5 < alpha < 1:
        raise ModelError(f"alpha = {alpha} must lie between 1/2 and 1: the jobs beyond N are of order N^alpha there.")
    n, scale = rates.n_servers, rates.n_servers**alpha
    arrivals = n - n ** (1 - alpha)
    # jobs beyond N: a few deviations sqrt N below, and as many N^alpha above as there is room for
    fewest = -min(8 * np.sqrt(n), 0.5 * n)
    e = np.concatenate([np.linspace(fewest, 0, points // 3), np.geomspace(1, min(MOST_JOBS * scale, 0.99 * n), points)])
    idle = [_at_rest(rates, arrivals, float(x)) for x in e]
    rate = np.minimum([i.rate for i in idle], 0.999 * n)  # with a handful of servers all may be idle
    climb = np.log(arrivals) - np.log(n - rate)
    log_p = np.concatenate([[0.0], np.cumsum((climb[1:] + climb[:-1]) / 2 * np.diff(e))])
    p = np.exp(log_p - log_p.max()) * np.gradient(e)
    p /= p.sum()
    mean = float(p @ e) / scale
    return Excess(
        mean,
        float(p @ e**2) / scale**2 - mean**2,
        float(p @ np.array([i.none for i in idle])) * n ** (1 - alpha),
        float(p @ rate) / n ** (1 - alpha),
    )


def _at_rest(rates: Rates, arrivals: float, beyond: float) -> _Idle:
    """Idle servers while N + `beyond` jobs are there: i of them, and beyond + i jobs waiting at the fastest."""
    n, fewest = rates.n_servers, max(-beyond, 0.0)
    most = 12 * np.sqrt(n) + 2 * (n - arrivals) + 200
    i = fewest + np.arange(0.0, int(min(most, 200 + 40 * n / (rates.slowest * max(beyond, 1.0)))))
    drained = _rate_of_fastest(rates, np.asarray(beyond + i))  # servers with two jobs leave one busy
    mean_rate = 1.0  # of an idle server
    for _ in range(ROUNDS):
        p = _birth_and_death(n - drained - mean_rate * i, arrivals)
        servers = float(p @ i)
        found = _rate_of_idle(rates, arrivals, servers, float(p @ np.maximum(beyond + i, 0.0)))
        if abs(found - mean_rate) < CLOSE:
            break
        mean_rate = (mean_rate + found) / 2
    return _Idle(mean_rate * servers, float(p[0]) if fewest == 0 else 0.0)


def _rate_of_idle(rates: Rates, arrivals: float, servers: float, waiting: float) -> float:
    """Mean rate of an idle server: arrivals fill the fastest first, so those of the k fastest classes are a queue apart."""
    if rates.n_classes == 1:
        return rates.fastest
    one_job = rates.counts - np.clip(waiting - rates.first_server[:-1], 0, rates.counts)
    fall_idle = np.cumsum(rates.speeds * one_job)[:-1]
    slowest = rates.speeds[:-1]  # of the k fastest classes
    among_first = [_mean_idle(float(b), float(mu), arrivals, rates.n_servers) for b, mu in zip(fall_idle, slowest, strict=True)]
    up_to = np.minimum([*among_first, servers], servers)
    return float(rates.speeds @ np.diff(up_to, prepend=0.0)) / servers


def _mean_idle(fall_idle: float, slowest: float, arrivals: float, n: int) -> float:
    j = np.arange(0.0, int(12 * np.sqrt(n)) + 200)
    return float(_birth_and_death(np.asarray(fall_idle - slowest * j), arrivals) @ j)


def _birth_and_death(births: FloatArray, deaths: float) -> FloatArray:
    log_p = np.concatenate([[0.0], np.cumsum(np.log(np.maximum(births[:-1], 1e-300)) - np.log(deaths))])
    p = np.exp(log_p - log_p.max())
    return np.asarray(p / p.sum())


def _rate_of_fastest(rates: Rates, m: FloatArray) -> FloatArray:
    """Summed rates of the m fastest servers, m with its fraction."""
    edges = np.concatenate([[0.0], np.cumsum(rates.speeds * rates.counts)])
    return np.asarray(np.interp(np.maximum(m, 0.0), rates.first_server, edges))
