"""Exact answers for small systems: the stationary law of the queue lengths, by linear algebra.

In    a System with Poisson arrivals and exponential sizes
Out   an ExactLaw: every metric of a Run under the same name, as plain numbers, and the law itself
Rule  nothing is subtracted on the way, so a probability of 1e-26 has its digits like any other
Cost  up to 10^6 states: seconds for 10^5, a minute or two at the limit; equal servers with two places
      that join the shortest queue: 2 s at N = 10^4

>>> import jfsq_simpy as jfsq
>>> law = jfsq.exact.solve(jfsq.System(jfsq.rates.two_speed(4, ratio=3), load=0.9, places=2))
>>> round(law.waiting_probability, 6), law.n_states
(0.531905, 36)
"""

from jfsq_simpy.exact.law import ExactLaw
from jfsq_simpy.exact.solving import is_solvable, solve

__all__ = ["ExactLaw", "is_solvable", "solve"]
