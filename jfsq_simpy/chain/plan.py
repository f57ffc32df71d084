"""How the chain view runs a System: the form of its state, the rule in it, the grid of events.

In    a System, a Window, and a form when the caller insists
Out   a Plan and a Grid, or the reason why not
Rule  both are functions of their arguments alone, so that every engine runs the same chain
Cost  O(speed classes)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from jfsq_simpy.errors import PlanError
from jfsq_simpy.policies import AskAll, AskSample, Policy
from jfsq_simpy.policies.policy import nothing
from jfsq_simpy.rates import IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import SNAPSHOTS_PER_UNIT, Window

FORMS = ("servers", "classes")
STARTS = ("empty", "busy")
MOST_SERVERS = 2**30 - 64  # five layers of 64 children; and server numbers are 32-bit
MOST_IN_CLASS = 2**32 - 1  # a place in a class is read from a word by 32-bit products
FEW_CELLS = 64  # speed classes x places: up to here one word says which counts are not 0
MANY_SERVERS = 2**14  # from here on counting by class is quicker, as the state per server leaves the fast cache,
MANY_TO_SAMPLE = 2**20  # and from here on where a job looks at a few servers only


@dataclass(frozen=True)
class Plan:
    """The form of the state, and how an arrival finds its server.

    `rule` is "first" (the lowest index among the shortest queues: JFSQ, because servers are sorted),
    "uniform" (uniformly among the shortest queues: JSQ), "sample" (the best of d servers drawn), or
    "rank" (any rank table, over counts by class and level; form "classes" runs the first two so).
    """

    form: str
    rule: str

    @property
    def counts(self) -> bool:
        """Whether the state is counts by class and level."""
        return self.form == "classes"


def asking_all(system: System) -> System:
    """The system, with a sample of every server once read as what it is, asking everybody: one rule, one path.

    >>> from jfsq_simpy.rates import homogeneous
    >>> everyone = System(homogeneous(3), load=0.5, places=2, policy={"name": "jsq_d", "d": 3})
    >>> rule_of(everyone), rule_of(asking_all(everyone))
    ('sample', 'first')
    """
    query = system.policy.query
    if not isinstance(query, AskSample) or query.replace or query.d != system.n_servers:
        return system
    return system.replaced(policy=replace(system.policy, query=AskAll()))


def rule_of(system: System) -> str:
    """The rule by which form "servers" finds a job's server; "rank" has no such form."""
    policy = system.policy
    if policy.level_then_speed or (policy.level_only and (policy.ties == "index" or system.rates.n_classes == 1)):
        return "first"
    if policy.level_only and policy.ties == "uniform":
        return "uniform"
    return "sample" if isinstance(policy.query, AskSample) or is_random(policy) else "rank"


def is_random(policy: Policy) -> bool:
    """Whether the policy is uniform random routing: one server drawn, joined full or not."""
    return policy.key is nothing and isinstance(policy.query, AskAll) and policy.ties == "uniform" and not policy.full_last


def supports(system: System) -> str | None:
    """Why the chain view cannot run the system, in one line; None if it can."""
    policy = system.policy
    if not system.knowledge.perfect:
        return "the chain view holds the queues and not what dispatchers know of them; the jobs view (process or events) has both"
    if system.breakdowns is not None:
        return "servers that fail are in engine process alone"
    if not system.is_markov:
        return "the chain view needs Poisson arrivals and exponential sizes; the jobs view (engine process or events) takes any law"
    if type(policy) is not Policy or not isinstance(policy.query, AskAll | AskSample):
        return f"the chain view does not know how policy {policy.name} asks; the jobs view (engine process or events) does"
    reasons = [_refusal(system, form) for form in FORMS]
    return None if None in reasons else reasons[0] if rule_of(system) != "rank" else reasons[1]


def plan_of(system: System, form: str | None = None) -> Plan:
    """The Plan of a System. `form` insists on one. Errors: PlanError."""
    system = asking_all(system)
    reason = supports(system)
    if reason is not None:
        raise PlanError(f"{reason}.")
    if form is None:
        form = _best_form(system)
    elif form not in FORMS:
        raise PlanError(f'form = {form!r} must be "servers" or "classes".')
    reason = _refusal(system, form)
    if reason is not None:
        raise PlanError(f'form = "{form}" cannot run this: {reason}.')
    rule = rule_of(system)
    return Plan(form, "rank" if form == "classes" and rule != "sample" else rule)


def _best_form(system: System) -> str:
    if _refusal(system, "servers") is not None:
        return "classes"
    many = MANY_TO_SAMPLE if rule_of(system) == "sample" else MANY_SERVERS
    wins = system.rates.n_classes * system.places <= FEW_CELLS and system.n_servers >= many
    return "classes" if wins and _refusal(system, "classes") is None else "servers"


def _refusal(system: System, form: str) -> str | None:
    """Why a form cannot run the system; None if it can."""
    rates = system.rates
    if form == "servers":
        if rule_of(system) == "rank":
            return f"policy {system.policy.name} is run by counts of each speed class and level"
        if system.n_servers > MOST_SERVERS:
            return f"N = {system.n_servers:.4g} servers one by one are above {MOST_SERVERS:,}; group them in speed classes"
        return None
    if system.policy.ties == "index" and not rates.all_distinct:
        return (
            "with index ties it matters which server of a speed class is idle, and counts by class do not say; "
            'ties = "uniform" has the same class counts for JFSQ, or take the jobs view (engine process or events)'
        )
    if int(rates.counts.max()) > MOST_IN_CLASS:
        return f"a speed class of {int(rates.counts.max()):.4g} servers is above {MOST_IN_CLASS:,}"
    return None


@dataclass(frozen=True)
class Grid:
    """Where the window lies among the events.

    Events are counted from 0 at the start of the run; those of the window are `warmup` ..
    `warmup + length - 1`. Batch i holds the window's events edges[i] .. edges[i + 1] - 1; a snapshot
    is the state before each window event whose number is a multiple of `stride`.
    """

    warmup: int
    length: int
    stride: int
    edges: IntArray  # (batches + 1,)

    def snapshots_before(self, event: int) -> int:
        """How many snapshots precede window event `event`."""
        return -(-event // self.stride)


def grid_of(rate: float, window: Window) -> Grid:
    """A window of time as events of a chain of uniformisation rate `rate`: ceil(rate * time) of them.

    >>> grid_of(20.0, Window(1.0, 10.0, batches=3)).edges
    array([  0,  66, 133, 200])
    """
    length = math.ceil(rate * window.length)
    edges = np.array([i * length // window.batches for i in range(window.batches + 1)], dtype=np.int64)
    return Grid(math.ceil(rate * window.warmup), length, max(1, round(rate / SNAPSHOTS_PER_UNIT)), edges)


def arrivals_between_snapshots(system: System, rate: float, grid: Grid) -> float:
    """How many jobs arrive from one snapshot to the next in the mean, whatever the state: events are independent of it."""
    return grid.stride * system.arrival_rate / rate


def first_holding(system: System, start: str) -> int:
    """How many of the fastest servers hold a job at time 0. Errors: PlanError."""
    if start not in STARTS:
        raise PlanError(f'start = {start!r} must be "empty" or "busy" (one job at each of the N2 fastest servers).')
    return system.n2.floor if start == "busy" else 0
