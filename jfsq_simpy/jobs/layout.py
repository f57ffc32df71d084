"""The arrays the compiled events loop works on: servers, pending departures, counts, records.

In    a System, the queue lengths to start from, what is observed
Out   arrays and tuples of them that the kernel reads and changes in place; the dispatcher's are in `order`
Rule  departures between two arrivals commute, so what is pending needs no order finer than a calendar's lists
Cost  about 100 bytes a server with 5 places, 1 of them in `order`: 24 to know it, 16 a job present, up to 40 in
      the calendar (at most 32 MiB in all); nothing grows with the run
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.rates import FloatArray, IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Groups, Observables, Tally

Bytes = NDArray[np.uint8]
Indices = NDArray[np.uint32]

NO_NODE = np.uint64(0)
LARGEST_WHEEL = 2**23


Servers = NDArray[np.void]  # (N,) of SERVER: what is known of each server, together because it is used together
SERVER = np.dtype(
    [
        ("rate", np.float64),
        ("free_at", np.float64),  # when the last job accepted so far leaves
        ("group", np.uint32),  # the tally's group
        ("band", np.uint8),  # the band in which its waits are binned
        ("queue", np.uint8),  # Q_n, the job in service included
    ],
    align=True,
)
NODE = np.dtype([("time", np.float64), ("server", np.uint32), ("following", np.uint32)], align=True)
Clock = NDArray[np.void]  # (1,) of STATE: where the loop stands between two calls
STATE = np.dtype(
    [
        ("now", np.float64),  # the last arrival
        ("position", np.int64),  # the wheel's list
        ("free_node", np.uint64),  # the first node no longer in use
        ("nodes_used", np.uint64),
        ("taken", np.int64),  # snapshots of this stage so far
    ],
    align=True,
)
# `below` turns into levels when the batch is complete: flips of a set's bits, each times the snapshots that see it
CELL = np.dtype([("joins", np.int64), ("below", np.int64)], align=True)
TOTALS = np.dtype([(name, np.int64) for name in ("blocked", "unfinished", "wait_ticks", "response_ticks")], align=True)


class Calendar(NamedTuple):
    """Pending departures: a wheel of short unordered lists, one for each span of time.

    Departures between two arrivals commute, so a list needs no order. Later turns of the wheel share its
    lists; their entries wait until their time has come.
    """

    per_unit: float  # lists a unit of time
    mask: int  # lists - 1, a power of 2 less 1
    head: Indices  # (lists,) first node, 0 for none
    nodes: NDArray[np.void]  # (nodes + 1,) of NODE


class Watch(NamedTuple):
    """The observables, as arrays."""

    rows: IntArray  # edges of the joint histogram: waiting jobs, idle servers
    columns: IntArray
    tails: FloatArray  # (n, 3)
    fastest: IntArray  # (n_idle_tails,)
    at_least: FloatArray  # (n_idle_tails,)
    eta: FloatArray  # (n_powers,)
    power: IntArray  # (n_powers,)


class Counts(NamedTuple):
    """One batch of the window; all but `cells` and `totals` are the tally's own arrays."""

    cells: NDArray[np.void]  # (n_groups, places) of CELL
    totals: NDArray[np.void]  # (1,) of TOTALS
    wait_bins: IntArray
    response_bins: IntArray
    joint: IntArray
    tails: IntArray
    idle_tails: IntArray
    powers: FloatArray
    path: IntArray  # (snapshots,) jobs present, or (0,)


class Rows(NamedTuple):
    """The records of a block of jobs, or arrays of length 0 where nobody reads them."""

    arrival: FloatArray
    server: IntArray
    level: IntArray
    start: FloatArray
    departure: FloatArray


# ---- built from a System -------------------------------------------------------------------------------------


def servers_of(system: System, groups: Groups, queue: Bytes, free_at: FloatArray) -> Servers:
    """The servers, holding `queue` jobs each and idle from `free_at` on."""
    servers = np.zeros(system.n_servers, SERVER)
    servers["rate"], servers["free_at"], servers["queue"] = system.rates.vector(), free_at, queue
    servers["group"] = np.repeat(np.arange(groups.n_groups, dtype=np.uint32), groups.sizes)
    servers["band"] = np.repeat(groups.band.astype(np.uint8), groups.sizes)
    return servers


def calendar_of(system: System, departures: FloatArray) -> Calendar:
    """The wheel, holding the departures (n,) of jobs at servers 0 .. n - 1.

    One list for each expected gap between arrivals, and enough of them for a turn to be long beside the
    time jobs stay: lists are then short, and few entries of later turns are met early.
    """
    n = departures.size
    wanted = system.n_servers * max(4, system.places)
    lists = min(max(64, 1 << (wanted - 1).bit_length()), LARGEST_WHEEL)
    calendar = Calendar(
        per_unit=system.arrival_rate,
        mask=lists - 1,
        head=np.zeros(lists, np.uint32),
        nodes=np.zeros(system.n_servers * system.places + 1, NODE),
    )
    calendar.nodes["time"][1 : n + 1], calendar.nodes["server"][1 : n + 1] = departures, np.arange(n)
    at = np.minimum(departures * calendar.per_unit, 4e18).astype(np.int64) & calendar.mask
    node = np.argsort(at, kind="stable").astype(np.uint32)
    at, node = at[node], node + np.uint32(1)
    same = at[1:] == at[:-1]
    calendar.nodes["following"][node[:-1][same]] = node[1:][same]
    first = np.concatenate([[True], ~same])[:n]
    calendar.head[at[first]] = node[first]
    return calendar


def clock_of(queue: Bytes) -> Clock:
    """Time 0, with `queue` jobs present."""
    clock = np.zeros(1, STATE)
    clock["nodes_used"] = np.count_nonzero(queue)
    return clock


def watch_of(observe: Observables) -> Watch:
    """The observables, as arrays."""
    rows, columns = observe.joint or ((), ())
    return Watch(
        np.array(rows, dtype=np.int64),
        np.array(columns, dtype=np.int64),
        np.array(observe.tails, dtype=np.float64).reshape(-1, 3),
        np.array([m for m, _ in observe.idle_tails], dtype=np.int64),
        np.array([t for _, t in observe.idle_tails], dtype=np.float64),
        np.array([eta for eta, _ in observe.powers], dtype=np.float64),
        np.array([r for _, r in observe.powers], dtype=np.int64),
    )


def counts_of(tally: Tally, snapshots: int, observe: Observables) -> Counts:
    """Where the kernel counts: the tally's own arrays."""
    assert tally.wait_bins is not None
    assert tally.response_bins is not None
    return Counts(
        np.zeros(tally.joins.shape, CELL),
        np.zeros(1, TOTALS),
        tally.wait_bins,
        tally.response_bins,
        tally.joint,
        tally.tails,
        tally.idle_tails,
        tally.powers,
        np.zeros(snapshots if observe.path else 0, np.int64),
    )


def rows_of(n: int) -> Rows:
    """Room for `n` records."""
    return Rows(np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n), np.empty(n))
