"""Job by job: traces made by hand, and what must add up on any traces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jfsq_simpy import System, simulate
from jfsq_simpy.compare import JobDifferences, job_differences
from jfsq_simpy.errors import PlanError
from jfsq_simpy.jobs.trace import Trace

SYSTEM = System(rates=[1.5, 1.0, 1.0, 0.5], load=0.9, places=2)
SPEED = SYSTEM.rates.vector()


def trace(server: list[int], level: list[int], wait: list[float], **changes: Any) -> Trace:
    """Eight jobs of size 1, one a time unit; a wait of inf: not finished."""
    n = len(server)
    arrival, size = np.arange(n, dtype=float), np.ones(n)
    start = np.where(np.array(server) < 0, np.nan, arrival + np.array(wait))
    departure = start + size / SPEED[np.maximum(server, 0)]
    gone = np.isinf(start)
    columns = {
        "job": np.arange(n),
        "arrival": arrival,
        "server": np.array(server),
        "level": np.array(level),
        "start": np.where(gone, np.nan, start),
        "departure": np.where(gone, np.nan, departure),
        "size": size,
    }
    return Trace(SYSTEM, columns | {k: np.array(v) for k, v in changes.items()})


#                 same  busier  faster  slower  as fast  lost   found   left over
BASE = trace([0, 0, 3, 0, 1, 0, -1, 0], [1, 0, 0, 1, 1, 0, 2, 0], [0.5, 0.0, 0.0, 1.0, 0.25, 0.0, 0.0, 0.0])
RIVAL = trace([0, 0, 0, 3, 2, -1, 0, 0], [1, 1, 1, 0, 0, 2, 0, 1], [0.5, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0, np.inf])


@pytest.fixture
def found() -> JobDifferences:
    return job_differences(BASE, RIVAL, names=("us", "them"))


def test_every_job_has_its_cause(found: JobDifferences) -> None:
    assert found.to_pandas().cause.tolist() == [
        "same server, as many before it",
        "same server, longer queue",
        "faster server, longer queue",
        "slower server, shorter queue",
        "another as fast, shorter queue",
        "blocked under them only",
        "blocked under us only",
        "not finished",
    ]


def test_the_differences_are_the_rivals_less_ours(found: JobDifferences) -> None:
    fast, slow = 1 / 1.5, 1 / 0.5
    assert found.wait[:5].tolist() == pytest.approx([0.0, 2.0, 1.0, -1.0, -0.25])
    assert found.service[:5].tolist() == pytest.approx([0.0, 0.0, fast - slow, slow - fast, 0.0])
    assert found.response[:5].tolist() == pytest.approx([0.0, 2.0, 1.0 + fast - slow, slow - fast - 1.0, -0.25])
    assert np.isnan(found.response[5:]).all(), "what one of the two did not serve has no difference"


def test_counts(found: JobDifferences) -> None:
    assert found.counts() == {
        "better": 2,  # the faster server though later, and the shorter queue
        "same": 1,
        "worse": 2,
        "blocked under them only": 1,
        "blocked under us only": 1,
        "blocked under both": 0,
        "not finished": 1,
    }


def test_causes_add_up_to_the_mean_difference(found: JobDifferences) -> None:
    causes = found.causes()
    assert causes.contribution.sum() == pytest.approx(np.nanmean(found.response))
    assert causes.jobs.sum() == found.n_jobs == 8
    assert causes.share.sum() == pytest.approx(1)
    assert causes.cause[0] == "same server, longer queue", "what did most comes first"
    assert causes[["better", "same", "worse"]].sum().tolist() == [2, 1, 2]


def test_quantiles_of_those_both_served(found: JobDifferences) -> None:
    assert found.quantiles([0.0, 0.5, 1.0]).wait.tolist() == pytest.approx([-1.0, 0.0, 2.0])
    with pytest.raises(PlanError, match="probabilities"):
        found.quantiles([1.5])


def test_a_difference_within_rounding_is_none() -> None:
    near = trace([0, 0], [0, 0], [0.0, 1e-13])
    assert job_differences(trace([0, 0], [0, 0], [0.0, 0.0]), near).counts()["same"] == 2


def test_only_the_window_counts() -> None:
    assert job_differences(BASE, RIVAL, window=(2.0, 5.0)).job.tolist() == [2, 3, 4]


def test_nobody_in_the_window() -> None:
    nobody = job_differences(BASE, RIVAL, window=(100.0, 101.0))
    assert nobody.n_jobs == 0
    assert len(nobody.causes()) == 0
    assert nobody.quantiles([0.5]).isna().response.all()
    assert nobody.to_dict()["jobs"] == 0


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (trace([0] * 7, [0] * 7, [0.0] * 7), "job"),
        (trace([0] * 8, [0] * 8, [0.0] * 8, job=np.arange(1, 9)), "job"),
        (trace([0] * 8, [0] * 8, [0.0] * 8, size=np.full(8, 2.0)), "size"),
    ],
)
def test_other_jobs_are_refused(other: Trace, what: str) -> None:
    with pytest.raises(PlanError, match=rf"\({what} differs\)"):
        job_differences(BASE, other)


def test_several_replications_are_refused() -> None:
    both = simulate(SYSTEM, horizon=5, warmup=0, engine="process", trace=True, rng=1, replications=2).trace
    assert both is not None
    with pytest.raises(PlanError, match="of one"):
        job_differences(both, both)


def test_seen_from_the_other_side() -> None:
    plan: dict[str, Any] = {"horizon": 200, "warmup": 10, "engine": "process", "trace": True, "rng": 3}
    one, other = (simulate(SYSTEM.replaced(policy=p), **plan).trace for p in ("jfsq", "jsq"))
    assert one is not None
    assert other is not None
    here, there = job_differences(one, other), job_differences(other, one)
    assert np.array_equal(here.response, -there.response, equal_nan=True)
    assert (here.counts()["better"], here.counts()["same"]) == (there.counts()["worse"], there.counts()["same"])
    assert here.counts()["better"] > 10
    assert here.arrival.min() >= 10, "the warm-up does not count"
    faster = here.cause // 3 == 1
    assert faster.any()
    assert (here.service[faster & ~np.isnan(here.service)] < 0).all(), "a faster server serves faster"


def test_a_queue_as_long_is_one_with_as_many_before() -> None:
    plan: dict[str, Any] = {"horizon": 200, "warmup": 0, "engine": "process", "trace": True, "rng": 4}
    one, other = (simulate(SYSTEM.replaced(policy=p), **plan).trace for p in ("jfsq", "random"))
    assert one is not None
    assert other is not None
    found = job_differences(one, other)
    served = found.cause < 12
    step = np.sign(other["level"] - one["level"])[served]
    assert (found.cause[served] % 3 - 1).tolist() == step.tolist()
    assert set(step.tolist()) == {-1, 0, 1}
