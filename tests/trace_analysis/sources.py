"""Traces to analyse: by hand, from the engine, and long ones of a single server without an engine."""

from __future__ import annotations

import numpy as np

from jfsq_simpy.draws import Seed
from jfsq_simpy.engines import ENGINES
from jfsq_simpy.jobs.trace import Trace, open_sink
from jfsq_simpy.jobs.trace_rows import MemoryRows, TraceFacts
from jfsq_simpy.system import System
from jfsq_simpy.tally import Window


def recorded(system, window, seed=1, replications=(0,), start="empty", block_rows=50):
    """A run of the process engine, its rows handed out in small pieces."""
    with open_sink(True, system, seed=Seed.of(seed), replications=replications, window=window) as recording:
        for number in replications:
            sink = recording.of(number)
            ENGINES["process"].load().run(system, Seed.of(seed), number, window, start=start, sink=sink)
        trace = recording.commit()
    trace.rows.block_rows = block_rows
    return trace


def single_server(n_jobs, load, seed, burn=2_000):
    """M/M/1 by Lindley's recursion, vectorised: a trace whose first `burn` jobs lie before the window."""
    rng = np.random.default_rng(seed)
    arrival = np.cumsum(rng.standard_exponential(n_jobs) / load)
    size = rng.standard_exponential(n_jobs)
    # the wait is the free path less its running minimum
    path = np.concatenate([[0.0], np.cumsum(size[:-1] - np.diff(arrival))])
    wait = path - np.minimum.accumulate(path)
    start = arrival + wait
    k = np.arange(n_jobs)
    columns = {"job": k, "arrival": arrival, "server": 0 * k, "level": (wait > 0).astype(np.int64)}
    columns |= {"start": start, "departure": start + size, "size": size}
    facts = TraceFacts.of(System(rates=[1.0], load=load, places=254), window=Window(arrival[burn], arrival[-1] - arrival[burn]))
    return Trace(facts, MemoryRows(columns, np.ones(1)))


def by_hand():
    """Two servers, rates 1.5 and 0.5, three places each; job 4 is blocked, job 5 has not left."""
    nan = np.nan
    columns = {
        "job": np.array([0, 1, 2, 3, 4, 5]),
        "arrival": np.array([0.0, 1.0, 1.0, 2.0, 3.0, 6.0]),
        "server": np.array([0, 1, 0, 0, -1, 1]),
        "level": np.array([0, 0, 1, 1, 3, 0]),
        "start": np.array([0.0, 1.0, 2.0, 4.0, nan, 6.0]),
        "departure": np.array([2.0, 5.0, 4.0, 5.0, nan, nan]),
        "size": np.array([3.0, 2.0, 3.0, 1.5, 1.0, 9.0]),
    }
    facts = TraceFacts.of(System(rates=[1.5, 0.5], load=0.5, places=3))
    return Trace(facts, MemoryRows(columns, np.array([1.5, 0.5]), block_rows=2))
