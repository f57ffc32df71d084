"""The theory beside the measurement: every statement, identity and reference value, judged.

In    a System, and a Run or an exact law of it
Out   a CheckReport
Rule  statements are judged where they are sound, their conditions hold and they are not vacuous; a pathwise
      identity that breaks is an error, a stationary one a warning (an exact law may break neither)
Cost  reference curves up to about 2 s
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from jfsq_simpy.errors import ModelError, PlanError, TooLargeError
from jfsq_simpy.exact import ExactLaw, solve
from jfsq_simpy.exact.states import n_states
from jfsq_simpy.metrics import METRICS
from jfsq_simpy.run import Run
from jfsq_simpy.system import System
from jfsq_simpy.theory import conditions, smallest
from jfsq_simpy.theory.evidence import Evidence, Finding, evidence_of
from jfsq_simpy.theory.families import like
from jfsq_simpy.theory.geometry import Parameters
from jfsq_simpy.theory.lemmas import unreachable
from jfsq_simpy.theory.record import Statement
from jfsq_simpy.theory.reference import curves
from jfsq_simpy.theory.report import BoundLine, BoundsReport, CheckReport, Line, Relation, Verdict, judge
from jfsq_simpy.theory.scope import why_silent
from jfsq_simpy.theory.statements import Builder, builders, model_conditions, splits_a_class, statements_of

SMALL = 5_000  # states solved without being asked: about a second
RELATION: dict[str, Relation] = {"exact": "=", "lower bound": ">=", "limit": "~", "conjecture": "~"}


def check(
    system: System,
    measured: Run | ExactLaw,
    *,
    law: ExactLaw | Literal["auto"] | None = "auto",
    statements: Sequence[Statement] | None = None,
) -> CheckReport:
    """Hold a run, or an exact law, against everything the theory says about its system.

    Parameters
    ----------
    measured : Run (simulated with `observe=theory.observables(system)`) or exact law
    law : the exact law a Run's metrics are compared with; "auto" solves a system of up to 5,000 states
    statements : optional          what to judge in place of the paper's own

    Returns a CheckReport: `.failed`, `.table()`, `.by_metric()`, `.to_dict()`. Errors: PlanError when
    `measured` is of another system.

    >>> from jfsq_simpy import rates
    >>> system = System(rates.homogeneous(100), alpha=0.3, places=2)
    >>> {line.variant: line.verdict for line in check(system, solve(system)).lines if line.name == "Lemma 3"}
    {'whole': 'holds', 'statement': 'condition not met', 'proof': 'not judged'}
    """
    evidence = evidence_of(measured)
    if evidence.system is not system and evidence.system.describe() != system.describe():
        raise PlanError(f"check: the run is of {evidence.system!r}, not of {system!r}.")
    parameters, notes = _parameters(system)
    if statements is None:
        statements = statements_of(system) if parameters else []
    lines = [
        *(_statement_line(s, s.relation, evidence) for s in statements if s.relation != "order"),
        *_reference_lines(system, evidence),
        *_law_lines(evidence, _truth(system, measured, law)),
        *_identity_lines(evidence),
    ]
    found = {name: f for name in METRICS if (f := evidence.metric(name)) is not None}
    return CheckReport(system, parameters, tuple(lines), tuple(notes), found)


def bounds(system: System, order: int = 1) -> BoundsReport:
    """What the paper says about a system before anything is measured.

    Parameters with their equations, every condition with both sides, every bound in every reading, and from
    which N on it would say something (speed classes keeping their shares). Errors: ModelError where
    the paper does not speak (load >= 1, one place, N = 1).

    >>> from jfsq_simpy import rates
    >>> report = bounds(System(rates.homogeneous(1000), alpha=0.5, places=2))
    >>> print(report.assumption_from)
    10^8.54
    """
    p = Parameters.from_system(system, order=order)
    n1, n2 = system.n1(p.delta).floor, system.n2.floor
    named = {(s.name, s.variant): s for s in statements_of(system, order)}
    lines = tuple(BoundLine(named[b(p).name, b(p).variant], _meaningful_from(b, p, system)) for b in builders(p, n1, n2))
    family = like(system.rates)
    start = smallest.smallest_n(p.alpha, p.places, order=order, family=family, epsilon=None)
    given = {"section 2": model_conditions(system), **conditions.every(p)}
    return BoundsReport(system, p, given, lines, str(start), tuple(_notes(system, p)))


def _meaningful_from(build: Builder, p: Parameters, system: System) -> str:
    here = build(p)
    if here.relation == "order" or not here.vacuous:
        return "now"
    found = smallest.first_meaningful(build, p.alpha, p.places, order=p.order, family=like(system.rates))
    return str(found)


def _parameters(system: System) -> tuple[Parameters | None, list[str]]:
    if silent := why_silent(system):
        return None, [silent]
    p = Parameters.from_system(system)
    return p, list(_notes(system, p))


def _notes(system: System, p: Parameters) -> Iterator[str]:
    if broken := [c.name for c in model_conditions(system) if not c.holds]:
        yield f"The paper's statements are not about this system, and none is judged. It lacks: {'; '.join(broken)}."
    if system.policy.ties != "index" and any(splits_a_class(system.rates, m) for m in (system.n1(p.delta).floor, system.n2.floor)):
        yield (
            "Lemmas 1 and 2 are not judged: their cut splits a speed class, whose servers share ties uniformly, and there they are "
            'false. policy = {name = "jfsq", ties = "index"} makes them speak.'
        )
    if unreachable(p):
        yield "V cannot reach its threshold with so few places or servers: Lemma 3 or 4 says nothing here."


# ---- lines ---------------------------------------------------------------------------------------------------


def _statement_line(s: Statement, relation: Relation, evidence: Evidence) -> Line:
    found = evidence.measured(s.measure)
    verdict, z, note = _statement_verdict(s, relation, found)
    return Line("statement", s.name, s.variant, s.quantity, relation, s.bound, found, verdict, z, note)


def _statement_verdict(s: Statement, relation: Relation, found: Finding | None) -> tuple[Verdict, float, str]:
    if not s.sound:
        return "not judged", float("nan"), "printed reading"
    if not s.applies:
        return "condition not met", float("nan"), _how_far(s)
    if found is None:
        return "not judged", float("nan"), "not counted"
    verdict, z = judge(found, relation, s.bound, s.log_bound)
    if s.vacuous and verdict != "violated":
        return "vacuous", z, f"always at most {s.trivial:.4g}" if s.relation == "<=" else f"always at least {s.trivial:.4g}"
    return verdict, z, ""


def _how_far(s: Statement) -> str:
    """The condition missed by most, and how many more are missed."""
    worst = min(s.missed, key=lambda c: c.log_factor)
    others = f" (and {len(s.missed) - 1} more)" if len(s.missed) > 1 else ""
    by = f" by a factor {1 / worst.factor:.3g}" if worst.factor > 0 else ""
    return f"misses {worst.name}{by}{others}"


def _reference_lines(system: System, evidence: Evidence) -> Iterator[Line]:
    for c in curves(system):
        found, relation = evidence.metric(c.metric), RELATION[c.kind]
        if found is None:
            continue
        verdict, z = judge(found, relation, c.value) if relation != "~" else ("shown", found.z(c.value))
        yield Line("reference", c.source, c.kind, c.metric, relation, c.value, found, verdict, z, c.kind)


def is_small(system: System) -> bool:
    """Whether an exact law costs about a second at most, so that it is solved without being asked for."""
    return system.is_markov and system.rates.n_classes <= 12 and n_states(system.rates.counts, system.places) <= SMALL


def _truth(system: System, measured: Run | ExactLaw, law: ExactLaw | Literal["auto"] | None) -> ExactLaw | None:
    if law != "auto":
        return law
    if isinstance(measured, ExactLaw) or not is_small(system):
        return None
    try:
        return solve(system)
    except (ModelError, TooLargeError):  # a policy whose routing probabilities are not known, or index ties
        return None


def _law_lines(evidence: Evidence, law: ExactLaw | None) -> Iterator[Line]:
    for name, value in law.metrics().items() if law is not None else ():
        found = evidence.metric(name)
        if found is None:
            continue
        verdict, z = judge(found, "=", value)
        yield Line("reference", "exact law", "exact", name, "=", value, found, verdict, z, "exact")


def _identity_lines(evidence: Evidence) -> Iterator[Line]:
    for identity, gap in evidence.identities():
        verdict, z = _identity_verdict(identity, gap)
        yield Line(
            "identity", identity.name, identity.kind, "left - right", identity.relation, 0.0, gap, verdict, z, identity.source
        )


def _identity_verdict(identity: Any, gap: Any) -> tuple[Verdict, float]:
    if identity.holds:
        return "holds", 0.0
    if identity.kind == "pathwise" or gap.exact:
        return "violated", float("inf")
    verdict, z = judge(gap, identity.relation, 0.0)
    return ("warning" if verdict == "violated" else verdict), z
