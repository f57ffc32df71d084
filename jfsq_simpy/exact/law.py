"""What a stationary law says: every metric by name, distributions, and means of any function of the state.

In    a Solution: mean counts, routing shares, the law of jobs present, and the states on demand
Out   an ExactLaw, whose names are those of a Run, with floats for estimates
Rule  what the chain solved cannot know is refused, with the reason: index ties treat servers of one
      speed differently, and only a chain that follows those servers one by one can tell them apart
Cost  metrics O(cells); `expect` O(states)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from jfsq_simpy import metrics
from jfsq_simpy.errors import ModelError, TooLargeError
from jfsq_simpy.exact.states import Units
from jfsq_simpy.metrics import Averages
from jfsq_simpy.rates import FloatArray, IntArray
from jfsq_simpy.system import System
from jfsq_simpy.tally import Groups, groups_of

if TYPE_CHECKING:
    import pandas as pd

Part = tuple[IntArray, FloatArray]  # counts (n, n_units, places + 1) and probabilities (n,)
MOST_STORED = 3 * 10**7  # integers of `levels` held at once


@dataclass(frozen=True)
class Solution:
    """What a method of solving hands over.

    `units` the servers told apart; `levels[u, l]` mean number of servers of unit u holding l jobs;
    `sent[u, l]` share of jobs sent to them; `jobs[n]` P(n jobs present); `parts()` the states, each once.
    """

    method: str
    units: Units
    n_states: int
    levels: FloatArray
    sent: FloatArray
    jobs: FloatArray
    parts: Callable[[], Iterator[Part]]
    facts: dict[str, Any] = field(default_factory=dict)


class ExactLaw:
    """The stationary law of a System. Made by `exact.solve`.

    Every name in `metrics.METRICS` is an attribute (`law.mean_wait`, `law["mean_wait"]`), a float.
    `method`, `n_states` and `facts` say how it was found; `units` which servers it tells apart;
    `refused` which metrics it cannot know, and why. O(states x groups) a metric, worked out when first asked for.

    >>> from jfsq_simpy import System, exact
    >>> law = exact.solve(System([1.0], load=0.5, places=1))
    >>> law.blocking_probability == law["blocking_probability"], law.n_states
    (True, 2)
    """

    def __init__(self, system: System, solution: Solution) -> None:
        self.system = system
        self.solution = solution
        self.units = solution.units
        self.method, self.n_states, self.facts = solution.method, solution.n_states, solution.facts
        self.refused = _refused(system, solution.units)

    # ---- numbers ----

    @cached_property
    def averages(self) -> Averages:
        """What every metric is computed from, by the groups a tally of this system uses."""
        groups = groups_of(self.system)
        share = _share_of_units(groups, self.units)
        sent = self.solution.sent
        return Averages(self.system, groups, share @ sent[:, :-1], float(sent[:, -1].sum()), share @ self.solution.levels)

    def __getitem__(self, metric: str) -> float:
        formula = metrics.formula_of(metric)
        if metric in self.refused:
            raise ModelError(f"{metric}: {self.refused[metric]}")
        return formula(self.averages)

    def __getattr__(self, name: str) -> float:
        if name in metrics.METRICS:
            return self[name]
        raise AttributeError(f"an ExactLaw has no {name!r}; metrics: {', '.join(metrics.METRICS)}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *metrics.METRICS]

    def metrics(self) -> dict[str, float]:
        """Every metric by name, without those in `refused`."""
        return {name: self[name] for name in metrics.METRICS if name not in self.refused}

    def table(self) -> pd.DataFrame:
        """Every metric, tidy: columns metric, value."""
        import pandas as pd

        return pd.DataFrame(self.metrics().items(), columns=["metric", "value"])

    # ---- distributions ----

    def wait_ccdf(self, times: ArrayLike) -> pd.DataFrame:
        """P(W > t) of accepted jobs: columns t, value. A mixture of Erlang laws."""
        return self._ccdf(metrics.wait_ccdf, times)

    def response_ccdf(self, times: ArrayLike) -> pd.DataFrame:
        """P(T > t) of accepted jobs: columns t, value."""
        return self._ccdf(metrics.response_ccdf, times)

    def wait_quantiles(self, probabilities: ArrayLike) -> pd.DataFrame:
        """Quantiles of the wait of accepted jobs: columns p, value."""
        return self._quantiles(metrics.wait_ccdf, probabilities)

    def response_quantiles(self, probabilities: ArrayLike) -> pd.DataFrame:
        """Quantiles of the response time of accepted jobs: columns p, value."""
        return self._quantiles(metrics.response_ccdf, probabilities)

    def found_level_distribution(self) -> pd.DataFrame:
        """What jobs find at their server: columns level, value; the last level is blocked."""
        return _frame(level=np.arange(self.system.places + 1), value=metrics.found_level_distribution(self.averages))

    def queue_length_distribution(self) -> pd.DataFrame:
        """The share of servers holding 0 .. b jobs: columns level, value."""
        return _frame(level=np.arange(self.system.places + 1), value=metrics.queue_length_distribution(self.averages))

    def utilisation_by_class(self) -> pd.DataFrame:
        """The share of time servers of each speed are busy: columns speed, value."""
        a = self.averages
        return _frame(speed=metrics.class_speeds(a.groups), value=metrics.utilisation_by_class(a))

    @property
    def jobs_distribution(self) -> FloatArray:
        """P(n jobs present), float array (N places + 1,)."""
        return self.solution.jobs

    @property
    def variance_of_jobs(self) -> float:
        """The variance of the number of jobs present."""
        n = np.arange(self.solution.jobs.size)
        return float(((n - self.solution.jobs @ n) ** 2) @ self.solution.jobs)

    # ---- server by server ----

    def utilisation_by_server(self) -> FloatArray:
        """The share of time each server is busy, float array (n_servers,), fastest first."""
        return self._by_server(self.solution.levels[:, 1:].sum(axis=1))

    def mean_queue_by_server(self) -> FloatArray:
        """The mean queue length of each server, the job in service included, float array (n_servers,)."""
        return self._by_server(self.solution.levels @ np.arange(self.system.places + 1))

    # ---- the law itself ----

    def parts(self) -> Iterator[Part]:
        """All states, a portion at a time: counts int array (n, n_units, places + 1), probabilities (n,).

        counts[s, u, l] servers of unit u hold l jobs. For equal servers with two places the law is
        made anew, block by block, and never held as a whole.
        """
        return self.solution.parts()

    def expect(self, function: Callable[[IntArray], Any]) -> Any:
        """The mean of a function of the state; it gets counts (n, n_units, places + 1) and gives an array (n, ...).

        >>> from jfsq_simpy import System, rates, exact
        >>> law = exact.solve(System(rates.homogeneous(2), load=0.5, places=1))     # M/M/2/2
        >>> float(law.expect(lambda counts: counts[:, 0, 1] == 2))                  # Erlang B
        0.2
        """
        total: Any = 0.0
        for counts, probabilities in self.parts():
            total = total + np.tensordot(probabilities, np.asarray(function(counts), dtype=np.float64), axes=1)
        return total

    @cached_property
    def levels(self) -> IntArray:
        """int array (n_states, n_units, places + 1): servers of each unit at each level, state by state."""
        return self._stored[0]

    @cached_property
    def probabilities(self) -> FloatArray:
        """float array (n_states,), in the order of `levels`."""
        return self._stored[1]

    @property
    def queue_lengths(self) -> IntArray:
        """int array (n_states, n_servers): every server's queue; only of a law that follows each server."""
        if (self.units.sizes > 1).any():
            raise ModelError(
                "queue_lengths: this law counts servers of equal speed and does not follow each one; use `levels`, "
                'or solve(system, form="servers").'
            )
        return np.asarray(self.levels @ np.arange(self.system.places + 1))

    @cached_property
    def _stored(self) -> Part:
        cells = self.n_states * self.units.n_units * (self.system.places + 1)
        if cells > MOST_STORED:
            raise TooLargeError(
                f"{self.n_states:,} states with {cells // self.n_states} counts each are too many to hold at once; "
                "`expect(function)` and `parts()` go through them in portions."
            )
        counts, probabilities = zip(*self.parts(), strict=True)
        return np.concatenate(counts), np.concatenate(probabilities)

    # ---- inside ----

    def _ccdf(self, tail: Callable[[Averages, FloatArray], FloatArray], times: ArrayLike) -> pd.DataFrame:
        t = np.atleast_1d(np.asarray(times, dtype=np.float64))
        return _frame(t=t, value=tail(self.averages, t))

    def _quantiles(self, tail: Callable[[Averages, FloatArray], FloatArray], probabilities: ArrayLike) -> pd.DataFrame:
        p = np.atleast_1d(np.asarray(probabilities, dtype=np.float64))
        if not np.all((p >= 0) & (p < 1)):
            raise ModelError(f"probabilities = {p.tolist()} must lie in [0, 1).")
        value = [metrics.quantile(lambda t: tail(self.averages, t), float(x)) for x in p]
        return _frame(p=p, value=np.array(value))

    def _by_server(self, by_unit: FloatArray) -> FloatArray:
        if self.system.policy.ties == "index" and (self.units.sizes > 1).any():
            raise ModelError(
                "with ties by lowest index the servers of one speed differ, and this law does not follow each one; "
                'use uniform ties, or a system small enough for solve(system, form="servers").'
            )
        return np.repeat(by_unit / self.units.sizes, self.units.sizes)

    def __repr__(self) -> str:
        return f"ExactLaw({self.system!r}, method={self.method}, n_states={self.n_states:,}, p_W={self['waiting_probability']:.6g})"


def _share_of_units(groups: Groups, units: Units) -> FloatArray:
    """float array (n_groups, n_units): which part of each unit's servers each group holds."""
    low = np.maximum(groups.edges[:-1, None], units.edges[:-1])
    high = np.minimum(groups.edges[1:, None], units.edges[1:])
    return np.asarray(np.maximum(high - low, 0) / units.sizes)


def _refused(system: System, units: Units) -> dict[str, str]:
    """Metrics that depend on which servers of a unit are idle, which index ties decide and counts do not tell."""
    if system.policy.ties != "index":
        return {}
    cuts = {"idle_among_n1": system.n1().floor, "idle_among_n2": system.n2.floor}
    return {
        name: f"the first {m:,} servers cut a speed class, and with ties by lowest index its servers differ; only a smaller "
        "system can be solved with them told apart. Use uniform ties, or simulate."
        for name, m in cuts.items()
        if m not in units.edges
    }


def _frame(**columns: Any) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns)
