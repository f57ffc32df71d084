"""What a validator found, said to a person: one line with file, key, value, why and the way out.

In    the details of a pydantic ValidationError, the model it came from
Out   a sentence such as `system.places = "five" must be a whole number (jobs a server holds), for example places = 5.`
Rule  the key is written as the user wrote it; an unknown one comes with the nearest known one
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

# what a value must be, by the kind of mistake
MUST_BE = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "mapping_type": "a table",
    "too_short": "longer",
}
LIMITS = {"greater_than": "above", "greater_than_equal": "at least", "less_than": "below", "less_than_equal": "at most"}
BOUNDS = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}


def sentence(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """The first mistake of a ValidationError as one sentence; `prefix` is the table's own key."""
    details = sorted(error.errors(include_url=False), key=_unknown_keys_first)
    first = details[0]
    others = sum(d["type"] != "missing" for d in details[1:])  # what is missing is often what was misspelt
    rest = f" ({others} more after this one.)" if others else ""
    return _explain(first, model, prefix) + rest


def shown(value: Any, width: int = 60) -> str:
    """A value as it may stand in a message: TOML-like, one line, not too long."""
    text = _toml_like(value)
    return text if len(text) <= width else text[: width - 3] + "..."


def nearest(word: str, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The known word most like `word`, if any is like it.

    >>> nearest("sevrers", ["servers", "places"])
    'servers'
    """
    close = difflib.get_close_matches(str(word), [str(k) for k in known], n=1, cutoff=cutoff)
    return close[0] if close else None


def unknown(what: str, word: str, known: Iterable[str], prefix: str = "") -> str:
    """`there is no such key; the nearest is ...` with all that are known when they are few."""
    names = list(known)
    close = nearest(word, names)
    listing = f"known: {', '.join(names)}" if names else "it takes no keys"
    hint = f"the nearest is {prefix}{close} ({listing})" if close else listing
    return f"there is no such {what}; {hint}."


# ---- one mistake ---------------------------------------------------------------------------------------------


def _unknown_keys_first(details: ErrorDetails) -> bool:
    # a misspelt required key shows up twice, as unknown and as missing: the first says more
    return details["type"] != "extra_forbidden"


def _explain(details: ErrorDetails, model: type[BaseModel], prefix: str) -> str:
    path = [str(part) for part in details["loc"]]
    key = ".".join([prefix, *path] if prefix else path)
    kind, value = details["type"], details["input"]
    owner = _model_at(model, path[:-1])
    about = _about(owner, path[-1]) if owner and path else ""
    if kind == "extra_forbidden":
        parent = key.rpartition(".")[0]
        names = owner.model_fields.keys() if owner else ()
        return f"{key} = {shown(value)}: {unknown('key', path[-1], names, parent + '.' if parent else '')}"
    if kind == "missing":
        return f"{key} is missing{about}."
    if kind == "literal_error":
        return f"{key} = {shown(value)} must be one of {details['ctx']['expected']}."
    if kind in LIMITS:
        return f"{key} = {shown(value)} must be {LIMITS[kind]} {details['ctx'][BOUNDS[kind]]}{about}."
    if kind in MUST_BE:
        return f"{key} = {shown(value)} must be {MUST_BE[kind]}{about}."
    message = " ".join(details["msg"].removeprefix("Value error, ").split())
    return f"{key} = {shown(value)}: {message}" if path else message


def _about(owner: type[BaseModel], name: str) -> str:
    field = owner.model_fields.get(name)
    if field is None or not field.description:
        return ""
    example = f", for example {name} = {shown(field.examples[0])}" if field.examples else ""
    return f": {field.description}{example}"


def _model_at(model: type[BaseModel], path: list[str]) -> type[BaseModel] | None:
    here: type[BaseModel] | None = model
    for part in path:
        if here is None or part not in here.model_fields:
            return None
        here = _model_in(here.model_fields[part].annotation)
    return here


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, typing.Annotated):
        found = [_model_in(part) for part in typing.get_args(annotation)]
        return next((m for m in found if m is not None), None)
    return None


def _toml_like(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.encode("unicode_escape").decode("ascii") + '"'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k} = {_toml_like(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml_like(v) for v in value) + "]"
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a whole number of {value.bit_length()} bits"
    return str(value)
