"""The mean field in time: how shares of servers move from a start to their rest.

In    a System, times, where it starts
Out   a Transient: the law of levels at each time, and the metrics that follow from it
Rule  where everybody is seen, a rank that is used up would make the flow jump. A dispatcher here needs
      1e-5 of a mean service time to find a server of a rank, so that the flow is continuous, and the
      curves are right to about 1e-4
Cost  one stiff ordinary differential equation of n_classes (places + 1) numbers
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy
from numpy.typing import ArrayLike

from jfsq_simpy.errors import ModelError
from jfsq_simpy.policies import AskAll, AskClass, IdleFirst
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.system import System
from jfsq_simpy.theory.reference.in_order import Fluid
from jfsq_simpy.theory.reference.mean_field import Field
from jfsq_simpy.theory.reference.sampling import intensity_of

SEARCH = 1e-5  # mean service times a dispatcher needs to find a server of a rank
RELATIVE, ABSOLUTE = 1e-8, 1e-10

Flow = Callable[[FloatArray], FloatArray]  # law -> jobs sent to each cell, per server and unit of time


@dataclass(frozen=True, eq=False)
class Transient:
    """Shares of servers along time: `law[t, c, k]`, the share of class c that holds k jobs; `sent`, as in FixedPoint."""

    times: FloatArray
    shares: FloatArray
    law: FloatArray
    sent: FloatArray

    @property
    def mean_queue(self) -> FloatArray:
        """float array (n_times,): jobs a server holds in the mean."""
        return np.asarray(self.law @ np.arange(self.law.shape[2]) @ self.shares)

    @property
    def waiting_probability(self) -> FloatArray:
        """float array (n_times,): the share of jobs coming then that are sent to a busy server."""
        return np.asarray(self.sent[:, :, 1:].sum(axis=(1, 2)))

    @property
    def blocking_probability(self) -> FloatArray:
        """float array (n_times,)."""
        return np.asarray(self.sent[:, :, -1].sum(axis=1))


def transient(system: System, times: ArrayLike, start: Literal["empty"] | ArrayLike = "empty") -> Transient:
    """The mean field at the times given, from time 0 on.

    Parameters
    ----------
    times : float array (n_times,)   ascending, in mean service times, >= 0
    start : "empty", or float array (n_classes, places + 1), the law of each class's levels at time 0

    Errors: ModelError where the system has no mean field here, or for times or a start that make no sense.

    >>> from jfsq_simpy import rates
    >>> two = System(rates.homogeneous(100), load=0.9, places=20, policy={"name": "jsq_d", "d": 2})
    >>> transient(two, [0.0, 1.0, 10.0, 200.0]).mean_queue.round(4)
    array([0.    , 0.5895, 1.7927, 2.3527])
    """
    field, t = Field.of(system), np.atleast_1d(np.asarray(times, dtype=np.float64))
    flow, law = flow_of(field), _start(start, field.ranks.shape)
    if t.ndim != 1 or t.size == 0 or not (np.diff(t, prepend=0.0) >= 0).all() or not np.isfinite(t).all():
        raise ModelError("times must be numbers >= 0, ascending.")

    def change(_: float, y: FloatArray) -> FloatArray:
        law = y.reshape(field.ranks.shape)
        up = flow(law)[:, :-1] / field.shares[:, None] - field.deaths * law[:, 1:]
        return np.asarray((np.pad(up, ((0, 0), (1, 0))) - np.pad(up, ((0, 0), (0, 1)))).ravel())

    done = scipy.integrate.solve_ivp(
        change, (0.0, max(float(t[-1]), 1e-9)), law.ravel(), method="LSODA", t_eval=t, rtol=RELATIVE, atol=ABSOLUTE
    )
    if not done.success:
        raise ModelError(f"policy {system.policy.name!r}: the mean field could not be followed in time: {done.message}")
    laws = np.asarray(done.y.T.reshape(t.size, *field.ranks.shape))
    return Transient(t, field.shares, laws, np.stack([flow(law) for law in laws]) / field.load)


def flow_of(field: Field) -> Flow:
    """Where jobs go, as a function of the law. Errors: ModelError."""
    query, load, g = field.policy.query, field.load, field.shares[:, None]
    if isinstance(query, AskAll):
        fluid = field.fluid()
        return lambda law: poured(fluid, law, load)[0]
    if isinstance(query, AskClass) and query.d is None:
        return _classes_apart(field, query.probabilities)
    if isinstance(query, IdleFirst):
        fluid, sees = field.fluid(), intensity_of(field.policy, query.then, field.ranks, field.shares)

        def idle_first(law: FloatArray) -> FloatArray:
            sent, left = poured(fluid, law, load, levels=1)
            return np.asarray(sent + left * g * law * sees(law))

        return idle_first
    sees = intensity_of(field.policy, query, field.ranks, field.shares)
    return lambda law: load * g * law * sees(law)


def poured(fluid: Fluid, law: FloatArray, load: float, levels: int | None = None) -> tuple[FloatArray, float]:
    """Jobs poured over the ranks in their order (of the first `levels` levels): where they go, and what is left.

    A rank takes what falls to it, by departures and from better ranks, and what it holds divided by the
    time of a search; the last rank takes all.
    """
    ranks, held = fluid.ranks[:, :levels], fluid.shares[:, None] * law
    falls = np.append(held[:, 1:] * fluid.speeds[:, None], np.zeros((held.shape[0], 1)), axis=1)[:, :levels]
    wants = fluid.weights[:, None] * np.maximum(held[:, :levels], 0.0) / SEARCH + np.maximum(falls, 0.0)
    sent, left = np.zeros(held.shape), load
    for r in np.unique(ranks):
        here = ranks == r
        asked = float(wants[here].sum())
        part = min(1.0, left / asked) if asked > 0 else 0.0
        sent[:, :levels][here] = part * wants[here]
        left -= part * asked
        if left <= 0:
            break
        climbed = np.pad(sent, ((0, 0), (1, 0)))[:, : ranks.shape[1]]  # who was taken just now stands one level higher
        wants = np.where(ranks > r, fluid.weights[:, None] * np.maximum(held[:, :levels], 0.0) / SEARCH + falls + climbed, wants)
    return sent, left


def _classes_apart(field: Field, probabilities: Sequence[float]) -> Flow:
    apart = [(k, field.alone(k, p).fluid(), field.load * p) for k, p in enumerate(probabilities) if p > 0]

    def flow(law: FloatArray) -> FloatArray:
        sent = np.zeros(law.shape)
        for k, fluid, load in apart:
            share = float(field.shares[k])
            sent[k] = share * poured(fluid, law[k : k + 1], load / share)[0][0]
        return sent

    return flow


def _start(start: Literal["empty"] | ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    if isinstance(start, str):
        if start != "empty":
            raise ModelError(f'start = {start!r} must be "empty", or the law of each class\'s levels.')
        law = np.zeros(shape)
        law[:, 0] = 1.0
        return law
    law = np.asarray(start, dtype=np.float64)
    if law.shape != shape or not (law >= 0).all() or not np.allclose(law.sum(axis=1), 1.0, rtol=1e-9):
        raise ModelError(f"start must be shares >= 0, a row of {shape[1]} with sum 1 for each of {shape[0]} speed classes.")
    return law
