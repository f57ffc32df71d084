"""A Comparison: one Run a policy, and what can be said about their differences.

In    Runs of the same replications under the same seed, by policy
Out   tables of values, paired differences and ratios, a ranking with shared places; the jobs behind them
Rule  values are smallest first; whether small is good is the metric's business (a delay: yes). A policy that
      blocks more serves fewer jobs, and those it serves may look well: read a delay beside p_B
Cost  nothing is computed before it is asked for
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from jfsq_simpy import metrics
from jfsq_simpy.compare.jobs import JobDifferences, job_differences
from jfsq_simpy.compare.measures import DELAY, QUANTILES, as_measure
from jfsq_simpy.compare.paired import Pair, all_pairs, holm
from jfsq_simpy.compare.places import letters, places
from jfsq_simpy.compare.together import check_replications, known
from jfsq_simpy.engines import ENGINES
from jfsq_simpy.errors import PlanError
from jfsq_simpy.estimate import Estimate
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.run import Run
from jfsq_simpy.simulate import simulate

if TYPE_CHECKING:
    import pandas as pd

MOST_JOBS_FOLLOWED = 100_000  # one by one, unless more are asked for
MUCH_BLOCKING = 0.01  # more than the least: from here on a mean over served jobs misleads
METHOD = "paired by replication, jackknife, Student t"


@dataclass
class Comparison:
    """Policies side by side on the same jobs.

    `runs[name]` is the Run of each policy, `metric` what they are compared by unless another is named,
    `against` the policy the others are held against. Metrics are those of a Run, and quantiles such as
    wait_p99 or response_p99.9. Errors: PlanError for runs that cannot be paired.
    """

    runs: dict[str, Run]
    metric: str = DELAY
    against: str = ""  # the first

    def __post_init__(self) -> None:
        as_measure(self.metric)
        _check_plans(self.runs)
        self.against = self.policy(self.against or next(iter(self.runs)))

    @property
    def policies(self) -> list[str]:
        """Their names, in the order given."""
        return list(self.runs)

    @property
    def level(self) -> float:
        """Of every interval, and of the ranking as a whole."""
        return self._first.level

    def policy(self, name: str) -> str:
        """The name, if there is such a policy. Errors: PlanError."""
        return known(name, self.runs)

    @property
    def notes(self) -> list[str]:
        """What a reader should be told: runs that do not share their events, policies that serve fewer jobs."""
        return [*_apart(self.runs), *self._losing()]

    # ---- values ----

    def estimate(self, policy: str, metric: str | None = None) -> Estimate:
        """One policy's value and interval, by itself."""
        key = (self.policy(policy), metric or self.metric)
        if key not in self._estimates:
            self._estimates[key] = as_measure(key[1]).estimate(self.runs[policy])
        return self._estimates[key]

    def table(self, *names: str) -> pd.DataFrame:
        """Tidy: one row a policy and metric (all of them, if none is named): policy, metric, value, low, high, level, n, method."""
        import pandas as pd

        wanted = names or (*metrics.METRICS, *QUANTILES)
        return pd.DataFrame([{"policy": p, "metric": m, **vars(self.estimate(p, m))} for m in wanted for p in self.runs])

    # ---- differences ----

    def pair(self, policy: str, against: str, metric: str | None = None) -> Pair:
        """One policy and another, paired by replication."""
        value, without = self._left_out(self.policy(policy), metric or self.metric)
        other, other_without = self._left_out(self.policy(against), metric or self.metric)
        return Pair(value, other, without, other_without, self.level)

    def differences(self, metric: str | None = None, against: str | None = None) -> pd.DataFrame:
        """Every other policy less one of them: one row each.

        Columns: policy, against, difference, low, high; low_all, high_all (wider, so that all rows hold
        together); ratio, ratio_low, ratio_high; p_value (Holm's, for all rows together); apart (whether it
        is below 1 - level); variance_saved (of the difference, against independent runs).
        """
        import pandas as pd

        reference = self.policy(against or self.against)
        rivals = [name for name in self.runs if name != reference]
        pairs = [self.pair(name, reference, metric) for name in rivals]
        adjusted = holm([pair.p_value for pair in pairs])
        return pd.DataFrame(
            [_row(name, reference, pair, p, len(pairs)) for name, pair, p in zip(rivals, pairs, adjusted, strict=True)]
        )

    def ranking(self, metric: str | None = None) -> pd.DataFrame:
        """Policies by their value, smallest first; those that cannot be told apart share a place.

        Columns: place (1 + how many are smaller for sure), worst_place (what it may be at most), letters
        (two policies share one exactly when they cannot be told apart), policy, value, low, high. All
        places hold together with probability `level`: every pair is tested on its paired replications,
        p-values adjusted after Holm. The sentence is in `.attrs["method"]`.
        """
        import pandas as pd

        order = sorted(self.runs, key=lambda name: _nan_last(self._left_out(name, metric or self.metric)[0]))
        tests = all_pairs(len(order))
        adjusted = holm([self.pair(order[i], order[j], metric).p_value for i, j in tests])
        apart = {pair for pair, p in zip(tests, adjusted, strict=True) if p < 1 - self.level}
        ranges, groups = places(len(order), apart), letters(len(order), apart)
        rows = [
            {"place": best, "worst_place": worst, "letters": group, "policy": name, **_interval(self.estimate(name, metric))}
            for name, (best, worst), group in zip(order, ranges, groups, strict=True)
        ]
        table = pd.DataFrame(rows)
        table.attrs["method"] = f"{len(tests)} pairs, {METHOD}, Holm: none told apart wrongly, with probability {self.level:.6g}"
        return table

    # ---- job by job ----

    def jobs(
        self, rival: str, against: str | None = None, *, replication: int | None = None, most: int | None = None
    ) -> JobDifferences:
        """The jobs that did better and worse under a rival, and why: one replication, followed job by job.

        `replication` is its number (default: the first of the comparison), `most` about how many jobs to
        follow (default 100,000). Runs both policies once in the jobs view. Errors: PlanError.
        """
        number = self._first.replications[0] if replication is None else replication
        base, other = (self._trace(name, number, most or MOST_JOBS_FOLLOWED) for name in (against or self.against, rival))
        return job_differences(base, other, names=(against or self.against, rival))

    # ---- elsewhere ----

    def to_dict(self) -> dict[str, Any]:
        """As JSON's types: every policy's estimates, the differences against one of them, the ranking."""
        from jfsq_simpy.experiment.results import plain  # that room knows executors and files; the front door need not

        first, ranking = self._first, self.ranking()
        seed = first.seed
        document = {
            "metric": self.metric,
            "against": self.against,
            "level": self.level,
            "replications": len(first.replications),
            "seed": seed.describe() if seed.prefix else seed.entropy,
            "warmup": first.window.warmup,
            "horizon": first.window.length,
            "policies": [{"policy": name, **self._described(name, run)} for name, run in self.runs.items()],
            "differences": self.differences().to_dict("records"),
            "ranking": ranking.to_dict("records"),
            "method": ranking.attrs["method"],
            "notes": self.notes,
        }
        return dict(plain(document))

    def __repr__(self) -> str:
        rows = self.ranking().itertuples()
        listed = ", ".join(f"{r.place} {r.policy} {r.value:.4g}" for r in rows)
        return f"Comparison({self.metric}: {listed}; replications={len(self._first.replications)})"

    # ---- inside ----

    @property
    def _first(self) -> Run:
        return next(iter(self.runs.values()))

    def _losing(self) -> list[str]:
        blocked = {name: self.estimate(name, "blocking_probability").value for name in self.runs}
        least = min(blocked.values())
        return [
            f"{name} blocks {share:.1%} of the jobs ({least:.1%} is the least); delays are of jobs served, which flatters it."
            for name, share in blocked.items()
            if share > least + MUCH_BLOCKING
        ]

    @cached_property
    def _estimates(self) -> dict[tuple[str, str], Estimate]:
        return {}

    @cached_property
    def _values(self) -> dict[tuple[str, str], tuple[float, FloatArray]]:
        return {}

    def _left_out(self, policy: str, metric: str) -> tuple[float, FloatArray]:
        key = (policy, metric)
        if key not in self._values:
            self._values[key] = as_measure(metric).left_out(self.runs[policy])
        return self._values[key]

    def _trace(self, policy: str, replication: int, most: int) -> Any:
        run = self.runs[self.policy(policy)]
        horizon = min(run.window.length, most / run.system.arrival_rate)
        plan: dict[str, Any] = {"horizon": horizon, "warmup": run.window.warmup, "start": run.start, "rng": run.seed}
        return simulate(run.system, **plan, replications=[replication], trace=True).trace

    def _described(self, name: str, run: Run) -> dict[str, Any]:
        return {
            "rule": run.system.policy.describe(),
            "engine": run.engine,
            "jobs": run.jobs,
            "seconds": run.seconds,
            "warnings": list(run.warnings),
            "estimates": {m: self.estimate(name, m).to_dict() for m in (*metrics.METRICS, *QUANTILES)},
        }


def _check_plans(runs: Mapping[str, Run]) -> None:
    """Errors: PlanError where runs differ in what has to be equal to pair them."""
    plans = {(r.seed, tuple(r.replications), r.window, r.start, r.level) for r in runs.values()}
    if len(plans) != 1:
        raise PlanError("the runs differ in seed, replications, window or start; only runs of one plan can be paired.")
    check_replications(len(next(iter(runs.values())).replications))


def _apart(runs: Mapping[str, Run]) -> list[str]:
    # the chain's two forms decode the same words differently
    if len({(ENGINES[run.engine].view, run.facts.get("form")) for run in runs.values()}) == 1:
        return []
    return [
        "these policies ran in different forms of the chain, which draw differently: they are compared as independent runs "
        'would be. engine = "auto" gives all of them the same jobs.'
    ]


def _row(name: str, against: str, pair: Pair, p_value: float, comparisons: int) -> dict[str, Any]:
    low, high = pair.interval()
    low_all, high_all = pair.interval(comparisons)
    ratio, ratio_low, ratio_high = pair.ratio()
    return {
        "policy": name,
        "against": against,
        "difference": pair.difference,
        "low": low,
        "high": high,
        "low_all": low_all,
        "high_all": high_all,
        "ratio": ratio,
        "ratio_low": ratio_low,
        "ratio_high": ratio_high,
        "p_value": p_value,
        "apart": bool(p_value < 1 - pair.level),
        "variance_saved": pair.variance_saved,
    }


def _interval(e: Estimate) -> dict[str, float]:
    return {"value": e.value, "low": e.low, "high": e.high}


def _nan_last(value: float) -> float:
    return np.inf if np.isnan(value) else value
