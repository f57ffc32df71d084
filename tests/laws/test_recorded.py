"""A recorded stream: what was recorded comes back, and then nobody comes."""

import json
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jfsq_simpy.draws import BLOCK, JobDraws, Seed
from jfsq_simpy.errors import ModelError
from jfsq_simpy.laws import Empirical, RecordedGaps, RecordedSizes, recorded_stream
from jfsq_simpy.system import System


def replayed(system, n):
    """Arrival times and sizes of the first n jobs as the engines see them: gaps added up one by one."""
    gaps, sizes = [], []
    for block in JobDraws(system, Seed.of(1), 0).blocks():
        gaps.append(block.gaps)
        sizes.append(block.sizes)
        if sum(map(len, gaps)) >= n:
            break
    return np.cumsum(np.concatenate(gaps))[:n], np.concatenate(sizes)[:n]


@given(
    st.lists(st.floats(0, 1e6).map(lambda x: round(x, 3)), min_size=1, max_size=60).filter(lambda x: max(x) > 0),
    st.integers(1, 1000),
)
@settings(max_examples=100, deadline=None)
def test_recorded_times_come_back_to_the_last_roundings(times, n_servers):
    times = np.sort(times)
    law = RecordedGaps(times)
    assert math.isclose(law.draw(None, times.size).mean(), 1, rel_tol=1e-12)
    gaps = law.draw(None, times.size) / (law.load(n_servers) * n_servers)
    assert np.allclose(np.cumsum(gaps), times, rtol=0, atol=times[-1] * 2.3e-16 * (times.size + 4))


def test_a_log_longer_than_a_block_comes_back_with_its_sizes():
    rng = np.random.default_rng(8)
    n = 2 * BLOCK + 1234
    times = 100.0 + np.cumsum(rng.exponential(0.02, n))  # seconds
    sizes = rng.gamma(2.0, 1.5, n)  # seconds at a server of rate 1
    log = recorded_stream(times, sizes, n_servers=200, origin=100.0)
    system = System(np.ones(200), load=log.load, places=5, arrivals=log.arrivals, size=log.size)
    seen_times, seen_sizes = replayed(system, n + 10)
    assert np.isinf(seen_times[n:]).all()
    assert np.allclose(seen_times[:n] * log.time_unit, times - 100.0, rtol=1e-13, atol=0)
    assert np.allclose(seen_sizes[:n] * log.time_unit, sizes, rtol=4e-16, atol=0)
    assert log.time_unit == pytest.approx(sizes.mean())
    assert log.load == pytest.approx(sizes.sum() / (200 * (times[-1] - 100.0)))  # work over capacity


def test_every_replication_sees_the_same_record():
    system = System(np.ones(2), load=0.5, places=3, arrivals={"law": "recorded_gaps", "times": [1.0, 1.5, 4.0]})
    first, second = (next(JobDraws(system, Seed.of(7), r).blocks()) for r in (0, 5))
    assert np.array_equal(first.gaps, second.gaps)
    assert not np.array_equal(first.sizes, second.sizes)


def test_the_same_record_at_another_load_runs_faster():
    law = RecordedGaps([1.0, 2.0, 4.0])
    system = System(np.ones(3), load=2 * law.load(3), places=3, arrivals=law)
    assert np.cumsum(next(JobDraws(system, Seed.of(1), 0).blocks()).gaps)[:3].tolist() == pytest.approx([0.5, 1.0, 2.0])


def test_jobs_that_arrive_together_keep_their_order():
    law = RecordedGaps([2.0, 2.0, 2.0, 6.0])
    assert (law.draw(None, 4) * law.factor).tolist() == [2.0, 0.0, 0.0, 4.0]


def test_a_clock_may_start_anywhere_before_the_first():
    law = RecordedGaps([-3.0, 1.0], origin=-4.0)
    assert (law.draw(None, 2) * law.factor).tolist() == [1.0, 4.0]
    assert law.rate == pytest.approx(2 / 5)


def test_jobs_of_time_zero_draw_from_the_recorded_sizes():
    law = RecordedSizes([1.0, 2.0, 6.0])
    arrivals = {"law": "recorded_gaps", "times": [1.0, 2.0, 3.0]}
    system = System(np.ones(2), load=0.5, places=3, arrivals=arrivals, size=law)
    initial = JobDraws(system, Seed.of(1), 0).initial_sizes(1000)
    assert law.initial == Empirical(law.draw(None, 3))
    assert set((initial * 3).round(12)) == {1.0, 2.0, 6.0}


def test_moments_and_record():
    law = RecordedSizes([1.0, 2.0, 6.0])
    assert law.variance == pytest.approx(np.var([1.0, 2.0, 6.0]) / 9)
    assert law.length == 3
    assert law.describe().keys() == {"law", "n", "factor", "sha256"}
    assert json.loads(json.dumps(RecordedGaps([1.0, 2.0], origin=0.5).describe()))["origin"] == 0.5
    assert RecordedGaps([1.0, 2.0]) != RecordedGaps([1.0, 2.0], origin=0.5)
    assert RecordedSizes([1.0, 2.0, 6.0]) != RecordedSizes([2.0, 1.0, 6.0])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: RecordedGaps([1.0, 3.0, 2.0]), "times[2] = 2.0 comes before times[1] = 3.0; sort the log by time"),
        (lambda: RecordedGaps([-1.0, 3.0]), "times[0] = -1.0 comes before the origin 0.0; set origin at or before it"),
        (lambda: RecordedGaps([5.0, 5.0], origin=5.0), "all times equal the origin"),
        (lambda: RecordedGaps([]), "times must be a list of numbers"),
        (lambda: RecordedGaps([1.0, math.nan]), "times[1] = nan must be finite"),
        (lambda: RecordedGaps([1.0], origin=math.nan), "origin = nan"),
        (lambda: RecordedGaps([1.0]).load(0), "n_servers = 0 must be a whole number"),
        (lambda: RecordedGaps([1.0]).load(5, time_unit=0.0), "time_unit = 0.0 must be a finite number above 0"),
        (lambda: RecordedSizes([0.0, 0.0]), "all 0"),
        (lambda: RecordedSizes([1.0, -1.0]), "sizes[1] = -1.0"),
        (lambda: recorded_stream([1.0, 2.0], [1.0], 3), "2 times but 1 sizes; each job needs both"),
    ],
)
def test_what_is_no_log_is_refused(make, said):
    with pytest.raises(ModelError, match=re.escape(said)) as caught:
        make()
    assert "\n" not in str(caught.value)


GAPS = {"law": "recorded_gaps", "times": [1.0, 2.0, 3.0]}


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ({"size": GAPS}, "size: law 'recorded_gaps' is for gaps only; it belongs under arrivals."),
        ({"size": "poisson", "arrivals": RecordedSizes([1.0])}, "arrivals: law 'recorded_sizes' is for sizes only"),
        ({"size": {"law": "sinusoidal", "amplitude": 0.5, "period": 9.0}}, "size: law 'sinusoidal' is for gaps only"),
        ({"size": RecordedSizes([1.0])}, "size: law 'recorded_sizes' holds 1 sizes, but jobs without end arrive."),
        ({"size": RecordedSizes([1.0, 2.0]), "arrivals": GAPS}, "holds 2 sizes, but 3 jobs arrive."),
    ],
)
def test_a_system_refuses_laws_in_the_wrong_place_and_sizes_that_run_out(pair, said):
    with pytest.raises(ModelError, match=re.escape(said)):
        System(np.ones(2), load=0.5, places=3, **pair)


def test_more_sizes_than_arrivals_do_no_harm():
    System(np.ones(2), load=0.5, places=3, arrivals=GAPS, size=RecordedSizes([1.0, 2.0, 3.0, 4.0]))
