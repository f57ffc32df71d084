"""What if? The jobs of a log, dispatched again under any policy: same arrivals, same sizes, other queues.

In    a log (CSV, Parquet, DataFrame) or a Trace; rates, policy, places
Out   a Replay: the Trace of what would have happened, and the difference job by job
Rule  the jobs are given, so the difference between two policies is theirs alone: a paired comparison
Cost  one engine run over the whole log

Times come back as in the log to rounding. Model time is (time - first arrival) / time_unit, one rounding each; in
model time the engine's arrivals equal the log's to the last bit (a first few may be off by one rounding, see
`stream.gaps_to`; with whole times none is), and with time_unit a power of 2, say 1, so do they in the log's own time.
Where time_unit is something else, a departure and an arrival that the log has at one instant may come apart by a rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from jfsq_simpy import engines
from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import DataError, PlanError
from jfsq_simpy.estimate import Estimate
from jfsq_simpy.jobs.trace import Trace, open_sink
from jfsq_simpy.policies import Policy
from jfsq_simpy.rates import FloatArray, IntArray, Rates, as_rates
from jfsq_simpy.replay.log import Log, log_from_trace, read_log
from jfsq_simpy.replay.stream import GivenGaps, GivenSizes
from jfsq_simpy.system import System
from jfsq_simpy.tally import NOTHING, Window
from jfsq_simpy.trace_analysis.intervals import join, pairs_to_join, ratio

if TYPE_CHECKING:
    import pandas as pd

BATCHES = 32
LONG_ENOUGH = 0.125  # of the engine's window, which only has to begin at the last arrival


@dataclass
class Replay:
    """A log dispatched again. `trace` is in model time; tables are in the log's own (a Trace's is model time).

    `names[n]` is what the log calls server n; servers of the trace are numbered fastest first.
    """

    system: System
    log: Log
    trace: Trace
    names: tuple[Any, ...]

    @cached_property
    def jobs(self) -> pd.DataFrame:
        """One row a job, in the log's time: job, arrival, server, start, departure, wait, response, size, blocked."""
        import pandas as pd

        unit, origin = self.log.time_unit, self.log.origin
        table = pd.DataFrame({"job": self.trace["job"], "arrival": self.trace["arrival"] * unit + origin})
        table["server"] = _named(self.names, self.trace["server"])
        for name in ("start", "departure"):
            table[name] = self.trace[name] * unit + origin
        for name in ("wait", "response"):
            table[name] = self.trace[name] * unit
        return table.assign(size=self.trace["size"], blocked=self.trace["blocked"])

    @property
    def offered_load(self) -> float:
        """Work that came, per unit of capacity and time, from the first arrival to the last."""
        span = float(self.log.arrival[-1] - self.log.arrival[0])
        return float(self.log.size.sum()) / (span * self.system.n_servers) if span > 0 else float("nan")

    def difference(self, before: Replay | None = None) -> pd.DataFrame:
        """Job by job: the wait here less the wait in the log, or in another Replay of it.

        Columns: job, arrival, server_before, server, wait_before, wait, difference (negative: it waits
        less here), in the log's time; nan where one of the two blocked the job or does not know.
        Errors: PlanError where the log does not say how long jobs waited.
        """
        wait_before, server_before = self._before(before)
        table = self.jobs[["job", "arrival", "server", "wait"]].copy()
        table.insert(2, "server_before", _named(self.names, server_before))
        table.insert(4, "wait_before", wait_before * self.log.time_unit)
        table["difference"] = table["wait"] - table["wait_before"]
        return table

    def mean_difference(self, before: Replay | None = None, level: float = 0.95) -> Estimate:
        """The mean of `difference` over jobs that both served, with an interval from batches of consecutive time.

        Jobs are the same in both, so their differences are what varies; they are no more independent
        of each other than waits are. nan limits where fewer than two batches hold a job.
        """
        wait_before, _ = self._before(before)
        d = (self.trace["wait"] - wait_before) * self.log.time_unit
        known = ~np.isnan(d)
        arrival = self.log.arrival
        span = float(arrival[-1] - arrival[0]) or 1.0
        unit = np.minimum(((arrival - arrival[0]) * (BATCHES / span)).astype(np.int64), BATCHES - 1)[known]
        sums = np.bincount(unit, d[known], minlength=BATCHES).astype(np.float64)
        jobs = np.bincount(unit, minlength=BATCHES).astype(np.float64)
        joins = pairs_to_join(sums, jobs)
        sums, jobs = join(sums, joins), join(jobs, joins)
        found = ratio(sums, jobs, level, "batches")
        method = f"{sums.size} batches, jackknife, Student t"
        return Estimate(float(found.value), float(found.low), float(found.high), level, sums.size, method)

    def counts(self, before: Replay | None = None) -> dict[str, int]:
        """How many jobs wait less, the same, longer; how many are blocked in one of the two, or in both.

        "The same" is within 1e-9 of the time since the log began: differences below are rounding.
        """
        wait_before, _ = self._before(before)
        wait = self.trace["wait"]
        slack = 1e-9 * np.maximum(self.log.arrival, 1.0)
        now, then = np.isnan(wait), np.isnan(wait_before)
        with np.errstate(invalid="ignore"):
            less, more = wait < wait_before - slack, wait > wait_before + slack
        both = ~now & ~then
        return {
            "less": int(less.sum()),
            "same": int((both & ~less & ~more).sum()),
            "longer": int(more.sum()),
            "blocked_now": int((now & ~then).sum()),
            "blocked_before": int((then & ~now).sum()),
            "blocked_twice": int((now & then).sum()),
        }

    def _before(self, before: Replay | None) -> tuple[FloatArray, IntArray]:
        if before is None:
            if not self.log.has_waits:
                raise PlanError(
                    "the log does not say how long its jobs waited (columns wait, start, response or departure); "
                    "compare with another replay of it instead: difference(other)."
                )
            return self.log.wait, self.log.server
        same = np.array_equal(self.log.arrival, before.log.arrival) and np.array_equal(self.log.size, before.log.size)
        if not same:
            raise PlanError("the two replays are of different logs; a difference job by job needs the same jobs.")
        return before.trace["wait"], before.trace["server"]


def replay(
    log: str | Path | pd.DataFrame | Trace,
    *,
    policy: Policy | str | Mapping[str, Any],
    rates: Rates | ArrayLike | None = None,
    places: int | None = None,
    rng: Any = None,
    engine: str = "auto",
    replication: int | None = None,
    trace: bool | str | Path = True,
) -> Replay:
    """Dispatch the jobs of a log again, under any policy.

    Parameters
    ----------
    log : a CSV or Parquet file or a DataFrame with columns `arrival` and `size` (or `service_time` and
        `server`) and, to compare with, `wait`, `start`, `response` or `departure`; or a Trace, or its file
    policy : name, table or Policy
    rates : Rates, whose time_unit and labels are the log's, or an array that sums to N, the log's servers
        being places in it. Default, for a Trace: its own
    places : jobs a server holds, the one in service included. Default, for a Trace: its own
    rng : for ties and samples. Default, for a Trace: its own seed, so the same policy gives the same trace
    engine : "auto", "process" or "events"
    replication : which one, of a Trace with several
    trace : True keeps the new records in memory, a path writes them to a Parquet file

    Returns a Replay: its `trace`, and `difference()`, a row a job. Servers are empty at the first arrival; everybody is
    served to the end. Times are in the log's own unit. Errors: DataError, PlanError, ModelError. One replication of the
    engine; O(jobs) memory unless the trace goes to a file. Source: section 2, with the log's gaps and sizes.

    >>> import pandas as pd
    >>> log = pd.DataFrame({"arrival": [0.0, 1.0, 1.5], "size": [3.0, 3.0, 1.0], "wait": [0.0, 1.0, 0.0]})
    >>> found = replay(log, rates=[1.5, 0.5], policy="jfsq", places=3, engine="process")
    >>> found.difference()[["server", "wait_before", "wait", "difference"]].to_numpy().tolist()
    [[0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, -1.0], [0.0, 0.0, 0.5, 0.5]]
    """
    source = _opened(log)
    if not isinstance(source, Trace):
        if rates is None or places is None:
            raise PlanError("replay: a log does not say how fast its servers are and what they hold; give rates and places.")
        fleet, names, index_of = _fleet(rates)
        jobs = read_log(source, fleet, index_of)
        seed, number, load = Seed.of(rng), 0, None
    else:
        number = _replication(source, replication)
        fleet, names, _ = _fleet(rates if rates is not None else rates_of(source))
        jobs = log_from_trace(source, number)
        seed = Seed.of(rng) if rng is not None or source.facts.seed is None else _seed(source.facts.seed)
        places = places if places is not None else source.facts.places
        load = source.facts.system.get("load") if fleet.n_servers == source.facts.n_servers else None
    system = _system(fleet, places, policy, jobs, load)
    return Replay(system, jobs, _run(system, seed, number, jobs, engine, trace), names)


# ---- parts ---------------------------------------------------------------------------------------------------


def _opened(log: str | Path | pd.DataFrame | Trace) -> str | Path | pd.DataFrame | Trace:
    """The Trace in the file named; any other log, and a Trace, as it is."""
    if isinstance(log, (str, Path)) and Path(log).suffix.lower() in (".parquet", ".pq"):
        from jfsq_simpy.jobs.trace_file import is_trace

        return Trace.read(log) if is_trace(log) else log
    return log


def _fleet(rates: Rates | ArrayLike) -> tuple[Rates, tuple[Any, ...], Any]:
    """Rates, what the log calls each server, fastest first, and how to find a server by that name."""
    fleet = as_rates(rates)
    names: tuple[Any, ...] = fleet.labels or tuple(range(fleet.n_servers))
    if not isinstance(rates, Rates):
        names = tuple(np.argsort(-np.asarray(rates, dtype=np.float64), kind="stable").tolist())
    return fleet, names, lambda column: _indices(column, names)


def _indices(column: Any, names: tuple[Any, ...]) -> IntArray:
    """Where each name stands; -1 for one nobody has. A server may be written 3, 3.0 or "3"."""
    import pandas as pd

    place = {str(name): n for n, name in enumerate(names)}
    codes, found = pd.factorize(np.asarray(column))  # missing: -1, which picks the last entry below
    written = [str(int(v)) if isinstance(v, (float, np.floating)) and v.is_integer() else str(v) for v in found]
    return np.array([*(place.get(name, -1) for name in written), -1], dtype=np.int64)[codes]


def _named(names: tuple[Any, ...], server: IntArray) -> Any:
    """What the log calls each server; None, or -1 where names are numbers, for no server."""
    nobody = -1 if all(isinstance(n, int) for n in names) else None
    return np.array([*names, nobody])[server]


def rates_of(trace: Trace) -> Rates:
    """The rates of a trace's servers: from its facts, or else from the speeds of the servers that took jobs. Errors: PlanError."""
    facts, kept = trace.facts, trace.facts.system.get("rates", {})
    if "speeds" in kept and "counts" in kept:
        return Rates(np.array(kept["speeds"], dtype=np.float64), np.array(kept["counts"]), facts.time_unit, facts.labels)
    speeds = np.full(facts.n_servers, np.nan)
    for block in trace.blocks("server", "speed"):
        took = block["server"] >= 0
        speeds[block["server"][took]] = block["speed"][took]
    if np.isnan(speeds).any():
        raise PlanError(f"the trace does not tell the rates of {int(np.isnan(speeds).sum())} servers that took no job; give rates.")
    values, counts = np.unique(-speeds, return_counts=True)
    return Rates(-values, counts, facts.time_unit, facts.labels)


def _replication(trace: Trace, asked: int | None) -> int:
    numbers = trace.facts.replications
    if asked is None and len(numbers) > 1:
        raise PlanError(f"the trace holds replications {list(numbers)}; say which one: replication = ...")
    if asked is not None and asked not in numbers:
        raise PlanError(f"the trace holds no replication {asked}; it holds {list(numbers)}.")
    return numbers[0] if asked is None else asked


def _seed(kept: Mapping[str, Any]) -> Seed:
    entropy = kept["entropy"]
    return Seed(tuple(entropy) if isinstance(entropy, list) else entropy, tuple(kept["spawn_key"]))


def _system(fleet: Rates, places: int, policy: Any, jobs: Log, load: float | None) -> System:
    load = load if load is not None else _round_load(jobs.arrival, fleet.n_servers)
    gaps = GivenGaps(jobs.arrival, load * fleet.n_servers)
    return System(fleet, load=load, places=places, policy=policy, size=GivenSizes(jobs.size), arrivals=gaps)


def _round_load(arrival: FloatArray, n_servers: int) -> float:
    """A load whose arrival rate is a power of 2, within a factor 1.42 of the log's.

    The engine divides gaps by that rate: by a power of 2 it does so exactly. A trace brings its own load,
    which gives the very clock it was made with; any other log knows none, and `Replay.offered_load` is
    what it really offered.
    """
    span = float(arrival[-1])
    rate = 2.0 ** round(math.log2(arrival.size / span)) if span > 0 else 1.0
    load = rate / n_servers
    while load * n_servers != rate:  # rate / N rounds, and so does its product with N
        load = math.nextafter(load, math.inf if load * n_servers < rate else 0.0)
    return load


def _run(system: System, seed: Seed, number: int, jobs: Log, engine: str, trace: bool | str | Path) -> Trace:
    chosen = engines.choose(engine, system, trace=True)
    engines.compile_for(chosen, system)
    last = float(jobs.arrival[-1])
    # records are kept from the start whatever is measured; measuring begins at the end, since snapshots
    # all along a sparse log would outgrow the log
    window = Window(last, max(LONG_ENOUGH, last * 1e-12))
    with open_sink(trace, system, seed=seed, replications=[number], engine=chosen.name) as recording:
        chosen.load().run(system, seed, number, window, observe=NOTHING, sink=recording.of(number))
        found = recording.commit()
    if len(found) != jobs.arrival.size:
        raise DataError(f"replay: {jobs.arrival.size} jobs were to come, but {len(found)} did.")
    return found
