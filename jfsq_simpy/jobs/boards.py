"""Boards: the queue lengths dispatchers have in mind, written to be read beside `knowledge`.

In    what happens: a job sent, a job that leaves, time that passes
Out   for each dispatcher a list of servers as it believes them to be
Rule  a board changes when its rule says so and at no other time. What is done at an instant of a refresh or
      a report comes after the departures of that instant and before its arrivals. A board never shows more
      jobs than a server has places
Cost  own jobs O(1) a job; a refresh O(N) a board; a report O(boards)

Two servers of b = 5 places; the bulletin board of everybody is read again every 2 time units.

>>> servers = [Believed(), Believed()]
>>> boards = Refreshed(Knowledge(queues=knowledge.Refreshed(every=2.0)), servers, places=5)
>>> servers[0].queue_length = 3                                  # at time 1, say
>>> boards.catch_up(1.5, arriving=True); boards.of(0)
[0, 0]
>>> boards.catch_up(2.0, arriving=False); boards.of(0)           # a departure at 2 will still be seen
[0, 0]
>>> boards.catch_up(2.0, arriving=True); boards.of(0)
[3, 0]
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from jfsq_simpy import knowledge
from jfsq_simpy.errors import ModelError
from jfsq_simpy.knowledge import Knowledge
from jfsq_simpy.policies.sight import Seen


class Believed:
    """A server as it stands on a board."""

    __slots__ = ("queue_length",)

    def __init__(self) -> None:
        self.queue_length = 0

    @property
    def free_at(self) -> float:
        raise ModelError("a dispatcher that goes by a board (system.knowledge) knows queue lengths, not when servers will be free.")

    def __repr__(self) -> str:
        return str(self.queue_length)


class Boards:
    """What all boards have in common; by itself, boards nobody writes on."""

    def __init__(self, known: Knowledge, servers: Sequence[Seen], places: int) -> None:
        self.servers, self.places, self.queues = servers, places, known.queues
        self.boards = [[Believed() for _ in servers] for _ in range(known.boards)]

    def of(self, dispatcher: int) -> list[Believed]:
        """The board a dispatcher goes by: its own, or the one for all."""
        return self.boards[dispatcher % len(self.boards)]

    def present(self, server: int, dispatcher: int) -> None:
        """A job is there at time 0, sent by that dispatcher. Everybody knows."""
        for board in self.boards:
            board[server].queue_length += 1

    def catch_up(self, now: float, *, arriving: bool) -> None:
        """Do what was due before now, and, if jobs are `arriving`, what is due now."""

    def sent(self, server: int, dispatcher: int) -> None:
        """A job has been sent there and accepted."""

    def left(self, server: int, dispatcher: int) -> None:
        """A job that this dispatcher had sent has left the server."""


class Own(Boards):
    """Each dispatcher counts its own jobs."""

    def present(self, server: int, dispatcher: int) -> None:
        self.sent(server, dispatcher)

    def sent(self, server: int, dispatcher: int) -> None:
        self.of(dispatcher)[server].queue_length += 1

    def left(self, server: int, dispatcher: int) -> None:
        self.of(dispatcher)[server].queue_length -= 1


class Refreshed(Boards):
    """Queue lengths as they were at the last refresh, and its own jobs sent since where these are counted."""

    def __init__(self, known: Knowledge, servers: Sequence[Seen], places: int) -> None:
        super().__init__(known, servers, places)
        assert isinstance(known.queues, knowledge.Refreshed)
        self.every, self.count_own = known.queues.every, known.queues.count_own
        self.turns = known.dispatchers if known.queues.staggered else 1  # refreshes until it is a board's turn again
        self.next = 1

    def catch_up(self, now: float, *, arriving: bool) -> None:
        # what a later refresh of the same board writes over unread is left out
        self.next = max(self.next, int(now * self.turns / self.every) - self.turns - 2)
        while (time := self.next * self.every / self.turns) < now or (arriving and time == now):
            self.refresh(self.next)
            self.next += 1

    def refresh(self, number: int) -> None:
        turn = self.boards if self.turns == 1 else [self.boards[number % self.turns]]
        for board in turn:
            for believed, server in zip(board, self.servers, strict=True):
                believed.queue_length = server.queue_length

    def sent(self, server: int, dispatcher: int) -> None:
        if self.count_own:
            believed = self.of(dispatcher)[server]
            believed.queue_length = min(believed.queue_length + 1, self.places)


class Reported(Boards):
    """What the report before the last `late` ones said, and its own jobs sent since where these are counted."""

    def __init__(self, known: Knowledge, servers: Sequence[Seen], places: int) -> None:
        super().__init__(known, servers, places)
        assert isinstance(known.queues, knowledge.Reported)
        n = known.queues.late + 1
        self.count_own = known.queues.count_own
        self.reports = [deque([0] * n, maxlen=n) for _ in servers]  # oldest first; a new one pushes that one out
        self.sent_after = [[deque([0] * n, maxlen=n) for _ in servers] for _ in self.boards]  # jobs sent after each of them

    def present(self, server: int, dispatcher: int) -> None:
        super().present(server, dispatcher)
        self.reports[server] = deque([1] * len(self.reports[server]), maxlen=len(self.reports[server]))

    def sent(self, server: int, dispatcher: int) -> None:
        if self.count_own:
            self.sent_after[dispatcher][server][-1] += 1
            self.show(server, dispatcher)

    def left(self, server: int, dispatcher: int) -> None:
        self.reports[server].append(self.servers[server].queue_length)
        for board, after in enumerate(self.sent_after):
            after[server].append(0)
            self.show(server, board)

    def show(self, server: int, board: int) -> None:
        known = self.reports[server][0] + sum(self.sent_after[board][server])
        self.boards[board][server].queue_length = min(known, self.places)


KINDS: dict[type, type[Boards]] = {knowledge.Own: Own, knowledge.Refreshed: Refreshed, knowledge.Reported: Reported}


def boards_of(known: Knowledge, servers: Sequence[Seen], places: int) -> Boards:
    """The boards of dispatchers who know that much; all servers are empty."""
    return KINDS[type(known.queues)](known, servers, places)
