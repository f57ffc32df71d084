"""The tables of a scenario file as models: which keys there are, of what type, and what they mean.

In    the dict a TOML file holds
Out   SystemTable and RunTable with every default filled in, or a ValidationError
Rule  types are checked here; ranges and combinations where they belong (System, Plan), so that a rule
      is written once
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

DEFAULTS = {
    "policy": "jfsq",
    "size": "exponential",
    "arrivals": "poisson",
    "queues": "own",
    "up": "exponential",
    "down": "exponential",
}
MOST_SERVERS = 10**15  # beyond, N no longer fits the float arithmetic of loads and capacities
MOST_JOBS = 10**15
MOST_REPLICATIONS = 2**31  # pilots are numbered from here


class Table(BaseModel):
    """A TOML table: known keys only, exact types, nothing infinite."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _whole(value: Any) -> Any:
    """1e6 is a whole number too: people write job counts so."""
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    return value


def _named(value: Any) -> Any:
    if not isinstance(value, (str, dict)):
        raise ValueError('must be a name or a table, for example "jfsq" or {name = "jsq_d", d = 2}.')
    return value


def _queues(value: Any) -> Any:
    if not isinstance(value, (str, dict)):
        raise ValueError('must be a name or a table, for example "own" or {name = "refreshed", every = 2.0}.')
    return value


def _warmup(value: Any) -> Any:
    if value == "auto" or (_is_number(value) and 0 <= value < math.inf):
        return value
    raise ValueError('must be "auto" or a number of time units, at or above 0.')


def _replications(value: Any) -> Any:
    value = _whole(value)
    if _is_whole(value) and 1 <= value <= MOST_REPLICATIONS:
        return value
    if isinstance(value, list) and value and all(_is_whole(v) and 0 <= v < MOST_REPLICATIONS for v in value):
        return sorted(set(value))
    raise ValueError("must be a number of repetitions, at least 1, or a list of their numbers, for example 10 or [99].")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _known(value: Any) -> Any:
    if value == "perfect":  # as where nothing is said
        return None
    if not isinstance(value, dict):
        raise ValueError('must be "perfect" or a table, for example {dispatchers = 12, queues = "own"}.')
    return value


Whole = Annotated[int, BeforeValidator(_whole)]
Named = Annotated[Any, BeforeValidator(_named)]
Endless = Annotated[float, Field(allow_inf_nan=True)]  # the one time that may be infinite


class SickTable(Table):
    """system.knowledge.speeds.sick: servers slower than believed."""

    servers: Whole | list[int] = Field(default=1, description="how many of the slowest, or a list of servers", examples=[1])
    factor: float = Field(default=10.0, gt=0, description="believed rate over true rate", examples=[10])


class DriftTable(Table):
    """system.knowledge.speeds.drift: beliefs that go wrong in time."""

    sigma: float = Field(description="how far off the logarithms of rates are in the long run", examples=[0.5])
    every: float = Field(gt=0, description="time units from one change to the next", examples=[10])
    memory: float = Field(gt=0, description="time units until errors are forgotten", examples=[100])


class SpeedsTable(Table):
    """[system.knowledge.speeds]: which speeds dispatchers believe in."""

    believed: list[float] | None = Field(default=None, description="a rate for each server, fastest first", examples=[[1.5, 0.5]])
    noise: float = Field(default=0.0, ge=0, description="squared coefficient of variation of believed over true", examples=[0.25])
    sick: SickTable | None = Field(default=None, description="servers slower than believed", examples=[{"servers": 1}])
    drift: DriftTable | None = Field(
        default=None, description="beliefs that go wrong", examples=[{"sigma": 0.5, "every": 10, "memory": 100}]
    )


class KnowledgeTable(Table):
    """[system.knowledge]: what dispatchers know of the servers."""

    dispatchers: Whole = Field(default=1, description="how many dispatchers there are", examples=[12])
    queues: Annotated[Any, BeforeValidator(_queues)] = Field(
        default=DEFAULTS["queues"], description="which queue lengths a dispatcher has in mind", examples=["own"]
    )
    speeds: SpeedsTable | None = Field(default=None, description="which speeds it believes in", examples=[{"noise": 0.25}])


class BreakdownsTable(Table):
    """[system.breakdowns]: servers that fail and are repaired."""

    mean_up: float = Field(gt=0, description="mean time until a server that is up fails", examples=[100])
    mean_down: float = Field(gt=0, description="mean time until it is repaired", examples=[5])
    up: Named = Field(default=DEFAULTS["up"], description="the law of times until failure", examples=["exponential"])
    down: Named = Field(default=DEFAULTS["down"], description="the law of times until repair", examples=["deterministic"])
    seen: bool = Field(default=True, description="whether the dispatcher sees which servers are down", examples=[True])


class SystemTable(Table):
    """[system]: who serves, who comes, and the rule between them."""

    servers: Whole | None = Field(default=None, ge=1, le=MOST_SERVERS, description="how many servers there are (N)", examples=[100])
    alpha: float | None = Field(default=None, description="load = 1 - N^-alpha, so 0 < alpha < 1", examples=[0.5])
    load: float | None = Field(default=None, description="arrivals per unit of capacity", examples=[0.9])
    places: Whole = Field(description="jobs a server holds, the one in service included (the paper's b)", examples=[5])
    policy: Named = Field(default=DEFAULTS["policy"], description="the dispatching rule", examples=["jfsq"])
    size: Named = Field(default=DEFAULTS["size"], description="the law of service requirements", examples=["exponential"])
    arrivals: Named = Field(default=DEFAULTS["arrivals"], description="the arrival process", examples=["poisson"])
    knowledge: Annotated[KnowledgeTable | None, BeforeValidator(_known)] = Field(
        default=None, description="what dispatchers know of the servers", examples=[{"dispatchers": 12, "queues": "own"}]
    )
    breakdowns: BreakdownsTable | None = Field(
        default=None, description="servers that fail and are repaired", examples=[{"mean_up": 100, "mean_down": 5}]
    )
    rates: dict[str, Any] = Field(
        default_factory=lambda: {"profile": "homogeneous"},
        description="how fast the servers are",
        examples=[{"profile": "linear", "ratio": 4}],
    )


class PrecisionTable(Table):
    """run.precision: go on until an estimate is known well enough."""

    metric: str = Field(default="waiting_probability", description="the metric to be known", examples=["waiting_probability"])
    relative: float = Field(gt=0, description="half width of the interval over the value", examples=[0.05])
    max_seconds: float = Field(default=600.0, gt=0, description="when to give up", examples=[600])


class RunTable(Table):
    """[run]: how long, how often, by which engine, from which seed."""

    engine: str = Field(default="auto", description="which engine runs it", examples=["auto"])
    jobs: Whole | None = Field(default=None, ge=1, le=MOST_JOBS, description="jobs per replication", examples=[100_000])
    horizon: float | None = Field(default=None, gt=0, description="time units to measure, after the warm-up", examples=[2000])
    precision: PrecisionTable | None = Field(
        default=None, description="when to stop", examples=[{"metric": "waiting_probability", "relative": 0.05}]
    )
    warmup: Annotated[Any, BeforeValidator(_warmup)] = Field(
        default="auto", description='time units before measuring, or "auto"', examples=["auto"]
    )
    replications: Annotated[Any, BeforeValidator(_replications)] = Field(
        default=10, description="how many independent repetitions", examples=[10]
    )
    seed: Whole = Field(default=0, ge=0, lt=2**128, description="the root of all randomness", examples=[2026])
    start: Literal["empty", "busy"] = Field(default="empty", description='"empty", or "busy": the N2 fastest servers hold one job')
    batches: Whole | None = Field(default=None, ge=1, description="parts a replication's window is cut into", examples=[1])
    drain: Annotated[float, Field(allow_inf_nan=True)] = Field(
        default=math.inf, ge=0, description="how long to wait for the last jobs"
    )
    level: float = Field(default=0.95, gt=0, lt=1, description="confidence level of intervals", examples=[0.95])


class CompareTable(Table):
    """[compare]: the policies to hold against each other on the same jobs, and by what."""

    policies: list[Named] = Field(default_factory=list, description="the policies to compare", examples=[["jfsq", "jsq"]])
    metric: str = Field(default="mean_response", description="what to compare them by", examples=["mean_response"])
    against: Named | None = Field(default=None, description="the one the others are held against", examples=["jfsq"])


class RecordTable(Table):
    """[record]: what else to count, beside what every metric needs."""

    observe: Literal["nothing", "theory"] = Field(
        default="nothing",
        description='"theory": what `jfsq check` judges by, and the joint law of waiting jobs and idle servers',
        examples=["theory"],
    )


class ScenarioTable(Table):
    """The whole file."""

    system: SystemTable = Field(description="the system to study", examples=[{"servers": 100, "load": 0.9, "places": 5}])
    run: RunTable = Field(default_factory=lambda: RunTable(), description="how to run it")
    record: RecordTable = Field(
        default_factory=lambda: RecordTable(), description="what else to count", examples=[{"observe": "theory"}]
    )
    compare: CompareTable = Field(
        default_factory=lambda: CompareTable(), description="what to compare", examples=[{"policies": ["jfsq", "jsq"]}]
    )
    sweep: dict[str, Any] = Field(default_factory=dict, description="the grid", examples=[{"system.servers": [10, 100]}])
