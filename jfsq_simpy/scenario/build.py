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
from jfsq_simpy.knowledge import QUEUES
from jfsq_simpy.laws import LAWS
from jfsq_simpy.policies import POLICIES
from jfsq_simpy.rates import PROFILES, Rates
from jfsq_simpy.scenario.inputs import with_column
from jfsq_simpy.scenario.parameters import arguments, as_table
from jfsq_simpy.scenario.tables import BreakdownsTable, KnowledgeTable, SystemTable
from jfsq_simpy.system import System

SELF_COUNTING = ("classes", "file")  # profiles that say themselves how many servers there are


class Builder:
    """Makes Systems from tables, keeping the fleets it has made."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self._fleets: dict[str, Rates] = {}

    def system(self, table: SystemTable) -> System:
        """The System a table asks for. Errors: ScenarioError, its message beginning with the key."""
        rates, policy = self._rates(table), self._policy(table.policy)
        size, arrivals = self._law(table.size, "size"), self._law(table.arrivals, "arrivals")
        knowledge = self._knowledge(table.knowledge)
        try:
            return System(
                rates,
                alpha=table.alpha,
                load=table.load,
                places=table.places,
                policy=policy,
                size=size,
                arrivals=arrivals,
                knowledge=knowledge,
                breakdowns=self._breakdowns(table.breakdowns),
            )
        except JfsqError as error:
            raise ScenarioError(f"system.{error}") from None
        except (ArithmeticError, TypeError, ValueError) as error:  # a number no formula can take, such as 1e308
            raise ScenarioError(f"system: these values make no system that can be computed ({error}).") from None

    def _rates(self, table: SystemTable) -> Rates:
        key = json.dumps([table.servers, table.rates], sort_keys=True, default=str)
        if key not in self._fleets:
            self._fleets[key] = self._made(table)
        return self._fleets[key]

    def _made(self, table: SystemTable) -> Rates:
        parameters = arguments("system.rates", table.rates, "profile", PROFILES, self.base)
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
        except (ArithmeticError, TypeError, ValueError) as error:
            raise ScenarioError(f"system.rates: these values make no fleet that can be computed ({error}).") from None
        if counts_itself and table.servers not in (None, rates.n_servers):
            make = "file makes" if profile == "file" else f"{profile} make"
            raise ScenarioError(
                f"system.servers = {table.servers} does not agree with system.rates, whose {make} {rates.n_servers} servers; leave "
                "system.servers out, or mend one of the two."
            )
        return rates

    def _policy(self, value: Any) -> dict[str, Any]:
        table = as_table(value, "name")
        parameters = arguments("system.policy", table, "name", POLICIES, self.base, short=isinstance(value, str))
        return {"name": table["name"], **parameters}

    def _knowledge(self, table: KnowledgeTable | None) -> str | dict[str, Any]:
        if table is None:
            return "perfect"
        queues = as_table(table.queues, "name")
        parameters = arguments("system.knowledge.queues", queues, "name", QUEUES, self.base, short=isinstance(table.queues, str))
        speeds = table.speeds.model_dump() if table.speeds is not None else None
        return {"dispatchers": table.dispatchers, "queues": {"name": queues["name"], **parameters}, "speeds": speeds}

    def _breakdowns(self, table: BreakdownsTable | None) -> dict[str, Any] | None:
        if table is None:
            return None
        return {**table.model_dump(), **{key: self._law(getattr(table, key), f"breakdowns.{key}") for key in ("up", "down")}}

    def _law(self, value: Any, key: str) -> dict[str, Any]:
        table = as_table(value, "law")
        return with_column(f"system.{key}", table, LAWS, self.base) if "file" in table else table
