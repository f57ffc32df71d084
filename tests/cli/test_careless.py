"""A careless user: odd files, odd streams, odd terminals. One clear line, the right exit code, nothing half-written."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import jfsq_simpy
from jfsq_simpy.cli.main import execute
from tests.small import scenario

ROOT = Path(__file__).parents[2]
SMALL = scenario(engine="lockstep", jobs=300, replications=2, seed=5)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path


def jfsq(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "jfsq_simpy", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 2) -> str:
    """The one line a command ends with."""
    assert execute(arguments) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("jfsq: ")
    return err.strip()


# ---- files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["run", "exact", "bounds", "check", "scaling", "compare"])
@pytest.mark.parametrize("file", ["missing", "directory", "binary", "empty", "broken", "foreign"])
def test_what_is_no_scenario(here: Path, capsys: pytest.CaptureFixture[str], command: str, file: str) -> None:
    path = here / "odd.toml"
    if file == "directory":
        path.mkdir()
    elif file != "missing":
        path.write_bytes({"binary": b"\x89PNG\xff", "empty": b"", "broken": b"[system", "foreign": b"name = 'x'\n"}[file])
    said = complaint(capsys, command, str(path))
    assert said.startswith(f"jfsq: {path}: ")
    assert "odd.toml)" not in said
    assert "the nearest is" not in said, "neither itself nor a directory is a near miss"
    assert {p.name for p in here.iterdir()} <= {"small.toml", "odd.toml"}, "nothing is left behind"


def test_names_in_any_script(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "Größe λ=½.toml").write_text(SMALL)
    assert execute(["run", "Größe λ=½.toml", "--workers", "1", "--out", "zwei Wörter/λ"]) == 0
    assert "zwei Wörter/λ" in capsys.readouterr().err
    assert list((here / "zwei Wörter/λ/records").rglob("00001.json"))


def test_a_name_that_is_no_text_at_all(here: Path) -> None:
    os.symlink("small.toml", os.fsencode(here) + b"/\xff.toml")
    done = jfsq("run", os.fsdecode(b"\xff.toml"), "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert b"Small?" in done.stdout


@pytest.mark.parametrize("damage", ['"x"', "null", "[1]"])
def test_a_record_that_was_tampered_with_counts_as_missing(here: Path, capsys: pytest.CaptureFixture[str], damage: str) -> None:
    command = ["run", "small.toml", "--workers", "1", "--json"]
    assert execute(command) == 0
    whole = json.loads(capsys.readouterr().out)
    (record,) = here.glob("results/small/records/*/00001.json")
    record.write_text(re.sub(r'"jobs": \d+', f'"jobs": {damage}', record.read_text()))
    assert execute(command) == 0
    out, err = capsys.readouterr()
    assert "00001.json: does not say how many jobs it is of; it counts as missing" in err
    assert json.loads(out)["points"][0]["estimates"] == whole["points"][0]["estimates"]


def test_a_list_of_points_that_is_none_is_named(here: Path) -> None:
    from jfsq_simpy.errors import DataError
    from jfsq_simpy.scenario import results

    (here / "points.json").write_text("[]")
    with pytest.raises(DataError, match=r"points\.json: has schema None"):
        results(here)


def test_what_settings_of_yesterday_left_is_not_mixed_in(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def estimates(*arguments: str) -> object:
        assert execute(["run", "small.toml", "--workers", "1", "--json", "-q", "--out", *arguments]) == 0
        return json.loads(capsys.readouterr().out)["points"][0]["estimates"]

    fresh = estimates("fresh", "--set", "system.load=0.5")
    estimates("stale")
    assert estimates("stale", "--set", "system.load=0.5") == fresh


# ---- traces --------------------------------------------------------------------------------------------------


@pytest.fixture
def trace(here: Path) -> pa.Table:
    system = jfsq_simpy.System([1.5, 0.5], load=0.8, places=3)
    jfsq_simpy.simulate(system, jobs=2000, engine="process", trace="whole.parquet", rng=1, replications=1)
    return pq.read_table("whole.parquet")


def test_a_trace_without_a_column_or_of_another_type(trace: pa.Table, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(trace.drop(["start"]), "odd.parquet")
    assert "odd.parquet: has no column `start`" in complaint(capsys, "trace", "odd.parquet", "summary")
    place = trace.schema.names.index("arrival")
    pq.write_table(trace.set_column(place, "arrival", trace["arrival"].cast(pa.string())), "odd.parquet")
    assert "column `arrival` holds string" in complaint(capsys, "trace", "odd.parquet", "ccdf")


def test_a_trace_that_breaks_the_rules_is_shown_and_judged(trace: pa.Table, capsys: pytest.CaptureFixture[str]) -> None:
    place = trace.schema.names.index("start")
    pq.write_table(trace.set_column(place, "start", pa.array(trace["start"].to_numpy()[::-1].copy())), "odd.parquet")
    assert execute(["trace", "odd.parquet", "summary"]) == 0
    capsys.readouterr()
    assert complaint(capsys, "trace", "odd.parquet", "check", status=1).startswith("jfsq: odd.parquet: ")


# ---- words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fly"], "See jfsq --help."),
        (["rnu", "small.toml"], "'run'? See jfsq --help."),
        (["--verson"], "--version). See jfsq --help."),
        (["run", "a", "b"], ". See jfsq run --help."),
        (["run", "small.toml", "--workers", "x"], ". See jfsq run --help."),
        (["check", "small.toml", "--by", "magic"], "'magic' is not one of 'auto', 'exact', 'run'. See jfsq check --help."),
        (["list", "scenarios", "--directory", "nowhere"], "nowhere: is no directory"),
        (["list", "scenarios", "--directory", "small.toml"], "small.toml: is no directory"),
    ],
    ids=lambda a: " ".join(a) if isinstance(a, list) else "",
)
def test_slips_of_the_keyboard(capsys: pytest.CaptureFixture[str], arguments: list[str], says: str) -> None:
    said = complaint(capsys, *arguments)
    assert says in said
    assert "Value error" not in said


def test_one_is_not_many(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["run", "small.toml", "--workers", "1", "--replications", "1"]) == 0
    assert "1 point, 1 replication: " in (said := capsys.readouterr().err)
    assert "on 1 core" in said
    assert "1 cores" not in said


def test_what_is_missing_is_said_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None if name == "numba" else True)
    lacking = "Numba is not installed, so events and chain are missing, the fast ones: pip install 'jfsq_simpy[fast]'."
    assert execute(["list", "engines"]) == 0
    assert capsys.readouterr().err == f"{lacking}\n"
    sweep = ["--set", "sweep.system.load=[0.5, 0.6]"]
    assert execute(["run", "small.toml", "--workers", "1", "--engine", "auto", *sweep]) == 0
    assert capsys.readouterr().err.count(lacking) == 1
    assert execute(["run", "small.toml", "--workers", "1", "--engine", "process"]) == 0
    assert lacking not in capsys.readouterr().err, "who asks for an engine gets it"


def test_brackets_are_brackets(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "small.toml").write_text("# Is [fast] [bold]faster[/bold] than [/nothing]?\n" + SMALL)
    assert execute(["exact", "small.toml"]) == execute(["run", "small.toml", "--workers", "1"]) == 0
    assert "Is [fast] [bold]faster[/bold] than [/nothing]?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "small.toml", "--out", ""], "--out is empty, so it names nothing; say where results go"),
        (["check", "small.toml", "--out="], "--out is empty"),
        (["compare", "small.toml", "--policies", "jfsq,jsq", "--out", " "], "--out is empty"),
        (["scaling", "small.toml", "--set", "sweep.system.servers=[2, 4]", "--out", ""], "--out is empty"),
        (["trace", "kept.parquet", "export", "--out", ""], "--out is empty, so it names nothing; say where to"),
        (["list", "scenarios", "--directory", ""], "--directory is empty, so it names nothing; say where scenarios are"),
        (["exact", ""], "FILE is empty, so it names nothing; give a scenario"),
        (["trace", "", "summary"], "FILE is empty, so it names nothing; give a trace"),
    ],
)
def test_a_name_that_is_empty_is_not_the_current_folder(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert says in complaint(capsys, *arguments)
    assert [p.name for p in here.iterdir()] == ["small.toml"], "nothing is written"


def test_the_current_folder_is_a_dot(here: Path) -> None:
    assert execute(["run", "small.toml", "--workers", "1", "-q", "--json", "--out", "."]) == 0
    assert len(list(here.glob("records/*/0*.json"))) == 2


# ---- streams -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["list", "laws"], ["list", "laws", "--json"], ["--help"], ["exact", "small.toml"]])
def test_streams_that_are_closed_or_full(here: Path, command: list[str]) -> None:
    words = " ".join(command)
    shell = f"exec {sys.executable} -m jfsq_simpy {words}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for redirected, status in ((">&-", 0), ("2>&- >/dev/null", 0), ("<&- >&- 2>&-", 0), (">/dev/full", 4), ("| head -n 1", 0)):
        line = f"{shell.removeprefix('exec ') if '|' in redirected else shell} {redirected}"
        done = subprocess.run(line, shell=True, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == status, (redirected, done.stderr)
        assert "Traceback" not in done.stderr
        if status:
            assert done.stderr == "jfsq: standard output: No space left on device.\n"
    assert sorted(p.name for p in here.iterdir()) == ["small.toml"]


def test_a_stream_that_knows_no_plus_minus_sign(here: Path) -> None:
    done = jfsq("run", "small.toml", "--workers", "1", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert re.search(rb"0\.\d+ \? 0\.\d+", done.stdout), "value ? half width"


# ---- terminals -----------------------------------------------------------------------------------------------


@pytest.fixture
def narrow() -> Iterator[tuple[int, int]]:
    """A terminal 40 columns wide: the end a program writes to, the end we read."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 40))
    yield theirs, ours
    os.close(ours)


def shown(narrow: tuple[int, int], *arguments: str, **environment: str) -> str:
    theirs, ours = narrow
    unset = {"COLUMNS": "", "NO_COLOR": "", "FORCE_COLOR": "", "TERM": "xterm"}
    running = subprocess.Popen(
        [sys.executable, "-m", "jfsq_simpy", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**{k: v for k, v in os.environ.items() if k not in unset}, "TERM": "xterm", "PYTHONPATH": str(ROOT), **environment},
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        seen += part
    assert running.wait(timeout=120) == 0, running.stderr and running.stderr.read()
    return seen.decode()


def test_a_narrow_terminal_cuts_no_word_and_no_number(narrow: tuple[int, int]) -> None:
    seen = shown(narrow, "list", "policies", NO_COLOR="1")
    for word in ("weighted_round_robin", "lockstep", "messages", "parameters", "uniform"):
        assert word in seen
    assert "…" not in seen


def test_colours_are_a_terminals_own(narrow: tuple[int, int]) -> None:
    assert "\x1b[1m" in shown(narrow, "exact", "small.toml")


def test_no_color_means_no_colours(narrow: tuple[int, int]) -> None:
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", shown(narrow, "exact", "small.toml", NO_COLOR="1"))
    assert b"\x1b" not in jfsq("exact", "small.toml").stdout, "and none at all into a pipe"
