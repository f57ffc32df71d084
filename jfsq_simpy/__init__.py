"""jfsq_simpy: does a job have to wait?

Zero-waiting load balancing with heterogeneous servers: a model to read (SimPy), engines to trust,
exact answers, and the theory of Liu & Ying beside them.
"""

from jfsq_simpy import exact, rates, theory
from jfsq_simpy.simulate import simulate
from jfsq_simpy.system import System

__all__ = ["System", "exact", "rates", "simulate", "theory"]
