"""Dispatching policies by name: each is a query, a ranking and a tie rule.

In    a name, a table ({name = "jsq_d", d = 2, ties = "index"}), or a Policy of the user's own
Out   a Policy
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from jfsq_simpy.errors import ModelError
from jfsq_simpy.policies.policy import AskAll, AskSample, Policy
from jfsq_simpy.policies.zoo import POLICIES

__all__ = ["POLICIES", "AskAll", "AskSample", "Policy", "as_policy"]


def as_policy(spec: Policy | str | Mapping[str, Any]) -> Policy:
    """A Policy from a name, a table with key `name`, or a Policy itself. Errors: ModelError.

    >>> as_policy({"name": "jfsq", "ties": "index"}).ties
    'index'
    """
    if isinstance(spec, Policy):
        return spec
    if isinstance(spec, str):
        spec = {"name": spec}
    if not isinstance(spec, Mapping) or "name" not in spec:
        raise ModelError(f'policy must be a name, a table {{name = "...", ...}} or a Policy; it is {spec!r}.')
    parameters = {k: v for k, v in spec.items() if k != "name"}
    name = spec["name"]
    if not isinstance(name, str) or name not in POLICIES:
        raise ModelError(f"policy: there is no policy {name!r}; known: {', '.join(POLICIES)}.")
    try:
        inspect.signature(POLICIES[name]).bind(**parameters)
    except TypeError as error:
        raise ModelError(f"policy: {name!r}: {error}.") from None
    return POLICIES[name](**parameters)
