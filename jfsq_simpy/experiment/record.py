"""One replication's result as JSON, and back.

In    a point, a replication number, the engine's Outcome
Out   a Record: everything needed to trace, to merge and to rerun it
Rule  the key names what the numbers depend on and nothing else: system, plan, seed, view of the engine.
      Twin engines give equal tallies, so a record of one serves the other. Raise SCHEMA when a record's
      meaning changes, or the numbers a seed gives
Cost  O(groups x places) text; binned waits are written sparsely
"""

from __future__ import annotations

import hashlib
import importlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.errors import DataError
from jfsq_simpy.experiment.plan import Point
from jfsq_simpy.system import System
from jfsq_simpy.tally import NOTHING, Observables, Outcome, Tally

SCHEMA = 2
PACKAGES = ("jfsq_simpy", "numpy", "scipy", "simpy", "numba")


@dataclass(frozen=True)
class Record:
    """One replication of one point: what was asked, by what it was run, what was counted."""

    schema: int
    key: str
    replication: int
    point: dict[str, Any]  # labels of the sweep
    scenario: dict[str, Any]  # name, sha256, overrides
    system: dict[str, Any]  # System.describe(), every default filled in
    table: dict[str, Any]  # what the system was made from
    plan: dict[str, Any]
    seed: dict[str, Any]
    engine: dict[str, Any]  # name, view, and what it chose (its facts)
    window: dict[str, Any]  # warm-up in time units (chosen or given), length, batches
    versions: dict[str, Any]
    started: str
    seconds: float
    jobs: int
    tallies: list[Tally]  # one a batch

    def to_json(self) -> str:
        """A JSON document, one line a field: short to read, cheap to compare."""
        document = {f.name: getattr(self, f.name) for f in fields(self)} | {"tallies": [encoded(t) for t in self.tallies]}
        lines = [f"{json.dumps(name)}: {json.dumps(value, default=str)}" for name, value in document.items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str) -> Record:
        """Back from `to_json`. Errors: DataError when it is not a whole record of this schema."""
        try:
            document = json.loads(text)
        except ValueError:
            raise DataError("is not a whole JSON document") from None
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise DataError(f"is no record of schema {SCHEMA}")
        if document.keys() != {f.name for f in fields(cls)}:
            raise DataError("does not have the fields of a record")
        if not isinstance(document["jobs"], int) or not isinstance(document["seconds"], float | int):
            raise DataError("does not say how many jobs it is of")
        try:
            return cls(**document | {"tallies": [decoded(t) for t in document["tallies"]]})
        except (TypeError, ValueError, KeyError, IndexError):
            raise DataError("holds a tally that cannot be read") from None

    @property
    def observe(self) -> Observables:
        """What else was counted at snapshots."""
        asked = self.plan.get("observe")
        return Observables(**{name: _tuples(value) for name, value in asked.items()}) if asked else NOTHING

    def outcome(self) -> Outcome:
        """What the engine had handed back."""
        facts = {k: v for k, v in self.engine.items() if k not in ("name", "view")}
        return Outcome(self.tallies, self.jobs, facts)


def key_of(point: Point, view: str) -> str:
    """The name of a point's results: 16 hexadecimal digits of the SHA-256 of what they depend on.

    Replications share it, and so do twin engines; labels, the scenario's text, confidence level and
    the number of replications do not enter.
    """
    subject = {
        "schema": SCHEMA,
        "system": {**point.system.describe(), "rates": fleet_digest(point.system)},
        "plan": point.plan.describe(),
        "seed": point.plan.seed.describe(),
        "view": view,
    }
    text = json.dumps(subject, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fleet_digest(system: System) -> str:
    """SHA-256 of speeds and counts: what a summary of the rates cannot tell. O(speed classes)."""
    rates = system.rates
    digest = hashlib.sha256(np.ascontiguousarray(rates.speeds).tobytes())
    if not rates.all_distinct:
        digest.update(np.ascontiguousarray(rates.counts).tobytes())
    return digest.hexdigest()


@cache
def versions() -> dict[str, Any]:
    """What the bits may depend on: Python, packages, the processor's vector instructions."""
    found: dict[str, Any] = {"python": platform.python_version(), "machine": platform.machine()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    found["cpu_features"] = _cpu_features()
    return found


def _cpu_features() -> list[str]:
    # NumPy's vectorised logarithm differs in the last bit between instruction sets
    try:
        features = importlib.import_module("numpy._core._multiarray_umath").__cpu_features__
    except (ImportError, AttributeError):  # a private name: another NumPy may not have it
        return []
    return sorted(name for name, there in features.items() if there)


# ---- tallies as plain data -----------------------------------------------------------------------------------


def encoded(tally: Tally) -> dict[str, Any]:
    """A tally as JSON's types: arrays with their shape, the mostly empty ones as (place, count) lists."""
    return {f.name: _encoded(getattr(tally, f.name)) for f in fields(Tally)}


def decoded(document: Mapping[str, Any]) -> Tally:
    """The tally again, equal to the last bit."""
    return Tally(**{name: _decoded(value) for name, value in document.items()})


def _encoded(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    flat = value.reshape(-1)
    places = np.flatnonzero(flat)
    body: dict[str, Any] = {"shape": list(value.shape), "dtype": value.dtype.str.lstrip("<>=|")}
    if 2 * places.size < flat.size:
        return body | {"at": places.tolist(), "values": flat[places].tolist()}
    return body | {"values": flat.tolist()}


def _decoded(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    values: NDArray[Any] = np.array(value["values"], dtype=value["dtype"])
    if "at" in value:
        flat = np.zeros(int(np.prod(value["shape"])), dtype=value["dtype"])
        flat[np.array(value["at"], dtype=np.int64)] = values
        values = flat
    return values.reshape(value["shape"])


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, (list, tuple)) else value


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {"sha256": hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest(), "shape": value.shape}
    if isinstance(value, np.generic):
        return value.item()
    return str(value)


def plain_window(window: Any) -> dict[str, Any]:
    """A Window as JSON's types: an endless drain is null."""
    return {k: None if v == float("inf") else v for k, v in asdict(window).items()}
