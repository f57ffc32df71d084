"""Many tasks side by side, on threads or in processes of their own; stopped at once when asked to.

In    functions without arguments
Out   their results, as they end
Rule  whatever is run side by side in this package is run here, so that Ctrl-C, errors and printing are one matter
"""

from jfsq_simpy.workers.crew import Crew, available_cores

__all__ = ["Crew", "available_cores"]
