"""Mean-field fixed points: power of d choices with speed classes and finite places, and random splitting.

In    load, d, places, classes (shares and speeds)
Out   tails x[c, k] = P(a server of class c holds at least k), p_W, p_B, E[T], mean queue
Rule  servers are sampled *with* replacement and ties are uniform: without replacement is 4 % lower at
      N = 10, and the same in the limit
Cost  O(places x classes) an iteration, some hundreds
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from jfsq_simpy.errors import ModelError
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.system import System

TOLERANCE = 1e-14
MOST_ITERATIONS = 200_000


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """Servers in the limit: `tails[c, k]` the share of class c holding at least k jobs, k = 0 .. b."""

    load: float
    shares: FloatArray
    speeds: FloatArray
    tails: FloatArray
    waiting_probability: float
    blocking_probability: float

    @property
    def mean_queue(self) -> float:
        """Jobs a server holds in the mean."""
        return float(self.shares @ self.tails[:, 1:].sum(axis=1))

    @property
    def mean_response(self) -> float:
        """E[T] of accepted jobs, by Little's law."""
        return self.mean_queue / (self.load * (1 - self.blocking_probability))

    @property
    def mean_waiting(self) -> float:
        """Waiting jobs per server."""
        return float(self.shares @ self.tails[:, 2:].sum(axis=1))

    @property
    def mean_wait(self) -> float:
        """E[W] of accepted jobs."""
        return self.mean_waiting / (self.load * (1 - self.blocking_probability))


def supermarket_tails(load: float, d: int, levels: int) -> FloatArray:
    """Equal servers, endless buffers: s_k = lambda^((d^k - 1)/(d - 1)), k = 0 .. levels - 1.

    Vvedenskaya, Dobrushin & Karpelevich (1996); Mitzenmacher (1996).

    >>> supermarket_tails(0.9, 2, 3)
    array([1.   , 0.9  , 0.729])
    """
    _check(load, d)
    if load >= 1:
        raise ModelError(f"load = {load} must be below 1 with endless buffers.")
    powers = np.array([k if d == 1 else (float(d) ** k - 1) / (d - 1) for k in range(levels)])
    return np.asarray(load**powers)


def supermarket_response(load: float, d: int) -> float:
    """E[T] of equal servers with endless buffers: sum over i >= 1 of lambda^((d^i - d)/(d - 1)).

    >>> round(supermarket_response(0.9, 2), 4)
    2.6141
    """
    levels = 2
    while supermarket_tails(load, d, levels)[-1] > 1e-18:
        levels *= 2
    return float(supermarket_tails(load, d, levels)[1:].sum()) / load


def power_of_d(load: float, d: int, places: int, shares: Sequence[float] = (1.0,), speeds: Sequence[float] = (1.0,)) -> FixedPoint:
    """The shortest of d servers sampled with replacement, b places, speed classes, ties uniform.

    Solves lambda (u_(k-1)^d - u_k^d) g_c (x_(c,k-1) - x_(c,k)) / (u_(k-1) - u_k) = g_c mu_c (x_(c,k) - x_(c,k+1)),
    u_k = sum g_c x_(c,k), x_(c,0) = 1, x_(c,b+1) = 0; then p_B = u_b^d, p_W = u_1^d.

    >>> point = power_of_d(0.7, 2, 3, shares=(0.5, 0.5), speeds=(1.5, 0.5))
    >>> round(point.mean_queue, 5), round(point.waiting_probability, 5), round(point.blocking_probability, 6)
    (1.43568, 0.56597, 0.041328)
    """
    _check(load, d)

    def birth(u: FloatArray) -> FloatArray:
        # (u_(k-1)^d - u_k^d) / (u_(k-1) - u_k) as a sum of products, so that equal tails do not divide by 0
        return load * np.array([math.fsum(u[k] ** i * u[k + 1] ** (d - 1 - i) for i in range(d)) for k in range(places)])

    return _fixed_point(load, places, shares, speeds, birth, waits=lambda u: float(u[1]) ** d, blocks=lambda u: float(u[-1]) ** d)


def random_splitting(
    load: float,
    places: int,
    shares: Sequence[float] = (1.0,),
    speeds: Sequence[float] = (1.0,),
    weights: Sequence[float] | None = None,
) -> FixedPoint:
    """A server at random, by weight (default: uniformly): each is an M/M/1/b of its own, exactly at every N.

    >>> round(random_splitting(0.5, 2).blocking_probability, 6)      # 1, 1/2, 1/4
    0.142857
    """
    _check(load, 1)
    g, mu = _classes(shares, speeds)
    weight = np.ones(g.size) if weights is None else np.asarray(weights, dtype=np.float64)
    to_class = g * weight / (g @ weight)  # share of all jobs
    birth = load * to_class / g  # arrivals per server
    x = np.concatenate([_class_tails(np.full(places, b), mu[c : c + 1]) for c, b in enumerate(birth.tolist())])
    return FixedPoint(load, g, mu, x, float(to_class @ x[:, 1]), float(to_class @ x[:, -1]))


def of_system(system: System) -> FixedPoint | None:
    """The fixed point that speaks about a system's policy, or None where none here does."""
    rates, policy = system.rates, system.policy
    shares, speeds = (rates.counts / rates.n_servers).tolist(), rates.speeds.tolist()
    if not system.is_markov:
        return None
    if policy.name == "random":
        return random_splitting(system.load, system.places, shares, speeds)
    if policy.name == "weighted_random":
        return random_splitting(system.load, system.places, shares, speeds, weights=speeds)
    if policy.name == "jsq_d" and policy.ties == "uniform":
        return power_of_d(system.load, policy.samples, system.places, shares, speeds)
    return None


def _fixed_point(
    load: float,
    places: int,
    shares: Sequence[float],
    speeds: Sequence[float],
    birth: Callable[[FloatArray], FloatArray],
    *,
    waits: Callable[[FloatArray], float],
    blocks: Callable[[FloatArray], float],
) -> FixedPoint:
    g, mu = _classes(shares, speeds)
    x = np.tile(np.linspace(1.0, 0.0, places + 2)[:-1], (g.size, 1))
    step = 1.0
    change = math.inf
    for _ in range(MOST_ITERATIONS):
        target = _class_tails(birth(g @ x), mu)
        moved = float(np.abs(target - x).max())
        if moved < TOLERANCE:
            break
        if moved > change:
            step = max(step / 2, 0.05)  # overshooting: the map may swing between two points
        change = moved
        x = x + step * (target - x)
    u = g @ x
    return FixedPoint(load, g, mu, x, waits(u), blocks(u))


def _classes(shares: Sequence[float], speeds: Sequence[float]) -> tuple[FloatArray, FloatArray]:
    g, mu = np.asarray(shares, dtype=np.float64), np.asarray(speeds, dtype=np.float64)
    if g.shape != mu.shape or not math.isclose(float(g.sum()), 1.0, rel_tol=1e-9) or (mu <= 0).any():
        raise ModelError("shares must sum to 1, with one speed above 0 for each.")
    return g, mu


def _class_tails(birth: FloatArray, mu: FloatArray) -> FloatArray:
    """Tails of the birth and death law of each class: births by level, deaths at its rate."""
    weights = np.concatenate([np.ones((mu.size, 1)), np.cumprod(birth[None, :] / mu[:, None], axis=1)], axis=1)
    tails = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(tails / tails[:, :1])


def _check(load: float, d: int) -> None:
    if not load > 0 or d < 1 or d != int(d):
        raise ModelError(f"load = {load} must be above 0 and d = {d} a whole number at least 1.")
