"""Scenario files: one TOML file a question.

In    a path, and settings that override the file
Out   a Scenario: its points (a System and a Plan each), and `run`
Rule  everything is checked when the file is read, every point of a sweep included, so nothing runs
      before all of it can
"""

from jfsq_simpy.scenario.file import Scenario, results

__all__ = ["Scenario", "results"]
