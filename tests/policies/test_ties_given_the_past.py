"""Ties fall uniformly whatever happened before: whoever has been idle longest is no more and no less likely to be next."""

import heapq

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import System, rates
from jfsq_simpy.draws import Seed
from jfsq_simpy.engines import ENGINES
from jfsq_simpy.jobs.sinks import MemorySink
from jfsq_simpy.policies import CARDS, POLICIES
from jfsq_simpy.tally import Window

FALSE_ALARM = 1e-6
FLEET = rates.classes([4, 4], [2.0, 1.0])
TURNS = {"round_robin", "weighted_round_robin"}  # leave no ties
AMONG_IDLE_ONLY = {"least_work", "central_queue"}  # busy servers of one queue length differ in their work, or are not chosen


def records(name, length, **changes):
    engine = "events" if ENGINES["events"].available and name != "central_queue" else "process"
    system = System(FLEET, load=0.8, places=4, policy={"name": name, **CARDS[name].example, **changes})
    sink = MemorySink()
    ENGINES[engine].load().run(system, Seed.of(17), 0, Window(0.0, length), sink=sink)
    return sink.columns()


def places_among_equals(c, idle_only):
    """For each size of a group of equals (same speed, same queue length), how often its k-th got the job.

    Equals stand in the order in which they last changed. All is rebuilt from the records.
    """
    class_of, queue, since = FLEET.class_of_server(), np.zeros(8, int), np.zeros(8)
    seen = {m: np.zeros(m, int) for m in range(2, 5)}
    leaving = []
    columns = (c[k].tolist() for k in ("arrival", "server", "level", "departure"))
    for arrival, server, level, departure in zip(*columns, strict=True):
        while leaving and leaving[0][0] <= arrival:
            t, n = heapq.heappop(leaving)
            queue[n], since[n] = queue[n] - 1, t
        if server < 0:
            continue
        equals = np.flatnonzero((class_of == class_of[server]) & (queue == queue[server]))
        if equals.size > 1 and (not idle_only or level == 0):
            seen[equals.size][np.flatnonzero(equals[np.argsort(since[equals])] == server)[0]] += 1
        queue[server], since[server] = queue[server] + 1, arrival
        heapq.heappush(leaving, (departure, server))
    return [k for k in seen.values() if k.sum() >= 100]


@pytest.mark.parametrize("name", [name for name in POLICIES if name not in TURNS])
def test_who_has_waited_longest_for_a_job_does_not_matter(name):
    counts = places_among_equals(records(name, 600.0), name in AMONG_IDLE_ONLY)
    assert sum(k.sum() for k in counts) > 900
    statistic = sum(stats.chisquare(k).statistic for k in counts)
    assert stats.chi2.sf(statistic, sum(k.size - 1 for k in counts)) > FALSE_ALARM


def test_ties_by_index_would_be_seen():
    """The lowest index is often the one that has been idle longest, or shortest: the test is sharp enough to tell."""
    counts = places_among_equals(records("jfsq", 600.0, ties="index"), idle_only=False)
    statistic = sum(stats.chisquare(k).statistic for k in counts)
    assert stats.chi2.sf(statistic, sum(k.size - 1 for k in counts)) < FALSE_ALARM


@pytest.mark.parametrize("seed", range(6))
def test_the_central_queue_sends_a_job_to_a_fastest_idle_server(seed):
    """On random fleets: who starts at once does so at a fastest idle server, and who waits found none idle."""
    rng = np.random.default_rng(seed)
    fleet = rates.from_speeds(rng.choice([0.5, 1.0, 2.0], int(rng.integers(2, 9))))
    system = System(fleet, load=float(rng.uniform(0.4, 1.3)), places=int(rng.integers(1, 5)), policy="central_queue")
    sink = MemorySink()
    ENGINES["process"].load().run(system, Seed.of(seed), 0, Window(0.0, 300.0), sink=sink)
    c, mu = sink.columns(), fleet.vector()
    served = c["server"] >= 0
    for arrival, server, level in zip(c["arrival"].tolist(), c["server"].tolist(), c["level"].tolist(), strict=True):
        busy = served & (c["start"] < arrival) & (c["departure"] > arrival)
        idle = np.setdiff1d(np.arange(mu.size), c["server"][busy])
        if level == 0 and server >= 0:
            assert mu[server] == mu[idle].max()
        else:
            assert idle.size == 0
