"""Whether a law of one's own has mean 1, tried before anything is simulated with it.

In    a law that is not one of ours
Out   nothing, or a ModelError
Rule  what is refused is refused rightly: a law of mean 1 and of the variance it names fails once in 10^9, however heavy
      its tail. What a tail may hide passes: with an infinite variance a mean that is too small proves nothing
Cost  16,384 draws; none of a law with memory, whose draws may all come from one lull
"""

from __future__ import annotations

import math

import numpy as np

from jfsq_simpy.errors import ModelError
from jfsq_simpy.laws.law import FloatArray, Law, checked_draws

FALSE_ALARM = 1e-9
PROBE = 16_384
CUTS = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # draws above are taken for this much: of a heavy tail that can only lower the mean


def check_mean(law: Law, what: str) -> None:
    """Refuse a law whose `mean` or whose draws are not of mean 1. Errors: ModelError; `what` names the place.

    >>> class Hours(Law):
    ...     name, variance = "hours", 4.0
    ...
    ...     def draw(self, rng, n):
    ...         return rng.exponential(2.0, n)
    >>> check_mean(Hours(), "size")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    jfsq_simpy.errors.ModelError: size: law 'hours' has mean 1.983 (over 16,384 draws of Hours.draw) and must have mean 1: ...
    """
    if law.length < math.inf:  # a record is what it is: whoever made it set the load by its mean
        return
    if law.mean != 1:
        raise ModelError(f"{what}: law {law.name!r} has mean = {law.mean!r} and must have mean 1: {_WAY_OUT}")
    if has_memory(law):
        return
    draws = checked_draws(law, law.draw(np.random.default_rng(0), PROBE), PROBE)
    if _is_off(draws, law.variance):
        raise ModelError(
            f"{what}: law {law.name!r} has mean {draws.mean():.4g} (over {PROBE:,} draws of {law.source}) and must have mean 1: "
            f"{_WAY_OUT} (Of mean 1, and of variance {law.variance:.4g} as it says, it would look like that once in 10^9 times.)"
        )


_WAY_OUT = "divide by its mean, and let the rates or the load carry the unit."


def has_memory(law: Law) -> bool:
    """Whether a law carries a state from block to block, so that its draws may depend on each other."""
    return type(law).draw_block is not Law.draw_block


def _is_off(draws: FloatArray, variance: float) -> bool:
    """Whether independent draws >= 0 of mean 1 and this variance look like these with probability below FALSE_ALARM."""
    if variance < math.inf and draws.mean() < 1 - _by_chance(variance, 1.0, draws.size):
        return True
    # cut at c, the mean is at most 1, and the variance at most c - 1 and at most what it was
    return any(np.minimum(draws, c).mean() > 1 + _by_chance(min(variance, c - 1), c, draws.size) for c in CUTS)


def _by_chance(variance: float, largest: float, n: int) -> float:
    """How far a mean of n independent values may be off to one side, where none is off by more than `largest`.

    Bernstein's inequality, which holds for every law and every n: P(off by t) <= exp(-n t^2 / (2 variance + 2 largest t / 3)).
    """
    unlikely = math.log((1 + len(CUTS)) / FALSE_ALARM) / n
    a = largest * unlikely / 3
    return a + math.sqrt(a * a + 2 * variance * unlikely)
