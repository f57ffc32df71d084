"""Every metric's formula, once: used by estimates from tallies, by `exact` and by `theory` alike.

In    Averages: what jobs found on joining, what servers hold (from counts, or from an exact law)
Out   one number a metric; the laws of waiting and response time as mixtures of Erlangs
Rule  a probability is summed from its parts, never taken as 1 minus the rest: p_W may be 1e-26
Cost  O(groups x places) a metric
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from jfsq_simpy.knowledge import Refreshed, Reported
from jfsq_simpy.rates import FloatArray, IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import TICKS, Groups, Tally


@dataclass(frozen=True)
class Averages:
    """What a metric is computed from.

    `joins[g, l]` share of routed jobs that joined a server of group g behind l jobs; `blocked` share
    refused (together they sum to 1); `levels[g, l]` mean number of servers of group g holding l jobs.
    `direct_wait`, `direct_response`: means over accepted jobs measured job by job, where they were.
    """

    system: System
    groups: Groups
    joins: FloatArray
    blocked: float
    levels: FloatArray
    direct_wait: float | None = None
    direct_response: float | None = None

    @property
    def accepted(self) -> float:
        return float(self.joins.sum())

    @property
    def jobs_at(self) -> FloatArray:
        return np.arange(self.levels.shape[1], dtype=np.float64)


def averages(system: System, groups: Groups, tally: Tally) -> Averages:
    """Averages from counts; nan where nothing was counted."""
    with np.errstate(invalid="ignore", divide="ignore"):
        joins = tally.joins / np.float64(tally.routed)
        levels = tally.levels / np.float64(tally.snapshots)
        blocked = float(np.float64(tally.blocked) / tally.routed)
        left = np.float64(tally.accepted - tally.unfinished) * TICKS
        per_job = tally.wait_bins is not None
        wait = float(tally.wait_ticks / left) if per_job else None
        response = float(tally.response_ticks / left) if per_job else None
    return Averages(system, groups, joins, blocked, levels, wait, response)


# ---- numbers -------------------------------------------------------------------------------------------------


def waiting_probability(a: Averages) -> float:
    """p_W: the share of jobs routed to a busy server, blocked ones counted. Section 2."""
    return float(a.joins[:, 1:].sum()) + a.blocked


def blocking_probability(a: Averages) -> float:
    """p_B: the share of jobs that found all places of their server taken."""
    return a.blocked


def buffered_probability(a: Averages) -> float:
    """The share of jobs that wait and are not blocked."""
    return float(a.joins[:, 1:].sum())


def mean_wait(a: Averages) -> float:
    """E[W] over accepted jobs: measured directly, or E[Erlang(level, mu)] from what jobs found."""
    return a.direct_wait if a.direct_wait is not None else _mean_stages(a, 0)


def mean_response(a: Averages) -> float:
    """E[T], arrival to departure, over accepted jobs."""
    return a.direct_response if a.direct_response is not None else _mean_stages(a, 1)


def _mean_stages(a: Averages, own: int) -> float:
    stages = np.arange(a.joins.shape[1]) + own
    with np.errstate(invalid="ignore"):  # nobody was accepted: nan
        return float(((a.joins * stages).sum(axis=1) / a.groups.speeds).sum() / np.float64(a.accepted))


def mean_jobs(a: Averages) -> float:
    """E of all jobs present."""
    return float((a.levels @ a.jobs_at).sum())


def mean_queue(a: Averages) -> float:
    """E of the average queue length, mean_jobs / N: the paper's E[Qbar]."""
    return mean_jobs(a) / a.system.n_servers


def mean_waiting_jobs(a: Averages) -> float:
    """E[Q_W]: jobs present and not in service."""
    return float((a.levels @ np.maximum(a.jobs_at - 1, 0)).sum())


def mean_busy(a: Averages) -> float:
    """E of the number of busy servers."""
    return float(a.levels[:, 1:].sum())


def busy_capacity(a: Averages) -> float:
    """E of the summed rates of busy servers; lambda N (1 - p_B) in steady state."""
    return float(a.groups.speeds @ a.levels[:, 1:].sum(axis=1))


def idle_among(a: Averages, m: int) -> float:
    """E of idle servers among the m fastest.

    Where ties are not by index, which servers of a class are idle is exchangeable, so a class cut
    by m counts in proportion; with index ties the groups are cut there and counted as they are.
    """
    idle = a.levels[:, 0]
    if a.system.policy.ties == "index":
        return float(idle[a.groups.edges[1:] <= m].sum())
    unit = _class_units(a.groups)
    inside = np.clip(m - a.groups.edges[:-1], 0, a.groups.sizes)
    per_unit = np.bincount(unit, idle) * np.bincount(unit, inside) / np.bincount(unit, a.groups.sizes)
    return float(per_unit.sum())


def idle_among_n1(a: Averages) -> float:
    """E of idle servers among the N1 fastest (delta = min(mu_N, 1/2) / 2). Lemma 1."""
    return idle_among(a, a.system.n1().floor)


def idle_among_n2(a: Averages) -> float:
    """E of idle servers among the N2 fastest. Lemma 2."""
    return idle_among(a, a.system.n2.floor)


def messages_per_job(a: Averages) -> float:
    """Messages between dispatcher and servers a job costs.

    Polling: a request and a reply for each server asked. Reports: a server that falls idle says so,
    and each such report is answered by one job that finds it idle. With "reports, else poll" only a
    job that finds nobody idle asks, and such a job waits or is blocked. Departures: one for each job.
    Whoever goes by a board (knowledge) asks nobody else: of its own jobs it hears when one leaves, a refresh
    is a request and a reply for each server and dispatcher, a report goes to every dispatcher.
    """
    policy, known = a.system.policy, a.system.knowledge
    if not known.true_queues and policy.messages != "none":
        if isinstance(known.queues, Refreshed):
            return 2.0 * known.dispatchers / (known.queues.every * a.system.load)
        return a.accepted * (known.dispatchers if isinstance(known.queues, Reported) else 1)
    asked, reports = 2.0 * policy.query.asks(a.system.rates), float(a.joins[:, 0].sum())
    return {
        "poll": asked,
        "reports": reports,
        "reports, else poll": reports + asked * waiting_probability(a),
        "departures": a.accepted,
        "none": 0.0,
    }[policy.messages]


METRICS: dict[str, Callable[[Averages], float]] = {
    f.__name__: f
    for f in (
        waiting_probability,
        blocking_probability,
        buffered_probability,
        mean_wait,
        mean_response,
        mean_jobs,
        mean_queue,
        mean_waiting_jobs,
        mean_busy,
        busy_capacity,
        idle_among_n1,
        idle_among_n2,
        messages_per_job,
    )
}


def formula_of(metric: str) -> Callable[[Averages], float]:
    """The formula of a metric by its name. Errors: KeyError, with the names there are."""
    if metric not in METRICS:
        raise KeyError(f"there is no metric {metric!r}; known: {', '.join(METRICS)}")
    return METRICS[metric]


PROBABILITIES = frozenset({"waiting_probability", "blocking_probability", "buffered_probability"})


# ---- distributions -------------------------------------------------------------------------------------------


def wait_ccdf(a: Averages, times: FloatArray) -> FloatArray:
    """P(W > t) of accepted jobs, float array like `times`: Erlang(level, mu) mixed by what jobs found."""
    return _erlang_ccdf(a, times, 0)


def response_ccdf(a: Averages, times: FloatArray) -> FloatArray:
    """P(T > t) of accepted jobs: Erlang(level + 1, mu) mixed by what jobs found."""
    return _erlang_ccdf(a, times, 1)


def _erlang_ccdf(a: Averages, times: FloatArray, own: int) -> FloatArray:
    times = np.asarray(times, dtype=np.float64)
    total = np.zeros(times.shape)
    for level in range(a.joins.shape[1]):
        stages = level + own
        if stages:
            # P(Erlang(k, mu) > t) is the upper regularised gamma function; exact 0-job waits add nothing
            tail = scipy.special.gammaincc(stages, np.multiply.outer(np.maximum(times, 0.0), a.groups.speeds))
            total += tail @ a.joins[:, level]
    with np.errstate(invalid="ignore"):  # nobody was accepted: nan
        return np.where(times < 0, 1.0, total / np.float64(a.accepted))


def quantile(ccdf: Callable[[FloatArray], FloatArray], p: float) -> float:
    """The smallest t with P(T > t) <= 1 - p, for a continuous decreasing tail with a possible atom at 0.

    nan where the tail is (nothing was counted).
    """
    level = 1.0 - p

    def excess(t: float) -> float:
        return float(ccdf(np.array([t]))[0]) - level

    at_zero = excess(0.0)
    if not at_zero > 0:
        return 0.0 if at_zero <= 0 else at_zero
    high = 1.0
    while excess(high) > 0:
        high *= 2
    return float(scipy.optimize.brentq(excess, 0.0, high, xtol=1e-12, rtol=1e-12))


def found_level_distribution(a: Averages) -> FloatArray:
    """float array (places + 1,): what jobs find at their server; the last entry is the blocked share."""
    return np.asarray(np.append(a.joins.sum(axis=0), a.blocked))


def queue_length_distribution(a: Averages) -> FloatArray:
    """float array (places + 1,): the share of servers holding 0 .. b jobs."""
    return np.asarray(a.levels.sum(axis=0) / a.system.n_servers)


def utilisation_by_class(a: Averages) -> FloatArray:
    """float array: the share of time a server of each speed is busy, one entry a row of `class_speeds`."""
    unit = _class_units(a.groups)
    busy = np.bincount(unit, a.levels[:, 1:].sum(axis=1))
    return np.asarray(busy / np.bincount(unit, a.groups.sizes))


def class_speeds(groups: Groups) -> FloatArray:
    """float array: the speed of each speed class (of each group, where groups span several), fastest first."""
    return groups.speeds[np.unique(_class_units(groups), return_index=True)[1]]


def _class_units(groups: Groups) -> IntArray:
    """int array (n_groups,): groups of one speed class share a number, counted from the fastest."""
    new = np.concatenate([[True], (groups.speed_class[1:] != groups.speed_class[:-1]) | (groups.speed_class[1:] < 0)])
    return np.cumsum(new) - 1
