"""Which systems the paper speaks about, and which epsilon it may take.

In    a System, or alpha, b and rates
Out   why the paper is silent, or None; lower bounds on the rates
Rule  alpha = -log(1 - load) / log N must lie in (0, 1); epsilon may be any lower bound on the rates, and
      the largest is not always the best: Lemma 3 needs nu >= 3
Cost  nothing
"""

from __future__ import annotations

from jfsq_simpy.system import System

HALF = 0.5 - 1e-12  # an alpha worked back from a load is 1/2 only up to rounding


def why_silent(system: System) -> str | None:
    """Why the paper's statements do not speak about a system; None when they do.

    >>> from jfsq_simpy import rates
    >>> why_silent(System(rates.homogeneous(10), load=0.95, places=2))
    'load = 0.95 means alpha = 1.301 at N = 10: the paper speaks of alpha < 1, that is of loads up to 1 - 1/N.'
    """
    if system.alpha is None:
        return f"load = {system.load:.6g} with N = {system.n_servers} is not 1 - N^-alpha for any alpha: the paper is silent here."
    if system.alpha >= 1:
        return (
            f"load = {system.load:.6g} means alpha = {system.alpha:.4g} at N = {system.n_servers}: the paper speaks of alpha < 1, "
            "that is of loads up to 1 - 1/N."
        )
    if system.places < 2:
        return "places = 1 leaves nothing to wait in: the paper needs a buffer."
    return None


def paper_epsilon(alpha: float, slowest: float) -> float:
    """epsilon as printed: the slowest rate, at most 1/2 below Halfin-Whitt (Assumption 1)."""
    return min(slowest, 0.5) if alpha < HALF else slowest


def default_epsilon(alpha: float, places: int, mu_n2: float, slowest: float) -> float:
    """The largest lower bound on the rates that meets Assumption 1's epsilon <= 1/2 and nu >= 3 (Lemma 3)."""
    return min(slowest, 0.5, (places - 1) * mu_n2 / 3) if alpha < HALF else slowest


def default_delta(slowest: float) -> float:
    """The capacity share beyond N1 unless given: that of System.n1, so that N1 is one number in every room.

    Half the slowest rate, at most 1/4: never below epsilon / 2, which (16) needs.
    """
    return min(slowest, 0.5) / 2
