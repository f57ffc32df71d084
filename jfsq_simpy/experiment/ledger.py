"""The ledger: a directory of records, one a replication, that a rerun completes instead of repeating.

In    records as they are made; the points of a scenario
Out   what is there already, and Results made from it

    DIRECTORY/scenario.toml             the text last run
    DIRECTORY/points.json               which points that run has, and their keys
    DIRECTORY/records/KEY/00007.json    replication 7 of the point with that key
    DIRECTORY/records/KEY/warmup.json   the warm-up its pilots chose

Rule  files are whole or not there; a record that cannot be read counts as missing and is said
Cost  reading parses one JSON document a replication
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import DataError
from jfsq_simpy.experiment.files import make_directory, reason, write_whole
from jfsq_simpy.experiment.plan import Plan, Point
from jfsq_simpy.experiment.record import SCHEMA, Record, fleet_digest
from jfsq_simpy.experiment.results import PointResult, Results, run_of
from jfsq_simpy.system import System
from jfsq_simpy.warmup import WarmupChoice


class Ledger:
    """A directory of results. `origin` (a scenario's name, question, hash) and its text are kept with them."""

    def __init__(self, directory: Path, origin: Mapping[str, Any] | None = None, text: str = "") -> None:
        self.directory = directory
        self.origin = dict(origin or {})
        self.text = text
        self.notes: list[str] = []  # what a reader should be told: records that could not be used

    # ---- writing ----

    def open(self, points: Sequence[tuple[str, Point]]) -> None:
        """Make the directory and keep the scenario's text and the points. Errors: DataError."""
        make_directory(self.directory / "records")
        if self.text:
            write_whole(self.directory / "scenario.toml", self.text)
        self.list_points(points)

    def list_points(self, points: Sequence[tuple[str, Point]]) -> None:
        """Note which points, by key, and which of their replications the last run has."""
        listing = [
            {
                "key": key,
                "point": dict(point.labels),
                "replications": list(point.plan.replications),
                "level": point.plan.level,
                "table": dict(point.table),
            }
            for key, point in points
        ]
        document = {"schema": SCHEMA, "scenario": self.origin, "points": listing}
        write_whole(self.directory / "points.json", json.dumps(document, indent=1, default=str) + "\n")

    def keep(self, record: Record) -> None:
        """Write one record. Errors: DataError, and then nothing is left behind."""
        write_whole(self._place(record.key) / f"{record.replication:05d}.json", record.to_json())

    def keep_warmup(self, key: str, choice: WarmupChoice) -> None:
        """Remember a warm-up, so that pilots run once."""
        write_whole(self._place(key) / "warmup.json", json.dumps(asdict(choice)) + "\n")

    def _place(self, key: str) -> Path:
        place = self.directory / "records" / key
        make_directory(place)
        return place

    # ---- reading ----

    def records(self, key: str) -> dict[int, Record]:
        """The records of a point, by replication number."""
        found = {}
        for path in sorted((self.directory / "records" / key).glob("[0-9]*.json")):
            record = self._read(path)
            if record is not None and record.key == key:
                found[record.replication] = record
        return found

    def numbers(self, key: str) -> set[int]:
        """The replications of a point there are files of; nothing is read."""
        return {int(path.stem) for path in (self.directory / "records" / key).glob("[0-9]*.json")}

    def warmup(self, key: str) -> WarmupChoice | None:
        """The warm-up chosen before, if one was."""
        try:
            return WarmupChoice(**json.loads((self.directory / "records" / key / "warmup.json").read_text()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            self.notes.append(f"{self.directory}/records/{key}/warmup.json cannot be used ({error}); pilots run again.")
            return None

    def results(self, rebuild: Callable[[Mapping[str, Any]], System]) -> Results:
        """What is kept of the run last asked for; `rebuild` makes a System of a record's table. Errors: DataError."""
        listing = self._listing()
        found = []
        for entry in listing["points"]:
            records = self.records(entry["key"])
            wanted = [records[n] for n in entry["replications"] if n in records]
            if wanted:
                point = self._point(entry, wanted, rebuild(entry["table"]))
                found.append(PointResult(point, run_of(point, wanted)))
        return Results(found, listing["scenario"], self.directory, list(self.notes))

    def _listing(self) -> dict[str, Any]:
        path = self.directory / "points.json"
        try:
            listing: dict[str, Any] = json.loads(path.read_text())
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({reason(error)}); give a directory that `jfsq run` has filled.") from None
        except ValueError:
            raise DataError(f"{path}: is not JSON; run the scenario again to have it written anew.") from None
        schema = listing.get("schema") if isinstance(listing, dict) else None
        if schema != SCHEMA:
            raise DataError(f"{path}: has schema {schema}, this version reads {SCHEMA}; run the scenario again.")
        return listing

    def _point(self, entry: Mapping[str, Any], records: Sequence[Record], system: System) -> Point:
        first = records[0]
        if fleet_digest(system) != first.system.get("fleet_sha256"):
            raise DataError(f"{self.directory}: the rates in {entry['table'].get('rates')} are no longer those of the records.")
        seed = Seed(_hashable(first.seed["entropy"]), tuple(first.seed["spawn_key"]))
        plan = Plan(
            horizon=first.window["length"],
            replications=tuple(r.replication for r in records),
            seed=seed,
            level=entry["level"],
            start=first.plan["start"],
            observe=first.observe,
        )
        return Point(entry["point"], system, plan, entry["table"])

    def _read(self, path: Path) -> Record | None:
        try:
            return Record.from_json(path.read_text())
        except (OSError, UnicodeDecodeError, DataError) as error:
            self.notes.append(f"{path}: {reason(error)}; it counts as missing.")
            return None


def _hashable(entropy: Any) -> Any:
    return tuple(entropy) if isinstance(entropy, list) else entropy
