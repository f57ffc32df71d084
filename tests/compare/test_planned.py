"""Comparisons of a scenario file: read like a sweep, kept like a run, equal to `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jfsq_simpy import compare
from jfsq_simpy.compare import planned
from jfsq_simpy.errors import PlanError, ScenarioError
from jfsq_simpy.experiment import Progress
from jfsq_simpy.scenario import results
from tests.small import scenario

COMPARE = """
[compare]
policies = ["jfsq", "jsq", {name = "jsq_d", d = 2}]
metric = "mean_wait"
against = {name = "jsq_d", d = 2}
"""
TEXT = scenario("Which one?", engine="process", jobs=200, replications=3, seed=5) + COMPARE


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "which.toml"
    path.write_text(TEXT)
    return path


def run(file: Path, *settings: str, policies: list[Any] | None = None, out: Path | None = None, **options: Any) -> planned.Compared:
    return planned.plan(planned.read(file, settings, policies), out).run(out, workers=1, **options)


def test_the_file_says_what_to_compare_and_by_what(file: Path) -> None:
    ((labels, found),) = run(file).comparisons
    assert labels == {}
    assert (found.policies, found.metric, found.against) == (["jfsq", "jsq", "jsq_d(d=2)"], "mean_wait", "jsq_d(d=2)")
    assert set(found.differences().against) == {"jsq_d(d=2)"}


def test_it_is_what_compare_gives(file: Path) -> None:
    ((_, found),) = run(file).comparisons
    system = next(iter(found.runs.values())).system
    same = compare(system, ["jfsq", "jsq", {"name": "jsq_d", "d": 2}], jobs=200, replications=3, rng=5, engine="process", workers=1)
    assert {name: r.tallies for name, r in same.runs.items()} == {name: r.tallies for name, r in found.runs.items()}
    assert {r.window for r in same.runs.values()} == {r.window for r in found.runs.values()}, "the same warm-up"


def test_policies_of_the_command_line_replace_those_of_the_file(file: Path) -> None:
    ((_, found),) = run(file, "compare.against=random", policies=["random", "jsq"]).comparisons
    assert found.policies == ["random", "jsq"]


def test_a_sweep_is_compared_point_by_point(file: Path) -> None:
    found = run(file, "sweep.system.load=[0.5, 0.9]", "run.warmup=5")
    assert [labels for labels, _ in found.comparisons] == [{"system.load": 0.5}, {"system.load": 0.9}]
    assert [next(iter(c.runs.values())).system.load for _, c in found.comparisons] == [0.5, 0.9]
    document = found.to_dict()
    assert document["comparisons"][1]["point"] == {"system.load": 0.9}


def test_a_sweep_over_policies_needs_no_compare_table(tmp_path: Path) -> None:
    path = tmp_path / "swept.toml"
    path.write_text(TEXT.partition("[compare]")[0] + '[sweep]\nsystem.policy = ["jfsq", "jsq"]\nsystem.load = [0.5, 0.8]\n')
    found = run(path, "run.warmup=5")
    assert [c.policies for _, c in found.comparisons] == [["jfsq", "jsq"]] * 2
    # policies vary slowest here, and still each comparison has its own point's runs
    assert [{r.system.load for r in c.runs.values()} for _, c in found.comparisons] == [{0.5}, {0.8}]


def test_what_is_kept_is_not_run_again(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    first = run(file, out=out)
    monkeypatch.setattr("jfsq_simpy.engines.run_replications", lambda *_, **__: pytest.fail("nothing may run, pilots included"))
    seen: list[Progress] = []
    second = run(file, out=out, progress=seen.append)
    assert second.to_dict()["comparisons"] == first.to_dict()["comparisons"]
    assert (seen[0].done, seen[0].total) == (9, 9)


def test_records_alone_are_enough_to_compare(file: Path, tmp_path: Path) -> None:
    scenario = planned.read(file)
    first = planned.plan(scenario, tmp_path / "out").run(tmp_path / "out", workers=1)
    ((_, again),) = planned.compared(scenario, results(tmp_path / "out")).comparisons
    assert again.differences().equals(first.comparisons[0][1].differences())


def test_a_warm_up_of_the_file_serves_all(file: Path) -> None:
    ((_, found),) = run(file, "run.warmup=7").comparisons
    assert {r.window.warmup for r in found.runs.values()} == {7.0}


def test_what_the_pilots_warn_of_reaches_the_run(file: Path) -> None:
    ((_, found),) = run(file, "run.jobs=8").comparisons
    assert all("too short" in r.warnings[0] for r in found.runs.values())


@pytest.mark.parametrize(
    ("settings", "policies", "said"),
    [
        ([], ["jfsq"], "at least two"),
        ([], ["jfsq", "jfsq"], "named twice"),
        ([], ["jfsq", "jsqq"], "the nearest is jsq"),
        ([], ["jfsq", {"name": "jsq_d", "d": 9}], "9"),
        ([], ["jfsq", 3], "system.policy = 3"),
        (["compare.metric=speed"], None, "metric = 'speed'"),
        (["compare.against=sed"], None, "compare.against = sed"),
        (["compare.polices=[]"], None, "compare.policies"),
        (["run.replications=1"], None, "at least 2"),
        (['run.precision={metric = "mean_wait", relative = 0.1}'], None, "run.precision"),
        (["run.engine=lockstep", "system.size=deterministic"], None, "policies: jfsq"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line_before_anything_runs(
    file: Path, tmp_path: Path, settings: list[str], policies: list[Any] | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jfsq_simpy.engines.run_replications", lambda *_, **__: pytest.fail("nothing may run"))
    with pytest.raises((ScenarioError, PlanError)) as error:
        run(file, *settings, policies=policies, out=tmp_path / "out")
    assert str(error.value).startswith(f"{file}: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_file_without_policies_says_where_they_go(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    path.write_text(TEXT.partition("[compare]")[0])
    with pytest.raises(ScenarioError, match=r"compare\.policies is missing.*--policies"):
        planned.read(path)
