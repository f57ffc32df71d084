"""What to run: a plan for one system, and the points of a grid.

In    lengths, replications, a seed, an engine: from a scenario file or from code
Out   Plan, Point: frozen, checked, every default filled in
Rule  a plan says when to stop in one way only: jobs or horizon for the length of a replication, with
      precision for their number; without any length, 100,000 jobs or ten relaxation times
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from jfsq_simpy.draws import Seed
from jfsq_simpy.engines import ENGINES
from jfsq_simpy.errors import PlanError
from jfsq_simpy.simulate import BATCHES
from jfsq_simpy.stopping import Precision
from jfsq_simpy.system import System
from jfsq_simpy.tally import NOTHING, Observables, Window
from jfsq_simpy.warmup import least_warmup, pilot_time, usual_length


@dataclass(frozen=True)
class Plan:
    """How to run one system. `replications` lists their numbers; 0, 1, ..., 9 unless said otherwise.

    >>> Plan(jobs=1000, replications=(99,)).replications
    (99,)
    """

    jobs: int | None = None
    horizon: float | None = None
    precision: Precision | None = None
    engine: str = "auto"
    warmup: float | Literal["auto"] = "auto"
    replications: tuple[int, ...] = tuple(range(10))
    seed: Seed = field(default_factory=lambda: Seed.of(0))
    start: Literal["empty", "busy"] = "empty"
    batches: int | None = None  # 32 for a single replication, whose batches are then the units; else 1
    drain: float = math.inf
    level: float = 0.95
    observe: Observables = NOTHING  # what else to count at snapshots, kept with the records

    def __post_init__(self) -> None:
        if self.engine not in ("auto", *ENGINES):
            raise PlanError(f"engine = {self.engine!r} is not one; known: auto, {', '.join(ENGINES)}.")
        if self.jobs is not None and self.horizon is not None:
            raise PlanError("jobs and horizon are both given, but each fixes a replication's length; give one.")
        if self.batches is None:
            object.__setattr__(self, "batches", BATCHES if len(self.replications) == 1 else 1)
        if not self.replications or min(self.replications) < 0 or len(set(self.replications)) < len(self.replications):
            raise PlanError(f"replications = {list(self.replications)} must be different numbers, each 0 or more.")

    def length(self, system: System) -> float:
        """How long a replication measures, in time units."""
        if self.horizon is not None:
            return self.horizon
        return usual_length(system) if self.jobs is None else self.jobs / system.arrival_rate

    def expected_jobs(self, system: System) -> float:
        """Jobs a replication measures, on average; `warmup_jobs` come on top."""
        return self.length(system) * system.arrival_rate

    def warmup_jobs(self, system: System) -> float:
        """Jobs a replication lets pass before it measures: about, where pilots choose."""
        time = least_warmup(system, self.length(system)) if self.warmup == "auto" else float(self.warmup)
        return time * system.arrival_rate

    def pilot_jobs(self, system: System) -> float:
        """Jobs of the pilots that choose the warm-up, once for all replications: about; 0 where it is given."""
        return pilot_time(system, self.length(system)) * system.arrival_rate if self.warmup == "auto" else 0.0

    def window(self, system: System, warmup: float) -> Window:
        """The window of a replication once the warm-up is known."""
        return Window(warmup, self.length(system), self.batches or 1, self.drain)

    def numbered(self, replications: tuple[int, ...]) -> Plan:
        """The same plan for other replications."""
        return replace(self, replications=replications)

    def describe(self) -> dict[str, Any]:
        """Everything a single replication's numbers depend on, beside system, seed and engine view."""
        drain = None if math.isinf(self.drain) else self.drain
        # a length nobody named is one the system tells, `usual_length`
        length = {"jobs": self.jobs} if self.horizon is None else {"horizon": self.horizon}
        told = {**length, "warmup": self.warmup, "start": self.start, "batches": self.batches, "drain": drain}
        # said only where something is asked for: records of plain runs keep their keys
        return told | ({"observe": asdict(self.observe)} if self.observe != NOTHING else {})


@dataclass(frozen=True)
class Point:
    """One system of a grid, and how to run it.

    `labels` are the swept keys with this point's values; `table` is what the system was made from, as
    plain data, kept in records so that they can be read without the scenario.
    """

    labels: Mapping[str, Any]
    system: System
    plan: Plan
    table: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return ", ".join(f"{k} = {v}" for k, v in self.labels.items()) or "the system"
