"""The guide to the theory's faces: its commands run, its numbers are what they print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from jfsq_simpy.cli.main import execute

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "theory.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (jfsq .+)$", GUIDE, flags=re.MULTILINE)


def said(command: str, few: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    assert execute([*shlex.split(command)[1:], *few]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_it_shows_each_command() -> None:
    assert [c.split()[1] for c in COMMANDS] == ["bounds", "check", "scaling"]


def test_bounds_are_those_it_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(COMMANDS[0], [], tmp_path, monkeypatch, capsys)
    for quoted in ("10^38.19", "307.027", "240.2", "43.69", "49.15", "10^6.10", "10^5.11", "10^4.88", "0.000509"):
        assert quoted in GUIDE
        assert quoted in out


def test_check_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--engine", "lockstep", "--set", "run.jobs=500", "--set", "run.warmup=5", "--workers", "1"]
    out = said(COMMANDS[1], few, tmp_path, monkeypatch, capsys)
    for quoted in ("0.01735", "0.006516", "0.02285", "2259", "0.8587", "0.7208", "0.6667"):  # those no seed changes
        assert quoted in GUIDE
        assert quoted in out


def test_scaling_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["sweep.system.servers=[4, 8]", "sweep.system.alpha=[0.5]", "run.jobs=500", "run.warmup=2", "run.replications=3"]
    few = ["--engine", "lockstep", "--workers", "1", *(x for s in sizes for x in ("--set", s))]
    assert "N^-0.5" in said(COMMANDS[2], few, tmp_path, monkeypatch, capsys)
