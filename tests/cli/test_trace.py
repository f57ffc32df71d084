"""`jfsq trace FILE ...`: what it prints, where, and what it exits with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jfsq_simpy.cli.main import execute
from jfsq_simpy.jobs.trace import Trace
from jfsq_simpy.jobs.trace_rows import MemoryRows
from jfsq_simpy.rates import from_speeds
from jfsq_simpy.simulate import simulate
from jfsq_simpy.system import System
from jfsq_simpy.trace_analysis import ccdf, summary

SYSTEM = System(from_speeds([3.0, 2.0, 1.0]), load=0.9, places=3)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "kept.parquet"
    simulate(SYSTEM, horizon=100, warmup=5, engine="process", trace=path, rng=7)
    return path


@pytest.fixture(scope="module")
def kept(path: Path) -> Trace:
    return Trace.read(path)


@pytest.fixture
def ask(path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str, file: str | None = None) -> tuple[int, str, str]:
        code = execute(["trace", file or str(path), *words])
        return (code, *capsys.readouterr())

    return run


def test_the_summary_for_people_and_for_programs(ask: Any, kept: Trace) -> None:
    code, out, err = ask("summary")
    assert (code, err) == (0, "")
    assert "waiting_probability" in out
    assert "independent ones" in " ".join(out.split())
    assert "one is 0.5 of yours" in " ".join(out.split())
    code, out, err = ask("summary", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads(json.dumps(summary(kept)))


def test_a_tail_is_that_of_the_library(ask: Any, kept: Trace) -> None:
    code, out, _ = ask(
        "ccdf", "--times", "0,1.5", "--by", "speed", "--of", "response", "--window", "10,90", "--level", "0.9", "--json"
    )
    assert code == 0
    found = json.loads(out)
    expected = ccdf(kept, [0.0, 1.5], of="response", by="speed", window=(10.0, 90.0), level=0.9)
    assert pd.DataFrame(found["ccdf"]).equals(expected)
    assert (found["of"], found["level"], found["window"]) == ("response", 0.9, [10.0, 90.0])
    code, out, _ = ask("ccdf")
    assert code == 0
    assert "95% intervals from" in out


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_export_holds_every_digit(ask: Any, kept: Trace, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"plain{suffix}"
    code, _, err = ask("export", "--out", str(out))
    assert (code, err.count("\n")) == (0, 1)
    table = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    assert list(table.columns) == list(kept.names)
    for name in kept.names:
        assert np.array_equal(table[name], kept[name], equal_nan=kept[name].dtype.kind == "f"), name
    code, _, _ = ask("export", "--out", str(out), "--columns", "job, wait")
    assert code == 0
    table = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    assert list(table.columns) == ["job", "wait"]
    assert [p.name for p in tmp_path.iterdir()] == [out.name]


def test_an_export_of_no_rows_still_has_its_columns(tmp_path: Path) -> None:
    columns = {name: np.empty(0, np.int64) for name in ("job", "server", "level")}
    empty = Trace(SYSTEM, columns | {name: np.empty(0) for name in ("arrival", "start", "departure", "size")})
    empty.export(tmp_path / "none.csv", "job", "wait")
    assert list(pd.read_csv(tmp_path / "none.csv").columns) == ["job", "wait"]


def test_a_sound_trace_passes(ask: Any, kept: Trace) -> None:
    code, out, err = ask("check")
    assert (code, err) == (0, "")
    assert f"all {len(kept):,} jobs obey every rule" in out
    code, out, _ = ask("check", "--json")
    assert (code, json.loads(out)["passed"], json.loads(out)["rows"]) == (0, True, len(kept))


def test_a_broken_rule_is_exit_code_1(ask: Any, kept: Trace, tmp_path: Path) -> None:
    columns = {name: kept[name].copy() for name in kept.names}
    columns["level"][20] += 1 if columns["level"][20] == 0 else -1
    broken = tmp_path / "broken.parquet"
    Trace(kept.facts, MemoryRows(columns)).to_parquet(broken)
    code, out, err = ask("check", file=str(broken))
    assert (code, out) == (1, "")
    assert err.startswith(f"jfsq: {broken}: ")
    assert err.count("\n") == 1
    code, out, err = ask("check", "--json", file=str(broken))
    assert (code, err) == (1, "")
    assert json.loads(out)["passed"] is False
    assert "job" in json.loads(out)["error"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["export"], "say where to, for example --out kept.csv"),
        (["export", "--out", "plain.txt"], "must end in .csv, .parquet or .pq"),
        (["export", "--out", "missing/plain.csv"], "cannot be written"),
        (["export", "--out", "plain.csv", "--columns", "waits"], "no column 'waits'"),
        (["ccdf", "--times", "soon"], "--times soon: give numbers separated by commas"),
        (["ccdf", "--window", "5"], "--window 5: give 2 numbers"),
        (["ccdf", "--window", "5,1"], "the first before the second"),
        (["ccdf", "--level", "95"], "level = 95.0 must lie between 0 and 1"),
        (["plot"], "'plot'"),
    ],
)
def test_bad_questions_get_one_line_and_exit_code_2(
    ask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = ask(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_trace_gets_one_line_and_exit_code_2(ask: Any, path: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(path.read_bytes()[:-100])
    for file in (str(cut), str(tmp_path / "none.parquet"), __file__):
        code, out, err = ask("summary", file=file)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert file in err


def test_the_trace_is_not_overwritten_by_its_export(ask: Any, path: Path) -> None:
    before = path.read_bytes()
    code, _, err = ask("export", "--out", str(path))
    assert code == 2
    assert "is the trace itself" in err
    assert path.read_bytes() == before
