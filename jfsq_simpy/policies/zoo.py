"""The dispatchers people use, by name: each exactly as its source defines it.

In    the parameters of a policy
Out   a Policy: a query, a ranking and a tie rule, read by every engine that can hold it
Rule  what happens to a job whose chosen server is full is part of the rule: the shortest-queue policies
      go past full servers, and what chooses without looking (random, the fallback of JIQ) loses the job
Cost  nothing: a policy is data
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jfsq_simpy.policies.policy import Policy, Ties, nothing, shortest, shortest_then_fastest
from jfsq_simpy.policies.queries import AskClass, AskEachClass, AskSample, AskWork, IdleFirst, OneQueue
from jfsq_simpy.policies.turns import InTurn


def jfsq(ties: Ties = "uniform") -> Policy:
    """Join the fastest shortest queue: shortest queue, among those the fastest, ties uniform. Section 2."""
    return Policy("jfsq", shortest_then_fastest, ties=ties)


def jsq(ties: Ties = "uniform") -> Policy:
    """Join the shortest queue, blind to speed, ties uniform."""
    return Policy("jsq", shortest, ties=ties)


def jiq(ties: Ties = "uniform") -> Policy:
    """Join an idle queue, any of them; if none is idle, any server at all, full or not."""
    return Policy("jiq", idle_first, ties=ties, full_last=False, messages="reports")


def jfiq() -> Policy:
    """Join the fastest idle queue; if none is idle, any server at all, full or not."""
    return Policy("jfiq", fastest_idle_first, full_last=False, messages="reports")


def jfiq_weighted() -> Policy:
    """Join the fastest idle queue; if none is idle, server n, full or not, with probability mu_n / N."""
    return Policy("jfiq_weighted", fastest_idle_first, ties="rate", full_last=False, messages="reports")


def sed(ties: Ties = "uniform") -> Policy:
    """Shortest expected delay: smallest (q + 1) / mu among servers that are not full, ties to the faster."""
    return Policy("sed", soonest_done, ties=ties)


def sed_all(ties: Ties = "uniform") -> Policy:
    """Shortest expected delay over all servers: a job whose server is full is lost, even if others are not."""
    return Policy("sed_all", soonest_done, ties=ties, full_last=False)


def jsq_d(d: int = 2, replace: bool = False, ties: Ties = "uniform") -> Policy:
    """Power of d choices: d servers sampled uniformly, the shortest queue among them, ties uniform."""
    return Policy("jsq_d", shortest, AskSample(d, replace), ties)


def jfsq_d(d: int = 2, replace: bool = False, ties: Ties = "uniform") -> Policy:
    """Speed-aware power of d choices: d servers sampled uniformly, among them the fastest shortest queue."""
    return Policy("jfsq_d", shortest_then_fastest, AskSample(d, replace), ties)


def jiq_d(d: int = 2, replace: bool = False, ties: Ties = "uniform") -> Policy:
    """Hybrid JIQ: an idle server, known from its report; if there is none, the shortest queue of d sampled ones."""
    return Policy("jiq_d", shortest, IdleFirst(AskSample(d, replace)), ties, messages="reports, else poll")


def class_jsq(probabilities: Sequence[float], d: int | None = None, ties: Ties = "uniform") -> Policy:
    """A speed class drawn with the given probabilities, in it the shortest queue of all servers, or of d sampled ones."""
    return Policy("class_jsq", shortest, AskClass(_as_tuple(probabilities), d), ties)


def class_jiq(probabilities: Sequence[float], ties: Ties = "uniform") -> Policy:
    """A speed class drawn with the given probabilities, in it an idle server; if none is idle, any of it, full or not."""
    return Policy("class_jiq", idle_first, AskClass(_as_tuple(probabilities)), ties, full_last=False, messages="reports")


def jsq_df_ds(d: Sequence[int], ties: Ties = "uniform") -> Policy:
    """JSQ-(d_F, d_S): d_F fast and d_S slow servers sampled (d_k of class k), the shortest queue among them all."""
    return Policy("jsq_df_ds", shortest, AskEachClass(_as_tuple(d)), ties)


def round_robin() -> Policy:
    """Each server in its turn, full or not."""
    return Policy("round_robin", nothing, InTurn(weighted=False), full_last=False, messages="none")


def weighted_round_robin() -> Policy:
    """Each server in its turn, full or not, as often as it is fast: server n's i-th turn is at (i + 1/2) / mu_n."""
    return Policy("weighted_round_robin", nothing, InTurn(weighted=True), full_last=False, messages="none")


def least_work(ties: Ties = "uniform") -> Policy:
    """Least work left: of the servers that are not full the one that will be free first; any idle one if there is one."""
    return Policy("least_work", nothing, AskWork(), ties)


def central_queue() -> Policy:
    """No dispatcher: one queue of N (b - 1) places, fastest idle server first. A bound from below."""
    return Policy("central_queue", nothing, OneQueue(), messages="departures")


def random(ties: Ties = "uniform") -> Policy:
    """A server uniformly at random, full or not: the product-form baseline."""
    return Policy("random", nothing, ties=ties, full_last=False, messages="none")


def weighted_random() -> Policy:
    """Server n with probability mu_n / N, full or not: the product form in which all servers are equally loaded."""
    return Policy("weighted_random", nothing, ties="rate", full_last=False, messages="none")


POLICIES: dict[str, Callable[..., Policy]] = {
    make.__name__: make
    for make in (
        jfsq, jsq, jiq, jfiq, jfiq_weighted, sed, sed_all, jsq_d, jfsq_d, jiq_d, class_jsq, class_jiq, jsq_df_ds,
        least_work, round_robin, weighted_round_robin, random, weighted_random, central_queue,
    )
}  # fmt: skip


def _as_tuple(values: Any) -> Any:
    """A list as a tuple; anything else as it is, for the query to refuse."""
    return tuple(values) if isinstance(values, (list, np.ndarray)) else values


# ---- keys ----------------------------------------------------------------------------------------------------


def idle_first(queue_length: Any, rate: Any) -> Any:
    """JIQ's key: idle or not."""
    return np.minimum(queue_length, 1)


def fastest_idle_first(queue_length: Any, rate: Any) -> Any:
    """JFIQ's key: an idle server by its speed, the busy ones all alike."""
    return np.minimum(queue_length, 1), np.where(np.equal(queue_length, 0), -rate, 0.0)


def soonest_done(queue_length: Any, rate: Any) -> Any:
    """SED's key: mean time until a job that joins now leaves; at a tie the faster server."""
    return (queue_length + 1) / rate, -rate
