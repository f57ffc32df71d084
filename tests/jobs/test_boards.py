"""Boards by hand: what stands on them, and when it changes."""

from __future__ import annotations

from typing import Any

import pytest

from jfsq_simpy import knowledge
from jfsq_simpy.errors import ModelError
from jfsq_simpy.jobs.boards import Believed, Boards, boards_of
from jfsq_simpy.knowledge import Knowledge


def shown(boards: Boards, dispatcher: int = 0) -> list[int]:
    return [server.queue_length for server in boards.of(dispatcher)]


def two_servers(queues: Any, dispatchers: int = 2, places: int = 3) -> tuple[list[Believed], Boards]:
    servers = [Believed(), Believed()]
    return servers, boards_of(Knowledge(dispatchers, queues), servers, places)


def test_own_jobs_come_and_go_on_the_board_of_who_sent_them() -> None:
    _, boards = two_servers("own")
    boards.present(1, dispatcher=1)
    boards.sent(0, dispatcher=0)
    boards.sent(1, dispatcher=0)
    assert (shown(boards, 0), shown(boards, 1)) == ([1, 1], [0, 1])
    boards.left(1, dispatcher=1)
    assert (shown(boards, 0), shown(boards, 1)) == ([1, 1], [0, 0])


def test_a_board_is_read_again_after_the_departures_and_before_the_arrivals_of_its_instant() -> None:
    servers, boards = two_servers(knowledge.Refreshed(every=2.0))
    servers[0].queue_length = 2
    boards.catch_up(1.999, arriving=True)
    assert shown(boards) == [0, 0]
    boards.catch_up(2.0, arriving=False)  # a departure at 2 changes the queue after this
    servers[0].queue_length = 1
    boards.catch_up(2.0, arriving=True)
    assert shown(boards, 0) == shown(boards, 1) == [1, 0]
    servers[0].queue_length = 3
    boards.catch_up(2.0, arriving=True)  # a second job at 2 finds what the first one found
    assert shown(boards) == [1, 0]


def test_refreshes_that_nobody_read_are_left_out_and_the_last_one_is_not() -> None:
    servers, boards = two_servers(knowledge.Refreshed(every=0.1))
    servers[1].queue_length = 1
    boards.catch_up(1000.05, arriving=False)  # refreshes up to 1000.0 have seen one job
    servers[1].queue_length = 2
    boards.catch_up(1000.06, arriving=True)
    assert shown(boards) == [0, 1]
    boards.catch_up(1000.11, arriving=True)
    assert shown(boards) == [0, 2]


def test_refresh_k_is_at_k_times_every_without_drift() -> None:
    """The sum of ten tenths is below 1, ten times a tenth is 1: a refresh at 1 must see what happened before 1."""
    assert sum([0.1] * 10) < 1.0 == 10 * 0.1
    servers, boards = two_servers(knowledge.Refreshed(every=0.1))
    boards.catch_up(1.0, arriving=False)
    servers[0].queue_length = 1
    boards.catch_up(1.0, arriving=True)
    assert shown(boards) == [1, 0]


def test_dispatchers_in_turn() -> None:
    servers, boards = two_servers(knowledge.Refreshed(every=2.0, staggered=True), dispatchers=2)
    servers[0].queue_length = 1
    boards.catch_up(1.0, arriving=True)  # refresh 1 of 2 in every 2 units: dispatcher 1
    assert (shown(boards, 0), shown(boards, 1)) == ([0, 0], [1, 0])
    servers[0].queue_length = 2
    boards.catch_up(2.5, arriving=True)
    assert (shown(boards, 0), shown(boards, 1)) == ([2, 0], [1, 0])


def test_own_jobs_since_the_last_refresh_are_counted_up_to_the_places() -> None:
    servers, boards = two_servers(knowledge.Refreshed(every=2.0, count_own=True), places=3)
    servers[0].queue_length = 2
    boards.catch_up(2.0, arriving=True)
    boards.sent(0, dispatcher=1)
    boards.sent(0, dispatcher=1)
    assert (shown(boards, 0), shown(boards, 1)) == ([2, 0], [3, 0])  # of 3 places
    boards.left(0, dispatcher=1)
    assert shown(boards, 1) == [3, 0]  # departures are seen at the next refresh
    boards.catch_up(4.0, arriving=True)
    assert shown(boards, 1) == [2, 0]


def report(servers: list[Believed], boards: Boards, server: int, left: int) -> None:
    servers[server].queue_length = left
    boards.left(server, dispatcher=0)


def test_the_report_before_the_last_one_is_known() -> None:
    servers, boards = two_servers(knowledge.Reported(late=1))
    seen = [shown(boards)[0]]
    for left in (5, 4, 7, 6):
        report(servers, boards, 0, left)
        seen.append(shown(boards)[0])
    assert seen == [0, 0, 3, 3, 3], "5, 4 and 7 are more than 3 places"
    servers, boards = two_servers(knowledge.Reported(late=1), places=9)
    seen = []
    for left in (5, 4, 7, 6):
        report(servers, boards, 0, left)
        seen.append(shown(boards)[0])
    assert seen == [0, 5, 4, 7]
    assert shown(boards)[1] == 0, "a server that says nothing is as it was at time 0"


def test_jobs_sent_after_the_report_known_are_counted() -> None:
    servers, boards = two_servers(knowledge.Reported(late=1, count_own=True), places=9)
    boards.sent(0, dispatcher=0)
    boards.sent(0, dispatcher=1)
    assert (shown(boards, 0), shown(boards, 1)) == ([1, 0], [1, 0])
    report(servers, boards, 0, 1)
    boards.sent(0, dispatcher=0)
    assert (shown(boards, 0), shown(boards, 1)) == ([2, 0], [1, 0])  # what is known is still time 0
    report(servers, boards, 0, 1)
    assert (shown(boards, 0), shown(boards, 1)) == ([2, 0], [1, 0])  # 1 left behind, and one sent since by dispatcher 0


def test_what_was_present_at_time_0_is_known_until_reports_come() -> None:
    servers, boards = two_servers(knowledge.Reported(late=2))
    boards.present(0, dispatcher=1)
    report(servers, boards, 0, 0)
    report(servers, boards, 0, 2)
    assert shown(boards, 0) == shown(boards, 1) == [1, 0]
    report(servers, boards, 0, 2)
    assert shown(boards) == [0, 0]


def test_one_board_serves_all_where_all_would_be_equal() -> None:
    assert Knowledge(12, knowledge.Refreshed(1.0)).boards == Knowledge(12, knowledge.Reported()).boards == 1
    for own in (
        knowledge.Own(),
        knowledge.Refreshed(1.0, count_own=True),
        knowledge.Refreshed(1.0, staggered=True),
        knowledge.Reported(count_own=True),
    ):
        assert Knowledge(12, own).boards == 12


def test_a_board_does_not_know_when_servers_will_be_free() -> None:
    with pytest.raises(ModelError, match="not when servers will be free"):
        _ = Believed().free_at
