"""`jfsq compare`: what it prints, what it keeps, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jfsq_simpy.cli.compare import listed
from jfsq_simpy.cli.main import execute
from jfsq_simpy.errors import PlanError
from jfsq_simpy.metrics import METRICS
from tests.small import scenario

SMALL = scenario("Which one?", engine="process", jobs=300, warmup=5, replications=3, seed=5)
COMMAND = ["compare", "which.toml", "--policies", "jfsq, jsq,{name='jsq_d', d=2}", "--workers", "1"]


@pytest.fixture(autouse=True)
def which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("which.toml").write_text(SMALL)


def run(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[str, str]:
    assert execute([*COMMAND, *options]) == 0
    out, err = capsys.readouterr()
    return out, err


def test_tables_say_who_is_best_and_by_how_much(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = run(capsys)
    assert "Which one?" in out
    assert "minus jfsq" in out
    assert "3 pairs" in out
    assert "T 99.9 %" in out
    assert [line.split()[2] for line in out.splitlines() if line.strip().startswith(("1", "2", "3"))][:1] == ["jfsq"]
    assert "9 replications" in err, "how much there is to do is said before"
    assert "results/which/compare" in err
    assert Path("results/which/compare/comparison.png").read_bytes().startswith(b"\x89PNG")


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = run(capsys, "--json", "-q", "--metric", "mean_wait", "--against", "jsq", "--why", "jsq_d(d=2)")
    assert err == ""
    document = json.loads(out)
    assert document.keys() == {"scenario", "directory", "comparisons", "notes"}
    assert document["scenario"]["name"] == "which"
    (found,) = document["comparisons"]
    assert (found["metric"], found["against"], found["level"]) == ("mean_wait", "jsq", 0.95)
    assert [p["policy"] for p in found["policies"]] == ["jfsq", "jsq", "jsq_d(d=2)"]
    estimates = found["policies"][0]["estimates"]
    assert estimates.keys() == METRICS.keys() | {f"{w}_p{p}" for w in ("wait", "response") for p in ("50", "99", "99.9")}
    assert estimates["mean_wait"].keys() == {"value", "low", "high", "level", "n", "method"}
    assert {"place", "worst_place", "letters", "policy", "value"} <= found["ranking"][0].keys()
    assert {"difference", "low", "high", "ratio", "p_value", "variance_saved"} <= found["differences"][0].keys()
    assert (found["jobs"]["rival"], found["jobs"]["against"]) == ("jsq_d(d=2)", "jsq")
    assert sum(row["jobs"] for row in found["jobs"]["causes"]) == found["jobs"]["jobs"]
    assert Path(found["figure"]).exists()


def test_the_same_command_again_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = run(capsys, "--json")
    second, err = run(capsys, "--json")
    assert json.loads(second) == json.loads(first)
    assert "All 9 replications are there already" in err


def test_why_shows_what_happened_to_the_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = run(capsys, "--why", "jsq")
    assert "slower server, as many before it" in out
    assert "leave sooner under jsq than under jfsq" in out


def test_a_figure_for_each_point_of_a_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = run(capsys, "--set", "sweep.system.load=[0.9]", "--set", "sweep.system.size=['exponential',{law='erlang',k=4}]")
    assert "load = 0.9, size = erlang(k=4)" in out
    assert len(list(Path("results/which/compare").glob("comparison-*.png"))) == 2


def test_policies_and_metric_may_stand_in_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("which.toml").write_text(SMALL + '[compare]\npolicies = ["jsq", "random"]\nmetric = "wait_p99"\n')
    assert execute(["compare", "which.toml", "--json", "-q", "--workers", "1"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["comparisons"]
    assert (found["metric"], found["against"]) == ("wait_p99", "jsq")


@pytest.mark.parametrize(
    ("text", "policies"),
    [
        ("jfsq,jsq", ["jfsq", "jsq"]),
        (" jfsq , 'jsq' ,", ["jfsq", "jsq"]),
        ("{name='jsq_d',d=2,replace=true},jiq", [{"name": "jsq_d", "d": 2, "replace": True}, "jiq"]),
        ("{name='x',p=[0.5,0.5]},jsq", [{"name": "x", "p": [0.5, 0.5]}, "jsq"]),
        ("", []),
    ],
)
def test_policies_as_written(text: str, policies: list[Any]) -> None:
    assert listed(text) == policies


@pytest.mark.parametrize("text", ["{name=jsq_d},jsq", "{name='jsq_d',d=2", "jsq,{d=}"])
def test_policies_that_cannot_be_read(text: str) -> None:
    with pytest.raises(PlanError, match="--policies"):
        listed(text)


@pytest.mark.parametrize(
    "options",
    [
        ["--policies", "jfsq"],
        ["--policies", ""],
        ["--policies", "jfsq,jsqq"],
        ["--policies", "jfsq,{name='jsq_d',d=0}"],
        ["--policies", "jfsq,{name='jsq_d',e=2}"],
        ["--policies", "jfsq,{name=jsq_d}"],
        ["--policies", "jfsq,jfsq"],
        ["--metric", "speed"],
        ["--against", "sed"],
        ["--why", "sed"],
        ["--replications", "1"],
        ["--engine", "fast"],
        ["--set", "compare.polices=[]"],
        ["--out", "which.toml/inside"],
    ],
    ids=" ".join,
)
def test_input_at_fault_is_exit_2_and_one_line(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([*COMMAND, *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("jfsq: ")
    assert not Path("results").exists(), "nothing is left behind"
