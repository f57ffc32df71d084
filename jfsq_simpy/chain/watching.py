"""The caller's observables as arrays for the compiled kernels.

In    a System, its Observables, where a batch lies among the snapshots of the window
Out   a Watch, filled by `snapshots.take`
Rule  the same counts as `observed`, in the same order of operations
Cost  8 bytes a snapshot where the path is wanted, a few numbers otherwise
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jfsq_simpy.chain.exchange import cuts_of
from jfsq_simpy.chain.layout import Stream
from jfsq_simpy.rates import FloatArray, IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Observables


class Watch(NamedTuple):
    """The caller's observables, and their counts."""

    wanted: bool
    joint_rows: IntArray
    joint_columns: IntArray
    joint: IntArray
    tails: FloatArray  # (n, 3)
    tail_counts: IntArray
    fastest: IntArray  # (n,) the m of idle_tails, and the class it cuts (`exchange.Cuts`)
    begin: IntArray
    end: IntArray
    idle_at_least: FloatArray  # (n,)
    idle_before: IntArray  # (n, 2) idle servers before `begin` and before `end`, at this snapshot
    idle_counts: IntArray
    eta: FloatArray
    power: IntArray
    power_sums: FloatArray
    path: IntArray  # jobs present at each snapshot, or empty
    first: int  # snapshots of the window before this batch
    choices: Stream


def watch(system: System, observe: Observables, first: int, n_snapshots: int, choices: Stream) -> Watch:
    """Nothing seen yet; the batch will have snapshots first .. first + n_snapshots - 1 of the window."""
    rows, columns = observe.joint or ((), ())
    return Watch(
        bool(observe.joint or observe.tails or observe.idle_tails or observe.powers or observe.path),
        np.array(rows, dtype=np.int64),
        np.array(columns, dtype=np.int64),
        np.zeros(observe.joint_shape, dtype=np.int64),
        np.array(observe.tails, dtype=np.float64).reshape(-1, 3),
        np.zeros(len(observe.tails), dtype=np.int64),
        *cuts_of(system, observe),
        np.array([t for _, t in observe.idle_tails], dtype=np.float64),
        np.zeros((len(observe.idle_tails), 2), dtype=np.int64),
        np.zeros(len(observe.idle_tails), dtype=np.int64),
        np.array([eta for eta, _ in observe.powers], dtype=np.float64),
        np.array([r for _, r in observe.powers], dtype=np.int64),
        np.zeros(len(observe.powers)),
        np.zeros(n_snapshots if observe.path else 0, dtype=np.int64),
        first,
        choices,
    )
