"""Named things and their parameters: a profile, a policy or a law as a TOML table, checked against its own signature.

In    a table such as {name = "jsq_d", d = 2} and the registry that knows the name
Out   keyword arguments of the right types, defaults left to the function itself
Rule  the signature is the only list of parameters: a law added to its registry can be used in a file at once
"""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from jfsq_simpy.errors import ScenarioError
from jfsq_simpy.rates import PROFILES
from jfsq_simpy.scenario.messages import sentence, shown, unknown
from jfsq_simpy.scenario.tables import Whole

FILE_KEYS = ("file", "path")  # parameters that name a file: relative to the scenario that names it


def profile_keys(profile: str) -> set[str]:
    """The keys [system.rates] may have beside this profile's: its parameters."""
    return {"profile", *_public_names(PROFILES[profile])}


Registry = Mapping[str, Callable[..., Any]]


def arguments(
    what: str, table: Mapping[str, Any], name_key: str, registry: Registry, base: Path, *, short: bool = False
) -> dict[str, Any]:
    """The keyword arguments of a named thing. `what` is the table's key, for messages. Errors: ScenarioError.

    Parameters
    ----------
    table : {name_key: name, parameter: value, ...}
    registry : name -> function whose signature says which parameters there are
    base : directory that relative file names start from
    short : whether the name stood alone in the file, as in policy = "jsq"
    """
    name = table.get(name_key)
    if not isinstance(name, str):
        raise ScenarioError(f"{what}.{name_key} is missing; known: {', '.join(registry)}.")
    if name not in registry:
        key = what if short else f"{what}.{name_key}"
        raise ScenarioError(f"{key} = {shown(name)}: {unknown('name', name, registry)}")
    given = {k: v for k, v in table.items() if k != name_key}
    model = _model(registry[name])
    try:
        checked = model.model_validate(given)
    except ValidationError as error:
        text = sentence(error, model, what)
        hint = "" if "known:" in text else f" Parameters of {name}: {_listed(model)}."
        raise ScenarioError(text + hint) from None
    values = {k: getattr(checked, k) for k in model.model_fields if k in checked.model_fields_set}
    return {_argument(registry[name], k): _placed(k, v, base) for k, v in values.items()}


def as_table(value: str | Mapping[str, Any], name_key: str) -> dict[str, Any]:
    """A name alone as the table it stands for."""
    return {name_key: value} if isinstance(value, str) else dict(value)


def _listed(model: type[BaseModel]) -> str:
    return ", ".join(model.model_fields) or "no parameters"


# ---- from a signature to a model -----------------------------------------------------------------------------


@cache
def _model(function: Callable[..., Any]) -> type[BaseModel]:
    hints = _hints(function)
    fields: dict[str, Any] = {}
    for name, parameter in _parameters(function).items():
        required = parameter.default is inspect.Parameter.empty
        key = "file" if name == "path" else name
        fields[key] = (_field_type(hints.get(name, Any)), Field(... if required else parameter.default))
    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())
    return create_model(getattr(function, "__name__", "table"), __config__=config, **fields)


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Every parameter a file may set: all but the number of servers, which [system] gives."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    signature = inspect.signature(function)
    return {n: p for n, p in signature.parameters.items() if p.kind in kinds and n not in ("self", "n_servers")}


def _public_names(function: Callable[..., Any]) -> set[str]:
    return {"file" if name == "path" else name for name in _parameters(function)}


def _argument(function: Callable[..., Any], key: str) -> str:
    return "path" if key == "file" and "file" not in _parameters(function) else key


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        # mypy holds function.__init__ to be unsound
        return typing.get_type_hints(getattr(function, "__init__") if isinstance(function, type) else function)  # noqa: B009
    except (NameError, TypeError):  # a user's annotation that cannot be evaluated here
        return {}


def _field_type(hint: Any) -> Any:
    """The part of a type hint a TOML value can be checked against; anything else takes any finite value."""
    if hint is int:
        return Whole
    if typing.get_origin(hint) in (typing.Union, types.UnionType) and type(None) in typing.get_args(hint):
        others = [_field_type(part) for part in typing.get_args(hint) if part is not type(None)]
        return others[0] | None if len(others) == 1 and others[0] is not Any else Any
    if hint in (float, str, bool) or typing.get_origin(hint) is Literal:
        return hint
    if typing.get_origin(hint) in (list, Sequence, tuple) and typing.get_args(hint)[:1] in ((int,), (float,), (str,)):
        inner = typing.get_args(hint)[0]
        return types.GenericAlias(list, (Whole if inner is int else inner,))
    return Any


def _placed(key: str, value: Any, base: Path) -> Any:
    if key in FILE_KEYS and isinstance(value, str):
        return base / value
    for number in value if isinstance(value, list) else [value]:
        if isinstance(number, float) and not math.isfinite(number):
            raise ScenarioError(f"{key} = {shown(value)} must be finite.")
    return value
