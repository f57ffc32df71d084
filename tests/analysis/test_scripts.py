"""The scripts of analysis/ run on records, and on nothing else."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from jfsq_simpy.scenario import Scenario

ROOT = Path(__file__).parents[2]


def test_zero_waiting_is_drawn_from_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = ["sweep.system.servers=[4, 8]", "run.jobs=200", "run.replications=2", "run.engine=lockstep", "run.warmup=0"]
    Scenario.read(ROOT / "scenarios" / "zero_waiting.toml", small).run(tmp_path, workers=1)
    monkeypatch.setattr("jfsq_simpy.engines.run_replications", lambda *_, **__: pytest.fail("an analysis must not simulate"))
    script = runpy.run_path(str(ROOT / "analysis" / "zero_waiting.py"))
    assert script["main"]([str(tmp_path)]) == tmp_path / "zero_waiting.png"
    assert (tmp_path / "zero_waiting.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("script", sorted((ROOT / "analysis").glob("*.py")), ids=lambda p: p.stem)
def test_a_script_without_records_says_so_in_one_line(script: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", [str(script), str(tmp_path / "nowhere")])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(script), run_name="__main__")
    out, err = capsys.readouterr()
    assert left.value.code == 2
    assert out == ""
    assert err.startswith(f"{script.name}: ")
    assert err.count("\n") == 1
    assert "points.json: cannot be read" in err
