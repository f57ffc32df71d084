"""jfsq_simpy: does a job have to wait?

Zero-waiting load balancing with heterogeneous servers: a model to read (SimPy), engines to trust,
exact answers, and the theory of Liu & Ying beside them.
"""

from jfsq_simpy import exact, rates, theory, trace_analysis
from jfsq_simpy.compare import compare
from jfsq_simpy.jobs.trace import Trace
from jfsq_simpy.replay import replay
from jfsq_simpy.scenario import Scenario
from jfsq_simpy.simulate import simulate
from jfsq_simpy.system import System

__all__ = ["Scenario", "System", "Trace", "compare", "exact", "rates", "replay", "simulate", "theory", "trace_analysis"]
