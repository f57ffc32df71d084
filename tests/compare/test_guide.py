"""The guide to comparisons: its Python runs, its commands work, its numbers are what the commands print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from jfsq_simpy.cli.main import execute
from jfsq_simpy.compare import Comparison, planned
from jfsq_simpy.estimate import Estimate
from jfsq_simpy.scenario import Scenario
from jfsq_simpy.views.numbers import short, signed, with_interval
from tests.guides import run_examples

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "compare.md"
TEXT = GUIDE.read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (jfsq .+?)$", TEXT, flags=re.MULTILINE)
SECTIONS = {re.split(r"[/.]", part)[1]: part for part in re.split(r"^### .*\n\n    jfsq compare ", TEXT, flags=re.MULTILINE)[1:]}
QUESTIONS = ["two_generations", "sick_server", "bursty_arrivals", "heavy_tails", "messages", "twelve_dispatchers"]
QUESTIONS += ["misknown_speeds", "breakdowns"]


def test_every_example_runs_as_shown() -> None:
    examples, wrong = run_examples(GUIDE)
    assert wrong == ""
    assert examples > 8


@pytest.mark.parametrize("command", COMMANDS)
def test_its_commands_run(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    few = ["--replications", "2", "--set", "run.jobs=2000", "--set", "run.warmup=5", "--workers", "1"]
    assert execute([*shlex.split(command)[1:], *few]) == 0
    assert "minus j" in capsys.readouterr().out


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", TEXT, flags=re.DOTALL))
def test_its_scenario_is_one(text: str, tmp_path: Path) -> None:
    assert Scenario.parse(text).question
    (tmp_path / "s.toml").write_text(text)
    assert len(planned.read(tmp_path / "s.toml").points()) == 2


def test_each_question_is_that_of_its_file() -> None:
    for name in QUESTIONS:
        assert f"### {Scenario.read(ROOT / 'scenarios' / f'{name}.toml').question}\n" in TEXT


def cells(found: Comparison) -> set[str]:
    """What the ranking and the tails print."""
    said = set()
    for name in found.policies:
        said |= {with_interval(found.estimate(name, m)) for m in (found.metric, "response_p99")}
        said.add(short(found.estimate(name, "messages_per_job").value, 3))
    for row in found.differences().itertuples():
        said.add(signed(Estimate(row.difference, row.low, row.high, 0.95, 0, "")))
        said.add(with_interval(Estimate(row.ratio, row.ratio_low, row.ratio_high, 0.95, 0, "")))
    return said


@pytest.mark.verify
@pytest.mark.parametrize("name", QUESTIONS)
def test_its_numbers_are_what_the_command_prints(name: str, tmp_path: Path) -> None:
    scenario = planned.read(ROOT / "scenarios" / f"{name}.toml")
    found = planned.plan(scenario, tmp_path).run(tmp_path)
    printed = set().union(*(cells(comparison) for _, comparison in found.comparisons))
    written = re.findall(r"[+-]?\d+\.\d+ ± \d+\.\d+", SECTIONS[name])
    assert len(written) >= 8
    unsigned = {text.lstrip("+") for text in printed}  # "slower by" says the sign in words
    assert {text.lstrip("+") for text in written} <= unsigned, "run the command again and write down what it prints"
