"""In which order a policy takes servers, whatever it is called: told from its ranks, so that a limit speaks of a rule.

In    a System
Out   whether its rule is JFSQ's or JSQ's; in which order it takes idle servers
Rule  a rule is what it does on *this* fleet: on equal servers SED is JSQ, and JSQ with index ties is JFSQ on any, because
      the lowest index is the fastest server
Cost  none for the zoo's JFSQ and JSQ, else a rank table or two
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from jfsq_simpy.errors import ModelError, TooLargeError
from jfsq_simpy.policies import AskAll, IdleFirst, Policy
from jfsq_simpy.policies.policy import shortest, shortest_then_fastest
from jfsq_simpy.policies.ranking import RankTable
from jfsq_simpy.system import System

JFSQ, JSQ = Policy("jfsq", shortest_then_fastest), Policy("jsq", shortest)


def rule_of(system: System) -> Literal["jfsq", "jsq"] | None:
    """Whether every job goes where JFSQ, or JSQ with uniform ties, would send it; None where it may go elsewhere.

    >>> from jfsq_simpy import rates
    >>> mine = Policy("mine", lambda q, mu: 10 * q - mu)     # faster by less than 10
    >>> rule_of(System(rates.two_speed(10, ratio=3), load=0.9, places=5, policy=mine))
    'jfsq'
    """
    policy = system.policy
    if policy.level_then_speed:
        return "jfsq"
    if not policy.level_only:
        if not isinstance(policy.query, AskAll):
            return None
        if _have_the_order_of(JFSQ, system):
            return "jfsq"
        if not _have_the_order_of(JSQ, system):
            return None
    if policy.ties == "index":
        return "jfsq"
    return "jsq" if policy.ties == "uniform" or system.rates.n_classes == 1 else None


def idle_order_of(system: System) -> Literal["fastest first", "any"] | None:
    """In which order idle servers are taken, where jobs go to idle servers as long as there are any; else None.

    >>> from jfsq_simpy import rates
    >>> [idle_order_of(System(rates.two_speed(10, ratio=3), load=0.9, places=5, policy=p)) for p in ("jfiq", "jiq", "sed")]
    ['fastest first', 'any', None]
    """
    policy, rule = system.policy, rule_of(system)
    if rule is not None:
        return "fastest first" if rule == "jfsq" else "any"
    ranks = _ranks(system, policy) if isinstance(policy.query, (AskAll, IdleFirst)) else None
    if ranks is None or ranks[:, 0].max() >= ranks[:, 1:].min():
        return None
    steps = np.diff(ranks[:, 0])  # the fastest class comes first
    if (steps > 0).all() or (policy.ties == "index" and (steps >= 0).all()):
        return "fastest first"
    return "any" if not steps.any() and policy.ties == "uniform" else None


def _have_the_order_of(rule: Policy, system: System) -> bool:
    """Whether servers with a free place rank as under this rule, and full ones behind them all."""
    mine, known = _ranks(system, system.policy), _ranks(system, rule)
    if mine is None or known is None or mine[:, -1].min() <= mine[:, :-1].max():
        return False
    return np.array_equal(mine[:, :-1], known[:, :-1])


def _ranks(system: System, policy: Policy) -> RankTable | None:
    try:
        return policy.rank_table(system.rates, system.places)
    except (ModelError, TooLargeError):
        return None
