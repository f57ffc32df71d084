"""Counterfactual replay: the jobs of a log, dispatched again under any policy."""

from jfsq_simpy.replay.log import Log
from jfsq_simpy.replay.redispatch import Replay, replay

__all__ = ["Log", "Replay", "replay"]
