"""The keys of the zoo: what a policy prefers, as a function of queue length and rate; smaller is better.

In    a queue length (the job in service counted) and a rate: numbers, or arrays that broadcast
Out   a number, or a tuple whose later parts break the ties of the earlier
Rule  JFSQ's and JSQ's own keys stand in `policy.py`, which knows them by sight
Cost  nothing: a key is called once, for a rank table
"""

from __future__ import annotations

from typing import Any

import numpy as np


def idle_first(queue_length: Any, rate: Any) -> Any:
    """JIQ's key: idle or not."""
    return np.minimum(queue_length, 1)


def fastest_idle_first(queue_length: Any, rate: Any) -> Any:
    """JFIQ's key: an idle server by its speed, the busy ones all alike."""
    return np.minimum(queue_length, 1), np.where(np.equal(queue_length, 0), -rate, 0.0)


def soonest_done(queue_length: Any, rate: Any) -> Any:
    """SED's key: mean time until a job that joins now leaves; at a tie the faster server.

    >>> soonest_done(2, 1.5), soonest_done(0, 0.5)      # equal: the faster wins
    ((2.0, -1.5), (2.0, -0.5))
    """
    return (queue_length + 1) / rate, -rate
