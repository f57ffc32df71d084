"""Fair comparison: several policies, the same jobs for all.

In    a System and policies (or a scenario file that names them)
Out   a Comparison: paired differences and ratios, a ranking with shared places, and the jobs behind them
Rule  policies are paired by replication: one seed, the same numbers, one warm-up, one view of the engine
"""

from jfsq_simpy.compare.comparison import Comparison
from jfsq_simpy.compare.jobs import JobDifferences, job_differences
from jfsq_simpy.compare.verb import compare

__all__ = ["Comparison", "JobDifferences", "compare", "job_differences"]
