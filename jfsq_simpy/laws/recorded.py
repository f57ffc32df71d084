"""A recorded stream: the arrivals (and sizes) of a log, in their order, once.

In    arrival times, sorted, in any unit; sizes in the order of arrival
Out   RecordedGaps and RecordedSizes, scaled to mean 1 like every law; `recorded_stream` gives the load and
      the unit of time with which the log comes back as it was
Rule  gaps are infinite after the last arrival: nobody comes any more. The first gap runs from `origin` (default 0).
Note  System divides gaps by load N, and engines add them up, so job k arrives at its recorded time to
      within k + 2 roundings (a relative 1e-16 each, 1e-10 after a million jobs at the very worst, 1e-13 as a rule)
Cost  a copy of the slice; no random numbers, so every replication sees the same stream
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike

from jfsq_simpy.errors import ModelError
from jfsq_simpy.laws.given import Empirical
from jfsq_simpy.laws.law import FloatArray, Law
from jfsq_simpy.laws.parameters import fingerprint, number, numbers_in, whole


class Recorded(Law):
    """Values in their order, divided by their mean, then infinity. `factor` is that mean, in the log's unit."""

    def __init__(self, values: FloatArray, sha256: str) -> None:
        self.n = values.size
        self.factor = math.fsum(values.tolist()) / self.n
        if self.factor == 0:
            raise ModelError(f"law {self.name!r}: the values are all 0, so they cannot be rescaled to mean 1.")
        self.sha256 = sha256
        self._values = values / self.factor

    @property
    def length(self) -> float:  # type: ignore[override]
        return self.n

    @property
    def variance(self) -> float:
        return float(np.mean((self._values - 1) ** 2))

    def start(self) -> int:
        return 0

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        return self.draw_block(rng, n, 0)[0]

    def draw_block(self, rng: np.random.Generator, n: int, state: int) -> tuple[FloatArray, int]:
        block = np.full(n, np.inf)
        here = self._values[state : state + n]
        block[: here.size] = here
        return block, state + n


class RecordedGaps(Recorded):
    """The gaps of recorded arrival times. Variance: that of the gaps (over n).

    Parameters
    ----------
    times : (n,)     arrival times, ascending; equal ones arrive together, in their order
    origin : float   when the clock starts, at or before the first; the first gap is times[0] - origin

    >>> law = RecordedGaps([1.0, 1.5, 4.0])
    >>> law.rate, law.draw(None, 4).round(4).tolist()
    (0.75, [0.75, 0.375, 1.875, inf])
    """

    name = "recorded_gaps"
    example = '{law = "recorded_gaps", times = [0.5, 1.25, 1.25, 4.0]}'
    use = "gaps"

    def __init__(self, times: ArrayLike, origin: float = 0.0) -> None:
        times = numbers_in("law 'recorded_gaps': times", times)
        self.origin = number("law 'recorded_gaps': origin", origin, "when the clock starts")
        gaps = np.diff(times, prepend=self.origin)
        if np.any(gaps < 0):
            _refuse_order(times, self.origin, int(np.argmax(gaps < 0)))
        if not gaps.sum() > 0:
            raise ModelError("law 'recorded_gaps': all times equal the origin, so there is no arrival rate; set origin earlier.")
        super().__init__(gaps, fingerprint(times))

    @property
    def rate(self) -> float:
        """Arrivals per unit of the log's time: n over the span from `origin` to the last."""
        return 1 / self.factor

    def load(self, n_servers: int, time_unit: float = 1.0) -> float:
        """The load at which the recorded times come back: rate * time_unit / N.

        `time_unit`: how many of the log's units make one unit of the model's time, the mean service time at rate 1.

        >>> RecordedGaps([1.0, 1.5, 4.0]).load(3)
        0.25
        """
        why = "the number of servers the arrivals are shared by"
        servers = whole("recorded_gaps.load: n_servers", n_servers, why, least=1, most=10**12)
        unit = number("recorded_gaps.load: time_unit", time_unit, "units of the log in one unit of model time", above=0)
        return unit / self.factor / servers


class RecordedSizes(Recorded):
    """Recorded sizes: job k of the run has the k-th. Variance: that of the sizes (over n).

    With arrivals that have no end a run would outlive the record, so System refuses the pair; draw at random
    from the same values with `empirical` instead. Jobs already present at time 0 are not in the record and do so too.

    >>> RecordedSizes([2.0, 6.0, 4.0]).draw(None, 3).tolist()
    [0.5, 1.5, 1.0]
    """

    name = "recorded_sizes"
    example = '{law = "recorded_sizes", sizes = [0.2, 3.0, 0.5, 0.3]}'
    use = "sizes"

    def __init__(self, sizes: ArrayLike) -> None:
        sizes = numbers_in("law 'recorded_sizes': sizes", sizes, least=0.0)
        super().__init__(sizes, fingerprint(sizes))

    @property
    def initial(self) -> Law:
        return Empirical(self._values)


@dataclass(frozen=True)
class RecordedStream:
    """What System needs to replay a log: System(rates, load=log.load, arrivals=log.arrivals, size=log.size, ...)."""

    arrivals: RecordedGaps
    size: RecordedSizes
    load: float
    time_unit: float  # one unit of model time, in the log's unit


def recorded_stream(times: ArrayLike, sizes: ArrayLike, n_servers: int, origin: float = 0.0) -> RecordedStream:
    """A log as arrivals, sizes, and the load at which both come back as recorded.

    Parameters
    ----------
    times : (n,)      arrival times, ascending
    sizes : (n,)      what each job takes at a server of rate 1, in the same unit of time
    n_servers : int   N
    origin : float    when the clock starts

    Sizes are divided by their mean, which becomes the unit of time; times are divided by it too.

    >>> log = recorded_stream(times=[0.5, 1.0, 2.0, 4.0], sizes=[2.0, 2.0, 1.0, 3.0], n_servers=4)
    >>> log.load, log.time_unit
    (0.5, 2.0)
    """
    size, arrivals = RecordedSizes(sizes), RecordedGaps(times, origin)
    if size.n != arrivals.n:
        raise ModelError(f"recorded stream: {arrivals.n} times but {size.n} sizes; each job needs both.")
    return RecordedStream(arrivals, size, arrivals.load(n_servers, size.factor), size.factor)


def check_pair(size: Law, arrivals: Law) -> None:
    """Refuse (ModelError) a law in the wrong place, and sizes that would end before the arrivals do."""
    for what, law, wrong in (("size", size, "gaps"), ("arrivals", arrivals, "sizes")):
        if law.use == wrong:
            other = "arrivals" if what == "size" else "size"
            raise ModelError(f"{what}: law {law.name!r} is for {wrong} only; it belongs under {other}.")
    if size.length < arrivals.length:
        coming = f"{arrivals.length:.0f} jobs" if arrivals.length < math.inf else "jobs without end"
        raise ModelError(
            f"size: law {size.name!r} holds {size.length:.0f} sizes, but {coming} arrive. Record the arrivals too, "
            'or draw from the same sizes at random: {law = "empirical", ...}.'
        )


def _refuse_order(times: FloatArray, origin: float, place: int) -> NoReturn:
    if place == 0:
        raise ModelError(
            f"law 'recorded_gaps': times[0] = {times[0]} comes before the origin {origin}; set origin at or before it."
        )
    raise ModelError(
        f"law 'recorded_gaps': times[{place}] = {times[place]} comes before times[{place - 1}] = {times[place - 1]}; "
        "sort the log by time."
    )
