"""The verb: a System and policies go in, a Comparison comes out.

In    a System, policies, how long, how often, with which seed
Out   a Comparison
Rule  one seed, the same replication numbers, the longest of the warm-ups, one view of the engine, so that
      every policy is offered the same jobs
Cost  that of `simulate` for each policy
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jfsq_simpy.compare.comparison import Comparison
from jfsq_simpy.compare.measures import DELAY, as_measure
from jfsq_simpy.compare.together import check_replications, common_engines, common_warmup, named, spelled
from jfsq_simpy.draws import Seed
from jfsq_simpy.engines import Engine, Progress
from jfsq_simpy.errors import PlanError
from jfsq_simpy.policies import Policy
from jfsq_simpy.simulate import REPLICATIONS, simulate, warmup_for, window_length
from jfsq_simpy.system import System

Spec = Policy | str | Mapping[str, Any]


def compare(
    system: System,
    policies: Sequence[Spec] | Mapping[str, Spec],
    *,
    metric: str = DELAY,
    against: str | None = None,
    horizon: float | None = None,
    jobs: float | None = None,
    warmup: float | str = "auto",
    replications: int | Sequence[int] = REPLICATIONS,
    engine: str = "auto",
    rng: Any = None,
    start: str = "empty",
    drain: float = math.inf,
    level: float = 0.95,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Run one system under several policies, on the same jobs.

    Parameters
    ----------
    system : System   its own policy does not matter
    policies : names, tables or Policy objects; or a mapping that gives each a name of its own
    metric : what to compare by, unless another is asked for: a metric of a Run, or a quantile such as wait_p99
    against : the policy the others are held against; default the first
    horizon, jobs, replications, engine, rng, start, drain, level, workers, progress : as for `simulate`
    warmup : "auto" (the longest that any of the policies needs) or time units; the same for all

    Returns a Comparison: `.ranking()`, `.differences()`, `.tails()`, all with intervals over paired replications.
    Errors: ModelError, PlanError. One run a policy, and a pilot each where the warm-up is "auto". Source: common random
    numbers, and Holm's adjustment of the pairs.

    >>> from jfsq_simpy import System
    >>> system = System(rates=[1.5, 0.5], load=0.6, places=4)
    >>> found = compare(system, ["jfsq", "jsq"], horizon=300, warmup=20, replications=5, engine="process", rng=1, workers=1)
    >>> found.ranking().policy.tolist(), bool(found.differences().variance_saved[0] > 0.5)
    (['jfsq', 'jsq'], True)
    """
    specs = named(policies, spelled)
    as_measure(metric)
    if against is not None and against not in specs:
        raise PlanError(f"against = {against!r} is not among the policies; there are {', '.join(specs)}.")
    check_replications(replications if isinstance(replications, int) else len(replications))
    systems = {name: system.replaced(policy=spec) for name, spec in specs.items()}
    chosen, length, seed = common_engines(systems, engine), window_length(system, horizon, jobs), Seed.of(rng)
    warm, warnings = _warmup(systems, chosen, warmup, length, seed, start)
    runs = {}
    for i, (name, one) in enumerate(systems.items()):
        runs[name] = simulate(
            one,
            horizon=length,
            warmup=warm,
            replications=replications,
            engine=chosen[name].name,
            rng=seed,
            start=start,
            drain=drain,
            level=level,
            workers=workers,
            progress=_shifted(progress, i, len(systems)),
        )
        runs[name].warnings[:0] = [warnings[name]] if name in warnings else []
    return Comparison(runs, metric, against or "")


def _warmup(
    systems: Mapping[str, System], chosen: Mapping[str, Engine], warmup: float | str, length: float, seed: Seed, start: str
) -> tuple[float | str, dict[str, str]]:
    if warmup != "auto":
        return warmup, {}
    choices = {n: warmup_for(s, length, engine=chosen[n].name, rng=seed, start=start) for n, s in systems.items()}
    return common_warmup(choices)


def _shifted(progress: Progress | None, policy: int, policies: int) -> Progress | None:
    """Replications of one policy among those of all."""
    if progress is None:
        return None
    return lambda done, total: progress(policy * total + done, policies * total)
