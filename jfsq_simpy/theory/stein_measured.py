"""Stein's terms from a run: the lines of (10), the coupling (51) and E[G g] = 0, bracketed from the joint histogram.

In    a Run that counted the joint law of (waiting jobs, idle servers)
Out   each term as a range with an interval; a point when servers are equal and cells are single states
Rule  a tally knows how many servers are idle, not which: the capacity of i idle servers lies between
      that of the i slowest and the i fastest, and every term is monotone in it
Cost  O(cells) a replication
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jfsq_simpy.errors import PlanError
from jfsq_simpy.estimate import jackknife
from jfsq_simpy.policies import AskAll
from jfsq_simpy.rates import FloatArray, Rates
from jfsq_simpy.system import System
from jfsq_simpy.tally import Observables, Tally
from jfsq_simpy.theory.stein import Stein

if TYPE_CHECKING:
    from jfsq_simpy.run import Run


RANGES = ("moment", "collapse", "lower_moment", "generator", "arrivals", "departures")


class Range(NamedTuple):
    """The mean lies between `low` and `high`, each known to within its half width."""

    low: float
    high: float
    low_half_width: float
    high_half_width: float

    @property
    def may_be_zero(self) -> bool:
        """Whether 0 is inside, intervals included."""
        return self.low - self.low_half_width <= 0 <= self.high + self.high_half_width


@dataclass(frozen=True)
class MeasuredCoupling:
    """The terms of (9)-(12) and (51) as a run knows them; see `stein.Coupling` for what each is."""

    eta: float
    order: int
    moment: Range
    collapse: Range
    sharp_remainder: float
    lower_moment: Range
    generator: Range  # E[G g]
    arrivals: Range  # second line of (10)
    departures: Range  # third line of (10)

    @property
    def holds(self) -> bool:
        """False only when the left side, at its lowest, exceeds the right side at its highest."""
        right = self.collapse.high + self.collapse.high_half_width + self.sharp_remainder
        right += self.lower_moment.high + self.lower_moment.high_half_width
        return self.moment.low - self.moment.low_half_width <= right

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        ranges = {k: getattr(self, k)._asdict() for k in RANGES}
        return {"eta": self.eta, "order": self.order, "sharp_remainder": self.sharp_remainder, **ranges, "holds": self.holds}


def measured_coupling(run: Run, eta: float, order: int) -> MeasuredCoupling:
    """The terms of (10) and (51), and E[G g], from a run's joint histogram, with intervals over replications.

    Errors: PlanError when the run did not count the joint histogram (`theory.observables` asks for it) or
    may block while a place is free (A_b then depends on more than it counts).
    """
    if not run.observe.joint:
        raise PlanError("the run counted no joint histogram of (waiting, idle); simulate with observe=theory.observables(system).")
    looks = isinstance(run.system.policy.query, AskAll) and run.system.knowledge.true_queues
    if not (run.system.policy.full_last and looks):
        raise PlanError(
            f"policy {run.system.policy.name!r} may block while a place is free, which the joint histogram does not tell."
        )
    f = Stein.of(run.system, eta, order)
    cells = _cells(run.system, run.observe)
    n = run.system.n_servers

    up, down = _arrivals(run.system, f, cells), _departures(f, cells)
    beyond_low, beyond_high = cells.queue_low > eta + 1 / n, cells.queue_high > eta + 1 / n
    lost_low, lost_high = 1 - cells.capacity_high / n, 1 - cells.capacity_low / n
    return MeasuredCoupling(
        eta,
        order,
        moment=_range(run, f.h(cells.queue_low) ** order, f.h(cells.queue_high) ** order),
        collapse=_range(
            run,
            f.n_alpha * f.h(cells.queue_low) ** order * lost_low * beyond_low,
            f.n_alpha * f.h(cells.queue_high) ** order * lost_high * beyond_high,
        ),
        sharp_remainder=2 * f.gradient_bound(),
        lower_moment=_range(
            run,
            order * f.n_alpha / n * f.h(cells.queue_low + 1 / n) ** (order - 1),
            order * f.n_alpha / n * f.h(cells.queue_high + 1 / n) ** (order - 1),
        ),
        generator=_range(run, up.low + down.low, up.high + down.high),
        arrivals=_range(run, -up.high, -up.low),
        departures=_range(run, -down.high, -down.low),
    )


class _Cells(NamedTuple):
    """What each cell of the histogram says at least and at most (float arrays of the histogram's shape)."""

    queue_low: FloatArray
    queue_high: FloatArray
    capacity_low: FloatArray
    capacity_high: FloatArray


def _cells(system: System, observe: Observables) -> _Cells:
    assert observe.joint is not None
    waits, idles = (np.array(e, dtype=np.float64) for e in observe.joint)
    n = system.n_servers
    shape = observe.joint_shape
    least_wait, most_wait = waits[:-1, None], waits[1:, None] - 1
    least_idle, most_idle = idles[None, :-1], np.minimum(idles[None, 1:] - 1, n)
    busy_least, busy_most = n - most_idle, n - least_idle
    fast = _capacity_of_fastest(system.rates)
    return _Cells(
        np.broadcast_to((least_wait + busy_least) / n, shape),
        np.broadcast_to((most_wait + busy_most) / n, shape),
        np.broadcast_to(n - fast(most_idle), shape),  # the fastest so many are the idle ones
        np.broadcast_to(fast(busy_most), shape),  # the slowest so many are the idle ones
    )


def _capacity_of_fastest(rates: Rates) -> Callable[[FloatArray], FloatArray]:
    before = np.concatenate([[0.0], np.cumsum(rates.speeds * rates.counts)])
    return lambda m: np.interp(m, rates.first_server, before)


class _Term(NamedTuple):
    """At least and at most, cell by cell."""

    low: FloatArray
    high: FloatArray


def _arrivals(system: System, f: Stein, cells: _Cells) -> _Term:
    # step_up <= 0 falls with the queue; full systems accept nothing
    full, maybe_full = cells.queue_low >= system.places, cells.queue_high >= system.places
    low = np.where(full, 0.0, system.arrival_rate * f.step_up(cells.queue_high))
    high = np.where(maybe_full, 0.0, system.arrival_rate * f.step_up(cells.queue_low))
    return _Term(low, high)


def _departures(f: Stein, cells: _Cells) -> _Term:
    # step_down >= 0 rises with the queue
    return _Term(cells.capacity_low * f.step_down(cells.queue_low), cells.capacity_high * f.step_down(cells.queue_high))


def _range(run: Run, low: FloatArray, high: FloatArray) -> Range:
    (a, half_a), (b, half_b) = _mean(run, low), _mean(run, high)
    return Range(a, b, half_a, half_b)


def _mean(run: Run, values: FloatArray) -> tuple[float, float]:
    def measure(tally: Tally) -> float:
        return float((tally.joint * values).sum() / tally.snapshots)

    value, half = jackknife(run.sample, measure)
    return float(value), float(half)
