"""What an experiment hands back: a Run a point, as objects, as a table, as JSON.

In    records of every point
Out   Results
Rule  estimates are made from the counts of all replications together, in the order of their numbers
Cost  nothing is estimated before it is asked for
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jfsq_simpy.estimate import Estimate
from jfsq_simpy.experiment.plan import Point
from jfsq_simpy.experiment.record import Record
from jfsq_simpy.run import Run
from jfsq_simpy.tally import Window

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PointResult:
    """One point of the grid and its Run."""

    point: Point
    run: Run

    @cached_property
    def estimates(self) -> dict[str, Estimate]:
        """Every metric, computed once."""
        return self.run.estimates()

    def to_dict(self) -> dict[str, Any]:
        """The point as JSON's types."""
        run = self.run
        return {
            "point": dict(self.point.labels),
            "system": plain(run.system.describe()),
            "engine": run.engine,
            "seed": _plain_seed(run.seed.describe()),
            "replications": len(run.replications),
            "warmup": run.window.warmup,
            "horizon": run.window.length,
            "start": run.start,
            "jobs": run.jobs,
            "seconds": run.seconds,
            "precise": run.precise,
            "warnings": list(run.warnings),
            "estimates": {name: plain(e.to_dict()) for name, e in self.estimates.items()},
        }


@dataclass(frozen=True)
class Results(Sequence[PointResult]):
    """The points of an experiment, in the grid's order; a sequence of PointResult.

    `scenario` says where they come from, `directory` where they are kept (None: nowhere), `notes`
    what a reader should be told.
    """

    points: list[PointResult]
    scenario: dict[str, Any] = field(default_factory=dict)
    directory: Path | None = None
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, index: Any) -> Any:
        return self.points[index]

    def __iter__(self) -> Iterator[PointResult]:
        return iter(self.points)

    @property
    def precise(self) -> bool:
        """Whether every precision that was asked for was reached."""
        return all(p.run.precise is not False for p in self.points)

    def table(self) -> pd.DataFrame:
        """Tidy: one row a point and metric; the swept keys, N, load, metric, value, low, high, level, n, method."""
        import pandas as pd

        return pd.DataFrame([row for p in self.points for row in _rows(p)])

    def to_dict(self) -> dict[str, Any]:
        """The JSON document of `jfsq run --json`."""
        return {
            "scenario": plain(self.scenario),
            "directory": str(self.directory) if self.directory else None,
            "points": [p.to_dict() for p in self.points],
            "notes": list(self.notes),
        }


def run_of(point: Point, records: Sequence[Record], precise: bool | None = None) -> Run:
    """The Run that a point's records amount to, merged in the order of replication numbers."""
    ordered = sorted(records, key=lambda r: r.replication)
    first = ordered[0]
    w = first.window
    drain = math.inf if w["drain"] is None else w["drain"]
    run = Run.from_outcomes(
        point.system,
        [r.outcome() for r in ordered],
        engine=first.engine["name"],
        seed=point.plan.seed,
        window=Window(w["warmup"], w["length"], w["batches"], drain),
        replications=[r.replication for r in ordered],
        start=first.plan["start"],
        observe=first.observe,
        level=point.plan.level,
        seconds=sum(r.seconds for r in ordered),
        warnings=[],
    )
    run.precise = precise
    return run


def plain(value: Any) -> Any:
    """Anything as JSON's types: nan and infinities become null, arrays lists, tuples lists."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def _plain_seed(seed: Mapping[str, Any]) -> Any:
    # a bare number, as the user gave it, unless there is more to say
    return seed["entropy"] if not seed["spawn_key"] else dict(seed)


def _rows(p: PointResult) -> Iterator[dict[str, Any]]:
    system = p.run.system
    where = {**p.point.labels, "n_servers": system.n_servers, "load": system.load, "alpha": system.alpha}
    for name, estimate in p.estimates.items():
        yield {**where, "metric": name, **vars(estimate)}
