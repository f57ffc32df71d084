"""What a scenario asks to observe is counted, kept, and read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from jfsq_simpy import theory
from jfsq_simpy.errors import ScenarioError
from jfsq_simpy.scenario import Scenario, results
from jfsq_simpy.tally import NOTHING

TEXT = """# Where do states collapse to?
[system]
servers = 6
alpha = 0.5
places = 3
rates = {profile = "two_speed", ratio = 3}
[record]
observe = "theory"
[run]
engine = "lockstep"
jobs = 600
warmup = 2
replications = 2
"""
PLAIN = ["record.observe=nothing"]


def test_observables_survive_the_ledger(tmp_path: Path) -> None:
    made = Scenario.parse(TEXT).run(tmp_path, workers=1)[0].run
    read = results(tmp_path)[0].run
    assert made.observe == read.observe == theory.observables(made.system)
    assert made.tallies == read.tallies
    for batches in read.tallies:
        assert batches[0].joint.sum() == batches[0].snapshots > 0, "every state has its cell"
    assert theory.check(read.system, read).by_metric().equals(theory.check(made.system, made).by_metric())


def test_runs_that_observe_are_records_apart(tmp_path: Path) -> None:
    Scenario.parse(TEXT).run(tmp_path, workers=1)
    plain = Scenario.parse(TEXT, PLAIN).run(tmp_path, workers=1)[0].run
    assert plain.observe == NOTHING
    assert plain.tallies[0][0].joint.size == 0
    assert len(list((tmp_path / "records").iterdir())) == 2


def test_observing_changes_no_count() -> None:
    observed, plain = (Scenario.parse(TEXT, extra).run(workers=1)[0].run for extra in ([], PLAIN))
    assert observed.waiting_probability == plain.waiting_probability
    assert observed.mean_wait == plain.mean_wait


def test_what_it_does_not_know_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"record\.observe"):
        Scenario.parse(TEXT, ["record.observe=everything"])
