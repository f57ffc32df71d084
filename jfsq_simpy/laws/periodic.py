"""Time-varying load: Poisson arrivals whose rate follows a period, in steps or as a sine.

In    levels and how long each lasts, or an amplitude; times in mean gaps
Out   gaps of mean 1 over whole periods; the state is the place in the period
Rule  a period of P mean gaps holds P jobs on average: at load lambda and N servers it takes P / (lambda N)
      units of time. Every replication starts at the same place in the period: its beginning.
How   a Poisson process of rate 1 read on the clock of the cumulated rate: arrival times are its inverse
Cost  30 ns a gap in steps, 200 ns for a sine
"""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jfsq_simpy.errors import ModelError
from jfsq_simpy.laws.arrivals import Stream
from jfsq_simpy.laws.law import FloatArray
from jfsq_simpy.laws.parameters import exactly_one, number, numbers_in, rescaled

LONGEST_PERIOD = 1e9  # mean gaps; the clock then rounds to a millionth of one


class TimeVarying(Stream):
    """Poisson arrivals with a periodic rate of mean 1.

    A profile of one's own gives `cumulated` and `inverse` within one period, and `mean_wait_for_arrival`.
    """

    period: float

    @abstractmethod
    def cumulated(self, time: FloatArray) -> FloatArray:
        """Integral of the rate from 0 to `time`, both in [0, period]."""

    @abstractmethod
    def inverse(self, cumulated: FloatArray) -> FloatArray:
        """The time, within the period, by which the rate has cumulated to values in [0, period]."""

    @abstractmethod
    def mean_wait_for_arrival(self) -> float:
        """Mean time from a moment drawn uniformly over the period to the next arrival."""

    @property
    def variance(self) -> float:
        """Of a gap between neighbours drawn at random from a long stream: E[G^2] = 2 E[wait from a random moment]."""
        return 2 * self.mean_wait_for_arrival() - 1

    def start(self) -> tuple[float, float]:
        """(Cumulated rate, time) of the last arrival, both within the period."""
        return 0.0, 0.0

    def draw_block(self, rng: np.random.Generator, n: int, state: tuple[float, float]) -> tuple[FloatArray, tuple[float, float]]:
        if n == 0:
            return np.empty(0), state
        cumulated, time = state
        # the rate has mean 1, so a whole period cumulates exactly `period`
        periods, rest = np.divmod(cumulated + np.cumsum(rng.standard_exponential(n)), self.period)
        within = self.inverse(rest)
        times = np.concatenate([[time], periods * self.period + within])
        # rounding could step back in the last bit
        return np.diff(np.maximum.accumulate(times)), (float(rest[-1]), float(within[-1]))


class Periodic(TimeVarying):
    """Poisson arrivals at a rate that changes in steps, round and round: day and night, weekday and weekend.

    Parameters
    ----------
    levels : list (m,)       relative rates; scaled so that their time average is 1; 0 is a pause
    period : float           length of the whole round in mean gaps, shared equally by the levels; or
    durations : list (m,)    length of each level in mean gaps

    >>> day_and_night = Periodic(levels=[1.5, 0.5], period=100_000)
    >>> round(day_and_night.variance, 4)
    1.6666
    """

    name = "periodic"
    example = '{law = "periodic", levels = [0.4, 1.0, 1.6, 1.0], period = 20000.0}'

    def __init__(self, levels: ArrayLike, period: float | None = None, *, durations: ArrayLike | None = None) -> None:
        levels = numbers_in("law 'periodic': levels", levels, least=0.0)
        if exactly_one(self.name, period=period, durations=durations) == "period":
            period = number("law 'periodic': period", period, "its length in mean gaps", above=0, most=LONGEST_PERIOD)
            self._durations = np.full(levels.size, period / levels.size)
        else:
            self._durations = numbers_in("law 'periodic': durations", durations, least=0.0)
        if self._durations.size != levels.size or not (self._durations > 0).all():
            raise ModelError(
                f"law 'periodic': durations must be {levels.size} numbers above 0, one a level; given: {self._durations.tolist()}."
            )
        self.period = float(self._durations.sum())
        number("law 'periodic': sum of durations", self.period, "the period in mean gaps", most=LONGEST_PERIOD)
        average = float(levels @ self._durations) / self.period
        if average == 0:
            raise ModelError("law 'periodic': levels are all 0, so nobody would ever arrive.")
        self._levels = levels / rescaled(average)
        self._times = np.concatenate([[0.0], np.cumsum(self._durations)])
        self._cumulated = np.concatenate([[0.0], np.cumsum(self._levels * self._durations)])

    def describe(self) -> dict[str, Any]:
        return {"law": self.name, "levels": self._levels.tolist(), "durations": self._durations.tolist()}

    def cumulated(self, time: FloatArray) -> FloatArray:
        return np.asarray(np.interp(time, self._times, self._cumulated))

    def inverse(self, cumulated: FloatArray) -> FloatArray:
        # step i covers cumulated rates in (c[i], c[i+1]]; a pause covers none, so no rate of 0 is divided by
        last = int(np.flatnonzero(self._levels)[-1])
        i = np.clip(np.searchsorted(self._cumulated, cumulated, side="left") - 1, 0, last)
        level = np.where(self._levels[i] > 0, self._levels[i], np.inf)  # only at 0 itself, when the round begins with a pause
        times: FloatArray = self._times[i] + (cumulated - self._cumulated[i]) / level
        return times

    def mean_wait_for_arrival(self) -> float:
        """From v' = rate v - 1, v the mean wait from time t: solved backwards step by step, then closed round the period."""
        steps = list(zip(self._levels.tolist(), self._durations.tolist(), strict=True))
        # v at the beginning = kept * (v at the end) + added, over the steps so far
        kept, added = 1.0, 0.0
        for level, duration in reversed(steps):
            survives, grown = _step(level, duration)
            kept, added = kept * survives, survives * added + grown
        wait, area = added / (1 - kept), 0.0
        for level, duration in reversed(steps):
            survives, grown = _step(level, duration)
            if level > 0:
                area += duration / level + (wait - 1 / level) * grown
            else:
                area += wait * duration + duration**2 / 2
            wait = survives * wait + grown
        return area / self.period


def _step(level: float, duration: float) -> tuple[float, float]:
    """Over a step: the chance that nobody comes, and the mean time waited within it."""
    if level == 0:
        return 1.0, duration
    return math.exp(-level * duration), -math.expm1(-level * duration) / level


class Sinusoidal(TimeVarying):
    """Poisson arrivals at rate 1 + amplitude sin(2 pi t / period): a smooth daily wave, beginning at the mean and rising.

    The mean wait from a random moment is the integral of exp(-u) I0(amplitude period / pi sin(pi u / period))
    over u > 0 (average the chance of no arrival over the place in the period); the variance is twice that, less 1.

    Parameters
    ----------
    amplitude : float in (0, 1]   1 lets the rate touch 0
    period : float > 0            in mean gaps

    >>> round(Sinusoidal(amplitude=0.5, period=1000).variance, 4)
    1.3094
    """

    name = "sinusoidal"
    example = '{law = "sinusoidal", amplitude = 0.5, period = 20000.0}'

    def __init__(self, amplitude: float, period: float) -> None:
        why = "the share by which the rate swings about its mean"
        self.amplitude = number("law 'sinusoidal': amplitude", amplitude, why, above=0, most=1)
        self.period = number("law 'sinusoidal': period", period, "its length in mean gaps", above=0, most=LONGEST_PERIOD)

    def cumulated(self, time: FloatArray) -> FloatArray:
        angle = 2 * math.pi / self.period * np.asarray(time)
        return (angle + self.amplitude * (1 - np.cos(angle))) * self.period / (2 * math.pi)

    def inverse(self, cumulated: FloatArray) -> FloatArray:
        wanted = 2 * math.pi / self.period * np.asarray(cumulated)
        return _angle_at(wanted, self.amplitude) * self.period / (2 * math.pi)

    def mean_wait_for_arrival(self) -> float:
        from scipy import integrate, special

        swing, turn = self.amplitude * self.period / math.pi, math.pi / self.period

        def still_waiting(u: float) -> float:
            z = swing * math.sin(turn * u)
            return math.exp(z - u) * float(special.i0e(z))  # z <= u, so neither factor overflows

        # panels that double in length: the integrand falls fast at first, and perhaps slowly later
        edges = [0.0, *(x for x in 2.0 ** np.arange(-2, 41) if x < self.period), self.period]
        one_period = math.fsum(integrate.quad(still_waiting, low, high, epsabs=1e-13)[0] for low, high in itertools.pairwise(edges))
        return one_period / -math.expm1(-self.period)


_ANGLES = np.linspace(0.0, 2 * math.pi, 1025)


def _angle_at(wanted: FloatArray, amplitude: float) -> FloatArray:
    """Solve angle + amplitude (1 - cos angle) = wanted on [0, 2 pi]: Kepler's equation, by Newton inside a shrinking bracket."""

    def excess(angle: FloatArray) -> FloatArray:
        return angle + amplitude * (1 - np.cos(angle)) - wanted

    cell = np.searchsorted(_ANGLES + amplitude * (1 - np.cos(_ANGLES)), wanted, side="right")
    cell = np.clip(cell, 1, _ANGLES.size - 1)
    low, high = _ANGLES[cell - 1], _ANGLES[cell]
    angle = (low + high) / 2
    for _ in range(60):
        error = excess(angle)
        if np.all(np.abs(error) <= 2e-15 * (1 + wanted)):
            break
        low, high = np.where(error < 0, angle, low), np.where(error > 0, angle, high)
        slope = np.maximum(1 + amplitude * np.sin(angle), 1e-12)
        newton = angle - error / slope
        angle = np.where((low < newton) & (newton < high), newton, (low + high) / 2)
    return angle
