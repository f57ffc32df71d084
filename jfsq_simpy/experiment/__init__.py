"""Experiments: grids of systems, run side by side, kept in a ledger, resumed where they stopped.

In    points (a System and a Plan each)
Out   Results: a Run a point
Rule  a record is kept the moment its replication ends; a rerun adds only what is missing
"""

from jfsq_simpy.experiment.grid import Progress, run
from jfsq_simpy.experiment.ledger import Ledger
from jfsq_simpy.experiment.plan import Plan, Point
from jfsq_simpy.experiment.results import PointResult, Results
from jfsq_simpy.stopping import Precision

__all__ = ["Ledger", "Plan", "Point", "PointResult", "Precision", "Progress", "Results", "run"]
