"""Changing a scenario before it is read: `--set system.alpha=0.25`, and the settings of a sweep point.

In    the dict of a TOML file, a dotted key, a value
Out   the dict with that key set (the given one is left alone)
Rule  alpha and load fix each other, and so do jobs and horizon: setting one removes the other
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jfsq_simpy.errors import ScenarioError
from jfsq_simpy.rates import PROFILES
from jfsq_simpy.scenario.messages import shown
from jfsq_simpy.scenario.parameters import profile_keys
from jfsq_simpy.scenario.tables import DEFAULTS

EXCLUSIVE = {
    "system.alpha": "system.load",
    "system.load": "system.alpha",
    "run.jobs": "run.horizon",
    "run.horizon": "run.jobs",
}
# a table that may be written as its name alone, and the key that name then has
SHORT_FORMS = {
    "system.policy": "name",
    "system.size": "law",
    "system.arrivals": "law",
    "system.knowledge.queues": "name",
    "system.breakdowns.up": "law",
    "system.breakdowns.down": "law",
}

Raw = dict[str, Any]


def parse_setting(text: str) -> tuple[str, Any]:
    """Key and value of a `KEY=VALUE` argument; a value that is not TOML is taken as text.

    >>> parse_setting("system.alpha=0.25"), parse_setting("system.policy=jsq")
    (('system.alpha', 0.25), ('system.policy', 'jsq'))
    """
    key, equals, value = text.partition("=")
    key, value = key.strip(), value.strip()
    if not equals or not key or not value:
        raise ScenarioError(f"--set {shown(text)} must look like KEY=VALUE, for example --set system.alpha=0.25.")
    try:
        return _unquoted(key), tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return _unquoted(key), value


def overridden(raw: Mapping[str, Any], settings: Sequence[tuple[str, Any]]) -> Raw:
    """The dict with every setting applied, in order. A key that the sweep runs over is then fixed."""
    result = copy.deepcopy(dict(raw))
    for key, value in settings:
        if key.startswith("sweep."):
            sweep = result.setdefault("sweep", {})
            _expect_table(sweep, "sweep")
            axis = key.removeprefix("sweep.")
            result["sweep"] = {k: v for k, v in flat_sweep(sweep).items() if k not in (axis, EXCLUSIVE.get(axis))} | {axis: value}
            continue
        if isinstance(result.get("sweep"), dict):
            gone = {key, EXCLUSIVE.get(key)}
            result["sweep"] = {k: v for k, v in flat_sweep(result["sweep"]).items() if k not in gone}
        put(result, key, value)
    return result


def put(raw: Raw, key: str, value: Any) -> None:
    """Set one dotted key in place, removing what it excludes. Errors: ScenarioError."""
    parts = key.split(".")
    here: Any = raw
    for depth, part in enumerate(parts[:-1]):
        path = ".".join(parts[: depth + 1])
        inner = here.setdefault(part, DEFAULTS[part] if path in SHORT_FORMS else {})
        if isinstance(inner, str) and path in SHORT_FORMS:
            inner = here[part] = {SHORT_FORMS[path]: inner}
        _expect_table(inner, path)
        here = inner
    if key == "system.rates.profile" and isinstance(value, str) and value in PROFILES:
        for gone in here.keys() - profile_keys(value):  # what only the old profile took
            del here[gone]
    here[parts[-1]] = copy.deepcopy(value)
    if key in EXCLUSIVE:
        here.pop(EXCLUSIVE[key].rpartition(".")[2], None)


def flat_sweep(sweep: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The sweep with dotted keys, in file order, whether they were quoted or not.

    >>> flat_sweep({"system": {"servers": [10, 100]}, "system.alpha": [0.5]})
    {'system.servers': [10, 100], 'system.alpha': [0.5]}
    """
    return dict(_flat(sweep, prefix))


def _flat(sweep: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in sweep.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _flat(value, f"{key}.")
        else:
            yield key, value


def _expect_table(value: Any, key: str) -> None:
    if not isinstance(value, dict):
        raise ScenarioError(f"{key} = {shown(value)} must be a table before a key inside it can be set.")


def _unquoted(key: str) -> str:
    return key.replace('"', "").replace("'", "").replace(" ", "")
