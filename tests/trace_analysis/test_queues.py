"""Queues rebuilt from records: by hand, against brute force, and the identities of every path."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jfsq_simpy.errors import IdentityError, PlanError
from jfsq_simpy.jobs.trace import Trace
from jfsq_simpy.jobs.trace_rows import MemoryRows
from jfsq_simpy.rates import from_speeds
from jfsq_simpy.system import System
from jfsq_simpy.tally import Window
from jfsq_simpy.trace_analysis import StepFunction, presence, queue_path, servers
from tests.jobs.systems import random_case
from tests.trace_analysis.sources import by_hand, recorded

FLEET = System(from_speeds([3.0, 2.0, 1.0, 1.0], labels=["d", "c", "b", "a"]), load=0.9, places=4)


def test_paths_by_hand():
    total = queue_path(by_hand())
    # 0: one comes; 1: two come; 2: one leaves, one comes; 4, then 5 twice: they leave; 6: one comes and stays
    assert total.times.tolist() == [0.0, 1.0, 4.0, 5.0, 6.0]
    assert total.values.tolist() == [1, 3, 2, 0, 1]
    assert total.integral(0.0, 7.0) == 1 + 9 + 2 + 0 + 1
    assert queue_path(by_hand(), 0)(np.array([-1.0, 0.0, 1.0, 1.5, 2.0, 4.5, 9.0])).tolist() == [0, 1, 2, 2, 2, 1, 0]
    assert total.shares(0.0, 5.0).tolist() == [0.0, 0.2, 0.2, 0.6]


def test_servers_by_hand():
    table = servers(by_hand(), (0.0, 8.0))
    assert table.jobs.tolist() == [3, 2]
    assert table.busy.tolist() == [5 / 8, (4 + 2) / 8]
    assert table.mean_jobs.tolist() == [(2 + 3 + 3) / 8, (4 + 2) / 8]
    assert table.most_found.tolist() == [1, 0]


def present(trace, t, server=None):
    c = trace.to_pandas()
    c = c[(c.server >= 0) if server is None else (c.server == server)]
    return int(((c.arrival <= t) & ~(c.departure <= t)).sum())


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(number=st.integers(0, 2**32 - 1), block_rows=st.sampled_from([1, 7, 10_000]))
def test_paths_of_any_run_are_those_of_the_definition(number, block_rows):
    case = random_case(number, jobs=80)
    trace = recorded(case.system, case.window, seed=number, start=case.start, block_rows=block_rows)
    rng = np.random.default_rng(number)
    total = queue_path(trace)
    server = int(rng.integers(case.system.n_servers))
    one = queue_path(trace, server)
    for t in [*rng.uniform(0.0, case.window.end, 5), *(rng.choice(trace["arrival"], 5) if len(trace) else [])]:
        assert total(t) == present(trace, t)
        assert one(t) == present(trace, t, server)
    assert (one.values <= case.system.places).all()
    assert (np.diff(total.times) > 0).all()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(number=st.integers(0, 2**32 - 1), block_rows=st.sampled_from([1, 7, 10_000]))
def test_the_identities_hold_on_every_path_and_every_window(number, block_rows):
    case = random_case(number, jobs=80)
    trace = recorded(case.system, case.window, seed=number, start=case.start, block_rows=block_rows)
    begin, end = np.sort(np.random.default_rng(number).uniform(0.0, case.window.end, 2)).tolist()
    row = presence(trace, (begin, end)).iloc[0]
    assert row.integral == pytest.approx(queue_path(trace).integral(begin, end), rel=1e-12, abs=1e-12)
    assert row.responses == pytest.approx(row.integral, rel=1e-11, abs=1e-11)
    table = servers(trace, (begin, end))
    assert table.mean_jobs.sum() == pytest.approx(row.mean_jobs, rel=1e-9, abs=1e-9)
    busy = [1 - queue_path(trace, n).shares(begin, end)[0] for n in range(min(case.system.n_servers, 5))]
    assert np.allclose(table.busy[:5], busy, atol=1e-9)


def test_each_replication_has_its_own_path():
    trace = recorded(FLEET, Window(0.0, 30.0), replications=(2, 7))
    with pytest.raises(PlanError, match="say which one"):
        queue_path(trace)
    alone = recorded(FLEET, Window(0.0, 30.0), replications=(7,))
    assert np.array_equal(queue_path(trace, replication=7).times, queue_path(alone).times)
    assert presence(trace).replication.tolist() == [2, 7]


def test_labels_are_shown_where_they_are_known():
    trace = recorded(FLEET, Window(0.0, 30.0))
    table = servers(trace)
    assert table.label.tolist() == ["d", "c", "b", "a"]
    assert table.speed.tolist() == FLEET.rates.vector().tolist()
    assert table.jobs.sum() == (~trace["blocked"]).sum()


def test_a_broken_identity_is_an_error():
    """A job counted twice in the responses but not in the path cannot be made from rows; one that leaves before it comes can."""
    trace = recorded(FLEET, Window(0.0, 30.0))
    columns = {name: values.copy() for name, values in trace.columns.items()}
    columns["departure"][10] = columns["arrival"][10] - 1.0
    with pytest.raises(IdentityError, match=r"arrivals are not|sum of responses"):
        presence(Trace(trace.facts, MemoryRows(columns, FLEET.rates.vector())), (0.0, 30.0))


def test_a_server_that_does_not_exist():
    with pytest.raises(PlanError, match="servers are 0 to 1"):
        queue_path(by_hand(), 2)


def test_a_path_is_looked_at_forwards():
    with pytest.raises(PlanError, match="from one time to a later"):
        StepFunction(np.array([1.0]), np.array([1])).integral(2.0, 1.0)


def test_an_empty_path_is_zero():
    assert StepFunction(np.empty(0), np.empty(0, np.int64)).integral(0.0, 5.0) == 0.0
