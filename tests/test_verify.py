"""The installation's own check finds what is broken, and nothing where nothing is."""

import pytest

from jfsq_simpy import verify
from jfsq_simpy.jobs import process

pytest.importorskip("numba")


def test_twins_and_a_rerun_agree():
    assert verify._jobs_twins(3)[0] == "agrees"
    assert verify._rerun(3)[0] == "agrees"


def test_a_broken_engine_is_found(monkeypatch):
    monkeypatch.setattr(process.Dispatcher, "rank_now", lambda self, n: 0)
    straight = process.Dispatcher.choose
    monkeypatch.setattr(process.Dispatcher, "choose", lambda self, job: self.servers[0] if job.id == 40 else straight(self, job))
    verdict, detail = verify._jobs_twins(3)
    assert verdict == "differs"
    assert "System(" in detail


def test_a_wrong_law_is_found(monkeypatch):
    monkeypatch.setattr(verify, "small_systems", lambda: [verify.System(rates=[1.0], load=0.8, places=2)])
    solve = verify.exact.solve
    monkeypatch.setattr(verify.exact, "solve", lambda system: solve(system.replaced(load=0.84)))
    assert verify._against_exact("events", 3)[0] == "differs"


def test_without_numba_compiled_checks_are_not_run(monkeypatch):
    monkeypatch.setattr(verify.engines.Engine, "available", property(lambda self: not self.compiled))
    assert verify._jobs_twins(3)[0] == "not run"
    assert verify._against_exact("chain", 3)[0] == "not run"
