"""Reports: one line a claim, with what was measured, what bounds it, and a verdict.

In    findings and statements (from `check`), or statements alone (from `bounds`)
Out   tables (pandas), plain dictionaries (JSON), and whether anything failed
Rule  a breach is called one only beyond what noise does once in a million; what is not judged says why
Cost  nothing
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import scipy

from jfsq_simpy.system import System
from jfsq_simpy.theory.evidence import Finding
from jfsq_simpy.theory.geometry import Parameters
from jfsq_simpy.theory.record import Condition, Statement, number

if TYPE_CHECKING:
    import pandas as pd

FALSE_ALARM = 1e-6  # probability that noise alone makes a line "violated"
ROUNDING = 1e-9
NEVER = "no N"  # how `smallest.Smallest` says that no N was found

Verdict = Literal["holds", "holds within noise", "violated", "warning", "condition not met", "vacuous", "not judged", "shown"]
WORST_FIRST: tuple[Verdict, ...] = ("violated", "warning", "holds within noise", "holds", "not judged", "shown")
Relation = Literal["<=", ">=", "=", "~"]


@dataclass(frozen=True)
class Line:
    """One claim beside its measurement."""

    what: Literal["statement", "identity", "reference"]
    name: str
    variant: str
    quantity: str
    relation: Relation
    reference: float
    found: Finding | None
    verdict: Verdict
    z: float
    note: str

    def row(self) -> dict[str, Any]:
        """One line of a table."""
        f = self.found
        return {
            "what": self.what,
            "name": self.name,
            "variant": self.variant,
            "quantity": self.quantity,
            "measured": f.value if f else math.nan,
            "low": f.low if f else math.nan,
            "high": f.high if f else math.nan,
            "relation": self.relation,
            "reference": self.reference,
            "z": self.z,
            "verdict": self.verdict,
            "note": self.note,
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {k: number(v) if isinstance(v, float) else v for k, v in self.row().items()}


def judge(found: Finding, relation: Relation, reference: float, log_reference: float | None = None) -> tuple[Verdict, float]:
    """Whether a finding keeps a relation, and by how many standard errors it misses.

    Exact findings are compared up to rounding (in logarithms where the bound underflows); measured ones
    fail only beyond the quantile of Student's t that noise exceeds once in a million.

    >>> judge(Finding(0.5, 0.25, 0.75, 0.125, 10), "<=", 0.25)
    ('holds within noise', 2.0)
    """
    gap = found.value - reference
    missed = {"<=": gap, ">=": -gap, "=": abs(gap), "~": 0.0}[relation]
    if relation == "<=" and reference == 0.0 and log_reference is not None and found.exact and found.value > 0:
        return ("holds", 0.0) if math.log(found.value) <= log_reference + ROUNDING else ("violated", math.inf)
    if missed <= ROUNDING * max(abs(found.value), abs(reference)):
        return "holds", 0.0
    if found.exact:
        return "violated", math.inf
    if math.isnan(found.error):
        return "not judged", math.nan
    z = missed / found.error if found.error > 0 else math.inf
    tails = 2 if relation == "=" else 1
    limit = float(scipy.stats.t.isf(FALSE_ALARM / tails, found.units - 1))
    return ("violated" if z > limit else "holds within noise"), z


@dataclass(frozen=True, eq=False)
class CheckReport:
    """What `theory.check` found, claim by claim."""

    system: System
    parameters: Parameters | None
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    found: Mapping[str, Finding] = field(default_factory=dict)  # every metric that can be known, spoken about or not

    @property
    def failures(self) -> tuple[Line, ...]:
        """The lines that are violated."""
        return tuple(line for line in self.lines if line.verdict == "violated")

    @property
    def warnings(self) -> tuple[Line, ...]:
        """Stationary identities that noise does not explain: too short a warm-up, more often than a bug."""
        return tuple(line for line in self.lines if line.verdict == "warning")

    @property
    def failed(self) -> bool:
        """Whether any claim is violated."""
        return bool(self.failures)

    def table(self) -> pd.DataFrame:
        """Every line: what, name, variant, quantity, measured, low, high, relation, reference, z, verdict, note."""
        import pandas as pd

        return pd.DataFrame([line.row() for line in self.lines])

    def by_metric(self) -> pd.DataFrame:
        """One row a metric: measured, low, high, exact, at_least, limit, kind of limit, sharpest sound bound, verdict, note.

        Every metric has its row; `verdict` is "no statement" where nothing here speaks about it. Quantities that are
        no metrics (tails of V, moments) follow, as far as they were counted. Where the evidence is an exact law,
        `measured` and its limits are that law's value.
        """
        import pandas as pd

        rows = {name: _measured(name, f) for name, f in self.found.items()}
        for line in self.lines:
            if line.what == "identity" or line.found is None:
                continue
            row = rows.setdefault(line.quantity, _measured(line.quantity, line.found))
            column = _column(line)
            if column == "bound":
                if _preference(line.verdict, line.reference) < _preference(row.get("verdict"), row.get("bound", math.inf)):
                    row |= {"bound": line.reference, "verdict": line.verdict, "note": line.note}
            elif column == "limit":
                row |= {"limit": line.reference, "limit_kind": line.note} if "limit" not in row else {}
            elif column:
                row.setdefault(column, line.reference)
        spoken = {line.quantity for line in self.lines if line.what != "identity"}
        for name, row in rows.items():
            row.setdefault("verdict", self._beside(name) if name in spoken else "no statement")
        columns = ["metric", "measured", "low", "high", "exact", "at_least", "limit", "limit_kind", "bound", "verdict", "note"]
        return pd.DataFrame(rows.values(), columns=columns)

    def _beside(self, metric: str) -> str:
        """Where no bound speaks: what the exact value or the lower bound makes of a metric."""
        said = {line.verdict for line in self.lines if line.what != "identity" and line.quantity == metric}
        worst = [v for v in WORST_FIRST if v in said]
        return worst[0] if worst else "no statement"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "system": self.system.describe(),
            "parameters": _parameters(self.parameters),
            "failed": self.failed,
            "lines": [line.to_dict() for line in self.lines],
            "notes": list(self.notes),
        }


def _measured(name: str, f: Finding) -> dict[str, Any]:
    return {"metric": name, "measured": f.value, "low": f.low, "high": f.high} | ({"exact": f.value} if f.exact else {})


def _preference(verdict: str | None, bound: float) -> tuple[bool, bool, float]:
    """Readings whose conditions hold come first, then the sharpest."""
    return verdict is None, verdict == "condition not met", bound


def _column(line: Line) -> str | None:
    if line.what == "statement":
        return "bound" if line.note != "printed reading" else None
    return {"=": "exact", ">=": "at_least", "~": "limit"}.get(line.relation)


@dataclass(frozen=True)
class BoundLine:
    """One statement, and from which N on it says something."""

    statement: Statement
    meaningful_from: str  # "now", "10^5.63" or "no N"

    def row(self) -> dict[str, Any]:
        """One line of a table."""
        s = self.statement
        return {
            "statement": s.name,
            "variant": s.variant,
            "quantity": s.quantity,
            "relation": s.relation,
            "bound": s.bound,
            "verdict": self.verdict,
            "proved": s.sound,
            "missed": len(s.missed),
            "equation": s.equation,
            "sentence": s.sentence,
        }

    @property
    def verdict(self) -> str:
        """Whether the bound means anything here."""
        s = self.statement
        if s.relation == "order":
            return "an order, without its constant"
        probability = s.trivial == 1
        if not s.vacuous:
            told = "below 1" if probability else "says something"
        elif self.meaningful_from == NEVER:
            told = "vacuous at every N up to 10^300"
        else:
            since = "first below 1 at" if probability else "says something from"
            told = f"vacuous at this N; {since} N = {self.meaningful_from}{'' if probability else ' on'}"
        return told if s.applies else f"condition not met; {told}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**self.statement.to_dict(), "verdict": self.verdict, "meaningful_from": self.meaningful_from}


@dataclass(frozen=True, eq=False)
class BoundsReport:
    """What `theory.bounds` says before anything is measured."""

    system: System
    parameters: Parameters
    conditions: dict[str, tuple[Condition, ...]]
    lines: tuple[BoundLine, ...]
    assumption_from: str
    notes: tuple[str, ...] = field(default=())

    def table(self) -> pd.DataFrame:
        """Every statement in every reading: bound, verdict, how many conditions are missed, equation, sentence."""
        import pandas as pd

        return pd.DataFrame([line.row() for line in self.lines])

    def parameters_table(self) -> pd.DataFrame:
        """The paper's parameters with their values and meanings."""
        return self.parameters.table()

    def conditions_table(self) -> pd.DataFrame:
        """Every inequality: where it is from, both sides, whether it holds, and by what factor."""
        return _table(
            [
                {"from": place, "condition": c.name, "left": c.left, "right": c.right, "holds": c.holds, "factor": c.factor}
                for place, group in self.conditions.items()
                for c in group
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "system": self.system.describe(),
            "parameters": _parameters(self.parameters),
            "conditions": {place: [c.to_dict() for c in group] for place, group in self.conditions.items()},
            "assumption_holds_from": self.assumption_from,
            "statements": [line.to_dict() for line in self.lines],
            "notes": list(self.notes),
        }


def _table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)


def _parameters(p: Parameters | None) -> dict[str, Any] | None:
    return None if p is None else {k: number(v) if isinstance(v, float) else v for k, v in p.to_dict().items()}
