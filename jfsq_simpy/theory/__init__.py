"""The paper, statement by statement, beside what is measured.

In    a System, a Run or an exact law
Out   parameters, conditions, bounds, reference curves, and a verdict on each
Rule  where the paper slips, the printed and the mended reading are both computable by name; the default
      is one that holds
Cost  formulas are free; reference models say theirs
"""
