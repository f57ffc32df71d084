"""The paper, statement by statement, beside what is measured.

In    a System, a Run or an exact law
Out   parameters, conditions, bounds, reference curves, and a verdict on each
Rule  where the paper slips, the printed and the mended reading are both computable by name; the default
      is one that holds
Cost  formulas are free; reference models say theirs

>>> import jfsq_simpy as jfsq
>>> system = jfsq.System(jfsq.rates.two_speed(4, ratio=3), alpha=0.25, places=2)
>>> report = jfsq.theory.check(system, jfsq.exact.solve(system))
>>> report.failed
False
"""

from jfsq_simpy.theory.check import bounds, check
from jfsq_simpy.theory.geometry import Parameters
from jfsq_simpy.theory.observables import observables
from jfsq_simpy.theory.reference.approach import approach
from jfsq_simpy.theory.reference.mean_field import fixed_point as mean_field
from jfsq_simpy.theory.reference.transient import transient
from jfsq_simpy.theory.scaling import scaling
from jfsq_simpy.theory.smallest import first_below, smallest_n
from jfsq_simpy.theory.statements import statements, statements_of

__all__ = [
    "Parameters",
    "approach",
    "bounds",
    "check",
    "first_below",
    "mean_field",
    "observables",
    "scaling",
    "smallest_n",
    "statements",
    "statements_of",
    "transient",
]
