"""Comparisons: the same jobs for all, differences that are right, places that are shared."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import System, compare, exact, simulate
from jfsq_simpy.compare import Comparison
from jfsq_simpy.compare.measures import as_measure
from jfsq_simpy.errors import ModelError, PlanError
from jfsq_simpy.metrics import METRICS
from jfsq_simpy.policies import Policy

SMALL = System(rates=[1.6, 0.8, 0.6], load=0.8, places=3)
SHORT: dict[str, Any] = {"horizon": 100, "warmup": 10, "replications": 4, "rng": 5, "workers": 1}
FALSE_ALARM = 1e-6


@pytest.fixture(scope="module")
def found() -> Comparison:
    return compare(SMALL, ["jfsq", "jsq", "random"], engine="process", **SHORT)


# ---- fair ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["process", "lockstep"])
def test_every_policy_is_offered_the_same_jobs(engine: str) -> None:
    fair = compare(SMALL, ["jfsq", "jsq", "random", {"name": "jsq_d", "d": 2}], engine=engine, **SHORT)
    offered = [[tally.routed for batches in run.tallies for tally in batches] for run in fair.runs.values()]
    assert all(jobs == offered[0] for jobs in offered)
    assert len(set(offered[0])) > 1, "replications differ among themselves"


def test_policies_the_chain_holds_in_different_forms_go_to_the_jobs_view() -> None:
    alike = compare(SMALL, ["jfsq", "jsq"], **SHORT)
    assert {run.engine for run in alike.runs.values()} <= {"chain", "lockstep"}
    mixed = compare(SMALL, ["jfsq", "jiq"], **SHORT)
    assert {run.engine for run in mixed.runs.values()} <= {"events", "process"}
    assert [run.jobs for run in mixed.runs.values()][:1] * 2 == [run.jobs for run in mixed.runs.values()]
    assert not any("independent" in note for note in mixed.notes)


def test_an_engine_that_draws_differently_for_each_is_said_to() -> None:
    apart = compare(SMALL, ["jfsq", "jiq"], engine="lockstep", **SHORT)
    assert "independent runs" in apart.notes[0]


def test_one_policy_that_needs_the_jobs_view_takes_all_there() -> None:
    system = SMALL.replaced(size="deterministic")
    assert {run.engine for run in compare(system, ["jfsq", "jsq"], **SHORT).runs.values()} <= {"events", "process"}


def test_a_run_is_the_run_that_simulate_gives(found: Comparison) -> None:
    alone = simulate(SMALL.replaced(policy="jsq"), engine="process", **SHORT)
    assert alone.tallies == found.runs["jsq"].tallies


def test_the_longest_warm_up_serves_all(monkeypatch: pytest.MonkeyPatch) -> None:
    from jfsq_simpy.compare import verb
    from jfsq_simpy.warmup import WarmupChoice

    times = {"jfsq": 3.0, "jsq": 17.0, "random": 5.0}
    said = {"jsq": "too short to tell"}

    def choose(system: System, *_: Any, **__: Any) -> WarmupChoice:
        return WarmupChoice(times[system.policy.name], 1, 64.0, said.get(system.policy.name))

    monkeypatch.setattr(verb, "warmup_for", choose)
    fair = compare(SMALL, list(times), **{**SHORT, "warmup": "auto"})
    assert {run.window.warmup for run in fair.runs.values()} == {17.0}
    assert [run.warnings for run in fair.runs.values()] == [[], ["too short to tell"], []]


def test_a_generator_moves_on_once_for_all_policies() -> None:
    plan: dict[str, Any] = {**SHORT, "rng": np.random.default_rng(1), "engine": "process"}
    assert len({run.seed for run in compare(SMALL, ["jfsq", "jsq"], **plan).runs.values()}) == 1


def test_progress_counts_all_replications() -> None:
    seen: list[tuple[int, int]] = []
    compare(SMALL, ["jfsq", "jsq"], engine="process", progress=lambda done, total: seen.append((done, total)), **SHORT)
    assert seen == [(done, 8) for done in range(1, 9)]


# ---- right ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("engine", "jobs", "replications"), [("lockstep", 4_000, 40), ("process", 2_000, 32)])
def test_paired_intervals_cover_the_exact_differences(engine: str, jobs: int, replications: int) -> None:
    policies = ["jfsq", "jsq", "random"]
    truth = {name: exact.solve(SMALL.replaced(policy=name)).metrics() for name in policies}
    level = 1 - FALSE_ALARM / 12  # so that all twelve hold together
    plan: dict[str, Any] = {"warmup": 30, "rng": 11, "workers": 1, "level": level, "engine": engine}
    fair = compare(SMALL, policies, jobs=jobs, replications=replications, **plan)
    for metric in ("waiting_probability", "mean_wait", "mean_response"):
        for name, other in (("jsq", "jfsq"), ("random", "jsq")):
            pair, known = fair.pair(name, other, metric), truth[name][metric] - truth[other][metric]
            low, high = pair.interval()
            assert low <= known <= high, (metric, name, other)
            assert (high - low) / 2 < known, "sharp: neither the wrong sign nor no difference could hide"
            ratio, lower, upper = pair.ratio()
            assert lower <= truth[name][metric] / truth[other][metric] <= upper
            assert lower < ratio < upper


def groups_of_ten(found: Comparison) -> Iterator[Comparison]:
    """Many replications as many comparisons of ten."""
    for i in range(0, len(found.runs["jfsq"].replications), 10):
        ten = slice(i, i + 10)
        yield Comparison({n: replace(r, replications=r.replications[ten], tallies=r.tallies[ten]) for n, r in found.runs.items()})


@pytest.mark.verify
def test_intervals_cover_as_often_as_they_say() -> None:
    """1,000 comparisons of ten replications: 95 % intervals cover the exact difference in 95 % of them, within chance."""
    truth = [exact.solve(SMALL.replaced(policy=name)).metrics() for name in ("jfsq", "jsq")]
    fair = compare(SMALL, ["jfsq", "jsq"], jobs=1_000, warmup=30, replications=10_000, rng=1, engine="lockstep", workers=1)
    for metric in ("waiting_probability", "mean_response", "blocking_probability"):
        known = truth[1][metric] - truth[0][metric]
        intervals = [ten.pair("jsq", "jfsq", metric).interval() for ten in groups_of_ten(fair)]
        covered = sum(low <= known <= high for low, high in intervals)
        # a point or two for the skew of what is rare; intervals a quarter too short (87 %) or too long (98 %+) would show
        assert stats.binom.ppf(FALSE_ALARM / 6, 1000, 0.94) <= covered <= stats.binom.ppf(1 - FALSE_ALARM / 6, 1000, 0.96), metric


def test_the_same_jobs_save_variance_and_other_jobs_do_not() -> None:
    plan: dict[str, Any] = {"jobs": 2_000, "warmup": 20, "replications": 24, "workers": 1, "engine": "lockstep"}
    fair = compare(SMALL, ["jfsq", "jsq"], rng=1, **plan)
    assert fair.pair("jsq", "jfsq").variance_saved > 0.7
    stranger = simulate(SMALL.replaced(policy="jsq"), rng=2, **plan)
    stranger.seed = fair.runs["jfsq"].seed  # a lie, to see what independent runs would look like
    apart = Comparison({"jfsq": fair.runs["jfsq"], "jsq": stranger}).pair("jsq", "jfsq")
    # 1 - Var(difference) / sum is at most the correlation of 24 pairs, whose Fisher z has spread 1 / sqrt(21)
    assert abs(apart.variance_saved) < math.tanh(stats.norm.isf(FALSE_ALARM / 2) / math.sqrt(21))


def test_a_quantile_pairs_like_any_metric(found: Comparison) -> None:
    whole, parts = as_measure("wait_p99").left_out(found.runs["random"])
    assert whole == pytest.approx(found.runs["random"].wait_quantiles([0.99]).value[0])
    assert whole == found.estimate("random", "wait_p99").value
    three = simulate(SMALL.replaced(policy="random"), engine="process", **{**SHORT, "replications": [0, 1, 3]})
    assert parts[2] == pytest.approx(three.wait_quantiles([0.99]).value[0])


def test_metrics_are_those_of_the_run(found: Comparison) -> None:
    table = found.table("mean_wait", "response_p50").set_index(["policy", "metric"])
    assert table.loc[("jsq", "mean_wait"), "value"] == found.runs["jsq"].mean_wait.value
    assert table.loc[("jsq", "response_p50"), "low"] == found.runs["jsq"].response_quantiles([0.5]).low[0]
    assert set(found.table().metric) > set(METRICS)


# ---- places --------------------------------------------------------------------------------------------------


def test_a_policy_shares_its_place_with_itself() -> None:
    fair = compare(SMALL, {"one": "jfsq", "twin": "jfsq", "blind": "random"}, **{**SHORT, "horizon": 400})
    ranking = fair.ranking().set_index("policy")
    assert ranking.letters.to_dict() == {"one": "a", "twin": "a", "blind": "b"}
    assert ranking.place.to_dict() == {"one": 1, "twin": 1, "blind": 3}
    assert ranking.worst_place.to_dict() == {"one": 2, "twin": 2, "blind": 3}
    row = fair.differences().set_index("policy").loc["twin"]
    assert (row.difference, row.low, row.high, row.ratio, row.p_value, row.variance_saved) == (0, 0, 0, 1, 1, 1)
    assert not row.apart


def test_the_ranking_is_by_value_smallest_first(found: Comparison) -> None:
    for metric in ("mean_response", "busy_capacity", "response_p99"):
        assert found.ranking(metric).value.is_monotonic_increasing
    assert "3 pairs" in found.ranking().attrs["method"]
    assert "0.95" in found.ranking().attrs["method"]


def test_differences_run_against_whom_one_asks(found: Comparison) -> None:
    forth, back = found.differences(against="jsq").set_index("policy"), found.differences().set_index("policy")
    assert forth.loc["jfsq"].difference == -back.loc["jsq"].difference
    assert forth.loc["jfsq"].ratio == pytest.approx(1 / back.loc["jsq"].ratio)
    assert (back.low_all < back.low).all()
    assert (back.high_all > back.high).all()


def test_losing_jobs_is_said_to_flatter() -> None:
    crowded = compare(SMALL.replaced(load=1.2), ["jfsq", "random"], engine="process", **SHORT)
    assert any(note.startswith("random blocks") for note in crowded.notes)


# ---- job by job ----------------------------------------------------------------------------------------------


def test_jobs_are_those_of_the_comparison(found: Comparison) -> None:
    jobs = found.jobs("random", replication=2)
    (tally,) = found.runs["jfsq"].tallies[2]
    assert jobs.n_jobs == tally.routed
    assert jobs.names == ("jfsq", "random")
    served = np.isfinite(jobs.response)
    assert jobs.response[served].mean() > 0
    assert found.jobs("random", most=50).n_jobs < 90


# ---- asked wrongly -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policies", "changes", "said"),
    [
        (["jfsq"], {}, "at least two"),
        (["jfsq", "jsq", "jfsq"], {}, "jfsq is named twice"),
        ([Policy("mine", lambda q, mu: q), Policy("mine", lambda q, mu: -mu)], {}, "mine is named twice"),
        (["jfsq", "jsq"], {"replications": 1}, "at least 2"),
        (["jfsq", "jsq"], {"replications": [7]}, "at least 2"),
        (["jfsq", "jsq"], {"metric": "speed"}, "metric = 'speed'"),
        (["jfsq", "jsq"], {"metric": "wait_p100"}, "metric = 'wait_p100'"),
        (["jfsq", "jsq"], {"against": "sed"}, "against = 'sed'"),
        (["jfsq", "jsq"], {"engine": "quick"}, "engine = 'quick'"),
        (["jfsq", "jsq"], {"jobs": 100}, "one of the two"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_runs(
    policies: list[Any], changes: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jfsq_simpy.engines.run_replications", lambda *_, **__: pytest.fail("nothing may run"))
    with pytest.raises(PlanError, match=said):
        compare(SMALL, policies, **{**SHORT, "warmup": "auto"} | changes)


def test_a_policy_that_is_none_is_refused() -> None:
    with pytest.raises(ModelError, match="jsqq"):
        compare(SMALL, ["jfsq", "jsqq"], **SHORT)


def test_an_engine_that_cannot_names_the_policy() -> None:
    system = SMALL.replaced(size="deterministic")
    with pytest.raises(PlanError, match=r"policies: jfsq: engine = 'lockstep'"):
        compare(system, ["jfsq", "jsq"], engine="lockstep", **SHORT)


def test_runs_of_different_plans_cannot_be_paired(found: Comparison) -> None:
    other = simulate(SMALL, engine="process", **{**SHORT, "rng": 6})
    with pytest.raises(PlanError, match="differ in seed"):
        Comparison({"jfsq": found.runs["jfsq"], "other": other})


def test_unknown_policies_are_named(found: Comparison) -> None:
    for ask in (lambda: found.pair("jsq", "sed"), lambda: found.jobs("sed"), lambda: found.differences(against="sed")):
        with pytest.raises(PlanError, match="'sed' is not in this comparison"):
            ask()


# ---- as records ----------------------------------------------------------------------------------------------


def test_to_dict_is_plain_json(found: Comparison) -> None:
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [row["policy"] for row in document["policies"]] == ["jfsq", "jsq", "random"]
    assert document["policies"][0]["estimates"].keys() > METRICS.keys()
    assert document["policies"][1]["rule"]["name"] == "jsq"
    assert {row["policy"] for row in document["differences"]} == {"jsq", "random"}
    assert (document["seed"], document["replications"], document["warmup"]) == (5, 4, 10.0)
    assert repr(found).startswith("Comparison(mean_response: 1 ")
