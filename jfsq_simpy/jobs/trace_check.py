"""Does a trace obey the rules of the model? Every rule, every job, in one pass.

In    TraceFacts and Rows, in memory or on disk
Out   nothing, or IdentityError naming the first rule broken and a job that breaks it
Rule  the trace speaks for itself: rates are those of its `speed` column, queue lengths are rebuilt from
      its times. At one instant departures come before arrivals
Cost  O(n log n) a block; memory O(block + jobs present + servers)
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.errors import IdentityError
from jfsq_simpy.jobs.counting import Columns
from jfsq_simpy.jobs.trace_rows import REPLICATION, Rows, TraceFacts
from jfsq_simpy.rates import IntArray

Flags = NDArray[np.bool_]
STORED = ("blocked", "finished", "wait", "response")  # written beside what they follow from


def check_rows(facts: TraceFacts, rows: Rows) -> None:
    """Raise IdentityError at the first job that breaks a rule of the model.

    Ids and arrivals in order, each job once; blocked jobs found all places taken and were never served;
    service takes size / rate, to the last bit (where servers fail: at least so long, but for
    rounding); first come first served at each server, none idle with
    work (a job starts when it arrives or when the one before it leaves, whichever is later); the level
    found is what the server held; none above its places; jobs that did not leave could not have;
    every job is exactly one of blocked, finished, present. O(n log n).
    """
    checker: Checker | None = None
    seen: set[int] = set()
    names = [name for name in rows.names if name != REPLICATION]
    for number, block in _by_replication(rows, names):
        if checker is None or checker.replication != number:
            if checker is not None:
                checker.finish()
            if number in seen:
                raise IdentityError(f"trace: replication {number} comes in two pieces; its rows must follow each other.")
            seen.add(number)
            checker = checker_for(facts)(facts, number)
        checker.add(block)
    if checker is not None:
        checker.finish()


def checker_for(facts: TraceFacts) -> type[Checker]:
    """Which rules are those of the run."""
    return OneQueueChecker if facts.one_queue else FailingChecker if facts.servers_fail else Checker


def _by_replication(rows: Rows, names: list[str]) -> Iterator[tuple[int, Columns]]:
    """Pieces of blocks that belong to one replication, with its number."""
    if REPLICATION not in rows.names:
        for block in rows.blocks(names):
            yield 0, block
        return
    for block in rows.blocks([REPLICATION, *names]):
        number = block.pop(REPLICATION)
        edges = np.flatnonzero(np.diff(number)) + 1
        for begin, end in zip([0, *edges.tolist()], [*edges.tolist(), number.size], strict=True):
            if begin < end:
                yield int(number[begin]), {name: column[begin:end] for name, column in block.items()}


class Checker:
    """Checks one replication's rows, block by block; carries the jobs still present from block to block."""

    def __init__(self, facts: TraceFacts, replication: int) -> None:
        self.facts, self.replication = facts, replication
        self.next_new, self.next_initial = 0, -1  # ids expected: 0, 1, ... and, before them, -1, -2, ...
        self.last_arrival = 0.0
        self.last_event = 0.0
        self.speed_of = np.full(facts.n_servers, np.nan)
        self.present: Columns | None = None  # rows of earlier blocks that may still be at their server
        # per unfinished job, the instant from which it should have gone on (started, or left)
        self.overdue: list[tuple[float, int, str]] = []

    def add(self, c: Columns) -> None:
        """Check the next rows."""
        if not c["job"].size:
            return
        self._check_order(c)
        self._check_values(c)
        self._check_stored(c)
        joined = c["server"] >= 0
        self._check_speeds(c, joined)
        self._check_service(c, joined)
        self._check_servers(c, joined)
        self.last_event = max(self.last_event, *(_latest(c[name]) for name in ("arrival", "start", "departure")))

    def finish(self) -> None:
        """What can be said only at the end: nothing that should have happened by then is missing."""
        for due, job, what in self.overdue:
            if due < self.last_event:
                raise IdentityError(
                    f"trace: {what} (job {job}{self._where()}; due at {due}, and the run went on to {self.last_event})."
                )
        known = np.flatnonzero(~np.isnan(self.speed_of))
        faster = np.flatnonzero(np.diff(self.speed_of[known]) > 0)
        if faster.size:
            raise IdentityError(
                f"trace: servers are numbered fastest first, but server {known[faster[0] + 1]} is faster than one before it."
            )

    # ---- one row at a time ----

    def _check_order(self, c: Columns) -> None:
        job, arrival = c["job"], c["arrival"]
        self._each(np.isfinite(arrival) & (arrival >= 0), "an arrival time is not a finite time at or above 0", job)
        before = np.concatenate([[self.last_arrival], arrival[:-1]])
        self._each(arrival >= before, "arrivals are out of order", job)
        initial = job < 0
        n_initial = int(np.count_nonzero(initial))
        self._each(initial[:n_initial], "a job present at the start comes after an arrival", job[:n_initial])
        expected = np.concatenate([self.next_initial - np.arange(n_initial), self.next_new + np.arange(job.size - n_initial)])
        self._each(job == expected, "job ids are not 0, 1, 2, ... (jobs present at the start: -1, -2, ...)", job)
        self._each(~initial | (arrival == 0) & (self.next_new == 0), "a job present at the start came later", job)
        self.next_initial -= n_initial
        self.next_new += job.size - n_initial
        self.last_arrival = float(arrival[-1])

    def _check_values(self, c: Columns) -> None:
        job, server, level, places = c["job"], c["server"], c["level"], self.facts.places
        blocked = server < 0
        self._each((server < self.facts.n_servers) & (server >= -1), "no such server", job)
        self._each((level >= 0) & (level <= places), "level outside 0 .. places", job)
        self._each(np.isfinite(c["size"]) & (c["size"] >= 0), "a size is not a finite number at or above 0", job)
        self._each(~blocked | np.isnan(c["start"]) & np.isnan(c["departure"]), "a blocked job was served", job)
        self._each(~blocked | (level == places), "a job was blocked by a server that had a free place", job)
        self._each(blocked | (level < places), "a full server took a job", job)
        self._each(~np.isnan(c["start"]) | np.isnan(c["departure"]), "a job left that never started", job)

    def _check_stored(self, c: Columns) -> None:
        job = c["job"]
        follows = {
            "blocked": c["server"] < 0,
            "finished": ~np.isnan(c["departure"]),
            "wait": c["start"] - c["arrival"],
            "response": c["departure"] - c["arrival"],
        }
        for name in STORED:
            same = (c[name] == follows[name]) | ((c[name] != c[name]) & (follows[name] != follows[name]))
            self._each(same, f"column `{name}` is not what the other columns say", job)

    def _check_speeds(self, c: Columns, joined: Flags) -> None:
        job, server, speed = c["job"][joined], c["server"][joined], c["speed"][joined]
        self._each(np.isfinite(speed) & (speed > 0), "a speed is not a finite number above 0", job)
        self._each(np.isnan(c["speed"][~joined]), "a blocked job has the speed of a server", c["job"][~joined])
        known = ~np.isnan(self.speed_of[server])
        self._each(~known | (speed == self.speed_of[server]), "a server changed its speed", job)
        self.speed_of[server] = speed
        self._each(speed == self.speed_of[server], "a server changed its speed", job)

    def _check_service(self, c: Columns, joined: Flags) -> None:
        started = joined & ~np.isnan(c["start"])
        job, left = c["job"][started], c["departure"][started]
        should = c["start"][started] + c["size"][started] / c["speed"][started]
        self._each(np.isnan(left) | (left == should), "service did not take size / rate", job)
        self._owe(should[np.isnan(left)], job[np.isnan(left)], "a job whose service was over had not left")

    # ---- server by server ----

    def _check_servers(self, c: Columns, joined: Flags) -> None:
        names = ("job", "arrival", "server", "level", "start", "departure")
        new = {name: c[name][joined] for name in names}
        old = self.present or {name: column[:0] for name, column in new.items()}
        both = {name: np.concatenate([old[name], new[name]]) for name in names}
        is_new = np.concatenate([np.zeros(old["job"].size, bool), np.ones(new["job"].size, bool)])
        # a job that has left before the next block begins no longer matters: whoever comes then starts at once
        stays = ~(both["departure"] <= self.last_arrival)
        self.present = {name: column[stays] for name, column in both.items()}
        order = np.argsort(both["server"], kind="stable")
        self._check_line({name: column[order] for name, column in both.items()}, is_new[order])

    def _check_line(self, c: Columns, is_new: Flags) -> None:
        """Rows sorted by server, then arrival; those not new serve as what the new ones found."""
        if not is_new.size:
            return
        first = np.concatenate([[True], c["server"][1:] != c["server"][:-1]])
        free_at = np.where(first, -np.inf, np.concatenate([[-np.inf], c["departure"][:-1]]))
        expected = np.maximum(c["arrival"], free_at)  # nan while the job before has not left
        waiting = np.isnan(c["start"])
        self._each(~is_new | waiting | (c["start"] == expected), "a job started early, late or out of turn", c["job"])
        late = is_new & waiting & ~np.isnan(expected)
        self._owe(expected[late], c["job"][late], "a server was idle though a job waited for it")
        found = levels_found(c["arrival"], c["departure"], first)
        self._each(~is_new | (c["level"] == found), "the level found is not what the server held", c["job"])

    # ---- saying so ----

    def _owe(self, due: NDArray[np.float64], jobs: IntArray, what: str) -> None:
        if due.size:
            first = int(np.argmin(due))
            self.overdue.append((float(due[first]), int(jobs[first]), what))

    def _where(self) -> str:
        return f" of replication {self.replication}" if len(self.facts.replications) > 1 else ""

    def _each(self, holds: Flags, what: str, jobs: IntArray) -> None:
        if not np.all(holds):
            raise IdentityError(f"trace: {what} (job {int(jobs[np.flatnonzero(~holds)[0]])}{self._where()}).")


class FailingChecker(Checker):
    """The same where servers fail: a job has its server to itself as before, but may keep it for longer than its service."""

    def _check_service(self, c: Columns, joined: Flags) -> None:
        left = joined & ~np.isnan(c["departure"])
        stayed, service = c["departure"][left] - c["start"][left], c["size"][left] / c["speed"][left]
        rounding = 1e-9 * np.maximum(c["departure"][left], 1.0)
        self._each(stayed >= service - rounding, "a job left before its service was done", c["job"][left])


class OneQueueChecker(Checker):
    """The same where jobs wait together and the server that is free first takes the first (`central`).

    With P jobs present a job finds level P // N: nobody waits while a server is idle, and who waits is
    seated as evenly as can be. It starts in its turn, when its server ends the job before.
    """

    def _check_line(self, c: Columns, is_new: Flags) -> None:
        if not is_new.size:
            return
        first = np.concatenate([[True], c["server"][1:] != c["server"][:-1]])
        free_at = np.where(first, -np.inf, np.concatenate([[-np.inf], c["departure"][:-1]]))
        waiting = np.isnan(c["start"])  # its server is not known yet
        in_turn = c["start"] == np.maximum(c["arrival"], free_at)
        self._each(~is_new | waiting | in_turn, "a job started before its server was free, or later", c["job"])
        by_arrival = np.argsort(np.where(c["job"] >= 0, c["job"], -(2**40) - c["job"]), kind="stable")
        self._check_queue({name: column[by_arrival] for name, column in c.items()}, is_new[by_arrival])

    def _check_queue(self, c: Columns, is_new: Flags) -> None:
        """Rows in the order of arrival."""
        job, start = c["job"], c["start"]
        waiting = np.isnan(start)
        earlier = np.fmax.accumulate(np.concatenate([[-np.inf], start[:-1]]))
        self._each(waiting | (start >= earlier), "a job overtook another in the queue", job)
        self._each(~is_new | (c["level"] > 0) | (start == c["arrival"]), "a job waited while a server was idle", job)
        found = jobs_found(c["arrival"], c["departure"]) // self.facts.n_servers
        self._each(~is_new | (c["level"] == found), "the level found is not that of the first free seat", job)


def jobs_found(arrival: NDArray[np.float64], departure: NDArray[np.float64]) -> IntArray:
    """Jobs each row finds present: rows before it that have not left by its arrival. Rows in the order of arrival.

    >>> jobs_found(np.array([0.0, 1.0, 2.0]), np.array([2.0, 1.5, 4.0])).tolist()
    [0, 1, 0]
    """
    n = arrival.size
    gone_at = np.where(np.isnan(departure), np.inf, departure)
    # at one instant: departures, then arrivals in their order, each before its own departure if it needs no time
    own = 2 * np.arange(n)
    turn = np.concatenate([own, np.where(gone_at == arrival, own + 1, -1)])
    rank = np.lexsort((turn, np.concatenate([arrival, gone_at])))
    left = np.cumsum(rank >= n)
    found = np.empty(n, np.int64)
    came = rank < n
    found[rank[came]] = rank[came] - left[came]
    return found


def _latest(times: NDArray[np.float64]) -> float:
    known = times[~np.isnan(times)]
    return float(known.max()) if known.size else 0.0


def levels_found(arrival: NDArray[np.float64], departure: NDArray[np.float64], first: Flags) -> IntArray:
    """Jobs each row finds at its server: those before it, less those that left by its arrival.

    Rows sorted by server (`first` marks where one begins), then arrival. Departures at a FIFO server are
    in the same order, so how many left by time t is a search; merging makes one search serve all servers.

    >>> levels_found(np.array([0.0, 1.0, 2.0]), np.array([2.0, 3.0, 4.0]), np.array([True, False, False])).tolist()
    [0, 1, 1]
    """
    n = first.size
    segment = np.cumsum(first) - 1
    start = np.flatnonzero(first)[segment]
    gone_at = np.where(np.isnan(departure), np.inf, departure)
    # merge departures and arrivals of each server in time, a departure before an arrival of its instant
    kind = np.concatenate([np.zeros(n), np.ones(n)])
    rank = np.lexsort((kind, np.concatenate([gone_at, arrival]), np.concatenate([segment, segment])))
    left = np.cumsum(rank < n)
    seen = np.empty(n, np.int64)
    seen[rank[rank >= n] - n] = left[rank >= n]
    earlier = np.arange(n) - start
    # a job of size 0 that comes now leaves now, but not before the jobs that came before it were counted
    found: IntArray = earlier - np.minimum(seen - start, earlier)
    return found
