"""Boards as arrays, and what is done to them, compiled: the twin of `boards`.

In    a System, the queue lengths to start from; then what happens, as `boards` has it
Out   Posted: arrays in which a dispatcher's best server is found at once
Rule  as in `boards`. Where all servers are asked each board has a tournament tree of its own
Cost  O(log N) a job and board it changes, O(N) a refresh of a board. Memory 16 bytes a board and server, and
      16 to 32 more with trees
"""

# Numba infers the types of locals; what it takes for an int64, mypy sees as int here and as np.int64 there.
# mypy: disable-error-code="assignment, arg-type, return-value"
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.jobs.bits import Word
from jfsq_simpy.jobs.choices import ask, ask_fast_and_slow, best_in_tree, best_of_asked, put_in_tree
from jfsq_simpy.jobs.compiling import part
from jfsq_simpy.jobs.layout import Bytes, Indices, Servers
from jfsq_simpy.jobs.order import BY_COIN, BY_DRAW, BY_IDLE, BY_TREE, BY_TURN, Ints, Order, rule_of, tree
from jfsq_simpy.knowledge import Own, Refreshed, Reported
from jfsq_simpy.rates import FloatArray, IntArray
from jfsq_simpy.system import System

OWN, REFRESHED, REPORTED = 0, 1, 2
KINDS = {Own: OWN, Refreshed: REFRESHED, Reported: REPORTED}
NEVER = 1e300
LATEST = 4e18  # refreshes are numbered in 64 bits

Shorts = NDArray[np.uint16]
Board = NDArray[np.void]  # (N,) of SHOWN: servers as a dispatcher believes them to be
SHOWN = np.dtype([("queue", np.uint8)])


class Posted(NamedTuple):
    """All boards; arrays of length 0 where nobody goes by a board."""

    kind: int
    count_own: bool
    every: float  # between refreshes of a board
    turns: int  # refreshes until it is a board's turn again
    next_refresh: IntArray  # (1,) its number
    shown: Board  # (boards, N)
    best: Ints  # (boards, 2 * leaves) as in Order, or (boards, 0)
    tied: Ints
    senders: Shorts  # (nodes + 1,) whose job each pending departure is
    reports: Bytes  # (N, late + 1) the last reports, oldest first
    sent_after: Shorts  # (boards, N, late + 1) own jobs sent after each of them


def goes_by_boards(system: System) -> bool:
    """Whether boards are ever looked at: not where they show the truth, nor where no server is asked."""
    return not system.knowledge.true_queues and rule_of(system)[0] not in (BY_DRAW, BY_TURN)


def posted_of(system: System, order: Order, queue: Bytes) -> Posted:
    """The boards at time 0, servers holding `queue` jobs each, which everybody knows (of own jobs: who sent them)."""
    known, queues, n_servers = system.knowledge, system.knowledge.queues, system.n_servers
    reads = goes_by_boards(system)
    boards = known.boards if reads else 0
    kind = KINDS.get(type(queues), OWN)
    shown = np.zeros((boards, n_servers), SHOWN)
    shown["queue"] = queue
    senders = np.zeros(n_servers * system.places + 1 if reads else 0, np.uint16)
    if reads and kind == OWN:  # job -1 - n is at server n, in node n + 1, and was sent by dispatcher n mod M
        sender = np.arange(n_servers) % boards
        senders[1 : n_servers + 1] = sender
        shown["queue"] = np.where(sender == np.arange(boards)[:, None], queue, 0)
    best, tied = trees_of(shown, order)
    slots = queues.late + 1 if reads and isinstance(queues, Reported) else 0
    return Posted(
        kind=kind,
        count_own=bool(getattr(queues, "count_own", False)),
        every=queues.every if isinstance(queues, Refreshed) else NEVER,
        turns=known.dispatchers if getattr(queues, "staggered", False) else 1,
        next_refresh=np.ones(1, np.int64),
        shown=shown,
        best=best,
        tied=tied,
        senders=senders,
        reports=np.repeat(queue[:, None], slots, axis=1),
        sent_after=np.zeros((boards, n_servers, slots), np.uint16),
    )


def trees_of(shown: Board, order: Order) -> tuple[Ints, Ints]:
    """Each board's tournament tree, (boards, 2 * leaves), where all servers are asked; else (boards, 0)."""
    treed = order.how in (BY_TREE, BY_IDLE)
    trees = [tree(order.rank[order.speed_class, row["queue"]]) for row in shown] if treed else []
    width = trees[0][0].size if trees else 0
    best, tied = (np.array([t[i] for t in trees], np.int32).reshape(len(shown), width) for i in (0, 1))
    return best, tied


@part
def choose_by_board(
    board: Board, best: Ints, tied: Ints, weights: FloatArray,
    how: int, ties: int, u: float, samples: FloatArray,
    asked: IntArray, shares: IntArray, chances: FloatArray, replace: bool, rank: Ints, speed_class: Indices,
) -> Word:  # fmt: skip
    """The server a dispatcher with this board sends a job to: `policies.policy.choose_among`."""
    if how in (BY_TREE, BY_IDLE):
        n = best_in_tree(best, tied, ties, u, weights)
        if how == BY_TREE or board[n]["queue"] == 0:
            return n
    if how == BY_COIN:
        m = ask_fast_and_slow(asked, shares, chances, samples, board)
    else:
        m = ask(asked, shares, chances, samples, replace)
    return best_of_asked(asked, m, rank, speed_class, board, weights, ties, u)


@part
def show(shown: Board, best: Ints, tied: Ints, rank: Ints, speed_class: Indices, board: int, n: Word, level: int) -> None:
    """Write a queue length on a board."""
    shown[board, n]["queue"] = level
    if best.shape[1] > 0:
        put_in_tree(best[board], tied[board], n, rank[speed_class[n], level])


@part
def post_sent(
    kind: int, shown: Board, best: Ints, tied: Ints, reports: Bytes, sent_after: Shorts, rank: Ints, speed_class: Indices,
    places: int, n: Word, dispatcher: int,
) -> None:  # fmt: skip
    """`Boards.sent`, where a dispatcher's own jobs count."""
    level = np.int64(shown[dispatcher, n]["queue"]) + 1
    if kind == REPORTED:
        sent_after[dispatcher, n, sent_after.shape[2] - 1] += 1
        level = believed(reports, sent_after, dispatcher, n)
    show(shown, best, tied, rank, speed_class, dispatcher, n, min(level, places))


@part
def post_left(
    kind: int, shown: Board, best: Ints, tied: Ints, reports: Bytes, sent_after: Shorts, rank: Ints, speed_class: Indices,
    places: int, n: Word, dispatcher: int, left: int,
) -> None:  # fmt: skip
    """`Boards.left`, where somebody is told: a departure from server `n`, which `left` jobs behind."""
    if kind == OWN:
        show(shown, best, tied, rank, speed_class, dispatcher, n, np.int64(shown[dispatcher, n]["queue"]) - 1)
        return
    newest = reports.shape[1] - 1
    for i in range(newest):
        reports[n, i] = reports[n, i + 1]
    reports[n, newest] = left
    for board in range(shown.shape[0]):
        for i in range(newest):
            sent_after[board, n, i] = sent_after[board, n, i + 1]
        sent_after[board, n, newest] = 0
        level = min(believed(reports, sent_after, board, n), places)
        show(shown, best, tied, rank, speed_class, board, n, level)


@part
def believed(reports: Bytes, sent_after: Shorts, board: int, n: Word) -> int:
    """The oldest report and what has been sent since; not yet cut off at `places`."""
    level = np.int64(reports[n, 0])
    for i in range(sent_after.shape[2]):
        level += np.int64(sent_after[board, n, i])
    return level


@part
def refresh_boards(posted: Posted, rank: Ints, speed_class: Indices, fleet: Servers, number: int) -> None:
    """`Refreshed.refresh`. O(N) a board."""
    first, last = 0, posted.shown.shape[0]
    if posted.turns > 1:
        first = number % posted.turns
        last = first + 1
    leaves = posted.best.shape[1] >> 1
    for board in range(first, last):
        for n in range(fleet.size):
            posted.shown[board, n]["queue"] = fleet[n]["queue"]
        if leaves > 0:
            best, tied = posted.best[board], posted.tied[board]
            for n in range(fleet.size):
                best[leaves + n] = rank[speed_class[n], fleet[n]["queue"]]
            for node in range(leaves - 1, 0, -1):
                left, right = best[2 * node], best[2 * node + 1]
                best[node] = min(left, right)
                tied[node] = (left <= right) * tied[2 * node] + (right <= left) * tied[2 * node + 1]


@part
def first_read(refresh: int, every: float, turns: int, until: float) -> int:
    """The first refresh from number `refresh` on that is not written over before `until` unread. `Refreshed.catch_up`."""
    return max(np.int64(refresh), np.int64(min(until * turns / every, LATEST)) - turns - 2)
