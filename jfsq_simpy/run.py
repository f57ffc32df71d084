"""A Run: what was simulated, and every question it can answer.

In    outcomes of replications of one system
Out   Estimates by metric name, distributions with intervals, tables
Rule  everything is computed from tallies, so a Run read back from records answers like the first one
Cost  nothing is computed before it is asked for
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from jfsq_simpy import metrics
from jfsq_simpy.balance import balances, what_is_off
from jfsq_simpy.controls import controlled, sharpened
from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import PlanError
from jfsq_simpy.estimate import Estimate, Sample, ccdf_of, estimate, quantile_estimate, shares
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import NOTHING, Groups, Observables, Outcome, Tally, Window, groups_of, merged
from jfsq_simpy.warmup import looks_of

if TYPE_CHECKING:
    import pandas as pd

    from jfsq_simpy.jobs.trace import Trace


@dataclass
class Run:
    """Replications of one system, and what they say.

    Every name in `metrics.METRICS` is an attribute: `run.waiting_probability` is an Estimate.
    `tallies[r][b]` is batch b of the r-th replication; `replications` are their numbers; `jobs` counts
    all arrivals simulated; `seconds` is wall time without compilation.
    """

    system: System
    engine: str
    seed: Seed
    window: Window
    replications: list[int]
    tallies: list[list[Tally]]
    jobs: int
    seconds: float
    observe: Observables = NOTHING
    start: str = "empty"
    level: float = 0.95
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    precise: bool | None = None  # whether the precision asked for was reached
    trace: Trace | None = None

    @classmethod
    def from_outcomes(cls, system: System, outcomes: Sequence[Outcome], *, warnings: list[str], **plan: Any) -> Run:
        """From what an engine handed back, in the order of the replication numbers."""
        run = cls(
            system,
            tallies=[o.tallies for o in outcomes],
            jobs=sum(o.arrivals for o in outcomes),
            facts=dict(outcomes[0].facts),
            warnings=list(warnings),
            **plan,
        )
        run.warnings += run._what_to_say()
        return run

    def extended(self, outcomes: Sequence[Outcome], numbers: Sequence[int], seconds: float) -> Run:
        """The same run with further replications."""
        return replace(
            self,
            replications=[*self.replications, *numbers],
            tallies=[*self.tallies, *(o.tallies for o in outcomes)],
            jobs=self.jobs + sum(o.arrivals for o in outcomes),
            seconds=seconds,
        )

    # ---- numbers ----

    @cached_property
    def groups(self) -> Groups:
        """How the tallies group servers."""
        return groups_of(self.system, self.observe)

    @property
    def sample(self) -> Sample:
        """The independent units the intervals rest on."""
        single = len(self.tallies) == 1
        units = self.tallies[0] if single else [merged(batches) for batches in self.tallies]
        looks = looks_of(self.system, len(self.tallies), self.window.length)
        return Sample(self.system, self.groups, units, self.level, "batches" if single else "replications", looks)

    @property
    def best_sample(self) -> Sample:
        """The units with their controls where surges were counted, as for a precision; else as they are."""
        return sharpened(self.sample) if self.observe.surges else self.sample

    def __getitem__(self, metric: str) -> Estimate:
        return estimate(self.best_sample, metric)

    def __getattr__(self, name: str) -> Estimate:
        if name in metrics.METRICS:
            return self[name]
        raise AttributeError(f"a Run has no {name!r}; metrics: {', '.join(metrics.METRICS)}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *metrics.METRICS]

    def estimates(self) -> dict[str, Estimate]:
        """Every metric."""
        sample = self.best_sample
        return {name: estimate(sample, name) for name in metrics.METRICS}

    def table(self) -> pd.DataFrame:
        """Every metric, tidy: one row each, columns metric, value, low, high, level, n, method."""
        import pandas as pd

        return pd.DataFrame([{"metric": name, **vars(e)} for name, e in self.estimates().items()])

    def controlled(self, metric: str) -> Estimate:
        """A metric corrected by work conservation, and by surges of arrivals where they were counted: same truth, known better.

        Needs 10 replications; with fewer it is the plain estimate. A run to a precision on the chain's
        engines counts surges and corrects all its numbers by itself.
        """
        return controlled(self.sample, metric)

    def identities(self) -> pd.DataFrame:
        """What must balance, and whether it does: columns identity, kind, left, relation, right, z, holds.

        `z` is how far off it is in standard errors (normal scale). Errors: IdentityError where an
        identity that holds on every path is broken.
        """
        import pandas as pd

        columns = ["identity", "kind", "left", "relation", "right", "z", "holds"]
        rows = [
            (b.identity.name, b.identity.kind, b.identity.left, b.identity.relation, b.identity.right, b.z, b.holds)
            for b in balances(self.sample)
        ]
        return pd.DataFrame(rows, columns=columns)

    # ---- distributions ----

    def wait_ccdf(self, times: ArrayLike, method: str = "auto") -> pd.DataFrame:
        """P(W > t) of accepted jobs: columns t, value, low, high.

        `method` "empirical" (jobs view: measured waits), "erlang" (exponential sizes: a job behind j
        others waits Erlang(j, mu), mixed by what jobs found) or "auto" (what the engine's view gives).
        """
        return self._ccdf("wait", times, method)

    def response_ccdf(self, times: ArrayLike, method: str = "auto") -> pd.DataFrame:
        """P(T > t) of accepted jobs: columns t, value, low, high; `method` as in `wait_ccdf`."""
        return self._ccdf("response", times, method)

    def wait_quantiles(self, probabilities: ArrayLike, method: str = "auto") -> pd.DataFrame:
        """Quantiles of the wait of accepted jobs: columns p, value, low, high."""
        return self._quantiles("wait", probabilities, method)

    def response_quantiles(self, probabilities: ArrayLike, method: str = "auto") -> pd.DataFrame:
        """Quantiles of the response time of accepted jobs: columns p, value, low, high."""
        return self._quantiles("response", probabilities, method)

    def found_level_distribution(self) -> pd.DataFrame:
        """What jobs find at their server: columns level, value, low, high; the last level is blocked."""
        return self._distribution("level", np.arange(self.system.places + 1), metrics.found_level_distribution)

    def queue_length_distribution(self) -> pd.DataFrame:
        """The share of servers holding 0 .. b jobs: columns level, value, low, high."""
        return self._distribution("level", np.arange(self.system.places + 1), metrics.queue_length_distribution)

    def utilisation_by_class(self) -> pd.DataFrame:
        """The share of time servers of each speed are busy: columns speed, value, low, high.

        Above 4,096 speed classes, by group of adjacent speeds.
        """
        return self._distribution("speed", metrics.class_speeds(self.groups), metrics.utilisation_by_class)

    def _method(self, method: str) -> str:
        per_job = self.tallies[0][0].wait_bins is not None
        if method == "auto":
            return "empirical" if per_job else "erlang"
        if method == "empirical" and not per_job:
            raise PlanError('method = "empirical" needs measured waits: run with engine = "process" or "events".')
        if method == "erlang" and not self.system.size.memoryless:
            raise PlanError('method = "erlang" holds for exponential sizes only; use method = "empirical".')
        if method == "erlang" and not self.system.policy.erlang_waits:
            raise PlanError(
                f'method = "erlang" does not hold for policy {self.system.policy.name!r}: a wait there is not a sum of as many '
                'services as jobs were found; use method = "empirical".'
            )
        if method == "erlang" and not self.system.erlang_waits:
            raise PlanError('method = "erlang" does not hold where servers fail; use method = "empirical".')
        if method not in ("empirical", "erlang"):
            raise PlanError(f'method = {method!r} must be "auto", "empirical" or "erlang".')
        return method

    def _ccdf(self, which: str, times: ArrayLike, method: str) -> pd.DataFrame:
        t = _numbers(times, "times")
        sample = self.best_sample
        tail = ccdf_of(sample, which, self._method(method))
        return _with_intervals({"t": t}, *shares(sample, lambda tally: tail(tally, t)))

    def _quantiles(self, which: str, probabilities: ArrayLike, method: str) -> pd.DataFrame:
        import pandas as pd

        p = _numbers(probabilities, "probabilities")
        if not np.all((p >= 0) & (p < 1)):
            raise PlanError(f"probabilities = {p.tolist()} must lie in [0, 1).")
        sample = self.best_sample
        tail = ccdf_of(sample, which, self._method(method))
        rows = [quantile_estimate(sample, float(x), tail) for x in p]
        return pd.DataFrame(
            {"p": p, "value": [e.value for e in rows], "low": [e.low for e in rows], "high": [e.high for e in rows]}
        )

    def _distribution(self, name: str, index: Any, formula: Callable[[metrics.Averages], FloatArray]) -> pd.DataFrame:
        sample = self.best_sample
        return _with_intervals({name: index}, *shares(sample.counts, lambda tally: formula(sample.averages(tally))))

    # ---- what to say ----

    def _what_to_say(self) -> list[str]:
        said = []
        unfinished = sum(t.unfinished for batches in self.tallies for t in batches)
        if unfinished:
            drain = f"drain = {self.window.drain:g} time units"
            said.append(f"{unfinished:,} jobs of the window had not left after {drain}; their waits are missing.")
        if self.groups.spread:
            said.append(
                f"{self.system.rates.n_classes:,} speeds are tallied in {self.groups.n_groups:,} groups of adjacent ones; rates "
                f"inside a group differ by at most {self.groups.spread:.2%}, and so do the times computed from them."
            )
        if self.system.load > self.system.availability:
            up = self.system.availability
            limit = "1" if up == 1 else f"{up:.4g}, the share of time servers are up"
            said.append(
                f"load = {self.system.load:.6g} is above {limit}: more work comes than servers can do, so queues fill and jobs are "
                "blocked."
            )
        if math.isfinite(self.system.arrivals.length) and len(self.replications) > 1:
            said.append(
                "arrivals are a record: all replications see the same jobs, so intervals say how ties fell, not how days differ."
            )
        return said + what_is_off(balances(self.sample), self.system)

    def __repr__(self) -> str:
        return (
            f"Run({self.system!r}, engine={self.engine}, replications={len(self.replications)}, jobs={self.jobs:,}, "
            f"p_W={self['waiting_probability'].value:.4g})"
        )


def _with_intervals(columns: dict[str, Any], value: FloatArray, low: FloatArray, high: FloatArray) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({**columns, "value": value, "low": low, "high": high})


def _numbers(values: ArrayLike, what: str) -> FloatArray:
    try:
        return np.atleast_1d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError):
        raise PlanError(f"{what} = {values!r} must be numbers.") from None
