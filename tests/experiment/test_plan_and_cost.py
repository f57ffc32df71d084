"""Plans say everything once; forecasts are about right."""

from __future__ import annotations

import math
from typing import Any

import pytest

from jfsq_simpy import engines, rates
from jfsq_simpy.errors import PlanError
from jfsq_simpy.experiment import Plan, Point, Precision, run
from jfsq_simpy.experiment.cost import JOBS_PER_SECOND, forecast
from jfsq_simpy.system import System
from jfsq_simpy.tally import Outcome

SYSTEM = System(rates.homogeneous(10), load=0.5, places=2)


def test_jobs_and_horizon_are_two_names_of_one_length() -> None:
    assert Plan(jobs=1000).length(SYSTEM) == pytest.approx(200.0)  # five arrivals a time unit
    assert Plan(horizon=200.0).expected_jobs(SYSTEM) == pytest.approx(1000)
    assert Plan().expected_jobs(SYSTEM) == pytest.approx(100_000), "a plan that names none has a length all the same"


def test_a_single_replication_is_cut_into_batches() -> None:
    assert Plan(replications=(0,)).batches == 32
    assert Plan().batches == 1
    assert Plan(replications=(0,)).numbered((0, 1)).batches == 32, "what was begun in batches goes on in batches"


@pytest.mark.parametrize(
    ("fields", "fragment"),
    [
        ({"jobs": 10, "horizon": 1.0}, "both"),
        ({"engine": "warp"}, "warp"),
        ({"replications": ()}, "different numbers"),
        ({"replications": (1, 1)}, "different numbers"),
        ({"replications": (-1,)}, "0 or more"),
    ],
)
def test_plans_that_are_none(fields: dict[str, Any], fragment: str) -> None:
    with pytest.raises(PlanError, match=fragment):
        Plan(**fields)


@pytest.mark.parametrize("fields", [{"metric": "p_w"}, {"relative": 0.0}, {"relative": math.nan}, {"max_seconds": -1.0}])
def test_precisions_that_are_none(fields: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match=f"precision.{next(iter(fields))}"):
        Precision(**fields)


def test_a_forecast_adds_up_jobs_and_shares_the_time() -> None:
    points = [Point({}, SYSTEM, Plan(jobs=1000, replications=tuple(range(8)), engine="process", warmup=0.0))] * 3
    ahead = forecast(points, workers=4)
    assert (ahead.jobs, ahead.warming, ahead.engines, ahead.workers) == (pytest.approx(24_000), 0.0, "process", 4)
    assert ahead.seconds == pytest.approx(24_000 / JOBS_PER_SECOND["process"] / 4)


@pytest.mark.parametrize("warmup", [0.0, 100.0, "auto"])
@pytest.mark.parametrize("engine", ["process", "lockstep"])
def test_what_is_announced_is_what_is_simulated(warmup: Any, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [Point({}, SYSTEM, Plan(jobs=1000, replications=tuple(range(8)), engine=engine, warmup=warmup))]
    simulated, really = 0, engines.run_replications

    def counted(*given: Any, **options: Any) -> list[Outcome]:
        nonlocal simulated
        outcomes = really(*given, **options)
        simulated += sum(o.arrivals for o in outcomes)
        return outcomes

    monkeypatch.setattr(engines, "run_replications", counted)
    ahead = forecast(points, workers=1)
    (point,) = run(points, workers=1)
    assert simulated == pytest.approx(ahead.jobs, rel=0.1)  # ten standard errors of 8,000 arrivals; what a pilot finds adds little
    window = point.run.window
    if warmup != "auto":
        assert ahead.warming == warmup * SYSTEM.arrival_rate * 8
    else:
        assert ahead.warming > window.warmup * SYSTEM.arrival_rate * 8  # pilots are counted as well


def test_one_replication_cannot_be_shared() -> None:
    points = [Point({}, SYSTEM, Plan(jobs=1000, replications=(0,), engine="process", warmup=0.0))]
    assert forecast(points, workers=4).seconds == pytest.approx(1000 / JOBS_PER_SECOND["process"])
