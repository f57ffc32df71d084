"""The supermarket in closed form: power of d choices among equal servers with endless buffers; and splitting by coin.

In    load, d, or weights by class
Out   tails, E[T]; for a server at random the law of each class, which is its own at any N
Rule  with endless buffers the load must be below 1; finite places are `mean_field`'s
Cost  nothing
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from jfsq_simpy.errors import ModelError
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.theory.reference.fixed_point import FixedPoint, birth_and_death


def supermarket_tails(load: float, d: int, levels: int) -> FloatArray:
    """Equal servers, endless buffers: s_k = lambda^((d^k - 1)/(d - 1)), k = 0 .. levels - 1.

    Vvedenskaya, Dobrushin & Karpelevich (1996); Mitzenmacher (1996). Errors: ModelError.

    >>> supermarket_tails(0.9, 2, 3)
    array([1.   , 0.9  , 0.729])
    """
    if not 0 < load < 1:
        raise ModelError(f"load = {load} must lie between 0 and 1: with endless buffers queues would grow for ever.")
    if d < 1 or d != int(d):
        raise ModelError(f"d = {d} must be a whole number of servers, at least 1.")
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
    g, mu = (np.asarray(x, dtype=np.float64) for x in (shares, speeds))
    if g.shape != mu.shape or not math.isclose(float(g.sum()), 1.0, rel_tol=1e-9) or (mu <= 0).any() or not load > 0:
        raise ModelError(f"shares must sum to 1, with one speed above 0 for each, and load = {load} must be above 0.")
    weight = np.ones(g.size) if weights is None else np.asarray(weights, dtype=np.float64)
    to_class = g * weight / (g @ weight)  # share of all jobs
    births = np.repeat((load * to_class / g)[:, None], places, axis=1)
    law = birth_and_death(births, np.repeat(mu[:, None], places, axis=1))
    return FixedPoint(load, g, mu, law, to_class[:, None] * law)
