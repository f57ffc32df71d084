"""Stein's method of section 3.3 and appendix E: h, g, the generator applied to g, and the coupling's terms.

In    a stationary law as states and probabilities (exact), eta and r
Out   E[G g] (which is 0), and every term of (9)-(12) and (51)
Rule  in g'' the power h^(r-1) with r = 1 means "1 beyond eta, else 0"; in (12) and (51) it means 1
Cost  O(states x units x places)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jfsq_simpy.errors import ModelError
from jfsq_simpy.exact import ExactLaw
from jfsq_simpy.exact.states import Units
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.system import System
from jfsq_simpy.theory import states
from jfsq_simpy.theory.states import Levels, units_of

ROUNDING = 1e-9


@dataclass(frozen=True)
class Stein:
    """The test function of section 3.3: h beyond eta to the power r, in a system where N^alpha = 1/(1 - lambda).

    >>> f = Stein(n_servers=100, n_alpha=10.0, eta=1.0, order=1)
    >>> float(f.g_prime(1.5)), float(f.g_prime(0.5))
    (-5.0, 0.0)
    """

    n_servers: int
    n_alpha: float
    eta: float
    order: int

    @classmethod
    def of(cls, system: System, eta: float, order: int) -> Stein:
        """For a system of load below 1 (above, the fluid does not drain). Errors: ModelError."""
        if system.load >= 1:
            raise ModelError(f"load = {system.load:.6g}: the fluid of section 3.3 drains at rate 1 - load, which must be above 0.")
        if order < 1 or order != int(order):
            raise ModelError(f"order = {order} must be a whole number at least 1.")
        return cls(system.n_servers, 1 / (1 - system.load), eta, order)

    def h(self, x: ArrayLike) -> FloatArray:
        """max(x - eta, 0). Section 3.3."""
        return np.maximum(np.asarray(x, dtype=np.float64) - self.eta, 0.0)

    def g(self, x: ArrayLike) -> FloatArray:
        """-N^alpha h^(r+1) / (r + 1), which solves (7). Equation (30)."""
        return np.asarray(-self.n_alpha / (self.order + 1) * self.h(x) ** (self.order + 1) + 0.0)

    def g_prime(self, x: ArrayLike) -> FloatArray:
        """-N^alpha h^r. Equation (31)."""
        return np.asarray(-self.n_alpha * self.h(x) ** self.order + 0.0)

    def g_second(self, x: ArrayLike) -> FloatArray:
        """-r N^alpha h^(r-1) beyond eta, 0 below. Equation (36)."""
        beyond = np.asarray(x, dtype=np.float64) > self.eta
        return np.asarray(np.where(beyond, -self.order * self.n_alpha * self.h(x) ** (self.order - 1), 0.0))

    def gradient_bound(self) -> float:
        """2^r / N^(r - alpha), at least |g'| within 2/N of eta. Lemma 6."""
        return float(2.0**self.order * self.n_alpha / float(self.n_servers) ** self.order)

    def step_up(self, x: ArrayLike) -> FloatArray:
        """g(x + 1/N) - g(x): what an accepted job changes."""
        return self.g(np.asarray(x) + 1 / self.n_servers) - self.g(x)

    def step_down(self, x: ArrayLike) -> FloatArray:
        """g(x - 1/N) - g(x): what a departure changes."""
        return self.g(np.asarray(x) - 1 / self.n_servers) - self.g(x)


@dataclass(frozen=True)
class StateLaw:
    """What Stein's method needs of a stationary law, state by state (float arrays (n_states,))."""

    system: System
    probabilities: FloatArray
    mean_queue: FloatArray
    capacity: FloatArray  # summed rates of busy servers
    blocked: FloatArray  # A_b

    def expect(self, values: FloatArray) -> float:
        """The mean of values (n_states,)."""
        return float(self.probabilities @ values)


def state_law(system: System, levels: Levels, probabilities: FloatArray, units: Units | None = None) -> StateLaw:
    """From states as counts, int array (n_states, n_units, places + 1); units are speed classes unless given."""
    units = units_of(system.rates) if units is None else units
    return StateLaw(
        system,
        np.asarray(probabilities, dtype=np.float64),
        states.jobs(levels) / system.n_servers,
        states.capacity(levels, units),
        states.blocked_share(system, levels, units),
    )


def state_law_of(law: ExactLaw) -> StateLaw:
    """What Stein's method needs of an exact law."""
    return state_law(law.system, law.levels, law.probabilities, law.units)


def generator_of_g(law: StateLaw, eta: float, order: int) -> FloatArray:
    """G g(mean queue) at every state: lambda N (1 - A_b) step up + busy capacity x step down. Appendix E.

    Returns float array (n_states,); its mean is 0, equation (8).
    """
    f = Stein.of(law.system, eta, order)
    return _accepted(law) * f.step_up(law.mean_queue) + law.capacity * f.step_down(law.mean_queue)


@dataclass(frozen=True)
class Coupling:
    """The terms of (9)-(12) and (51) at one eta and r; see `coupling`."""

    eta: float
    order: int
    moment: float  # E[h^r(mean queue)], the left side of all of them
    stein_identity: float  # E[G g], 0 by (8)
    generator_scale: float  # E|G g|, what rounding in the line above is measured against
    by_generator: float  # right side of (9)
    arrivals: float  # second line of (10)
    departures: float  # third line of (10)
    collapse: float  # (11): what state-space collapse makes small
    remainder: float  # 2^(r+2)/N^(r-alpha), first term of (12)
    sharp_remainder: float  # 2^(r+1)/N^(r-alpha), first term after the collapse in (51)
    lower_moment: float  # (r/X) E[h^(r-1)(mean queue + 1/N)], the last term of (12) and (51)

    @property
    def right_of_12(self) -> float:
        """(11) + (12), printed in section 3.3."""
        return self.collapse + self.remainder + self.lower_moment

    @property
    def right_of_51(self) -> float:
        """The appendix's sharper form."""
        return self.collapse + self.sharp_remainder + self.lower_moment

    @property
    def identity_holds(self) -> bool:
        """Whether E[G g] = 0 and (9) hold up to rounding."""
        scale = max(self.generator_scale, self.moment, 1e-300)
        return abs(self.stein_identity) <= ROUNDING * scale and abs(self.by_generator - self.moment) <= ROUNDING * scale

    @property
    def holds(self) -> bool:
        """Whether (51), and with it (12), holds."""
        return self.moment <= self.right_of_51 * (1 + ROUNDING)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **asdict(self),
            "right_of_12": self.right_of_12,
            "right_of_51": self.right_of_51,
            "identity_holds": self.identity_holds,
            "holds": self.holds,
        }


def coupling(law: StateLaw, eta: float, order: int) -> Coupling:
    """Every term of the coupling, from an exact law: (9), (10), (11)-(12) and (51).

    Holds for any eta > 0 and any policy: A_b is the blocking probability in a state. Errors: ModelError
    when load >= 1.
    """
    f = Stein.of(law.system, eta, order)
    n, x = law.system.n_servers, law.mean_queue
    fluid = -f.g_prime(x) / f.n_alpha  # = h^r, by (7)
    up = _accepted(law) * f.step_up(x)
    down = law.capacity * f.step_down(x)
    beyond = x > eta + 1 / n
    collapse = f.n_alpha * f.h(x) ** order * (1 - law.capacity / n) * beyond
    below = f.h(x + 1 / n) ** (order - 1)
    small = f.n_alpha / float(n) ** order
    return Coupling(
        eta=eta,
        order=order,
        moment=law.expect(f.h(x) ** order),
        stein_identity=law.expect(up + down),
        generator_scale=law.expect(np.abs(up) + np.abs(down)),
        by_generator=law.expect(fluid - up - down),
        arrivals=-law.expect(up),
        departures=-law.expect(down),
        collapse=law.expect(collapse),
        remainder=float(2.0 ** (order + 2) * small),
        sharp_remainder=float(2.0 ** (order + 1) * small),
        lower_moment=order * f.n_alpha / n * law.expect(below),
    )


def _accepted(law: StateLaw) -> FloatArray:
    return law.system.arrival_rate * (1 - law.blocked)
