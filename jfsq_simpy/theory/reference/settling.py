"""Where birth and death rates that depend on the law itself leave it at rest.

In    births as a function of the law of levels, deaths
Out   the law that does not change
Rule  long implicit steps in time, not a bare iteration: the law that fits the births of a guess may lie far
      on the other side of the truth, and a guess that swings never settles. Steps grow as the change dies out,
      until they are Newton's
Cost  a matrix of n x n for n numbers in the law, some ten times; above `DENSE` a damped iteration
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from jfsq_simpy.errors import ModelError
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.theory.reference.fixed_point import birth_and_death

Births = Callable[[FloatArray], FloatArray]  # law (n_classes, n_levels) -> rates of k -> k + 1, (n_classes, n_levels - 1)

TOLERANCE = 1e-14  # of a law's change, per unit of the fastest rate
DENSE = 1_500  # numbers in a law up to which its Jacobian is written out
STEPS, ITERATIONS = 200, 20_000
NUDGE = 1e-7


def settle(births: Births, deaths: FloatArray, begin: int = 0) -> FloatArray:
    """The law at rest, float array (n_classes, n_levels), from all servers at level `begin`. Errors: ModelError.

    Where more comes than can be served, it is reached sooner from full servers (`begin = -1`).

    >>> settle(lambda law: 0.5 * np.ones((1, 2)), np.ones((1, 2))) * 7                # M/M/1/2 at load 1/2
    array([[4., 2., 1.]])
    """
    law = np.zeros((deaths.shape[0], deaths.shape[1] + 1))
    law[:, begin] = 1.0
    if law.shape[1] == 1:
        return law
    return _by_steps(births, deaths, law) if law.size <= DENSE else _by_iteration(births, deaths, law)


def change(law: FloatArray, births: FloatArray, deaths: FloatArray) -> FloatArray:
    """d law / dt."""
    up = births * law[:, :-1] - deaths * law[:, 1:]
    out = np.zeros(law.shape)
    out[:, 1:] = up
    out[:, :-1] -= up
    return out


def _by_steps(births: Births, deaths: FloatArray, law: FloatArray) -> FloatArray:
    def moves(law: FloatArray) -> FloatArray:
        return change(law, births(law), deaths)

    fastest = float(max(deaths.max(), births(law).max()))
    step, now = 1 / fastest, moves(law)
    for _ in range(STEPS):
        size = float(np.abs(now).max())
        if size < TOLERANCE * fastest:
            return law
        jacobian = np.empty((law.size, law.size))
        for i in range(law.size):
            nudged = law.ravel().copy()
            nudged[i] += NUDGE
            jacobian[:, i] = (moves(nudged.reshape(law.shape)) - now).ravel() / NUDGE
        try:
            law = law + np.linalg.solve(np.eye(law.size) / step - jacobian, now.ravel()).reshape(law.shape)
        except np.linalg.LinAlgError:  # a load of 1 and a large d: next to nothing moves, wherever the law is
            break
        law = np.maximum(law, 0.0)
        law /= law.sum(axis=1, keepdims=True)
        now = moves(law)
        step = min(step * min(max(size / max(float(np.abs(now).max()), 1e-300), 0.5), 10.0), 1e9 / fastest)
    raise ModelError("the mean field did not settle; follow it in time.")


def _by_iteration(births: Births, deaths: FloatArray, law: FloatArray) -> FloatArray:
    weight, before = 1.0, math.inf
    for _ in range(ITERATIONS):
        target = birth_and_death(births(law), deaths)
        moved = float(np.abs(target - law).max())
        if moved < TOLERANCE:
            return target
        if moved > before:
            weight = max(weight / 2, 0.01)
        before = moved
        law = law + weight * (target - law)
    raise ModelError("the mean field did not settle; follow it in time, or use fewer speed classes.")
