"""`jfsq bounds`, `check` and `scaling`: what they say, and what they exit with."""

from __future__ import annotations

import importlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jfsq_simpy.cli.main import execute
from jfsq_simpy.metrics import METRICS
from jfsq_simpy.theory.record import Statement

check_room = importlib.import_module("jfsq_simpy.theory.check")  # the package has a function of that name

TEXT = """# Does theory hold here?
[system]
servers = 4
alpha = 0.25
places = 2
rates = {profile = "two_speed", ratio = 3}
[run]
engine = "lockstep"
jobs = 400
warmup = 4
replications = 4
seed = 5
"""
FLEETS = "sweep.system.servers=[4, 16]"
LARGE = ["--set", "system.servers=400", "--set", "system.alpha=0.5", "--set", "run.jobs=2000"]  # no exact law in a second


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.toml"
    path.write_text(TEXT)
    return path


def document(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    return err.strip()


# ---- bounds --------------------------------------------------------------------------------------------------


def test_bounds_shows_parameters_conditions_and_what_each_bound_is_worth(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["bounds", str(file)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for text in ("k_sub", "epsilon <= 1/2", "Theorem 2", "recursion", "vacuous at this N;", "assumption of this regime holds from"):
        assert text in out
    assert re.search(r"10\^\d+\.\d\d", out)


def test_bounds_json_says_from_which_n_the_printed_bound_on_waiting_means_something(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    homogeneous = ["--set", 'system.rates={profile="homogeneous"}', "--set", "system.servers=1000"]
    assert execute(["bounds", str(file), "--json", *homogeneous]) == 0
    (point,) = document(capsys)["points"]
    (printed,) = [s for s in point["statements"] if (s["statement"], s["variant"]) == ("p_W", "paper")]
    assert printed["meaningful_from"] == "10^5.97"  # an independent derivation, with epsilon = 1/3 so that nu = 3
    assert printed["verdict"] == "condition not met; vacuous at this N; first below 1 at N = 10^5.97"
    assert point["parameters"]["N"] == pytest.approx(1000)
    assert all({"left", "right", "holds", "factor"} <= c.keys() for group in point["conditions"].values() for c in group)


def test_bounds_says_where_the_paper_is_silent_and_shows_the_rest(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["bounds", str(file), "--set", "sweep.system.places=[1, 2]"]) == 2
    out, err = capsys.readouterr()
    assert "system.places = 2" in out
    assert "places = 1" in err
    assert execute(["bounds", str(file), "--set", "system.load=1.2"]) == 2
    assert "silent" in one_line(capsys)


def test_the_order_of_the_moment_is_an_option(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["bounds", str(file), "--json", "--order", "3"]) == 0
    found = document(capsys)
    assert found["order"] == found["points"][0]["parameters"]["r"] == 3


# ---- check ---------------------------------------------------------------------------------------------------


def test_a_small_system_is_solved_and_holds(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["check", str(file), "--json"]) == 0
    found = document(capsys)
    (point,) = found["points"]
    assert (found["failed"], point["evidence"], point["failed"]) == (False, "exact", False)
    assert {"holds", "condition not met", "vacuous"} <= {line["verdict"] for line in point["lines"]}
    assert not Path("results").exists(), "nothing was run"


def test_by_run_every_metric_has_its_interval_beside_the_exact_value(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["check", str(file), "--by", "run", "--json", "--workers", "1"]) == 0
    (point,) = document(capsys)["points"]
    assert point["evidence"] == "run"
    rows = {row["metric"]: row for row in point["metrics"]}
    assert METRICS.keys() <= rows.keys()
    assert rows["waiting_probability"]["low"] < rows["waiting_probability"]["exact"] < rows["waiting_probability"]["high"]
    tails = [line for line in point["lines"] if line["what"] == "statement" and line["name"] == "Lemma 3"]
    assert tails
    assert all(line["measured"] is not None for line in tails), "the tails of V were counted and kept"


def test_a_large_system_is_run_once(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert execute(["check", str(file), *LARGE, "--workers", "1"]) == 0
        out, err = capsys.readouterr()
        assert "4 replications" in out
        assert "condition not met" in out
    assert "All 4 replications are there already" in err


def weakened(system: Any, factor: float) -> Iterator[Statement]:
    """The paper's statements, that on p_W replaced by a sound-looking one that is `factor` times the truth."""
    from jfsq_simpy.exact import solve

    truth = solve(system)["waiting_probability"]
    for s in real_statements(system):
        if (s.name, s.variant) == ("p_W", "identity"):
            yield replace(s, log_bound=math.log(truth * factor), conditions=())
        else:
            yield s


real_statements = check_room.statements_of


@pytest.mark.parametrize(("factor", "status"), [(0.5, 1), (2.0, 0)])
@pytest.mark.parametrize("by", ["exact", "run"])
def test_a_wrong_bound_fails_and_a_right_one_does_not(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, factor: float, status: int, by: str
) -> None:
    monkeypatch.setattr(check_room, "statements_of", lambda system: list(weakened(system, factor)))
    longer = ["--set", "run.jobs=2_000", "--set", "run.replications=60"]  # p_W to 3 %: half of it is 15 errors away
    assert execute(["check", str(file), "--by", by, "--workers", "1", *longer]) == status
    out = " ".join(capsys.readouterr().out.split())
    assert ("violated" in out and "what does not hold" in out) == bool(status)
    assert execute(["check", str(file), "--by", by, "--workers", "1", *longer, "--json"]) == status
    found = document(capsys)
    assert found["failed"] == bool(status)
    failed = [line["name"] for line in found["points"][0]["lines"] if line["verdict"] == "violated"]
    assert failed == (["p_W"] if status else [])


def test_insisting_on_what_is_too_large_to_solve_is_at_fault(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["check", str(file), "--by", "exact", "--set", "system.servers=40_000", "--set", "system.places=9"]) == 2
    assert one_line(capsys).startswith(f"jfsq: {file}: ")


# ---- scaling -------------------------------------------------------------------------------------------------


def test_scaling_holds_the_slope_against_the_order(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--set", FLEETS, "--set", "run.jobs=3_000", "--workers", "1"]
    assert execute(["scaling", str(file), *few, "--json"]) == 0
    slopes = document(capsys)["slopes"]
    assert [s["metric"] for s in slopes] == ["waiting_probability", "mean_wait"]
    for s in slopes:
        found = s["scaling"]
        assert (found["alpha"], found["order_exponent"], found["n_servers"]) == (0.25, -0.25, [4, 16])
        assert found["low"] < found["slope"] < found["high"]
    assert execute(["scaling", str(file), *few]) == 0
    out, err = capsys.readouterr()
    assert "N^-0.25" in out
    assert "are there already" in err, "a rerun adds only what is missing"


def test_where_nothing_was_seen_there_is_no_slope_and_no_failure(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unseen = ["--set", "sweep.system.servers=[4, 900]", "--set", "run.jobs=300", "--workers", "1"]
    assert execute(["scaling", str(file), *unseen, "--json"]) == 0
    for s in document(capsys)["slopes"]:
        assert s["scaling"] is None
        assert "too little seen at N = 900" in s["note"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([], "at least two fleet sizes"),
        (["sweep.system.servers=[4]"], "at least two fleet sizes"),
        ([FLEETS, "system.load=0.7"], "alpha changes with N"),
        ([FLEETS, "system.load=0.9"], "paper speaks of alpha < 1"),
    ],
)
def test_what_has_no_slope_is_said_before_anything_runs(
    file: Path, capsys: pytest.CaptureFixture[str], settings: list[str], said: str
) -> None:
    assert execute(["scaling", str(file), *(x for s in settings for x in ("--set", s))]) == 2
    assert said in one_line(capsys)
    assert not Path("results").exists()
