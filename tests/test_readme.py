"""What the README says works: its Python runs, its scenario is read, its commands exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from jfsq_simpy.cli.main import execute
from jfsq_simpy.scenario import Scenario

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = re.findall(r"^    (jfsq .+?)(?:\s+#.*)?$", README, flags=re.MULTILINE)
FEW = ["--replications", "2", "--set", "run.jobs=200", "--set", "sweep.system.servers=[5]", "--workers", "1"]


@pytest.mark.parametrize("code", [code for kind, code in BLOCKS if kind == "python"], ids=lambda c: c.splitlines()[2][:40])
def test_its_python_runs(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out


@pytest.mark.parametrize("text", [code for kind, code in BLOCKS if kind == "toml"])
def test_its_scenario_is_one(text: str) -> None:
    assert len(Scenario.parse(text).points()) == 9


@pytest.mark.parametrize("command", COMMANDS)
def test_its_commands_run(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    words = shlex.split(command)[1:]
    words = [w for i, w in enumerate(words) if "--replications" not in words[max(i - 1, 0) : i + 1]]
    assert execute([*words, *(FEW if words[0] == "run" else [])]) == 0
