"""A scenario file, read and checked as a whole.

In    a path, settings that override the file
Out   a Scenario: the question, its points, its hash
Rule  every point of the sweep is built when the file is read: what is wrong with the last one is said
      before the first one runs
Cost  one System a point; points with equal rates share them
"""

from __future__ import annotations

import hashlib
import itertools
import math
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jfsq_simpy import theory
from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import DataError, JfsqError, PlanError, ScenarioError
from jfsq_simpy.experiment import Ledger, Plan, Point, Precision, Progress, Results
from jfsq_simpy.experiment import run as run_points
from jfsq_simpy.scenario.build import Builder
from jfsq_simpy.scenario.messages import nearest, sentence, shown
from jfsq_simpy.scenario.overrides import flat_sweep, overridden, parse_setting, put
from jfsq_simpy.scenario.tables import RunTable, ScenarioTable, SystemTable

LARGEST_FILE = 2**20  # bytes; a scenario is a page of text
MOST_POINTS = 10_000


@dataclass(frozen=True)
class Scenario:
    """A question: systems to study and how to run them.

    Made by `Scenario.read` or `Scenario.parse`; both check everything. Errors: ScenarioError,
    one line that begins with the file and the key. Cost: one System a point of the sweep.

    >>> text = '''
    ... # Is one server enough?
    ... [system]
    ... servers = 1
    ... load = 0.5
    ... places = 3
    ... '''
    >>> scenario = Scenario.parse(text)
    >>> scenario.question, [point.system for point in scenario.points()]
    ('Is one server enough?', [System(N=1, load=0.5, places=3, policy=jfsq, size=exponential())])
    """

    name: str
    text: str
    raw: Mapping[str, Any]  # the file with every override applied
    source: str = "scenario"  # what messages begin with
    settings: tuple[tuple[str, Any], ...] = ()
    _points: tuple[Point, ...] = field(default=(), repr=False)

    @classmethod
    def read(cls, path: str | Path, overrides: Sequence[str | tuple[str, Any]] = ()) -> Scenario:
        """The scenario in a file; `overrides` are "key=value" texts or (key, value) pairs, applied in order."""
        path = Path(path)
        return cls.parse(_text(path), overrides, name=path.stem, base=path.parent, source=str(path))

    @classmethod
    def parse(
        cls,
        text: str,
        overrides: Sequence[str | tuple[str, Any]] = (),
        *,
        name: str = "scenario",
        base: str | Path = ".",
        source: str = "scenario",
    ) -> Scenario:
        """The scenario in a text; relative file names in it start from `base`, messages from `source`."""
        settings = tuple(parse_setting(o) if isinstance(o, str) else o for o in overrides)
        try:
            raw = overridden(_toml(text), settings)
            points = tuple(_points(raw, Path(base)))
        except JfsqError as error:
            raise type(error)(f"{source}: {error}") from None
        return cls(name, text, raw, source, settings, points)

    @property
    def question(self) -> str:
        """The first comment line."""
        first = next((line.strip() for line in self.text.splitlines() if line.strip()), "")
        return first.lstrip("# ") if first.startswith("#") else ""

    @property
    def hash(self) -> str:
        """SHA-256 of the file's text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def points(self) -> list[Point]:
        """The points of the grid, the last sweep key varying fastest; one point when nothing is swept."""
        return list(self._points)

    def with_points(self, points: Sequence[Point]) -> Scenario:
        """The same question, its points planned anew (a warm-up or an engine that several of them share)."""
        return replace(self, _points=tuple(points))

    def run(
        self,
        out: str | Path | None = None,
        *,
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Results:
        """Run every point and hand back estimates.

        With `out`, a directory, every replication is kept there as it ends and what is there already is
        not run again. `workers` is how many replications run side by side; see `experiment.run`.
        """
        ledger = Ledger(Path(out), self.origin(), self.text) if out is not None else None
        try:
            return run_points(self.points(), origin=self.origin(), ledger=ledger, workers=workers, progress=progress)
        except PlanError as error:
            key = "run." if str(error).split()[0] in RunTable.model_fields else ""
            raise PlanError(f"{self.source}: {key}{error}") from None

    def origin(self) -> dict[str, Any]:
        """Where results come from: name, question, hash of the text, overrides."""
        return {"name": self.name, "question": self.question, "sha256": self.hash, "set": dict(self.settings)}


def results(directory: str | Path) -> Results:
    """The results kept in a directory, estimates made anew from the counts; nothing is simulated."""
    return Ledger(Path(directory)).results(_rebuilt)


# ---- from text to points -------------------------------------------------------------------------------------


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read ({error.strerror or error}){_neighbour(path)}.") from None
    except ValueError as error:  # a null byte in the name
        raise ScenarioError(f"{shown(str(path))}: is no file name ({error}).") from None
    if len(data) > LARGEST_FILE:
        raise ScenarioError(f"{path}: is larger than {LARGEST_FILE >> 20} MiB, which no scenario is; give a TOML file.")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: is not text in UTF-8 (byte {error.start}); save it as UTF-8.") from None


def _neighbour(path: Path) -> str:
    there = sorted(path.parent.glob("*.toml")) if path.parent.is_dir() else []
    known = {p.stem: p for p in there if p.is_file()}
    close = nearest(path.stem, known, cutoff=0.7)
    return f"; the nearest is {known[close]}" if close else ""


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"is not TOML: {' '.join(str(error).split())}.") from None
    except RecursionError:
        raise ScenarioError("is not TOML that can be read: brackets are nested too deeply.") from None
    except ValueError as error:  # numbers of thousands of digits, dates that do not exist
        raise ScenarioError(f"is not TOML: {' '.join(str(error).split())}.") from None


def _points(raw: Mapping[str, Any], base: Path) -> Iterator[Point]:
    builder = Builder(base)
    sweep = _axes(raw.get("sweep", {}))
    unswept = {k: v for k, v in raw.items() if k != "sweep"}
    for labels in _grid(sweep):
        point = {k: _copied(v) for k, v in unswept.items()}
        try:
            for key, value in labels.items():
                put(point, key, value)
            yield _point(point, labels, builder)
        except JfsqError as error:
            at = f" (at {', '.join(f'{k} = {shown(v)}' for k, v in labels.items())})" if labels else ""
            raise type(error)(f"{error}{at}") from None


def _point(raw: Mapping[str, Any], labels: Mapping[str, Any], builder: Builder) -> Point:
    try:
        table = ScenarioTable.model_validate(raw)
    except ValidationError as error:
        raise ScenarioError(sentence(error, ScenarioTable)) from None
    system = builder.system(table.system)
    plan = _plan(table.run)
    if table.record.observe == "theory":
        plan = replace(plan, observe=theory.observables(system))
    return Point(dict(labels), system, plan, _kept(table.system, builder.base))


def _kept(table: SystemTable, base: Path) -> dict[str, Any]:
    """The table as records keep it: defaults filled in, file names that hold from anywhere."""
    kept = {k: v for k, v in table.model_dump().items() if v is not None}
    failing = kept.get("breakdowns", {})
    for part, key in ((kept, "rates"), (kept, "size"), (kept, "arrivals"), (failing, "up"), (failing, "down")):
        if isinstance(part.get(key), dict) and isinstance(part[key].get("file"), str):
            part[key] = {**part[key], "file": str((base / part[key]["file"]).resolve())}
    return kept


def _plan(table: RunTable) -> Plan:
    replications = table.replications
    numbers = range(replications) if isinstance(replications, int) else replications
    try:
        return Plan(
            precision=Precision(**table.precision.model_dump()) if table.precision else None,
            replications=tuple(numbers),
            seed=Seed.of(table.seed),
            **table.model_dump(exclude={"precision", "replications", "seed"}),
        )
    except JfsqError as error:
        raise ScenarioError(f"run.{error}") from None


def _axes(sweep: Any) -> dict[str, list[Any]]:
    if not isinstance(sweep, dict):
        raise ScenarioError(f'sweep = {shown(sweep)} must be a table, for example [sweep] with "system.servers" = [10, 100].')
    axes = flat_sweep(sweep)
    for key, values in axes.items():
        if not isinstance(values, list):
            raise ScenarioError(f'sweep."{key}" = {shown(values)} must be a list of the values to take, for example [10, 100].')
        if not values:
            raise ScenarioError(f'sweep."{key}" = [] is empty, so there is nothing to run; give values or remove the key.')
        if key.partition(".")[0] not in ("system", "run"):
            raise ScenarioError(f'sweep."{key}": a sweep runs over keys of system or run, for example "system.servers".')
    for one, other in (("system.alpha", "system.load"), ("run.jobs", "run.horizon")):
        if one in axes and other in axes:
            raise ScenarioError(f"sweep runs over {one} and {other}, but each fixes the other; keep one.")
    if math.prod(len(v) for v in axes.values()) > MOST_POINTS:
        raise ScenarioError(f"sweep has {math.prod(len(v) for v in axes.values()):,} points, above {MOST_POINTS:,}; thin it out.")
    return axes


def _grid(axes: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def _copied(value: Any) -> Any:
    return {k: _copied(v) for k, v in value.items()} if isinstance(value, dict) else value


def _rebuilt(table: Mapping[str, Any]) -> Any:
    """The System of a record's table."""
    try:
        return Builder(Path()).system(SystemTable.model_validate(dict(table)))
    except ValidationError as error:
        raise DataError(f"system: {sentence(error, SystemTable)}") from None
