"""Numbers as people read them: value and uncertainty to the same place.

In    Estimates and plain floats
Out   short texts
Rule  two digits of the half width decide how many of the value are shown; an interval that reaches much further to one
      side is shown by its ends, because one half width would say that a share may be negative; where nothing was seen, the
      upper limit is what is known, so that is what is shown
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jfsq_simpy.estimate import Estimate

SMALLEST_FIXED = 1e-4  # below, powers of ten
LARGEST_FIXED = 1e6
LOPSIDED = 2.0  # one side of an interval over the other: an interval on log scale then reaches further up than down to 0


def with_interval(e: Estimate) -> str:
    """Value and half width, such as `0.0421 ± 0.0012`; a limit, such as `< 3.1e-05`, when nothing was seen.

    >>> from jfsq_simpy.estimate import Estimate
    >>> with_interval(Estimate(0.042132, 0.0409, 0.0433, 0.95, 10, "")), with_interval(Estimate(0.0, 0.0, 3.06e-5, 0.95, 10, ""))
    ('0.0421 ± 0.0012', '< 3.1e-05')
    >>> with_interval(Estimate(3.5e-6, 1.1e-6, 1.1e-5, 0.95, 10, ""))
    '3.5e-06 (1.1e-06 .. 1.1e-05)'
    """
    if e.value == 0 and e.low == 0 and e.high > 0:
        return f"< {short(e.high, 2)}"
    half = max(e.high - e.value, e.value - e.low)
    if not math.isfinite(half):
        return f"{short(e.value)} ± ?"
    if half <= 0 or not math.isfinite(e.value):
        return short(e.value)
    if half > LOPSIDED * min(e.high - e.value, e.value - e.low):
        digits = 3 if e.value > 0.5 else 2
        return f"{short(e.value, digits)} ({short(e.low, digits)} .. {short(e.high, digits)})"
    scale = max(abs(e.value), half)
    if SMALLEST_FIXED <= scale < LARGEST_FIXED:
        digits = max(0, 1 - math.floor(math.log10(half)))
        return f"{e.value:.{digits}f} ± {half:.{digits}f}"
    power = math.floor(math.log10(scale))
    digits = max(0, 1 + power - math.floor(math.log10(half)))
    value, width = (Decimal(x).scaleb(-power) for x in (e.value, half))  # 10.0**power may be no float
    return f"({value:.{digits}f} ± {width:.{digits}f})e{power:+03d}"


def signed(e: Estimate) -> str:
    """A difference and its half width, with its sign.

    >>> from jfsq_simpy.estimate import Estimate
    >>> signed(Estimate(0.042132, 0.0409, 0.0433, 0.95, 10, "")), signed(Estimate(0.0, 0.0, 0.0, 0.95, 10, ""))
    ('+0.0421 ± 0.0012', '0')
    """
    return f"+{with_interval(e)}" if e.value > 0 else with_interval(e)


def short(value: float, digits: int = 4) -> str:
    """A number to a few significant digits.

    >>> short(0.123456), short(2.1111e-26), short(float("nan"))
    ('0.1235', '2.111e-26', '-')
    """
    if not math.isfinite(value):
        return "-" if math.isnan(value) else str(value)
    return f"{value:.{digits}g}"


def count(n: float) -> str:
    """How many: whole numbers with separators, large ones rounded.

    >>> count(90_000), count(12_345_678)
    ('90,000', '12.3 million')
    """
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if n >= size:
            return f"{n / size:.3g} {word}" if n < 1e15 else f"{n:.2e}"
    return f"{round(n):,}"


def compact(n: float) -> str:
    """How many, in a narrow column.

    >>> compact(90_000), compact(12_345_678), compact(2e9)
    ('90,000', '12.3 M', '2 G')
    """
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if n >= size:
            return f"{n / size:.3g} {letter}"
    return f"{round(n):,}"


def duration(seconds: float) -> str:
    """How long, roughly.

    >>> duration(0.2), duration(75), duration(7300)
    ('under a second', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 1:
        return "under a second"
    s = round(seconds)
    if s < 60:
        return f"{s} s"
    if s < 3600:
        return f"{s // 60} min {s % 60} s" if s % 60 else f"{s // 60} min"
    hours, minutes = s // 3600, s % 3600 // 60
    return f"{hours:,} h {minutes} min" if hours < 100 else f"{hours / 24:,.0f} days"
