"""The dispatchers people use, by name: each exactly as its source defines it, with its card.

In    the parameters of a policy
Out   a Policy: a query, a ranking and a tie rule, read by every engine that can hold it
Rule  what happens to a job whose chosen server is full is part of the rule: the shortest-queue policies
      go past full servers, and what chooses without looking (random, the fallback of JIQ) loses the job
Cost  nothing: a policy is data
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jfsq_simpy.policies.card import CARDS, POLICIES, named
from jfsq_simpy.policies.policy import Policy, Ties, nothing, shortest, shortest_then_fastest
from jfsq_simpy.policies.queries import AskClass, AskEachClass, AskFastSlow, AskSample, AskWork, IdleFirst, OneQueue
from jfsq_simpy.policies.turns import InTurn

__all__ = ["CARDS", "POLICIES"]  # every policy below is in them

EQUAL_SPEEDS_MEAN_FIELD = "mean field: supermarket fixed point, theory.reference.mean_field"

# ---- everybody is looked at ----------------------------------------------------------------------------------


@named(
    ties="uniform among the fastest of the shortest queues",
    knows="every queue length and every speed",
    messages="2 N",
    stability="load < 1",
    cost="O(log N); compiled O(1) for N up to 4,096",
    source="Liu & Ying, section 2; Weng, Zhou & Srikant 2020; speed-aware JSQ of Bhambay & Mukhopadhyay 2022",
    exact="one place: a loss system with ordered entry; equal servers with two places: by excursions (exact)",
)
def jfsq(ties: Ties = "uniform") -> Policy:
    """Join the fastest shortest queue: a shortest queue, and of these the fastest."""
    return Policy("jfsq", shortest_then_fastest, ties=ties)


@named(
    ties="uniform among the shortest queues",
    knows="every queue length",
    messages="2 N",
    stability="load < 1",
    cost="O(log N); compiled O(1) for N up to 4,096",
    source="Winston 1977; Weber 1978",
    exact="equal servers with two places: by excursions (exact)",
)
def jsq(ties: Ties = "uniform") -> Policy:
    """Join the shortest queue, blind to speed."""
    return Policy("jsq", shortest, ties=ties)


@named(
    ties="uniform among equally fast servers of the same expected delay",
    knows="every queue length and every speed",
    messages="2 N",
    stability="load < 1",
    cost="O(log N)",
    source="Banawan & Zahorjan 1989; Selen, Adan, Kapodistria & van Leeuwaarden 2016",
    exact="one place: a loss system with ordered entry",
)
def sed(ties: Ties = "uniform") -> Policy:
    """Shortest expected delay: smallest (q + 1) / mu among servers that are not full, ties to the faster."""
    return Policy("sed", soonest_done, ties=ties)


@named(
    ties="uniform among equally fast servers of the same expected delay",
    knows="every queue length and every speed, but not who is full",
    messages="2 N",
    stability="load < 1",
    cost="O(log N)",
    source="as sed, without room for the limit of places",
    exact="none",
)
def sed_all(ties: Ties = "uniform") -> Policy:
    """Shortest expected delay over all servers: a job whose server is full is lost, even if others are not."""
    return Policy("sed_all", soonest_done, ties=ties, full_last=False)


@named(
    ties="uniform among idle servers, and among equal last departures",
    knows="every server's work left, so the sizes of jobs",
    messages="2 N",
    stability="load < 1",
    cost="O(N)",
    source="Harchol-Balter 2013, chapter 24; Kiefer & Wolfowitz 1955",
    exact="equal servers that never block: the central queue M/G/N, job by job",
)
def least_work(ties: Ties = "uniform") -> Policy:
    """Least work left: of the servers that are not full the one that will be free first, any of the idle ones."""
    return Policy("least_work", nothing, AskWork(), ties)


# ---- idle servers say so -------------------------------------------------------------------------------------


@named(
    ties="uniform among idle servers",
    knows="who is idle",
    messages="one for each job that finds a server idle",
    stability="load < 1 with equal speeds; with unequal ones less, for a slow server gets its share when nobody is idle",
    cost="O(log N)",
    source="Lu et al. 2011; Stolyar 2015",
    exact="mean field with unequal speeds: fluid limit, theory.reference.fluid",
)
def jiq(ties: Ties = "uniform") -> Policy:
    """Join an idle queue, any of them; if none is idle, any server at all, full or not."""
    return Policy("jiq", idle_first, ties=ties, full_last=False, messages="reports")


@named(
    ties="uniform among the fastest idle servers",
    knows="who is idle, and every speed",
    messages="one for each job that finds a server idle",
    stability="as jiq",
    cost="O(log N)",
    source="Weng, Zhou & Srikant 2020",
    exact="one place: a loss system with ordered entry, that of jfsq",
)
def jfiq() -> Policy:
    """Join the fastest idle queue; if none is idle, any server at all, full or not."""
    return Policy("jfiq", fastest_idle_first, full_last=False, messages="reports")


@named(
    ties="uniform among the fastest idle servers",
    knows="who is idle, and every speed",
    messages="one for each job that finds a server idle",
    stability="load < 1",
    cost="O(log N); O(N) where nobody is idle",
    source="jfiq whose fallback is weighted_random",
    exact="one place: a loss system with ordered entry, that of jfsq",
)
def jfiq_weighted() -> Policy:
    """Join the fastest idle queue; if none is idle, server n, full or not, with probability mu_n / N."""
    return Policy("jfiq_weighted", fastest_idle_first, ties="rate", full_last=False, messages="reports")


# ---- some are asked ------------------------------------------------------------------------------------------


@named(
    ties="uniform among the shortest queues asked",
    knows="the queue lengths of d servers",
    messages="2 d",
    stability="load < 1 with equal speeds; else load N C(k, d) / C(N, d) below the sum of the k slowest rates, for every k >= d",
    cost="O(d^2)",
    source="Vvedenskaya, Dobrushin & Karpelevich 1996; Mitzenmacher 1996; stability: Foss & Chernova 1998",
    exact=EQUAL_SPEEDS_MEAN_FIELD + " (with finite places and unequal speeds too)",
)
def jsq_d(d: int = 2, replace: bool = False, ties: Ties = "uniform") -> Policy:
    """Power of d choices: d servers sampled uniformly, the shortest queue among them."""
    return Policy("jsq_d", shortest, AskSample(d, replace), ties)


@named(
    ties="uniform among the fastest of the shortest queues asked",
    knows="the queue lengths and speeds of d servers",
    messages="2 d",
    stability="as jsq_d",
    cost="O(d^2)",
    source="jsq_d with the ties of Liu & Ying, section 2",
    exact="equal speeds: those of jsq_d",
)
def jfsq_d(d: int = 2, replace: bool = False, ties: Ties = "uniform") -> Policy:
    """Speed-aware power of d choices: d servers sampled uniformly, among them the fastest shortest queue."""
    return Policy("jfsq_d", shortest_then_fastest, AskSample(d, replace), ties)


@named(
    ties="uniform among idle servers, and among the shortest queues asked",
    knows="who is idle; if nobody is, the queue lengths of d servers",
    messages="one for each job that finds a server idle, 2 d for each that does not",
    stability="load < 1 with equal speeds; with unequal ones less, as jiq",
    cost="compiled O(log N), O(d^2) where nobody is idle; O(N) in process",
    source="Mukherjee, Borst, van Leeuwaarden & Whiting 2016",
    exact="none",
)
def jiq_d(d: int = 2, replace: bool = False, ties: Ties = "uniform") -> Policy:
    """Hybrid of JIQ and JSQ(d): an idle server, remembered from its report; if there is none, JSQ(d)."""
    return Policy("jiq_d", shortest, IdleFirst(AskSample(d, replace)), ties, messages="reports, else poll")


# ---- speed classes -------------------------------------------------------------------------------------------

CLASS_STABILITY = "load N p_k below the capacity of class k, for each k"


@named(
    ties="uniform among the shortest queues asked",
    knows="which server is of which class; the queue lengths of one class, or of d of it",
    messages="2 d, or twice the size of the class drawn",
    stability=CLASS_STABILITY,
    cost="O(d^2), or O(servers of the class)",
    source="Gardner, Abdul Jaleel, Wickeham & Doroudi 2021; Abdul Jaleel et al. 2022 (a single random class is queried)",
    exact="each class is a JSQ or JSQ(d) system of its own with Poisson arrivals",
    example={"probabilities": [0.7, 0.3]},
)
def class_jsq(probabilities: Sequence[float], d: int | None = None, ties: Ties = "uniform") -> Policy:
    """A speed class drawn with the given probabilities (fastest first); in it the shortest queue, of all or of d sampled."""
    return Policy("class_jsq", shortest, AskClass(_as_tuple(probabilities), d), ties)


@named(
    ties="uniform among the idle servers of the class",
    knows="which server is of which class; who is idle",
    messages="one for each job that finds a server of its class idle",
    stability=CLASS_STABILITY,
    cost="O(servers of the class)",
    source="Gardner, Abdul Jaleel, Wickeham & Doroudi 2021; Abdul Jaleel et al. 2022",
    exact="each class is a JIQ system of its own with Poisson arrivals",
    example={"probabilities": [0.7, 0.3]},
)
def class_jiq(probabilities: Sequence[float], ties: Ties = "uniform") -> Policy:
    """A speed class drawn with the given probabilities; in it an idle server, and if there is none any of it, full or not."""
    return Policy("class_jiq", idle_first, AskClass(_as_tuple(probabilities)), ties, full_last=False, messages="reports")


@named(
    ties="uniform among the shortest queues left to choose from",
    knows="which server is of which class; the queue lengths of d_k servers of each class k",
    messages="twice the sum of the d_k",
    stability="load < 1 if every d_k >= 1 and the shortest of all is taken; with p_slow and p_fast it depends on them",
    cost="O(sum of d_k^2)",
    source="Gardner, Abdul Jaleel, Wickeham & Doroudi 2021 (with p_slow and p_fast); Abdul Jaleel et al. 2022 (without)",
    exact="none",
    example={"d": [1, 1]},
)
def jsq_df_ds(d: Sequence[int], p_slow: float | None = None, p_fast: float | None = None, ties: Ties = "uniform") -> Policy:
    """JSQ-(d_F, d_S): d_F fast and d_S slow servers polled; the shortest queue of them all, or by p_slow and p_fast.

    With p_slow and p_fast (two speed classes): the fast polled ones if one of them is idle; else, if a
    slow polled one is idle, the slow ones with probability p_slow; else the fast ones with probability
    p_fast. Then the shortest queue of those. Without: d_k servers of each class k, any number of classes.
    """
    return Policy("jsq_df_ds", shortest, _polled(d, p_slow, p_fast), ties)


@named(
    ties="uniform among the idle servers left to choose from, or among all of these",
    knows="which server is of which class; which of d_F fast and d_S slow servers are idle",
    messages="twice d_F + d_S",
    stability="depends on p_slow and p_fast",
    cost="O(d_F^2 + d_S^2)",
    source="Gardner, Abdul Jaleel, Wickeham & Doroudi 2021",
    exact="none",
    example={"d": [1, 1], "p_slow": 0.8, "p_fast": 0.7},
)
def jiq_df_ds(d: Sequence[int], p_slow: float, p_fast: float, ties: Ties = "uniform") -> Policy:
    """JIQ-(d_F, d_S): d_F fast and d_S slow servers polled, those to choose from as in jsq_df_ds; of them an idle one or any."""
    return Policy("jiq_df_ds", idle_first, _polled(d, p_slow, p_fast), ties, full_last=False)


# ---- nobody is asked -----------------------------------------------------------------------------------------


@named(
    ties="none: it is one server's turn",
    knows="nothing",
    messages="0",
    stability="load < mu_N, the slowest rate",
    cost="O(1)",
    source="the default of most balancers",
    exact="exponential sizes: N queues Erlang(N)/M/1",
)
def round_robin() -> Policy:
    """Each server in its turn, full or not."""
    return Policy("round_robin", nothing, InTurn(weighted=False), full_last=False, messages="none")


@named(
    ties="none: it is one server's turn (lower index first where two have theirs at one time)",
    knows="every speed",
    messages="0",
    stability="load < 1",
    cost="O(log N), for a block of jobs at a time",
    source="the earliest-deadline-first schedulers of production balancers",
    exact="equal speeds: round_robin",
)
def weighted_round_robin() -> Policy:
    """Each server in its turn, full or not, as often as it is fast: server n's i-th turn is at (i + 1/2) / mu_n."""
    return Policy("weighted_round_robin", nothing, InTurn(weighted=True), full_last=False, messages="none")


@named(
    ties="uniform among all servers",
    knows="nothing",
    messages="0",
    stability="load < mu_N, the slowest rate",
    cost="O(1); O(log N) in process",
    source="the baseline of every comparison",
    exact="product form: server n is M/G/1 with arrival rate `load`",
)
def random(ties: Ties = "uniform") -> Policy:
    """A server uniformly at random, full or not."""
    return Policy("random", nothing, ties=ties, full_last=False, messages="none")


@named(
    ties="server n with probability mu_n / N",
    knows="every speed",
    messages="0",
    stability="load < 1",
    cost="O(log N); O(N) in process",
    source="the baseline of every comparison, with speeds",
    exact="product form: every server is M/G/1 with the same load",
)
def weighted_random() -> Policy:
    """Server n with probability mu_n / N, full or not: all servers are equally loaded."""
    return Policy("weighted_random", nothing, ties="rate", full_last=False, messages="none")


# ---- a bound from below --------------------------------------------------------------------------------------


@named(
    ties="uniform among the fastest idle servers",
    knows="who is idle, and every speed; jobs wait with the dispatcher",
    messages="one for each job that leaves",
    stability="load < 1",
    cost="O(log N), in process only",
    source="Lin & Kumar 1984 (two servers: threshold policies do better still); Armony 2005 (fastest server first)",
    exact="equal speeds and exponential sizes: M/M/N with N b places, theory.reference.erlang",
)
def central_queue() -> Policy:
    """No dispatcher: jobs wait together in N (b - 1) places, first come first served, at the fastest idle server.

    What a dispatcher loses by choosing at once shows beside it: with equal speeds nothing that does not
    know sizes waits less in the mean. With very unequal speeds a policy that leaves a slow server idle can.
    """
    return Policy("central_queue", nothing, OneQueue(), messages="departures")


# ---- parts ---------------------------------------------------------------------------------------------------


def idle_first(queue_length: Any, rate: Any) -> Any:
    """JIQ's key: idle or not."""
    return np.minimum(queue_length, 1)


def fastest_idle_first(queue_length: Any, rate: Any) -> Any:
    """JFIQ's key: an idle server by its speed, the busy ones all alike."""
    return np.minimum(queue_length, 1), np.where(np.equal(queue_length, 0), -rate, 0.0)


def soonest_done(queue_length: Any, rate: Any) -> Any:
    """SED's key: mean time until a job that joins now leaves; at a tie the faster server."""
    return (queue_length + 1) / rate, -rate


def _polled(d: Any, p_slow: float | None, p_fast: float | None) -> AskEachClass | AskFastSlow:
    if p_slow is None and p_fast is None:
        return AskEachClass(_as_tuple(d))
    return AskFastSlow(_as_tuple(d), p_slow, p_fast)  # type: ignore[arg-type]  # it refuses None


def _as_tuple(values: Any) -> Any:
    """A list as a tuple; anything else as it is, for the query to refuse."""
    return tuple(values) if isinstance(values, (list, np.ndarray)) else values
