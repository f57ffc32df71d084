"""The dispatchers people use, by name: each exactly as its source defines it.

In    the parameters of a policy
Out   a Policy: a query, a ranking and a tie rule, read by every engine that can hold it
Rule  what happens to a job whose chosen server is full is part of the rule: the shortest-queue policies
      go past full servers, and what chooses without looking (random, the fallback of JIQ) loses the job
Cost  nothing: a policy is data. What there is to know of each is on its card, in `cards.py`
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jfsq_simpy.policies.class_queries import AskClass, AskEachClass, AskFastSlow
from jfsq_simpy.policies.keys import fastest_idle_first, idle_first, soonest_done
from jfsq_simpy.policies.policy import Policy, Ties, nothing, shortest, shortest_then_fastest
from jfsq_simpy.policies.queries import AskSample, AskWork, IdleFirst, OneQueue
from jfsq_simpy.policies.turns import InTurn

# ---- everybody is looked at ----------------------------------------------------------------------------------


def jfsq(ties: Ties = "uniform") -> Policy:
    """Join the fastest shortest queue: a shortest queue, and of these the fastest."""
    return Policy("jfsq", shortest_then_fastest, ties=ties)


def jsq(ties: Ties = "uniform") -> Policy:
    """Join the shortest queue, blind to speed."""
    return Policy("jsq", shortest, ties=ties)


def sed(ties: Ties = "uniform") -> Policy:
    """Shortest expected delay: smallest (q + 1) / mu among servers that are not full, ties to the faster."""
    return Policy("sed", soonest_done, ties=ties)


def sed_all(ties: Ties = "uniform") -> Policy:
    """Shortest expected delay over all servers: a job whose server is full is lost, even if others are not."""
    return Policy("sed_all", soonest_done, ties=ties, full_last=False)


def least_work(ties: Ties = "uniform") -> Policy:
    """Least work left: of the servers that are not full the one that will be free first, any of the idle ones."""
    return Policy("least_work", nothing, AskWork(), ties)


# ---- idle servers say so -------------------------------------------------------------------------------------


def jiq(ties: Ties = "uniform") -> Policy:
    """Join an idle queue, any of them; if none is idle, any server at all, full or not."""
    return Policy("jiq", idle_first, ties=ties, full_last=False, messages="reports")


def jfiq() -> Policy:
    """Join the fastest idle queue; if none is idle, any server at all, full or not."""
    return Policy("jfiq", fastest_idle_first, full_last=False, messages="reports")


def jfiq_weighted() -> Policy:
    """Join the fastest idle queue; if none is idle, server n, full or not, with probability mu_n / N."""
    return Policy("jfiq_weighted", fastest_idle_first, ties="rate", full_last=False, messages="reports")


# ---- some are asked ------------------------------------------------------------------------------------------


def jsq_d(d: int = 2, replace: bool = False, ties: Ties = "uniform") -> Policy:
    """Power of d choices: d servers sampled uniformly, the shortest queue among them."""
    return Policy("jsq_d", shortest, AskSample(d, replace), ties)


def jfsq_d(d: int = 2, replace: bool = False, ties: Ties = "uniform") -> Policy:
    """Speed-aware power of d choices: d servers sampled uniformly, among them the fastest shortest queue."""
    return Policy("jfsq_d", shortest_then_fastest, AskSample(d, replace), ties)


def jiq_d(d: int = 2, replace: bool = False, ties: Ties = "uniform") -> Policy:
    """Hybrid of JIQ and JSQ(d): an idle server, remembered from its report; if there is none, JSQ(d)."""
    return Policy("jiq_d", shortest, IdleFirst(AskSample(d, replace)), ties, messages="reports, else poll")


# ---- speed classes -------------------------------------------------------------------------------------------


def class_jsq(probabilities: Sequence[float], d: int | None = None, ties: Ties = "uniform") -> Policy:
    """A speed class drawn with the given probabilities (fastest first); in it the shortest queue, of all or of d sampled."""
    return Policy("class_jsq", shortest, AskClass(_as_tuple(probabilities), d), ties)


def class_jiq(probabilities: Sequence[float], ties: Ties = "uniform") -> Policy:
    """A speed class drawn with the given probabilities; in it an idle server, and if there is none any of it, full or not."""
    return Policy("class_jiq", idle_first, AskClass(_as_tuple(probabilities)), ties, full_last=False, messages="reports")


def jsq_df_ds(d: Sequence[int], p_slow: float | None = None, p_fast: float | None = None, ties: Ties = "uniform") -> Policy:
    """JSQ-(d_F, d_S): d_F fast and d_S slow servers polled; the shortest queue of them all, or by p_slow and p_fast.

    With p_slow and p_fast (two speed classes): the fast polled ones if one of them is idle; else, if a
    slow polled one is idle, the slow ones with probability p_slow; else the fast ones with probability
    p_fast. Then the shortest queue of those. Without: d_k servers of each class k, any number of classes.
    """
    return Policy("jsq_df_ds", shortest, _polled(d, p_slow, p_fast), ties)


def jiq_df_ds(d: Sequence[int], p_slow: float, p_fast: float, ties: Ties = "uniform") -> Policy:
    """JIQ-(d_F, d_S): d_F fast and d_S slow servers polled, those to choose from as in jsq_df_ds; of them an idle one or any."""
    return Policy("jiq_df_ds", idle_first, _polled(d, p_slow, p_fast), ties, full_last=False)


# ---- nobody is asked -----------------------------------------------------------------------------------------


def round_robin() -> Policy:
    """Each server in its turn, full or not."""
    return Policy("round_robin", nothing, InTurn(weighted=False), full_last=False, messages="none")


def weighted_round_robin() -> Policy:
    """Each server in its turn, full or not, as often as it is fast: server n's i-th turn is at (i + 1/2) / mu_n."""
    return Policy("weighted_round_robin", nothing, InTurn(weighted=True), full_last=False, messages="none")


def random(ties: Ties = "uniform") -> Policy:
    """A server uniformly at random, full or not."""
    return Policy("random", nothing, ties=ties, full_last=False, messages="none")


def weighted_random() -> Policy:
    """Server n with probability mu_n / N, full or not: all servers are equally loaded."""
    return Policy("weighted_random", nothing, ties="rate", full_last=False, messages="none")


# ---- a bound from below --------------------------------------------------------------------------------------


def central_queue() -> Policy:
    """No dispatcher: jobs wait together in N (b - 1) places, first come first served, at the fastest idle server.

    What a dispatcher loses by choosing at once shows beside it: with equal speeds nothing that does not
    know sizes waits less in the mean. With very unequal speeds a policy that leaves a slow server idle can.
    """
    return Policy("central_queue", nothing, OneQueue(), messages="departures")


# ---- by name -------------------------------------------------------------------------------------------------

_MAKERS: tuple[Callable[..., Policy], ...] = (
    *(jfsq, jsq, sed, sed_all, least_work),
    *(jiq, jfiq, jfiq_weighted),
    *(jsq_d, jfsq_d, jiq_d),
    *(class_jsq, class_jiq, jsq_df_ds, jiq_df_ds),
    *(round_robin, weighted_round_robin, random, weighted_random),
    central_queue,
)
POLICIES: dict[str, Callable[..., Policy]] = {make.__name__: make for make in _MAKERS}


def rule(name: str) -> str:
    """What a policy does, in a sentence: the first paragraph of its function's docstring.

    >>> rule("jsq")
    'Join the shortest queue, blind to speed.'
    """
    return " ".join((inspect.getdoc(POLICIES[name]) or "").split("\n\n")[0].split())


def _polled(d: Any, p_slow: Any, p_fast: Any) -> AskEachClass | AskFastSlow:
    """Both probabilities or none; one alone is for the query to refuse."""
    if p_slow is None and p_fast is None:
        return AskEachClass(_as_tuple(d))
    return AskFastSlow(_as_tuple(d), p_slow, p_fast)


def _as_tuple(values: Any) -> Any:
    """A list as a tuple; anything else as it is, for the query to refuse."""
    return tuple(values) if isinstance(values, (list, np.ndarray)) else values
