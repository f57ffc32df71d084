"""What the README says works: its Python runs, its scenario is read, its commands exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import jfsq_simpy
from jfsq_simpy.cli.main import app, execute
from jfsq_simpy.scenario import Scenario

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = re.findall(r"^    (jfsq .+?)(?:\s+#.*)?$", README, flags=re.MULTILINE)
FEW = ["--replications", "2", "--set", "run.jobs=200", "--workers", "1"]
ENOUGH = {  # the commands that simulate, on a scale for tests
    "run": [*FEW, "--set", "sweep.system.servers=[5]"],
    "scaling": [*FEW, "--set", "sweep.system.servers=[5, 20]"],
    "check": FEW,
    "compare": FEW,
}


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
    if "jobs.parquet" in command:
        jfsq_simpy.simulate(jfsq_simpy.System([1.5, 0.5], load=0.8, places=3), jobs=2000, trace="jobs.parquet", rng=1)
    words = shlex.split(command)[1:]
    words = [w for i, w in enumerate(words) if "--replications" not in words[max(i - 1, 0) : i + 1]]
    assert execute([*words, *ENOUGH.get(words[0], [])]) == 0


def test_every_command_is_in_it() -> None:
    assert {command.split()[1] for command in COMMANDS} == {command.name for command in app.registered_commands}
