"""What a trace can tell: waits, queues, overtaking, and how far its numbers can be trusted."""

from jfsq_simpy.trace_analysis.correlation import autocorrelation, naive_and_honest
from jfsq_simpy.trace_analysis.overtaking import Overtaking, overtaking
from jfsq_simpy.trace_analysis.queues import StepFunction, presence, queue_path, servers
from jfsq_simpy.trace_analysis.summary import summary
from jfsq_simpy.trace_analysis.waits import ccdf, decomposition, quantiles

__all__ = [
    "Overtaking",
    "StepFunction",
    "autocorrelation",
    "ccdf",
    "decomposition",
    "naive_and_honest",
    "overtaking",
    "presence",
    "quantiles",
    "queue_path",
    "servers",
    "summary",
]
