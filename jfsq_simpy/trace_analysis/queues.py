"""Queue lengths rebuilt from a trace: step functions, their exact integrals, how busy each server was.

In    a Trace
Out   StepFunction (jobs present, in all or at one server), a table of servers, the pathwise identities
Rule  a job is present from its arrival to its departure, the one in service included; changes of one
      instant count as one, so no state of no duration is seen. Jobs present at time 0 are counted here
Cost  O(n log n) a block; a path keeps 16 bytes an event, the integrals and tables O(block + servers)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jfsq_simpy.errors import IdentityError, PlanError
from jfsq_simpy.jobs.counting import Columns
from jfsq_simpy.jobs.trace import Trace
from jfsq_simpy.jobs.trace_rows import REPLICATION
from jfsq_simpy.rates import FloatArray, IntArray
from jfsq_simpy.trace_analysis.cells import Window, checked_window

if TYPE_CHECKING:
    import pandas as pd

ROUNDING = 1e-11  # relative: two sums of the same times, taken in different orders


@dataclass(frozen=True)
class StepFunction:
    """A whole-valued function of time, constant from each of `times` up to the next, 0 before the first.

    >>> path = StepFunction(np.array([1.0, 3.0, 4.0]), np.array([1, 2, 0]))
    >>> path(np.array([0.0, 1.0, 3.5])).tolist(), path.integral(0.0, 4.0), path.shares(0.0, 4.0).tolist()
    ([0, 1, 2], 4.0, [0.25, 0.5, 0.25])
    """

    times: FloatArray  # increasing
    values: IntArray

    def __call__(self, t: ArrayLike) -> IntArray:
        """The value at each time, changes of that instant included. O(log n) a time."""
        place = np.searchsorted(self.times, t, side="right")
        return np.concatenate([[0], self.values])[place]

    def integral(self, begin: float, end: float) -> float:
        """The area below it, without discretisation: correctly rounded sum of value x duration."""
        values, durations = self._pieces(begin, end)
        return math.fsum((values * durations).tolist())

    def mean(self, begin: float, end: float) -> float:
        """The time average."""
        return self.integral(begin, end) / (end - begin)

    def shares(self, begin: float, end: float) -> FloatArray:
        """float array (max + 1,): the share of time spent at each value."""
        values, durations = self._pieces(begin, end)
        return np.bincount(values, durations) / (end - begin)

    def _pieces(self, begin: float, end: float) -> tuple[IntArray, FloatArray]:
        if not begin < end:
            raise PlanError(f"a path is looked at from one time to a later one; ({begin}, {end}) is not that.")
        inside = (self.times > begin) & (self.times < end)
        edges = np.concatenate([[begin], self.times[inside], [end]])
        return self(edges[:-1]), np.diff(edges)


def queue_path(trace: Trace, server: int | None = None, *, replication: int | None = None) -> StepFunction:
    """Jobs present over time: in all, or at one server (0 the fastest). Errors: PlanError. O(n log n).

    >>> from jfsq_simpy import System, simulate
    >>> system = System(rates=[1.5, 0.5], load=0.8, places=3)
    >>> trace = simulate(system, horizon=50, warmup=0, engine="process", trace=True, rng=7).trace
    >>> both = queue_path(trace)
    >>> bool(both(20.0) == queue_path(trace, 0)(20.0) + queue_path(trace, 1)(20.0))
    True
    """
    if server is not None and not 0 <= server < trace.facts.n_servers:
        raise PlanError(f"server {server} does not exist: servers are 0 to {trace.facts.n_servers - 1}, fastest first.")
    times, changes = [np.empty(0)], [np.empty(0, np.int64)]
    for time, change in events(trace, server, replication):
        times.append(time)
        changes.append(change)
    return _path(np.concatenate(times), np.concatenate(changes))


def events(trace: Trace, server: int | None = None, replication: int | None = None) -> Iterator[tuple[FloatArray, IntArray]]:
    """Arrivals (+1) and departures (-1) in the order of time, in pieces whose times do not overlap."""
    pending = np.empty(0)  # departures of jobs seen, later than every event handed out
    for block in _rows_of(trace, ("arrival", "departure", "server"), replication):
        joined = block["server"] >= 0 if server is None else block["server"] == server
        arrival, departure = block["arrival"][joined], block["departure"][joined]
        pending = np.concatenate([pending, departure[~np.isnan(departure)]])
        now = pending <= block["arrival"][-1]
        yield _in_order(arrival, pending[now])
        pending = pending[~now]
    yield _in_order(np.empty(0), pending)


def _rows_of(trace: Trace, names: Sequence[str], replication: int | None) -> Iterator[Columns]:
    """Blocks of one replication, never empty."""
    if REPLICATION not in trace.names:
        yield from (block for block in trace.blocks(*names) if block[names[0]].size)
        return
    if replication is None:
        raise PlanError(f"the trace holds replications {list(trace.facts.replications)}; say which one: replication = ...")
    for block in trace.blocks(REPLICATION, *names):
        here = block.pop(REPLICATION) == replication
        if here.any():
            yield {name: column[here] for name, column in block.items()}


def _in_order(arrival: FloatArray, departure: FloatArray) -> tuple[FloatArray, IntArray]:
    time = np.concatenate([arrival, departure])
    change = np.concatenate([np.ones(arrival.size, np.int64), np.full(departure.size, -1)])
    order = np.argsort(time, kind="stable")
    return time[order], change[order]


def _path(time: FloatArray, change: IntArray) -> StepFunction:
    """Changes of one instant taken together, and instants without a change left out."""
    if not time.size:
        return StepFunction(time, change)
    last = np.append(time[1:] != time[:-1], True)
    value = np.cumsum(change)[last]
    moves = np.diff(value, prepend=0) != 0
    return StepFunction(time[last][moves], value[moves])


# ---- the pathwise identities ---------------------------------------------------------------------------------


def presence(trace: Trace, window: Window | None = None) -> pd.DataFrame:
    """Two identities that hold on every path, a row a replication; IdentityError where one is broken.

    arrivals = departures + blocked + change in jobs present; and the sum of responses, each cut to the
    window, equals the integral of jobs present over it (Little's law before any averages are taken).
    Columns: replication, arrivals, departures, blocked, present_before, present_after, integral,
    responses, mean_jobs. The integral is summed over time, the responses over jobs. One pass each.

    >>> from jfsq_simpy import System, simulate
    >>> system = System(rates=[1.5, 0.5], load=0.8, places=3)
    >>> trace = simulate(system, horizon=500, warmup=0, engine="process", trace=True, rng=7).trace
    >>> row = presence(trace, (100.0, 300.0)).iloc[0]
    >>> bool(abs(row.integral - row.responses) < 1e-9 * row.integral)
    True
    """
    import pandas as pd

    begin, end = checked_window(trace, window)
    several = REPLICATION in trace.names
    rows = [_presence(trace, r if several else None, begin, end) for r in trace.facts.replications]
    return pd.DataFrame([{"replication": r, **row} for r, row in zip(trace.facts.replications, rows, strict=True)])


def _presence(trace: Trace, replication: int | None, begin: float, end: float) -> dict[str, Any]:
    n = dict.fromkeys(("arrivals", "departures", "blocked", "present_before", "present_after"), 0)
    responses: list[float] = []
    for c in _rows_of(trace, ("arrival", "departure", "server"), replication):
        joined, arrival = c["server"] >= 0, c["arrival"]
        departure = np.where(np.isnan(c["departure"]), np.inf, c["departure"])
        came = (arrival >= begin) & (arrival < end)
        n["arrivals"] += int(came.sum())
        n["blocked"] += int((came & ~joined).sum())
        n["departures"] += int((joined & (departure >= begin) & (departure < end)).sum())
        n["present_before"] += int((joined & (arrival < begin) & (departure >= begin)).sum())
        n["present_after"] += int((joined & (arrival < end) & (departure >= end)).sum())
        stay = np.minimum(departure, end) - np.maximum(arrival, begin)
        responses.append(math.fsum(stay[joined & (stay > 0)].tolist()))
    if n["arrivals"] != n["departures"] + n["blocked"] + n["present_after"] - n["present_before"]:
        raise IdentityError(f"trace: arrivals are not departures + blocked + change in jobs present: {n}.")
    integral, total = _integral(trace, replication, begin, end), math.fsum(responses)
    if abs(integral - total) > ROUNDING * max(total, end):
        raise IdentityError(f"trace: the sum of responses {total!r} is not the integral of jobs present {integral!r}.")
    return {**n, "integral": integral, "responses": total, "mean_jobs": integral / (end - begin)}


def _integral(trace: Trace, replication: int | None, begin: float, end: float) -> float:
    """The integral of jobs present, event by event, without keeping the path."""
    level, since, areas = 0, begin, []
    for time, change in events(trace, None, replication):
        if not time.size:
            continue
        after = level + np.cumsum(change)
        edges = np.clip(np.concatenate([[since], time]), begin, end)
        areas.append(math.fsum((np.concatenate([[level], after[:-1]]) * np.diff(edges)).tolist()))
        level, since = int(after[-1]), float(edges[-1])
    areas.append(level * max(end - since, 0.0))
    return math.fsum(areas)


# ---- server by server ----------------------------------------------------------------------------------------


def servers(trace: Trace, window: Window | None = None) -> pd.DataFrame:
    """What each server did in the window: jobs it took, share of time busy, jobs held on average.

    Columns: server, label (where known), speed, jobs (arrivals accepted), busy, mean_jobs, most_found
    (the longest queue an arrival found there). Replications are averaged. One pass, O(servers) memory.

    >>> from jfsq_simpy import System, simulate
    >>> system = System(rates=[1.5, 0.5], load=0.8, places=3)
    >>> trace = simulate(system, horizon=500, warmup=0, engine="process", trace=True, rng=7).trace
    >>> table = servers(trace, (0.0, 500.0))
    >>> bool(abs(table.mean_jobs.sum() - queue_path(trace).mean(0.0, 500.0)) < 1e-9)
    True
    """
    import pandas as pd

    begin, end = checked_window(trace, window)
    n = trace.facts.n_servers
    jobs, most = np.zeros(n, np.int64), np.zeros(n, np.int64)
    busy, held, speed = np.zeros(n), np.zeros(n), np.full(n, np.nan)
    for block in trace.blocks("server", "speed", "arrival", "start", "departure", "level"):
        joined = block["server"] >= 0
        c = {name: column[joined] for name, column in block.items()}
        came = (c["arrival"] >= begin) & (c["arrival"] < end)
        jobs += np.bincount(c["server"][came], minlength=n)
        np.maximum.at(most, c["server"][came], c["level"][came])
        speed[c["server"]] = c["speed"]
        busy += np.bincount(c["server"], _inside(c["start"], c["departure"], begin, end), minlength=n)
        held += np.bincount(c["server"], _inside(c["arrival"], c["departure"], begin, end), minlength=n)
    time = (end - begin) * len(trace.facts.replications)
    table = pd.DataFrame({"server": np.arange(n), "speed": speed, "jobs": jobs, "busy": busy / time, "mean_jobs": held / time})
    table["most_found"] = most
    if trace.facts.labels is not None:
        table.insert(1, "label", list(trace.facts.labels))
    return table


def _inside(begins: FloatArray, ends: FloatArray, begin: float, end: float) -> NDArray[np.float64]:
    """How much of each stretch lies in the window; one that has not ended goes on, one that has not begun is nothing."""
    until = np.minimum(np.where(np.isnan(ends), np.inf, ends), end)
    return np.where(np.isnan(begins), 0.0, np.maximum(until - np.maximum(begins, begin), 0.0))
