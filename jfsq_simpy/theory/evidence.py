"""What is known about a system: measured by a run, or computed exactly; asked in the theory's own terms.

In    a Run (that counted `theory.observables`) or an exact law
Out   Findings: a value with its interval and standard error, for metrics, tails and powers; identities
Rule  nothing seen is not probability zero: then the upper limit counts. Which servers of a class are idle
      follows from counts only in law, hypergeometric, and only under uniform ties
Cost  one pass over the tallies (run) or the states (law) a question
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy

from jfsq_simpy import identities, metrics
from jfsq_simpy.estimate import Estimate, Sample, estimate, jackknife, upper_limit
from jfsq_simpy.exact import ExactLaw
from jfsq_simpy.identities import Identity
from jfsq_simpy.run import Run
from jfsq_simpy.system import System
from jfsq_simpy.tally import Tally
from jfsq_simpy.theory import states
from jfsq_simpy.theory.record import Measure
from jfsq_simpy.theory.states import Levels


@dataclass(frozen=True)
class Finding:
    """A number and how well it is known: `error` is its standard error (0 when exact, nan from one unit)."""

    value: float
    low: float
    high: float
    error: float
    units: int  # replications or batches; 0 when exact

    @property
    def exact(self) -> bool:
        """Whether there is no sampling noise."""
        return self.units == 0

    def z(self, other: float) -> float:
        """(value - other) in standard errors; inf or 0 when exact."""
        gap = self.value - other
        if self.error > 0:
            return gap / self.error
        return 0.0 if gap == 0 else math.copysign(math.inf, gap)


def exactly(value: float) -> Finding:
    """A number without noise."""
    return Finding(value, value, value, 0.0, 0)


def from_estimate(e: Estimate) -> Finding:
    """An Estimate as a Finding; where nothing was seen the error is what the upper limit allows."""
    t = float(scipy.stats.t.ppf((1 + e.level) / 2, e.n - 1)) if e.n > 1 else math.nan
    half = max(e.high - e.value, e.value - e.low)  # intervals may be lopsided: the wider side is the safe one
    return Finding(e.value, e.low, e.high, half / t, e.n)


class Evidence(ABC):
    """Something that answers the theory's questions about one system."""

    system: System

    @abstractmethod
    def metric(self, name: str) -> Finding | None:
        """A metric by its name; None when it cannot be known."""

    @abstractmethod
    def tail(self, a: float, c: float, t: float) -> Finding | None:
        """P(min(Q_W - a, c - busy) >= t), or None when it was not counted."""

    @abstractmethod
    def idle_tail(self, m: int, t: float) -> Finding | None:
        """P(at least t idle among the m fastest), or None when unknown."""

    @abstractmethod
    def power(self, eta: float, r: int) -> Finding | None:
        """E[((mean queue - eta)+)^r], or None when it was not counted."""

    @abstractmethod
    def identities(self) -> list[tuple[Identity, Finding]]:
        """Every identity of the pooled averages, with its gap left - right as a Finding."""

    def measured(self, measure: Measure) -> Finding | None:
        """Whatever a statement asks for."""
        if measure.kind == "metric":
            return self.metric(measure.name)
        if measure.kind == "tail":
            return self.tail(*measure.tail)
        if measure.kind == "idle_tail":
            return self.idle_tail(*measure.idle_tail)
        return self.power(*measure.power) if measure.kind == "power" else None


class FromRun(Evidence):
    """Evidence of a run: everything with an interval over replications (or batches)."""

    def __init__(self, run: Run) -> None:
        self.run, self.system = run, run.system
        self.sample: Sample = run.sample

    def metric(self, name: str) -> Finding | None:
        found = from_estimate(estimate(self.sample, name))
        if found.error == 0 and found.units > 1:
            # all replications agree to the last digit: what none has seen may still be as likely as the upper limit
            unseen = upper_limit(self.sample) * max(abs(found.value), 1.0)
            found = replace(found, error=unseen / self._quantile)
        return found

    def tail(self, a: float, c: float, t: float) -> Finding | None:
        return self._counted("tails", (a, c, t), probability=True)

    def idle_tail(self, m: int, t: float) -> Finding | None:
        return self._counted("idle_tails", (m, t), probability=True)

    def power(self, eta: float, r: int) -> Finding | None:
        return self._counted("powers", (eta, r), probability=False)

    def identities(self) -> list[tuple[Identity, Finding]]:
        now = self._identities(self.sample.pooled)
        value, half = jackknife(self.sample, lambda tally: np.array([i.left - i.right for i in self._identities(tally)]))
        t, n = self._quantile, len(self.sample.units)
        found = [Finding(v, v - h, v + h, h / t, n) for v, h in zip(value.tolist(), half.tolist(), strict=True)]
        return list(zip(now, found, strict=True))

    def _identities(self, tally: Tally) -> list[Identity]:
        a, n = self.sample.averages(tally), self.system.n_servers
        found = identities.identities(a)
        if _idle_first(self.system) and (n, 1.0) in self.run.observe.idle_tails:
            some_idle = tally.idle_tails[self.run.observe.idle_tails.index((n, 1.0))] / tally.snapshots
            found.append(_pasta(float(1 - some_idle), metrics.waiting_probability(a)))
        return found

    @property
    def _quantile(self) -> float:
        n = len(self.sample.units)
        return float(scipy.stats.t.ppf((1 + self.sample.level) / 2, n - 1)) if n > 1 else math.nan

    def _counted(self, what: str, key: tuple[float, ...], *, probability: bool) -> Finding | None:
        asked = getattr(self.run.observe, what)
        place = next((i for i, other in enumerate(asked) if np.allclose(other, key, rtol=1e-12, atol=0.0)), None)
        if place is None:
            return None

        def share(tally: Tally) -> float:
            return float(getattr(tally, what)[place] / tally.snapshots)

        value, half = jackknife(self.sample, share)
        n = len(self.sample.units)
        if value == 0 and probability:
            limit = upper_limit(self.sample)
            return Finding(0.0, 0.0, limit, limit / self._quantile, n)
        top = 1.0 if probability else math.inf
        return Finding(value, max(value - half, 0.0), min(value + half, top), half / self._quantile, n)


class FromLaw(Evidence):
    """Evidence of an exact law: no noise."""

    def __init__(self, law: ExactLaw) -> None:
        self.law, self.system = law, law.system
        self._known: dict[Any, float] = {}  # a question costs a pass over the states; readings share questions

    def metric(self, name: str) -> Finding | None:
        return None if name in self.law.refused else exactly(self.law[name])

    def tail(self, a: float, c: float, t: float) -> Finding | None:
        return self._mean(("tail", a, c, t), lambda n: np.minimum(states.waiting(n) - a, c - states.busy(n)) >= t)

    def idle_tail(self, m: int, t: float) -> Finding | None:
        edges = self.law.units.edges
        cut = int(np.searchsorted(edges, m, side="right")) - 1
        inside = m - int(edges[cut])
        if inside and self.system.policy.ties == "index":  # counts do not say which servers of the unit are idle
            return None

        if ("idle", m, t) not in self._known:
            self._known["idle", m, t] = self._idle_tail(edges[1:] <= m, cut, inside, t)
        return exactly(self._known["idle", m, t])

    def _idle_tail(self, whole: Any, cut: int, inside: int, t: float) -> float:
        # first the law of (idle in units wholly inside, idle in the unit the cut splits), then the draw within it
        size = int(self.law.units.sizes[cut]) if inside else 0
        law = np.zeros(((int(self.law.units.sizes[whole].sum()) + 1), size + 1))
        for counts, p in self.law.parts():
            split = counts[:, cut, 0] if inside else np.zeros(len(counts), dtype=np.int64)
            key = counts[:, whole, 0].sum(axis=1) * (size + 1) + split
            law += np.bincount(key, p, law.size).reshape(law.shape)
        sure, drawn = np.nonzero(law)
        tail = scipy.stats.hypergeom.sf(np.ceil(t - sure) - 1, size, drawn, inside) if inside else sure >= t
        return float(law[sure, drawn] @ tail)

    def power(self, eta: float, r: int) -> Finding | None:
        return self._mean(("power", eta, r), lambda n: np.maximum(states.jobs(n) / self.system.n_servers - eta, 0.0) ** r)

    def identities(self) -> list[tuple[Identity, Finding]]:
        found = identities.identities(self.law.averages)
        if _idle_first(self.system):
            all_busy = self._mean("all busy", lambda n: states.busy(n) == self.system.n_servers).value
            found.append(_pasta(all_busy, self.law["waiting_probability"]))
        return [(i, exactly(i.left - i.right)) for i in found]

    def _mean(self, question: Any, function: Callable[[Levels], Any]) -> Finding:
        if question not in self._known:
            self._known[question] = float(self.law.expect(function))
        return exactly(self._known[question])


def _idle_first(system: System) -> bool:
    """Whether arrivals are Poisson and go to an idle server, one that works, whenever there is one."""
    shortest = system.policy.level_then_speed or system.policy.level_only
    return system.arrivals.memoryless and shortest and system.knowledge.true_queues and system.breakdowns is None


def _pasta(all_busy: float, waiting_probability: float) -> Identity:
    """Jobs see time averages: they wait as often as no server is idle."""
    return Identity("P(no server idle) = p_W", all_busy, waiting_probability, "=", "stationary", "section 2, PASTA")


def evidence_of(what: Run | ExactLaw) -> Evidence:
    """From a Run or an exact law."""
    return FromRun(what) if isinstance(what, Run) else FromLaw(what)
