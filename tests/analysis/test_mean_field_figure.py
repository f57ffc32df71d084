"""The figure of the mean field's error: from records alone, and of what they say."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from jfsq_simpy.scenario import Scenario, results
from jfsq_simpy.theory import mean_field
from jfsq_simpy.views import mean_field_figures

ROOT = Path(__file__).parents[2]
SHORT = ["sweep.system.servers=[10, 20]", "run.jobs=2000", "run.replications=10", "run.warmup=20"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mean_field")
    Scenario.read(ROOT / "scenarios" / "mean_field.toml", SHORT).run(path, workers=1)
    return path


def test_it_is_drawn_from_records(directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr("jfsq_simpy.engines.run_replications", lambda *_, **__: pytest.fail("an analysis must not simulate"))
    main = runpy.run_path(str(ROOT / "analysis" / "mean_field.py"))["main"]
    assert main([str(directory)]) == directory / "mean_field.png"
    assert (directory / "mean_field.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.count("slope") == 3


def test_each_policy_is_drawn_at_its_distance_from_its_limit(directory: Path) -> None:
    found = results(directory)
    by_name = mean_field_figures.by_policy(found)
    assert list(by_name) == ["jsq_d, d = 2, with replacement", "jsq_d, d = 2", "jsq_df_ds, d = (2, 1)"]
    (ax,) = mean_field_figures.mean_field(found).axes
    drawn = [container.lines[0].get_ydata() for container in ax.containers]
    for one, y in zip(by_name.values(), drawn, strict=True):
        assert np.array_equal(y, np.abs(one.errors))
    assert {one.limit for one in by_name.values()} == {mean_field(p.run.system).mean_queue for p in found}
    (reference,) = [line for line in ax.get_lines() if "1/N" in str(line.get_label())]
    assert np.ptp(reference.get_ydata() * reference.get_xdata()) < 1e-12
