"""What makes a comparison fair: the same engine view, the same events, the same warm-up for all.

In    a System for each policy, and what the user asked for
Out   an Engine for each, and one warm-up
Rule  jobs view and chain view draw differently, and so do the chain's two forms: where not all policies can
      share one form of the chain, all run in the jobs view, whose draws do not depend on the policy at all
Cost  pilots for each policy; the longest warm-up serves all, since it is long enough for each
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from jfsq_simpy import engines
from jfsq_simpy.chain.plan import plan_of
from jfsq_simpy.engines import Engine
from jfsq_simpy.errors import PlanError
from jfsq_simpy.system import System
from jfsq_simpy.warmup import WarmupChoice

FEWEST = 2  # replications: a spread needs two


def common_engines(systems: Mapping[str, System], engine: str = "auto") -> dict[str, Engine]:
    """An engine for each policy, all of one view. Errors: PlanError naming the policy that cannot run."""
    chosen = {name: _chosen(name, system, engine, trace=False) for name, system in systems.items()}
    if engine != "auto" or _same_events(systems, chosen):
        return chosen
    return {name: _chosen(name, system, "auto", trace=True) for name, system in systems.items()}


def common_warmup(choices: Mapping[str, WarmupChoice]) -> tuple[float, dict[str, str]]:
    """The longest warm-up, and what there is to warn of, by policy."""
    longest = max(choice.time for choice in choices.values())
    return longest, {name: choice.warning for name, choice in choices.items() if choice.warning}


def named(policies: Any, spell: Callable[[Any], str]) -> dict[str, Any]:
    """Policies by the name they are shown under. Errors: PlanError for too few, or two of one name."""
    pairs = list(policies.items()) if isinstance(policies, Mapping) else [(spell(p), p) for p in policies]
    names = [str(name) for name, _ in pairs]
    if len(names) < 2:
        raise PlanError(f"policies = {names} are too few to compare; name at least two, for example jfsq and jsq.")
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise PlanError(f"policies: {twice[0]} is named twice; name each once, or give names of your own: {{name: policy}}.")
    return dict(zip(names, (p for _, p in pairs), strict=True))


def known(name: str, names: Collection[str]) -> str:
    """The name, if it is one of them. Errors: PlanError."""
    if name not in names:
        raise PlanError(f"policy {name!r} is not in this comparison; there are {', '.join(names)}.")
    return name


def check_replications(n: int) -> None:
    """Errors: PlanError for fewer than two."""
    if n < FEWEST:
        raise PlanError(f"replications = {n} is too few to compare: the replication is the unit of every interval; run at least 2.")


def spelled(thing: Any) -> str:
    """A policy's name, with its parameters if it has any; the same for a law or anything else a table may say.

    >>> spelled({"name": "jsq_d", "d": 2}), spelled("jsq"), spelled({"law": "erlang", "k": 4})
    ('jsq_d(d=2)', 'jsq', 'erlang(k=4)')
    """
    if isinstance(thing, Mapping):
        key = next((k for k in ("name", "law", "profile") if k in thing), "")
        given = ", ".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in thing.items() if k != key)
        return f"{thing.get(key, '')}({given})" if given else str(thing.get(key))
    return thing if isinstance(thing, str) else str(getattr(thing, "name", thing))


def _chosen(name: str, system: System, engine: str, *, trace: bool) -> Engine:
    try:
        return engines.choose(engine, system, trace=trace)
    except PlanError as error:
        raise PlanError(f"policies: {name}: {error}") from None


def _same_events(systems: Mapping[str, System], chosen: Mapping[str, Engine]) -> bool:
    views = {engine.view for engine in chosen.values()}
    return views == {"jobs"} or (views == {"chain"} and len({plan_of(s).form for s in systems.values()}) == 1)
