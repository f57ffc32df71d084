"""The command line: what it prints, where, and what it exits with."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from jfsq_simpy.cli.main import execute
from jfsq_simpy.metrics import METRICS
from tests.small import scenario

SMALL = scenario(engine="process", jobs=300, replications=3, seed=5)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    return text.strip()


# ---- run -----------------------------------------------------------------------------------------------------


def test_run_prints_a_table_and_keeps_the_results(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["run", str(small), "--workers", "1"]) == 0
    out, err = capsys.readouterr()
    assert "Small?" in out
    assert "p_W" in out
    assert "300" not in out.splitlines()[0]
    said = re.search(r"about ([\d,]+) jobs to simulate by process \(([\d,]+) of them to warm up\)", err)
    assert said, "the expected jobs are said before"
    all_of_them, to_warm_up = (int(number.replace(",", "")) for number in said.groups())
    assert all_of_them - to_warm_up == 900
    assert "results/small" in err
    assert len(list(Path("results/small/records").rglob("[0-9]*.json"))) == 3


def test_run_json_is_one_document_and_nothing_else(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["run", str(small), "--json", "--workers", "1"]) == 0
    out, _ = capsys.readouterr()
    document = json.loads(out)
    (point,) = document["points"]
    assert document["scenario"]["name"] == "small"
    assert {"point", "system", "engine", "seed", "jobs", "seconds", "estimates"} <= point.keys()
    assert point["estimates"].keys() == METRICS.keys()
    assert point["estimates"]["waiting_probability"].keys() == {"value", "low", "high", "level", "n", "method"}
    assert (point["engine"], point["seed"]) == ("process", 5)


@pytest.mark.parametrize(
    ("options", "key", "value"),
    [
        (["--seed", "7"], "seed", 7),
        (["--engine", "lockstep"], "engine", "lockstep"),
        (["--replications", "2"], "replications", 2),
        (["--replications", "[9]"], "replications", 1),
        (["--set", "run.start=busy"], "start", "busy"),
    ],
)
def test_options_override_the_file(
    small: Path, capsys: pytest.CaptureFixture[str], options: list[str], key: str, value: Any
) -> None:
    assert execute(["run", str(small), "--json", "-q", "--workers", "1", *options]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["points"][0][key] == value
    assert err == ""


def test_setting_alpha_removes_load(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["run", str(small), "--json", "-q", "--set", "system.alpha=0.25", "--workers", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["points"][0]["system"]["alpha"] == pytest.approx(0.25)


def test_a_sweep_over_fleet_sizes_draws_its_figure(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", str(small), "--set", "sweep.system.servers=[2, 4]", "--out", "here", "--json", "--workers", "1"]
    assert execute(arguments) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["figure"] == "here/waiting_probability.png"
    assert Path("here/waiting_probability.png").read_bytes().startswith(b"\x89PNG")
    assert "here/waiting_probability.png" in err


def test_a_second_run_finds_everything_there(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    execute(["run", str(small), "--json", "--workers", "1"])
    first, _ = capsys.readouterr()
    assert execute(["run", str(small), "--json", "--workers", "1"]) == 0
    second, err = capsys.readouterr()
    assert json.loads(second) == json.loads(first)
    assert "All 3 replications are there already" in err


def test_a_precision_not_reached_is_exit_1(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    goal = 'run.precision={metric = "mean_wait", relative = 1e-9, max_seconds = 0.1}'
    assert execute(["run", str(small), "--set", goal, "--workers", "1"]) == 1
    assert "max_seconds" in capsys.readouterr().err


# ---- exact ---------------------------------------------------------------------------------------------------


def test_exact_gives_plain_numbers(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["exact", str(small), "--set", "system.servers=1", "--json"]) == 0
    (point,) = json.loads(capsys.readouterr().out)["points"]
    a, b = 0.8, 3  # M/M/1/b
    assert point["estimates"]["blocking_probability"] == pytest.approx((1 - a) * a**b / (1 - a ** (b + 1)), rel=1e-12)
    assert execute(["exact", str(small)]) == 0
    assert "states" in capsys.readouterr().out


def test_exact_refuses_what_is_too_large(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["exact", str(small), "--set", "system.servers=1000"]) == 2
    assert one_line(capsys.readouterr().err).startswith("jfsq: ")


def test_exact_solves_what_it_can_of_a_sweep(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["exact", str(small), "--set", "sweep.system.servers=[2, 1000]", "--json", "-q"]) == 2
    good, bad = json.loads(capsys.readouterr().out)["points"]
    assert good["estimates"]["waiting_probability"] > 0
    assert bad["estimates"] is None
    assert bad["error"]


# ---- list ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "known"),
    [("policies", "jfsq"), ("laws", "erlang"), ("profiles", "linear"), ("knowledge", "refreshed"), ("engines", "process")],
)
def test_list(what: str, known: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["list", what]) == 0
    assert known in capsys.readouterr().out
    assert execute(["list", what, "--json"]) == 0
    assert known in [row["name"] for row in json.loads(capsys.readouterr().out)[what]]


def test_a_policy_is_listed_with_its_whole_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["list", "policies", "--json"]) == 0
    cards = {row.pop("name"): row for row in json.loads(capsys.readouterr().out)["policies"]}
    facts = ("what it is", "ties", "must know", "messages a job", "stable for", "cost of a decision", "closed forms", "source")
    assert all(row[fact] for row in cards.values() for fact in facts)
    assert cards["jfsq"]["engines"] == ["process", "events", "lockstep", "chain"]
    assert cards["least_work"]["engines"] == ["process", "events"]
    assert cards["central_queue"]["engines"] == ["process"]
    assert not cards["round_robin"]["exact law"]
    assert cards["jsq_df_ds"]["exact law"]


def test_list_scenarios_shows_their_questions(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("broken.toml").write_text("[system")
    assert execute(["list", "scenarios", "--directory", ".", "--json"]) == 0
    broken, good = json.loads(capsys.readouterr().out)["scenarios"]
    assert good["question"] == "Small?"
    assert "not TOML" in broken["question"]


# ---- what goes wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "missing.toml"],
        ["run", "small.toml", "--set", "system.places=0"],
        ["run", "small.toml", "--set", "system.plaecs=3"],
        ["run", "small.toml", "--seed", "x"],
        ["run", "small.toml", "--seed", "-1"],
        ["run", "small.toml", "--engine", "fast"],
        ["run", "small.toml", "--replications", "0"],
        ["run", "small.toml", "--out", "small.toml/inside"],
        ["run", "small.toml", "--set", "system.size=deterministic", "--engine", "lockstep"],
        ["run", "small.toml", "--workers", "0"],
        ["run", "small.toml", "--unknown"],
        ["run"],
        ["list", "everything"],
        ["fly"],
    ],
    ids=lambda a: " ".join(a),
)
def test_input_at_fault_is_exit_2_and_one_line(small: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert execute(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert one_line(err).startswith("jfsq: ")
    assert not Path("results/small/records").exists(), "nothing is left behind"


def test_an_unforeseen_error_is_exit_4_and_one_line(
    small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*_: Any, **__: Any) -> None:
        raise LookupError("two\nlines")

    monkeypatch.setattr("jfsq_simpy.scenario.Scenario.run", bug)
    assert execute(["run", str(small)]) == 4
    assert "LookupError: two lines" in one_line(capsys.readouterr().err)
    monkeypatch.setenv("JFSQ_TRACEBACK", "1")
    assert execute(["run", str(small)]) == 4
    assert "Traceback" in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--help"], ["run", "--help"], ["--version"]):
        assert execute(arguments) == 0
        assert capsys.readouterr().out


# ---- from outside --------------------------------------------------------------------------------------------


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "jfsq_simpy", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=cwd, env=environment, text=True, start_new_session=True, stdout=pipe, stderr=pipe)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_stopped_in_mid_run(small: Path, tmp_path: Path, sent: signal.Signals) -> None:
    workers = "2" if sent is signal.SIGINT else "1"
    command = ["run", "small.toml", "--replications", "100000", "--set", "run.warmup=1", "--workers", workers]
    running = start(*command, cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("results/small/records/*/0*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    if sent is signal.SIGINT:
        os.killpg(running.pid, sent)  # a terminal sends Ctrl-C to the workers too
    else:
        running.send_signal(sent)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 3, err
    assert "Traceback" not in err
    assert out == ""
    said = re.search(r"interrupted: ([\d,]+) of 100000 replications are kept in results/small; the same command goes on", err)
    assert said, err
    kept = list(tmp_path.glob("results/small/records/*/0*.json"))
    assert len(kept) == int(said[1]) > 0
    assert all(json.loads(p.read_text())["schema"] for p in kept), "every file under a final name is whole"
    assert list(tmp_path.rglob("*.tmp")) == []


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")
def test_workers_outlive_no_parent(small: Path, tmp_path: Path) -> None:
    running = start("run", "small.toml", "--replications", "100000", "--set", "run.warmup=1", "--workers", "2", cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("results/small/records/*/0*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = children_of(running.pid)
    assert len(workers) == 2
    running.kill()
    running.wait()
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, workers))


def children_of(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_reader_that_leaves_is_no_error(small: Path, tmp_path: Path) -> None:
    listing = start("list", "laws", "--json", cwd=tmp_path)
    assert listing.stdout is not None
    listing.stdout.close()
    assert listing.stderr is not None
    err = listing.stderr.read()
    assert "Traceback" not in err
    assert listing.wait(timeout=60) == 0
