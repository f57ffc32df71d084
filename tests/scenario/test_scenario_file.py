"""Scenario files: what they may say, and what is said when they are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import DataError, JfsqError, ScenarioError
from jfsq_simpy.scenario import Scenario

GOOD = """# Is it quick?
[system]
servers = 10
alpha = 0.5
places = 5
[run]
jobs = 1000
"""
SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))


def refused(text: str, *overrides: str) -> str:
    with pytest.raises(JfsqError) as caught:
        Scenario.parse(text, overrides, source="fleet.toml")
    return str(caught.value)


# ---- what a file says ----------------------------------------------------------------------------------------


def test_a_file_becomes_a_system_and_a_plan() -> None:
    (point,) = Scenario.parse(GOOD).points()
    assert (point.system.n_servers, point.system.places) == (10, 5)
    assert point.system.load == pytest.approx(1 - 10**-0.5, rel=1e-15)
    assert (point.plan.jobs, point.plan.replications, point.plan.seed) == (1000, tuple(range(10)), Seed.of(0))


def test_the_question_is_the_first_comment() -> None:
    assert Scenario.parse(GOOD).question == "Is it quick?"
    assert Scenario.parse(GOOD.removeprefix("# Is it quick?\n")).question == ""


def test_a_sweep_is_a_grid_in_the_order_of_the_file() -> None:
    text = GOOD + '[sweep]\n"system.servers" = [10, 20]\nsystem.alpha = [0.25, 0.75]\n'
    points = Scenario.parse(text).points()
    assert [tuple(p.labels.values()) for p in points] == [(10, 0.25), (10, 0.75), (20, 0.25), (20, 0.75)]
    assert [p.system.n_servers for p in points] == [10, 10, 20, 20]
    assert points[0].system.rates is points[1].system.rates, "equal fleets are made once"


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("system.alpha=0.25", {"alpha": 0.25}),
        ("system.load=0.9", {"load": 0.9}),
        ("system.policy=jsq", {"policy": "jsq"}),
        ('system.policy={name = "jfsq", ties = "index"}', {"ties": "index"}),
        ("system.policy.ties=index", {"ties": "index"}),
        ("system.size.law=deterministic", {"size": "deterministic"}),
    ],
)
def test_overrides(override: str, value: dict[str, Any]) -> None:
    (point,) = Scenario.parse(GOOD, [override]).points()
    s = point.system
    found = {"alpha": s.alpha, "load": s.load, "policy": s.policy.name, "ties": s.policy.ties, "size": s.size.name}
    assert {k: found[k] for k in value} == pytest.approx(value)


def test_an_override_fixes_a_swept_key_and_what_it_excludes() -> None:
    text = GOOD + "[sweep]\nsystem.servers = [10, 20]\nsystem.alpha = [0.25, 0.75]\n"
    assert [p.labels for p in Scenario.parse(text, ["system.load=0.9"]).points()] == [{"system.servers": n} for n in (10, 20)]
    fewer = Scenario.parse(text, ["sweep.system.servers=[30]"]).points()
    assert [p.system.n_servers for p in fewer] == [30, 30]


def test_a_new_profile_leaves_behind_what_it_does_not_take() -> None:
    text = GOOD.replace("[run]", '[system.rates]\nprofile = "linear"\nratio = 4\n[run]')
    assert Scenario.parse(text, ["system.rates.profile=homogeneous"]).points()[0].system.rates.n_classes == 1
    assert Scenario.parse(text, ["system.rates.profile=geometric"]).points()[0].system.rates.fastest > 1.6


def test_only_the_numbers_asked_for_are_run() -> None:
    (point,) = Scenario.parse(GOOD, ["run.replications=[99, 7]"]).points()
    assert point.plan.replications == (7, 99)


def test_counts_may_be_written_in_powers_of_ten() -> None:
    assert Scenario.parse(GOOD.replace("1000", "1e6")).points()[0].plan.jobs == 1_000_000


def test_a_fleet_from_a_file_lies_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "fleet.csv").write_text("speed,count\n2.0,3\n1.0,5\n")
    scenario = tmp_path / "q.toml"
    scenario.write_text('[system]\nload = 0.9\nplaces = 2\nrates = {profile = "file", file = "fleet.csv"}\n')
    assert Scenario.read(scenario).points()[0].system.rates.counts.tolist() == [3, 5]


def test_a_law_may_take_its_numbers_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user,size\na,1.0\nb,3.0\n")
    text = GOOD.replace("[run]", 'size = {law = "empirical", file = "log.csv", column = "size"}\n[run]')
    law = Scenario.parse(text, base=tmp_path).points()[0].system.size
    assert law.variance == pytest.approx(0.25)  # 0.5 and 1.5 with equal chances
    with pytest.raises(DataError, match="column"):
        Scenario.parse(text.replace('"size"}', '"sizes"}'), base=tmp_path)


@pytest.mark.parametrize("path", SCENARIOS, ids=[p.stem for p in SCENARIOS])
def test_every_scenario_of_the_project_is_good(path: Path) -> None:
    scenario = Scenario.read(path)
    assert scenario.points()
    assert scenario.question.endswith("?"), "a scenario file begins with its question"


# ---- what is said when it is wrong ---------------------------------------------------------------------------

WRONG = [
    ("servers = 10", "sevrers = 10", ["system.sevrers", "nearest is system.servers"]),
    ("servers = 10", "servers = true", ["system.servers = true", "whole number"]),
    ("servers = 10", "servers = -3", ["system.servers = -3", "at least 1"]),
    ("servers = 10", "servers = 1", ["alpha", "N = 1", "load"]),
    ("servers = 10", "", ["system.servers", "missing"]),
    ("places = 5", "places = 0", ["system.places = 0", "1 to 254"]),
    ("places = 5", "places = 2.5", ["system.places = 2.5", "whole number"]),
    ("places = 5", 'places = "five"', ['system.places = "five"', "whole number"]),
    ("places = 5", "", ["system.places", "missing", "places = 5"]),
    ("alpha = 0.5", "alpha = 1.0", ["system.alpha = 1.0", "between 0 and 1"]),
    ("alpha = 0.5", "alpha = nan", ["system.alpha = nan", "finite"]),
    ("alpha = 0.5", "load = inf", ["system.load = inf", "finite"]),
    ("alpha = 0.5", "load = 0.0", ["system.load = 0.0", "above 0"]),
    ("alpha = 0.5", "alpha = 0.5\nload = 0.9", ["alpha and load", "both"]),
    ("alpha = 0.5", "", ["system.alpha or load is missing"]),
    ("[run]", "[rnu]", ["rnu", "nearest is run"]),
    ("[run]", "[run", ["not TOML", "line 6"]),
    ("jobs = 1000", "jobs = 0", ["run.jobs = 0", "at least 1"]),
    ("jobs = 1000", "jobs = 10\nhorizon = 3.0", ["run.jobs and horizon", "both"]),
    ("jobs = 1000", 'engine = "chian"', ["run.engine = 'chian'", "chain"]),
    ("jobs = 1000", "warmup = -1", ["run.warmup = -1", "auto"]),
    ("jobs = 1000", "replications = 0", ["run.replications = 0", "at least 1"]),
    ("jobs = 1000", 'start = "full"', ['run.start = "full"', "busy"]),
    ("jobs = 1000", "level = 1.5", ["run.level = 1.5", "below 1"]),
    ("jobs = 1000", 'precision = {metric = "p_w", relative = 0.1}', ["precision.metric", "waiting_probability"]),
    ("jobs = 1000", "precision = {relatve = 0.1}", ["run.precision.relatve", "run.precision.relative"]),
    ("places = 5", 'places = 5\npolicy = "jfq"', ['system.policy = "jfq"', "nearest is jfsq"]),
    ("places = 5", 'places = 5\npolicy = {name = "jfsq", tise = "index"}', ["system.policy.tise", "system.policy.ties"]),
    ("places = 5", "places = 5\npolicy = 3", ["system.policy = 3", "a name or a table"]),
    ("places = 5", 'places = 5\nsize = "exponentail"', ["system.size", "exponential"]),
    ("places = 5", 'places = 5\nrates = {profile = "linear"}', ["system.rates.ratio", "missing"]),
    ("places = 5", 'places = 5\nrates = {profile = "linear", ratio = "four"}', ['system.rates.ratio = "four"', "number"]),
    ("places = 5", 'places = 5\nrates = {profile = "linear", ratio = nan}', ["system.rates.ratio = nan", "finite"]),
    ("places = 5", 'places = 5\nrates = {profile = "linear", ratio = 0.5}', ["system.rates.ratio = 0.5"]),
    ("places = 5", 'places = 5\nrates = {profile = "classes", counts = [1], speeds = [1, 2]}', ["counts", "speeds"]),
    ("places = 5", 'places = 5\nrates = {profile = "classes", counts = [1], speeds = [-1.0]}', ["speeds", "above 0"]),
    ("places = 5", 'places = 5\nrates = {profile = "classes", counts = [0], speeds = [1]}', ["counts", "at least 1"]),
    ("places = 5", 'places = 5\nrates = {profile = "classes", counts = [3], speeds = [1]}', ["system.servers = 10", "3 servers"]),
    ("places = 5", 'places = 5\nrates = {profile = "file", file = "no.csv"}', ["system.rates.file", "no.csv", "No such file"]),
    ("jobs = 1000", "[sweep]\nsystem.servers = []", ["system.servers", "empty"]),
    ("jobs = 1000", "[sweep]\nsystem.servers = 10", ["system.servers", "list"]),
    ("jobs = 1000", "[sweep]\nsystem.server = [10]", ["system.server", "nearest is system.servers"]),
    ("jobs = 1000", "[sweep]\nfleet.size = [10]", ["fleet.size", "system or run"]),
    ("jobs = 1000", "[sweep]\nsystem.servers = [10, 100, 1]", ["N = 1", "at system.servers = 1"]),
    ("jobs = 1000", "[sweep]\nsystem.alpha = [0.5]\nsystem.load = [0.9]", ["system.alpha and system.load"]),
]


@pytest.mark.parametrize(
    ("old", "new", "fragments"), WRONG, ids=[new.replace("\n", " ")[:60] or f"no {old}" for old, new, _ in WRONG]
)
def test_what_is_wrong_is_said_in_one_line(old: str, new: str, fragments: list[str]) -> None:
    message = refused(GOOD.replace(old, new))
    assert message.startswith("fleet.toml: ")
    assert "\n" not in message
    assert [f for f in fragments if f not in message] == [], message


def test_a_trillion_distinct_servers_are_refused_before_memory_is_touched() -> None:
    import tracemalloc

    text = GOOD.replace("servers = 10", 'servers = 1_000_000_000_000\nrates = {profile = "linear", ratio = 4}')
    tracemalloc.start()
    message = refused(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "system.servers" in message
    assert "classes" in message, "the way out is named"
    assert peak < 50e6


def test_many_equal_servers_are_no_trouble() -> None:
    text = GOOD.replace("servers = 10", "servers = 1_000_000_000_000")
    assert Scenario.parse(text).points()[0].system.n_servers == 10**12


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x00", b"[system]\nservers = " + b"9" * 5000, b"a = " + b"[" * 5000])
def test_files_that_are_no_scenarios(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        Scenario.read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_has_neighbours(tmp_path: Path) -> None:
    (tmp_path / "zero_waiting.toml").write_text(GOOD)
    with pytest.raises(ScenarioError, match=r"nearest is .*zero_waiting\.toml"):
        Scenario.read(tmp_path / "zero_wating.toml")
    with pytest.raises(ScenarioError, match="directory"):
        Scenario.read(tmp_path)


def test_a_setting_needs_key_and_value() -> None:
    assert "KEY=VALUE" in refused(GOOD, "system.alpha")
    assert "system.servers = 10 must be a table" in refused(GOOD, "system.servers.x=3")
