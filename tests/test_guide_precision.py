"""The guide to precision: its Python runs as shown, its files and commands work, and the benchmark it quotes compares likes."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import jfsq_simpy as jfsq
from benchmarks import precision
from jfsq_simpy.cli.main import execute
from jfsq_simpy.engines import ENGINES
from jfsq_simpy.scenario import Scenario

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "guides" / "precision.md"
TEXT = GUIDE.read_text(encoding="utf-8")
SYSTEM = jfsq.System(jfsq.rates.linear(5, ratio=3), load=0.9, places=2)


def test_every_example_runs_as_shown() -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(code, {}, GUIDE.name, str(GUIDE), 0)
    assert len(test.examples) > 6
    said: list[str] = []
    runner = doctest.DocTestRunner()
    runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)


def test_its_scenario_reaches_its_precision(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", TEXT, flags=re.DOTALL)
    (tmp_path / "s.toml").write_text(text)
    assert Scenario.parse(text).question
    small = ["--set", "system.servers=50", "--set", "run.horizon=50", "--workers", "1", "--out", str(tmp_path / "out")]
    assert execute(["run", str(tmp_path / "s.toml"), *small]) == 0
    assert "Corrected by work conservation and surges (5 coefficients)." in capsys.readouterr().out


def test_its_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (command,) = re.findall(r"^    (jfsq .+?)$", TEXT, flags=re.MULTILINE)
    few = ["--set", "system.servers=2000", "--set", "run.horizon=30", "--set", "run.precision.relative=0.5"]
    assert execute([*shlex.split(command)[1:], *few, "--workers", "1", "--out", str(tmp_path)]) == 0
    assert "    python -m benchmarks.precision\n" in TEXT


@pytest.mark.skipif(not ENGINES["events"].available, reason="the benchmark times compiled engines")
def test_the_benchmark_compares_estimators_that_agree() -> None:
    found = precision.measured(SYSTEM, 40)
    precision.check(found)
    table = list(precision.table(found, np.random.default_rng(1)))
    assert len(table) == 1 + sum(map(len, found.values()))
    for ways in found.values():
        share = ways[".. and less surges"].variance_per_job() / ways[precision.PLAIN].variance_per_job()
        assert share < 0.2  # 0.01 to 0.04 in the guide


@pytest.mark.skipif(not ENGINES["events"].available, reason="the benchmark times compiled engines")
def test_the_benchmark_stops_where_they_do_not() -> None:
    found = precision.measured(SYSTEM, 20)
    found["p_W"]["counts (chain)"].value += 0.2
    with pytest.raises(SystemExit, match="nothing was compared"):
        precision.check(found)


def test_the_benchmarks_correction_is_that_of_a_run() -> None:
    observe = jfsq.tally.Observables(surges=jfsq.controls.surges_of(SYSTEM))
    run = jfsq.simulate(SYSTEM, horizon=50, warmup=10, replications=40, observe=observe, engine="lockstep", rng=3, workers=1)
    noise = precision.noise_of(run, lambda t: jfsq.metrics.waiting_probability(run.sample.averages(t)), 5)
    assert noise.corrected()[0] == pytest.approx(run.waiting_probability.value, rel=1e-6)
