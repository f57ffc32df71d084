"""Experiments: the bits of `simulate`, kept whole, never run twice."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from jfsq_simpy import rates
from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import DataError, PlanError
from jfsq_simpy.experiment import Ledger, Plan, Point, Precision, Progress, run
from jfsq_simpy.experiment.record import SCHEMA, decoded
from jfsq_simpy.scenario import Scenario, results
from jfsq_simpy.simulate import simulate
from jfsq_simpy.system import System

SYSTEM = System(rates.linear(4, ratio=4), load=0.8, places=3)
TEXT = """# Small?
[system]
servers = 4
load = 0.8
places = 3
rates = {profile = "linear", ratio = 4}
[run]
engine = "process"
jobs = 300
replications = 3
seed = 5
[sweep]
system.load = [0.7, 0.9]
"""


def point(system: System = SYSTEM, **plan: Any) -> Point:
    return Point({}, system, Plan(**{"jobs": 400, "engine": "process", "replications": (0, 1, 2), **plan}))


def records(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted((directory / "records").rglob("[0-9]*.json"))}


def files(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


# ---- the numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["process", "lockstep"])
def test_an_experiment_gives_the_bits_of_simulate(engine: str) -> None:
    (ours,) = run([point(engine=engine, seed=Seed.of(3))], workers=1)
    alone = simulate(SYSTEM, jobs=400, engine=engine, replications=3, rng=3, workers=1)
    assert ours.run.tallies == alone.tallies
    assert ours.run.window == alone.window
    assert ours.estimates == alone.estimates()


def test_results_do_not_depend_on_workers() -> None:
    points = [point(engine="process"), point(SYSTEM.replaced(load=1.1), engine="lockstep")]
    one, two = run(points, workers=1), run(points, workers=2)
    assert [p.run.tallies for p in one] == [p.run.tallies for p in two]


def test_without_a_ledger_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Scenario.parse(TEXT).run(workers=1)
    assert list(tmp_path.iterdir()) == []


def test_precision_adds_replications_until_it_is_reached() -> None:
    goal = Precision("mean_queue", relative=0.05, max_seconds=60)
    (p,) = run([point(precision=goal)], workers=1)
    assert p.run.precise
    assert len(p.run.replications) > 3
    assert p.run.mean_queue.half_width <= 0.05 * p.run.mean_queue.value


def test_a_precision_reached_once_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goal = ["run.precision={metric = 'mean_queue', relative = 0.1, max_seconds = 60.0}", "run.jobs=100"]
    first = Scenario.parse(TEXT, goal).run(tmp_path, workers=1)
    assert max(len(p.run.replications) for p in first) > 3
    monkeypatch.setattr("jfsq_simpy.engines.run_replications", lambda *_, **__: pytest.fail("everything is there"))
    assert Scenario.parse(TEXT, goal).run(tmp_path, workers=1).table().equals(first.table())
    assert results(tmp_path).table().equals(first.table())


def test_precision_out_of_reach_is_said() -> None:
    (p,) = run([point(precision=Precision("mean_queue", relative=1e-9, max_seconds=0.2))], workers=1)
    assert p.run.precise is False
    assert "max_seconds" in p.run.warnings[-1]


def test_a_precision_of_what_is_never_seen_writes_few_records_and_a_rerun_none(tmp_path: Path) -> None:
    never = ["run.precision={metric = 'blocking_probability', relative = 0.05, max_seconds = 20.0}", "system.places=60"]
    first = Scenario.parse(TEXT, never).run(tmp_path, workers=1)
    assert [p.run.precise for p in first] == [False] * len(first)
    assert all("was 0 in all" in p.run.warnings[-1] for p in first)
    kept = len(records(tmp_path))
    assert kept <= 80 * len(first)  # without end there would be thousands
    again = Scenario.parse(TEXT, never).run(tmp_path, workers=1)
    assert len(records(tmp_path)) == kept
    assert [p.run.warnings[-1] for p in again] == [p.run.warnings[-1] for p in first]


def test_an_engine_that_cannot_is_refused_before_anything_runs(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "out")
    with pytest.raises(PlanError):
        run([point(), point(SYSTEM.replaced(size="deterministic"), engine="lockstep")], ledger=ledger)
    assert not (tmp_path / "out").exists()


# ---- the ledger ----------------------------------------------------------------------------------------------


def test_a_rerun_adds_only_what_is_missing(tmp_path: Path) -> None:
    Scenario.parse(TEXT).run(tmp_path, workers=1)
    before = records(tmp_path)
    assert len(before) == 6
    events: list[Progress] = []
    Scenario.parse(TEXT, ["run.replications=5"]).run(tmp_path, workers=1, progress=events.append)
    after = records(tmp_path)
    assert len(after) == 10
    assert {k: after[k] for k in before} == before, "what was there is untouched"
    assert (events[0].done, events[-1].done, events[-1].total) == (6, 10, 10)


def test_five_and_five_are_ten(tmp_path: Path) -> None:
    Scenario.parse(TEXT, ["run.replications=3"]).run(tmp_path, workers=1)
    grown = Scenario.parse(TEXT, ["run.replications=6"]).run(tmp_path, workers=1)
    fresh = Scenario.parse(TEXT, ["run.replications=6"]).run(workers=1)
    assert [p.run.tallies for p in grown] == [p.run.tallies for p in fresh]
    assert grown.table().equals(fresh.table())


def test_results_are_read_back_without_simulating(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Scenario.parse(TEXT).run(tmp_path, workers=1)
    monkeypatch.setattr("jfsq_simpy.engines.run_replications", lambda *_, **__: pytest.fail("a reader must not simulate"))
    again = results(tmp_path)
    assert again.table().equals(first.table())
    assert again.scenario["question"] == "Small?"
    assert [p.run.seed for p in again] == [Seed.of(5)] * 2


def test_a_record_tells_where_it_comes_from(tmp_path: Path) -> None:
    scenario = Scenario.parse(TEXT, ["run.replications=1"])
    scenario.run(tmp_path, workers=1)
    record = json.loads(next(iter(records(tmp_path).values())))
    assert record["scenario"]["sha256"] == scenario.hash
    assert record["plan"]["drain"] is None, "defaults are filled in"
    assert {"python", "numpy", "scipy", "simpy", "jfsq_simpy", "cpu_features"} <= record["versions"].keys()
    assert record["seed"] == {"entropy": 5, "spawn_key": []}
    assert record["engine"]["name"] == "process"
    assert record["seconds"] > 0
    assert record["started"].startswith("20")


def test_a_record_replays_to_the_same_bits(tmp_path: Path) -> None:
    results_ = Scenario.parse(TEXT).run(tmp_path, workers=1)
    record = json.loads(list(records(tmp_path).values())[-1])
    replayed = simulate(
        next(p.system for p in (q.point for q in results_) if p.labels == record["point"]),
        horizon=record["window"]["length"],
        warmup=record["window"]["warmup"],
        engine=record["engine"]["name"],
        replications=[record["replication"]],
        batches=record["window"]["batches"],
        rng=record["seed"]["entropy"],
    )
    assert replayed.tallies[0] == [decoded(t) for t in record["tallies"]]


@pytest.mark.parametrize("damage", ["truncated", "empty", "another schema"])
def test_a_damaged_record_counts_as_missing_and_is_said(tmp_path: Path, damage: str) -> None:
    Scenario.parse(TEXT).run(tmp_path, workers=1)
    whole = records(tmp_path)
    victim = tmp_path / next(iter(whole))
    text = victim.read_text()
    victim.write_text(
        {"truncated": text[: len(text) // 2], "empty": "", "another schema": text.replace(f'"schema": {SCHEMA}', '"schema": 0')}[
            damage
        ]
    )
    again = Scenario.parse(TEXT).run(tmp_path, workers=1)
    assert any(str(victim) in note for note in again.notes)
    mended = records(tmp_path)
    assert [json.loads(mended[k])["tallies"] for k in whole] == [json.loads(v)["tallies"] for v in whole.values()]


def test_pilots_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Scenario.parse(TEXT).run(tmp_path, workers=1)
    monkeypatch.setattr("jfsq_simpy.experiment.grid.warmup_for", lambda *_, **__: pytest.fail("the warm-up was kept"))
    Scenario.parse(TEXT, ["run.replications=4"]).run(tmp_path, workers=1)


def test_what_is_done_when_the_user_stops_is_kept(tmp_path: Path) -> None:
    def stop_at_three(now: Progress) -> None:
        if now.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Scenario.parse(TEXT).run(tmp_path, workers=1, progress=stop_at_three)
    assert len(records(tmp_path)) == 3
    assert Scenario.parse(TEXT).run(tmp_path, workers=1).table().equals(Scenario.parse(TEXT).run(workers=1).table())


@pytest.mark.parametrize("room_for", [0, 2, 3], ids=["nothing", "the list of points", "one record more"])
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room_for: int) -> None:
    Scenario.parse(TEXT).run(tmp_path, workers=1)
    before, written = files(tmp_path), iter(range(room_for))

    def full(_: int) -> None:
        if next(written, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        Scenario.parse(TEXT, ["run.replications=4"]).run(tmp_path, workers=1)
    after = files(tmp_path)
    assert {name: after[name] for name in before if name != "points.json"} == {
        k: v for k, v in before.items() if k != "points.json"
    }
    assert len(after) - len(before) == max(0, room_for - 2), "a file is whole or not there"
    assert len(json.loads(after["points.json"])["points"][0]["replications"]) == (3 if room_for < 2 else 4)


def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("jfsq_simpy.engines.run_replications", lambda *_, **__: pytest.fail("nothing may run"))
    with pytest.raises(DataError, match="--out"):
        Scenario.parse(TEXT).run(tmp_path / "file" / "out")


def test_reading_a_directory_that_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="jfsq run"):
        results(tmp_path)


def test_a_fleet_file_that_changed_is_noticed(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.csv"
    fleet.write_text("speed\n2.0\n1.0\n")
    text = TEXT.replace("servers = 4\n", "").replace('{profile = "linear", ratio = 4}', '{profile = "file", file = "fleet.csv"}')
    Scenario.parse(text, base=tmp_path).run(tmp_path / "out", workers=1)
    fleet.write_text("speed\n2.5\n1.0\n")
    with pytest.raises(DataError, match="no longer"):
        results(tmp_path / "out")
