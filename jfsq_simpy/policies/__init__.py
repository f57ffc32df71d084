"""Dispatching policies by name: each is a query, a ranking and a tie rule.

In    a name, a table ({name = "jsq_d", d = 2, ties = "index"}), or a Policy of the user's own
Out   a Policy
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, TypeGuard

from jfsq_simpy.errors import ModelError
from jfsq_simpy.policies.card import Card
from jfsq_simpy.policies.cards import CARDS
from jfsq_simpy.policies.class_queries import AskClass, AskEachClass, AskFastSlow
from jfsq_simpy.policies.own import Chooser, Chosen
from jfsq_simpy.policies.policy import Policy, choose_among, nothing
from jfsq_simpy.policies.queries import AskAll, AskSample, AskWork, IdleFirst, OneQueue
from jfsq_simpy.policies.sight import Sight
from jfsq_simpy.policies.turns import InTurn
from jfsq_simpy.policies.zoo import POLICIES

__all__ = [
    "CARDS",
    "POLICIES",
    "AskAll",
    "AskClass",
    "AskEachClass",
    "AskFastSlow",
    "AskSample",
    "AskWork",
    "Card",
    "Chooser",
    "Chosen",
    "IdleFirst",
    "InTurn",
    "OneQueue",
    "Policy",
    "Sight",
    "as_policy",
    "choose_among",
]


def as_policy(spec: Policy | Chooser | str | Mapping[str, Any]) -> Policy:
    """A Policy from a name, a table with key `name`, an object that can `choose`, or a Policy itself. Errors: ModelError.

    >>> as_policy({"name": "jfsq", "ties": "index"}).ties
    'index'
    """
    if isinstance(spec, Policy):
        return spec
    if isinstance(spec, str):
        spec = {"name": spec}
    if _chooses(spec):
        query = Chosen(spec)
        return Policy(query.name, nothing, query, full_last=False, messages=getattr(spec, "messages", "poll"))
    if not isinstance(spec, Mapping) or "name" not in spec:
        raise ModelError(
            f'policy must be a name, a table {{name = "...", ...}}, an object with a method choose or a Policy; it is {spec!r}.'
        )
    parameters = {k: v for k, v in spec.items() if k != "name"}
    name = spec["name"]
    if not isinstance(name, str) or name not in POLICIES:
        raise ModelError(f"policy: there is no policy {name!r}; known: {', '.join(POLICIES)}.")
    try:
        inspect.signature(POLICIES[name]).bind(**parameters)
    except TypeError as error:
        raise ModelError(f"policy: {name!r}: {error}.") from None
    return POLICIES[name](**parameters)


def _chooses(spec: object) -> TypeGuard[Chooser]:
    """Whether it is a rule of the user's own; a class is not: an object of it is."""
    return callable(getattr(spec, "choose", None)) and not isinstance(spec, type)
