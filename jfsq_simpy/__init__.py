"""jfsq_simpy: does a job have to wait?

Zero-waiting load balancing with heterogeneous servers: a model to read (SimPy), engines to trust,
exact answers, and the theory of Liu & Ying beside them.

Out   the verbs (`simulate`, `compare`, `replay`), the things (`System`, `Scenario`, `Trace`), and every room by its name
Rule  a name brings in what it needs when it is first used, so that `import jfsq_simpy` is quick; three verbs live in
      rooms of the same name, and here the name is always the verb's
Cost  importing this page: milliseconds; the first `simulate`: about a second, most of it SciPy's
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False  # checkers know better; `typing` would take longer to import than all of this page
if TYPE_CHECKING:  # what type checkers and editors read; `_HOMES` says the same to the interpreter
    from typing import Any

    from jfsq_simpy import exact, laws, policies, rates, theory, trace_analysis
    from jfsq_simpy.compare import compare
    from jfsq_simpy.jobs.trace import Trace
    from jfsq_simpy.replay import replay
    from jfsq_simpy.scenario import Scenario
    from jfsq_simpy.simulate import simulate
    from jfsq_simpy.system import System

__all__ = [
    "Scenario",
    "System",
    "Trace",
    "compare",
    "exact",
    "laws",
    "policies",
    "rates",
    "replay",
    "simulate",
    "theory",
    "trace_analysis",
]

_HOMES = {
    "Scenario": "jfsq_simpy.scenario",
    "System": "jfsq_simpy.system",
    "Trace": "jfsq_simpy.jobs.trace",
    "compare": "jfsq_simpy.compare",
    "replay": "jfsq_simpy.replay",
    "simulate": "jfsq_simpy.simulate",
}
_VERBS = [name for name, home in _HOMES.items() if home == f"jfsq_simpy.{name}"]


class _FrontDoor(ModuleType):
    """This package as a module whose verbs stay verbs.

    Python binds a module to its package when it has been imported, whoever asked for it: after
    `from jfsq_simpy.simulate import ...` anywhere, `jfsq_simpy.simulate` would be the module.
    Here the module's verb is bound in its place.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _VERBS and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _FrontDoor

if not TYPE_CHECKING:  # a checker that saw this would believe any name

    def __getattr__(name: str) -> Any:
        """What has not been used before: a name of `__all__`, or a room."""
        import importlib.util

        if name in _HOMES:
            found = getattr(importlib.import_module(_HOMES[name]), name)
        elif name.startswith("_") or importlib.util.find_spec(f"{__name__}.{name}") is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        else:
            found = importlib.import_module(f"{__name__}.{name}")
        globals()[name] = found  # asked once
        return found


def __dir__() -> list[str]:
    """The public names, whether they have been used or not."""
    return sorted({*globals(), *__all__})
