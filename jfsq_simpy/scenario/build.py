"""From checked tables to a System: the last place where a message can still name the key.

In    a SystemTable, the directory that file names start from
Out   a System
Rule  what a profile says about the number of servers and what `system.servers` says must agree
Cost  a fleet of distinct rates takes 8 bytes a server; points of a sweep that have equal rates share them
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jfsq_simpy.errors import DataError, JfsqError, ScenarioError
from jfsq_simpy.laws import LAWS, SYNONYMS
from jfsq_simpy.policies import POLICIES
from jfsq_simpy.rates import PROFILES, Rates
from jfsq_simpy.scenario.parameters import arguments, as_table
from jfsq_simpy.scenario.tables import SystemTable
from jfsq_simpy.system import System

SELF_COUNTING = ("classes", "file")  # profiles that say themselves how many servers there are


class Builder:
    """Makes Systems from tables, keeping the fleets it has made."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._fleets: dict[str, Rates] = {}

    def system(self, table: SystemTable) -> System:
        """The System a table asks for. Errors: ScenarioError, its message beginning with the key."""
        rates = self._rates(table)
        policy = self._named(table.policy, "policy", "name", POLICIES)
        size = self._named(table.size, "size", "law", LAWS | {k: LAWS[v] for k, v in SYNONYMS.items()})
        arrivals = self._named(table.arrivals, "arrivals", "law", LAWS | {k: LAWS[v] for k, v in SYNONYMS.items()})
        try:
            return System(
                rates, alpha=table.alpha, load=table.load, places=table.places, policy=policy, size=size, arrivals=arrivals
            )
        except JfsqError as error:
            raise ScenarioError(f"system.{error}") from None

    def _rates(self, table: SystemTable) -> Rates:
        key = json.dumps([table.servers, table.rates], sort_keys=True, default=str)
        if key not in self._fleets:
            self._fleets[key] = self._made(table)
        return self._fleets[key]

    def _made(self, table: SystemTable) -> Rates:
        parameters = arguments("system.rates", table.rates, "profile", PROFILES, self._base)
        profile = table.rates["profile"]
        counts_itself = profile in SELF_COUNTING
        if not counts_itself and table.servers is None:
            raise ScenarioError("system.servers is missing: how many servers there are, for example servers = 100.")
        try:
            rates = PROFILES[profile](**parameters) if counts_itself else PROFILES[profile](table.servers, **parameters)
        except DataError as error:
            raise DataError(f"system.rates.file: {error}") from None
        except JfsqError as error:
            raise ScenarioError(f"system.{error}") from None
        if counts_itself and table.servers not in (None, rates.n_servers):
            raise ScenarioError(
                f"system.servers = {table.servers} does not agree with system.rates, whose {profile} "
                f"make {rates.n_servers} servers; leave system.servers out, or mend one of the two."
            )
        return rates

    def _named(self, value: Any, key: str, name_key: str, registry: dict[str, Any]) -> dict[str, Any]:
        table = as_table(value, name_key)
        return {name_key: table.get(name_key), **arguments(f"system.{key}", table, name_key, registry, self._base)}
