"""What dispatchers know: what may be said of it, what is kept of it, and who is silent where it is not all there is."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import pytest

from jfsq_simpy import System, exact, rates, theory
from jfsq_simpy.errors import JfsqError, ModelError, ScenarioError
from jfsq_simpy.experiment.plan import Plan, Point
from jfsq_simpy.experiment.record import key_of
from jfsq_simpy.knowledge import Knowledge, Own, Refreshed, Reported, as_knowledge
from jfsq_simpy.metrics import Averages, messages_per_job
from jfsq_simpy.scenario import Scenario, results
from jfsq_simpy.simulate import simulate
from jfsq_simpy.theory.reference import curves

STALE: dict[str, Any] = {"dispatchers": 12, "queues": {"name": "refreshed", "every": 2.0}}


def system(**changes: Any) -> System:
    return System(**({"rates": rates.two_speed(4, ratio=3), "load": 0.8, "places": 3} | changes))


# ---- what may be said ----------------------------------------------------------------------------------------


def test_names_tables_and_objects_say_the_same() -> None:
    assert as_knowledge("perfect") == as_knowledge({}) == Knowledge() == Knowledge(1, Own())
    assert as_knowledge({"dispatchers": 3, "queues": "own"}) == Knowledge(3)
    assert as_knowledge(STALE) == Knowledge(12, Refreshed(2.0))
    assert Knowledge(2, {"name": "reported", "late": 0}).queues == Reported(late=0)  # type: ignore[arg-type]  # it becomes one


def test_it_is_frozen_and_can_be_pickled() -> None:
    known = as_knowledge(STALE)
    with pytest.raises(dataclasses.FrozenInstanceError):
        known.dispatchers = 3  # type: ignore[misc]  # mypy knows it too
    assert pickle.loads(pickle.dumps(system(knowledge=known))).knowledge == known


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"dispatchers": 0}, r"knowledge.dispatchers = 0 must be a whole number from 1 to 65,535"),
        ({"dispatchers": 2.5}, "knowledge.dispatchers = 2.5"),
        ({"dispatchers": True}, "knowledge.dispatchers = True"),
        ({"dispatchers": 10**6}, "from 1 to 65,535"),
        ({"dispatcher": 2}, "unexpected keyword argument 'dispatcher'; it takes dispatchers, queues"),
        ({"queues": "owm"}, "knowledge.queues: 'owm' must be a name, or a table with a name, of now, own, refreshed, reported"),
        ({"queues": {"every": 2}}, "must be a name, or a table with a name"),
        ({"queues": {"name": ["own"]}}, "must be a name"),
        ({"queues": 3}, "must be a name"),
        ({"queues": {"name": "refreshed"}}, "missing a required argument: 'every'; it takes every, count_own, staggered"),
        ({"queues": {"name": "own", "count_own": True}}, "it takes nothing"),
        ({"queues": {"name": "refreshed", "every": 0.0}}, "knowledge.queues.every = 0.0 must be a time, at least 1e-06"),
        ({"queues": {"name": "refreshed", "every": float("nan")}}, "every = nan"),
        ({"queues": {"name": "refreshed", "every": float("inf")}}, "every = inf"),
        ({"queues": {"name": "refreshed", "every": "2"}}, "every = '2'"),
        ({"queues": {"name": "refreshed", "every": 2.0, "count_own": 1}}, "count_own = 1 must be true or false"),
        ({"queues": {"name": "refreshed", "every": 2.0, "staggered": "no"}}, "staggered = 'no' must be true or false"),
        ({"queues": {"name": "reported", "late": -1}}, "late = -1 must be a whole number from 0"),
        ({"queues": {"name": "reported", "late": 1.0}}, "late = 1.0"),
        ("imperfect", 'must be "perfect" or a table'),
        (3, 'must be "perfect" or a table'),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_in_one_line(spec: Any, says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        system(knowledge=spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("policy", "why"), [("central_queue", "nobody dispatches"), ("least_work", "goes by the work left")])
def test_policies_that_look_at_no_queue_lengths_are_refused(policy: str, why: str) -> None:
    with pytest.raises(ModelError, match=why):
        system(knowledge=STALE, policy=policy)
    system(policy=policy, knowledge={"dispatchers": 12, "queues": "now"})  # dispatchers who share all might as well be one


SCENARIO = """# Who knows what?
[system]
servers = 4
load = 0.8
places = 3
[system.knowledge]
dispatchers = 12
queues = {name = "refreshed", every = 2.0}
"""


def read(*overrides: str) -> System:
    return Scenario.parse(SCENARIO, overrides, source="who.toml").points()[0].system


def test_a_scenario_says_it_in_a_table() -> None:
    assert read().knowledge == as_knowledge(STALE)
    assert read("system.knowledge=perfect").knowledge.perfect
    assert read("system.knowledge.dispatchers=3").knowledge.dispatchers == 3
    assert read("system.knowledge.queues=own").knowledge == Knowledge(12)
    assert read("system.knowledge.queues.count_own=true").knowledge.queues == Refreshed(2.0, count_own=True)
    assert read("system.knowledge.queues.every=3").knowledge.queues == Refreshed(3.0)


def test_a_sweep_runs_over_it() -> None:
    swept = SCENARIO + '[sweep]\n"system.knowledge.queues" = ["now", "own", {name = "reported", count_own = true}]\n'
    known = [point.system.knowledge.queues for point in Scenario.parse(swept).points()]
    assert [k.name for k in known] == ["now", "own", "reported"]
    fresher = SCENARIO + '[sweep]\n"system.knowledge.queues.every" = [0.5, 1.0]\n'
    assert [point.system.knowledge.queues for point in Scenario.parse(fresher).points()] == [Refreshed(0.5), Refreshed(1.0)]


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("system.knowledge.dispatchers=0", "system.knowledge.dispatchers = 0 must be a whole number from 1"),
        ("system.knowledge.dispatchers=twelve", 'system.knowledge.dispatchers = "twelve" must be a whole number'),
        ("system.knowledge.queues=owm", 'system.knowledge.queues = "owm": there is no such name; the nearest is own'),
        ("system.knowledge.queues.evry=3", "the nearest is system.knowledge.queues.every"),
        ("system.knowledge.queues.every=-3", "system.knowledge.queues.every = -3.0 must be a time"),
        ("system.knowledge.queues=7", "system.knowledge.queues = 7: must be a name or a table"),
        ("system.knowledge.quues=own", "the nearest is system.knowledge.queues"),
        ("system.knowledge=imperfect", 'system.knowledge = "imperfect": must be "perfect" or a table'),
        ("system.policy=central_queue", "nobody dispatches"),
    ],
)
def test_a_scenario_that_is_wrong_is_told_so_with_file_and_key(override: str, says: str) -> None:
    with pytest.raises(JfsqError) as caught:
        read(override)
    assert isinstance(caught.value, ScenarioError)
    assert str(caught.value).startswith("who.toml: system")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


# ---- what is kept --------------------------------------------------------------------------------------------


def test_records_of_perfect_knowledge_are_named_as_before() -> None:
    """Ledgers written before there was anything to know go on: nothing is said where there is nothing to say."""
    assert "knowledge" not in system().describe()
    assert system(knowledge={"dispatchers": 12, "queues": "now"}).describe() == system().describe()
    assert system(knowledge=STALE).describe()["knowledge"] == {
        "dispatchers": 12,
        "queues": {"name": "refreshed", "every": 2.0, "count_own": False, "staggered": False},
    }


def test_what_is_known_names_a_record() -> None:
    known = ["perfect", STALE, STALE | {"dispatchers": 3}, {"dispatchers": 12}, {"queues": {"name": "reported"}}]
    names = {key_of(Point({}, system(knowledge=k), Plan(jobs=100), {}), "jobs") for k in known}
    assert len(names) == len(known)


def test_a_system_replaced_knows_what_it_knew() -> None:
    known = system(knowledge=STALE)
    assert known.replaced(places=5).knowledge == known.knowledge
    assert known.replaced(knowledge="perfect").knowledge.perfect
    assert "Refreshed(every=2.0" in repr(known)
    assert repr(system()) == "System(N=4, load=0.8, places=3, policy=jfsq, size=exponential())"


def test_a_ledger_goes_on_where_it_was_and_gives_back_what_was_known(tmp_path: Path) -> None:
    scenario = Scenario.parse(SCENARIO + "[run]\njobs = 500\nreplications = 2\nwarmup = 5\n")
    first = scenario.run(tmp_path, workers=1)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("[0-9]*.json")}
    again, kept = scenario.run(tmp_path, workers=1), results(tmp_path)
    assert len(written) == 2
    assert {path: path.stat().st_mtime_ns for path in written} == written, "nothing was run again"
    values = [r.points[0].run.waiting_probability for r in (first, again, kept)]
    assert values[0] == values[1] == values[2]
    assert kept.points[0].run.system.knowledge == as_knowledge(STALE)


# ---- who is silent, and what it costs ------------------------------------------------------------------------


def test_exact_and_reference_curves_are_silent() -> None:
    with pytest.raises(ModelError, match="exact: dispatchers do not know"):
        exact.solve(system(knowledge=STALE))
    assert curves(system())
    assert not curves(system(knowledge=STALE))
    assert not system(knowledge=STALE).is_markov


def test_theory_says_which_condition_is_not_met() -> None:
    stale = System(rates.homogeneous(16), alpha=0.3, places=2, knowledge=STALE)
    run = simulate(stale, jobs=2_000, replications=4, rng=1, warmup=20, workers=1, observe=theory.observables(stale))
    report = theory.check(stale, run)
    judged = [line for line in report.lines if line.name.startswith("Lemma")]
    assert judged
    assert {line.verdict for line in judged} <= {"condition not met", "not judged", "vacuous"}
    assert not report.failed


@pytest.mark.parametrize(
    ("queues", "policy", "messages"),
    [
        ("own", "jfsq", 0.9),  # of each job accepted, when it leaves
        (
            {"name": "refreshed", "every": 2.0},
            "jsq",
            2 * 12 / (2.0 * 0.8),
        ),  # each server and dispatcher, both ways
        ({"name": "reported"}, {"name": "jsq_d", "d": 2}, 12 * 0.9),
        ("own", "random", 0.0),
    ],
    ids=str,
)
def test_messages_are_those_of_the_boards(queues: Any, policy: Any, messages: float) -> None:
    known = system(knowledge={"dispatchers": 12, "queues": queues}, policy=policy)
    blocks_a_tenth = exact.solve(system()).averages
    law = dataclasses.replace(
        blocks_a_tenth, system=known, joins=blocks_a_tenth.joins * 0.9 / blocks_a_tenth.joins.sum(), blocked=0.1
    )
    assert isinstance(law, Averages)
    assert messages_per_job(law) == pytest.approx(messages)
