"""Every statement of the paper as a record: what it bounds, under which conditions, in which reading.

In    Parameters, or a System (then ties, policy and laws are conditions too)
Out   Statements, default readings first
Rule  a reading is judged only when it is sound: its proof, as mended, carries it. Lemmas 1 and 2 are refused
      for uniform ties when their cut splits a speed class
Cost  nothing
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from jfsq_simpy.rates import Rates
from jfsq_simpy.system import System
from jfsq_simpy.theory import conditions as given
from jfsq_simpy.theory import lemmas, moments, waiting
from jfsq_simpy.theory.geometry import Parameters
from jfsq_simpy.theory.record import Condition, Measure, Statement, condition, fact, log

Builder = Callable[[Parameters], Statement]


# ---- section 3.5 ---------------------------------------------------------------------------------------------


def blocking(p: Parameters, variant: waiting.BlockingReading = "recursion") -> Statement:
    """p_B as a record; the default picks its own r."""
    bound = waiting.blocking_probability(p, variant)
    at = waiting.best_blocking_order(p) if variant == "recursion" else p
    conditions = given.sufficient(at) if variant == "recursion" else given.assumption(p, "paper")
    return Statement(
        name="p_B",
        variant=variant,
        quantity="blocking_probability",
        log_bound=log(bound),
        trivial=1.0,
        conditions=(*conditions, condition("eta < b", at.eta, at.places * (1 - 1e-12), "section 3.5")),
        equation="section 3.5",
        sentence=f"A job finds every place taken with probability at most {bound:.3g} (moment {at.order}).",
        regime=p.regime,
        sound=variant == "recursion",
        measure=Measure("metric", "blocking_probability"),
    )


def waiting_jobs(p: Parameters, variant: waiting.WaitReading | None = None) -> Statement:
    """E[Q_W] as a record."""
    variant = waiting.default_wait(p) if variant is None else variant
    bound = waiting.waiting_jobs(p, variant, _plugged(p, variant))
    return Statement(
        name="E[Q_W]",
        variant=variant,
        quantity="mean_waiting_jobs",
        log_bound=log(bound),
        trivial=p.n * (p.places - 1),
        conditions=_conditions(p, variant),
        equation="(27)" if p.side == "super" else "before (26)",
        sentence=f"At most {bound:.4g} jobs wait in the mean.",
        regime=p.regime,
        sound=variant != "paper" or p.side == "super",
        measure=Measure("metric", "mean_waiting_jobs"),
    )


def mean_wait(p: Parameters, variant: waiting.WaitReading | None = None) -> Statement:
    """E[W] as a record."""
    variant = waiting.default_wait(p) if variant is None else variant
    bound = waiting.mean_wait(p, variant, _plugged(p, variant))
    return Statement(
        name="E[W]",
        variant=variant,
        quantity="mean_wait",
        log_bound=log(bound),
        trivial=(p.places - 1) / p.slowest,
        conditions=_conditions(p, variant),
        equation="(26)",
        sentence=f"An accepted job waits at most {bound:.4g} time units in the mean.",
        regime=p.regime,
        sound=variant != "paper",
        measure=Measure("metric", "mean_wait"),
    )


def waiting_probability(p: Parameters, variant: waiting.WaitingReading | None = None) -> Statement:
    """p_W as a record."""
    variant = waiting.default_wait(p) if variant is None else variant
    bound = waiting.waiting_probability(p, variant, _plugged(p, variant))
    return Statement(
        name="p_W",
        variant=variant,
        quantity="waiting_probability",
        log_bound=log(bound),
        trivial=1.0,
        conditions=_conditions(p, variant),
        equation="end of section 3.5",
        sentence=f"A job is routed to a busy server with probability at most {bound:.4g}.",
        regime=p.regime,
        sound="paper" not in variant,
        measure=Measure("metric", "waiting_probability"),
    )


def _plugged(p: Parameters, variant: str) -> float | None:
    """What stands for p_B: 1/N where the paper says so, its own bound else."""
    return 1 / p.n if "paper" in variant else None


def _conditions(p: Parameters, variant: str) -> tuple[Condition, ...]:
    p = p.with_order(1)
    if "paper" in variant:
        return (*given.assumption(p, "paper"), *given.printed_in_35(p))
    return (*given.sufficient(p), *(given.printed_in_35(p)[2:] if variant == "corrected" and p.side == "sub" else ()))


# ---- Theorem 1 -----------------------------------------------------------------------------------------------


def mean_wait_order(p: Parameters, variant: waiting.OrderReading = "corrected") -> Statement:
    """Theorem 1's order of E[W]: a rate, without its constant."""
    return _order(p, variant, "E[W]", "mean_wait", waiting.mean_wait_order(p, variant))


def waiting_probability_order(p: Parameters, variant: waiting.OrderReading = "corrected") -> Statement:
    """Theorem 1's order of p_W: a rate, without its constant."""
    return _order(p, variant, "p_W", "waiting_probability", waiting.waiting_probability_order(p, variant))


def _order(p: Parameters, variant: str, what: str, metric: str, value: float) -> Statement:
    return Statement(
        name=f"Theorem 1, {what}",
        variant=variant,
        quantity=metric,
        log_bound=log(value),
        trivial=float("inf"),
        conditions=given.assumption(p, "paper" if variant == "paper" else "corrected"),
        equation="Theorem 1",
        sentence=f"{what} vanishes at least as fast as N^-{waiting.order_exponent(p):.3g}, logarithms aside.",
        regime=p.regime,
        sound=variant == "corrected",
        relation="order",
    )


# ---- all of them ---------------------------------------------------------------------------------------------


def builders(p: Parameters, n1: int | None = None, n2: int | None = None) -> Iterator[Builder]:
    """Every statement in every reading, as functions of Parameters, so that they can be asked at any N."""
    for idle in ("statement", "whole"):
        yield partial(lemmas.lemma_1, variant=idle, n1=n1)
        yield partial(lemmas.lemma_2, variant=idle, n2=n2)
    for collapse in ("whole", "statement", "proof"):
        yield partial(lemmas.collapse, variant=collapse)
    for moment in moments.MOMENT:
        yield partial(moments.moment, variant=moment)
    for mean in moments.MEAN:
        yield partial(moments.mean_queue, variant=mean)
    for refused in waiting.BLOCKING:
        yield partial(blocking, variant=refused)
    for wait in waiting.WAIT:
        yield partial(waiting_jobs, variant=wait)
        yield partial(mean_wait, variant=wait)
    for waits in waiting.WAITING:
        if not (waits == "mu_1 paper" and p.side == "sub"):
            yield partial(waiting_probability, variant=waits)
    for order in waiting.ORDER:
        yield partial(mean_wait_order, variant=order)
        yield partial(waiting_probability_order, variant=order)


def statements(p: Parameters) -> list[Statement]:
    """Every statement in every reading, from numbers alone.

    >>> found = statements(Parameters.of(n_servers=1e12, alpha=0.5, places=2))
    >>> [(s.variant, round(s.bound, 4)) for s in found if s.name == "p_W" and s.sound]
    [('corrected', 0.0007), ('identity', 0.0007)]
    """
    return [build(p) for build in builders(p)]


def statements_of(system: System, order: int = 1) -> list[Statement]:
    """Every statement about a System, its policy, ties and laws among the conditions. Errors: ModelError."""
    p = Parameters.from_system(system, order=order)
    n1, n2 = system.n1(p.delta).floor, system.n2.floor
    said = []
    for build in builders(p, n1, n2):
        statement = build(p).with_conditions(*model_conditions(system))
        if statement.name in ("Lemma 1", "Lemma 2"):
            statement = statement.with_conditions(ties_condition(system, n1 if statement.name == "Lemma 1" else n2))
        said.append(statement)
    return said


def model_conditions(system: System) -> tuple[Condition, ...]:
    """What section 2 assumes of every system: JFSQ, Poisson arrivals, exponential sizes; more where that is broken."""
    memoryless = system.size.memoryless and system.arrivals.memoryless
    facts = [
        fact("the policy is JFSQ", holds=system.policy.level_then_speed, source="section 2"),
        fact("Poisson arrivals and exponential sizes", holds=memoryless, source="section 2"),
    ]
    if not system.knowledge.perfect:
        facts.append(fact("the dispatcher knows the servers as they are", holds=False, source="section 2"))
    if system.breakdowns is not None:
        facts.append(fact("servers never fail", holds=False, source="section 2"))
    return tuple(facts)


def ties_condition(system: System, m: int) -> Condition:
    """Lemmas 1 and 2: index ties, or a cut after server m that splits no speed class."""
    return fact(
        "ties by lowest index, or the cut splits no speed class",
        holds=system.policy.ties == "index" or not splits_a_class(system.rates, m),
        source="proofs of Lemmas 1 and 2",
    )


def splits_a_class(rates: Rates, m: int) -> bool:
    """Whether servers m and m + 1 (counted from 1) have the same speed."""
    return 0 < m < rates.n_servers and m not in rates.first_server
