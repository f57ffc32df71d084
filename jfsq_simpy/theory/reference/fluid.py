"""Fluid limits: what response time is left when waiting has vanished, for policies that know rates or not.

In    a System of load below 1
Out   E[T] as N grows with fixed class shares
Rule  JFSQ keeps the fastest N2 servers busy; a policy blind to speed (JSQ, JIQ) hands every idle server
      jobs at the same rate h, so the fast are idle as often as the slow are busy
Cost  O(speed classes)
"""

from __future__ import annotations

import math

import scipy

from jfsq_simpy.errors import ModelError
from jfsq_simpy.rates import Rates
from jfsq_simpy.system import System
from jfsq_simpy.theory.reference.orders import idle_order_of


def fastest_first(rates: Rates, load: float) -> float:
    """E[T] when the fastest N2 servers carry the load without waiting: N2 / (lambda N).

    >>> from jfsq_simpy import rates
    >>> round(fastest_first(rates.two_speed(100, ratio=3), 0.7), 6)
    0.666667
    """
    _check(load)
    return rates.critical_index(load * rates.n_servers).fractional / (load * rates.n_servers)


def blind(rates: Rates, load: float) -> float:
    """E[T] when every idle server gets jobs at one rate h: sum g_c mu_c h/(h + mu_c) = lambda fixes h.

    >>> from jfsq_simpy import rates
    >>> round(blind(rates.two_speed(100, ratio=3), 0.7), 5)
    1.07056
    """
    _check(load)
    share, mu = rates.counts / rates.n_servers, rates.speeds

    def excess(log_h: float) -> float:
        h = math.exp(log_h)
        return float(share @ (mu * h / (h + mu))) - load

    h = math.exp(scipy.optimize.brentq(excess, math.log(load) - 1, math.log(rates.fastest / (1 - load)) + 40, xtol=1e-14))
    return float(share @ (h / (h + mu))) / load


def mean_response(system: System) -> float | None:
    """The fluid limit of E[T] that speaks about a system, or None: load >= 1, one place, or idle servers do not come first."""
    if system.load >= 1 or system.places < 2:
        return None
    order = idle_order_of(system)
    if order is None:
        return None
    return (fastest_first if order == "fastest first" else blind)(system.rates, system.load)


def _check(load: float) -> None:
    if not 0 < load < 1:
        raise ModelError(f"load = {load} must lie between 0 and 1: a fluid of more never drains.")
