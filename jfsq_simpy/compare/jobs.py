"""Job by job: who did better and who did worse under the rival, and why.

In    two Traces of the same jobs under different policies
Out   JobDifferences: how many, by how much, and by what happened to them
Rule  jobs are the same where id, arrival and size are; a difference is the rival's less the base's, so a
      negative one means that the job does better under the rival. One path is one path: a description, no estimate
Cost  O(jobs) time and memory
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jfsq_simpy.errors import PlanError
from jfsq_simpy.jobs.trace import Trace
from jfsq_simpy.rates import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

ROUNDING = 1e-9  # of the clock: below, two times are the same
PROBABILITIES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
SERVERS = ("same server", "faster server", "slower server", "another as fast")
QUEUES = ("shorter queue", "as many before it", "longer queue")
BLOCKED = ("blocked under {rival} only", "blocked under {base} only", "blocked under both", "not finished")
LOST = len(SERVERS) * len(QUEUES)  # numbers of causes from here on are those of BLOCKED


@dataclass(frozen=True)
class JobDifferences:
    """The same jobs under two policies; every array (n_jobs,), in the order of arrival.

    `wait`, `service`, `response` are the rival's less the base's (nan unless both served the job);
    `cause` numbers what happened, `same` says whether the responses are equal to rounding.
    """

    names: tuple[str, str]  # base, rival
    job: IntArray
    arrival: FloatArray
    wait: FloatArray
    service: FloatArray
    response: FloatArray
    cause: IntArray
    same: NDArray[np.bool_]

    @property
    def n_jobs(self) -> int:
        return int(self.job.size)

    def counts(self) -> dict[str, int]:
        """How many jobs respond sooner under the rival, at the same time, later; how many are lost or left over."""
        base, rival = self.names
        differ = ~self.same
        found = {
            "better": int((differ & (self.response < 0)).sum()),
            "same": int(self.same.sum()),
            "worse": int((differ & (self.response > 0)).sum()),
        }
        lost = {text.format(base=base, rival=rival): int((self.cause == LOST + k).sum()) for k, text in enumerate(BLOCKED)}
        return found | lost

    def causes(self) -> pd.DataFrame:
        """What happened to the jobs, what did most to the mean first.

        Columns: cause; jobs, share (of all jobs); better, same, worse (how many respond sooner, at the same
        time, later under the rival); wait, service, response (mean differences of these jobs); contribution
        (to the mean difference in response of all jobs that both served: the column sums to it).
        """
        import pandas as pd

        rows = [self._cause(k) for k in np.unique(self.cause).tolist()]
        table = pd.DataFrame(rows, columns=list(self._cause(0)))
        weight = table.contribution.abs().fillna(-1.0)
        return table.loc[weight.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)

    def quantiles(self, probabilities: ArrayLike = PROBABILITIES) -> pd.DataFrame:
        """Quantiles of the difference of a job both served: columns p, wait, service, response."""
        import pandas as pd

        p = np.atleast_1d(np.asarray(probabilities, dtype=np.float64))
        if not np.all((p >= 0) & (p <= 1)):
            raise PlanError(f"probabilities = {p.tolist()} must lie in [0, 1].")
        served = self.cause < LOST
        none = np.full(p.shape, np.nan)
        parts = {k: getattr(self, k)[served] for k in ("wait", "service", "response")}
        return pd.DataFrame({"p": p} | {k: np.quantile(v, p) if v.size else none for k, v in parts.items()})

    def to_pandas(self) -> pd.DataFrame:
        """One row a job: job, arrival, cause, and the differences wait, service, response."""
        import pandas as pd

        text = np.array([self._name(k) for k in range(LOST + len(BLOCKED))])[self.cause]
        return pd.DataFrame(
            {"job": self.job, "arrival": self.arrival, "cause": text}
            | {k: getattr(self, k) for k in ("wait", "service", "response")}
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON's types."""
        base, rival = self.names
        return {
            "rival": rival,
            "against": base,
            "jobs": self.n_jobs,
            "counts": self.counts(),
            "causes": self.causes().to_dict("records"),
            "quantiles": self.quantiles().to_dict("records"),
        }

    def _cause(self, k: int) -> dict[str, Any]:
        those, served = self.cause == k, self.cause < LOST
        means = {name: _mean(getattr(self, name)[those]) if k < LOST else np.nan for name in ("wait", "service", "response")}
        differ = those & ~self.same
        return {
            "cause": self._name(k),
            "jobs": int(those.sum()),
            "share": float(those.mean()) if self.n_jobs else np.nan,
            "better": int((differ & (self.response < 0)).sum()),
            "same": int((those & self.same).sum()),
            "worse": int((differ & (self.response > 0)).sum()),
            **means,
            "contribution": float(self.response[those].sum() / served.sum()) if k < LOST and served.any() else np.nan,
        }

    def _name(self, k: int) -> str:
        if k >= LOST:
            return BLOCKED[k - LOST].format(base=self.names[0], rival=self.names[1])
        return f"{SERVERS[k // len(QUEUES)]}, {QUEUES[k % len(QUEUES)]}"


def job_differences(
    base: Trace, rival: Trace, *, names: tuple[str, str] = ("base", "rival"), window: tuple[float, float] | None = None
) -> JobDifferences:
    """Compare two Traces of the same jobs.

    Jobs that arrived in `window` count: by default the base's measured part, or everything where the trace
    names none. Errors: PlanError where the jobs are not the same, or a trace holds several replications.

    >>> from jfsq_simpy import System, simulate
    >>> system = System(rates=[1.5, 0.5], load=0.9, places=3)
    >>> plan = {"horizon": 50, "warmup": 0, "engine": "process", "trace": True, "rng": 7}
    >>> one, other = (simulate(system.replaced(policy=p), **plan).trace for p in ("jfsq", "random"))
    >>> found = job_differences(one, other, names=("jfsq", "random"))
    >>> sum(found.counts().values()) == found.n_jobs > 50
    True
    """
    chosen = _rows(base, rival, window)
    a, b = (_Columns(trace, chosen) for trace in (base, rival))
    wait, response = b.wait - a.wait, b.response - a.response
    lost = np.select(
        [a.blocked & b.blocked, b.blocked, a.blocked, ~(a.finished & b.finished)], [LOST + 2, LOST, LOST + 1, LOST + 3], -1
    )
    cause = np.where(lost >= 0, lost, len(QUEUES) * _by_server(a, b) + 1 + np.sign(b.level - a.level))
    served = lost < 0
    with np.errstate(invalid="ignore"):
        same = served & (np.abs(response) <= ROUNDING * np.maximum(a.arrival, 1.0))
    wait, service, response = (np.where(served, x, np.nan) for x in (wait, b.service - a.service, response))
    return JobDifferences(names, a.job, a.arrival, wait, service, response, cause, same)


class _Columns:
    """The columns of the chosen jobs of one trace."""

    def __init__(self, trace: Trace, chosen: NDArray[np.bool_]) -> None:
        self.job, self.arrival, self.server, self.level = (trace[k][chosen] for k in ("job", "arrival", "server", "level"))
        self.wait, self.response, self.speed = (trace[k][chosen] for k in ("wait", "response", "speed"))
        self.blocked, self.finished = trace.blocked[chosen], trace.finished[chosen]
        # from size and speed, not from the clock: servers as fast as each other then differ by exactly 0
        self.service = trace["size"][chosen] / self.speed


def _by_server(a: _Columns, b: _Columns) -> IntArray:
    """The number in SERVERS of what changed; for jobs both served."""
    with np.errstate(invalid="ignore"):
        return np.select([a.server == b.server, b.speed > a.speed, b.speed < a.speed], [0, 1, 2], 3).astype(np.int64)


def _rows(base: Trace, rival: Trace, window: tuple[float, float] | None) -> NDArray[np.bool_]:
    """Which rows to compare, bool array; both traces have them in the same order."""
    for trace in (base, rival):
        if len(trace.facts.replications) > 1:
            raise PlanError(f"the trace holds replications {list(trace.facts.replications)}; compare traces of one, the same.")
    for name in ("job", "arrival", "size"):
        if len(base) != len(rival) or not np.array_equal(base[name], rival[name]):
            raise PlanError(
                f"the traces are not of the same jobs ({name} differs): they need one seed, one replication number, one window."
            )
    window = window or base.facts.window or (0.0, np.inf)
    return (base["job"] >= 0) & (base.arrival >= window[0]) & (base.arrival < window[1])


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else float("nan")
