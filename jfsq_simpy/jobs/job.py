"""A job, and the stream of jobs that a replication's draws make.

In    JobDraws: blocks of gaps, sizes, ties, samples and turns
Out   Job objects in the order of arrival
Rule  entry k of every stream belongs to job k, whatever the policy does
Cost  about half a microsecond a job
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

from jfsq_simpy.draws import JobDraws

BLOCKED = -1
CHUNK = 1024  # Python numbers made at once: few enough to stay in the cache; divides every block


@dataclass(eq=False)
class Job:
    """One job: what it draws, and what happens to it."""

    id: int
    gap: float  # time since the arrival before
    size: float  # service requirement, mean 1
    tie: float  # in [0, 1): decides among equally good servers
    samples: Any = ()  # in [0, 1): whom a sampling policy asks
    turn: int = 0  # whose turn it is, where servers take turns
    dispatcher: int = 0  # whom it comes to, where there are several
    arrival: float = field(default=math.nan, init=False)
    server: int = field(default=BLOCKED, init=False)
    level: int = field(default=0, init=False)  # jobs found at the server
    start: float = field(default=math.nan, init=False)
    departure: float = field(default=math.nan, init=False)


def initial_jobs(draws: JobDraws, n: int) -> Iterator[Job]:
    """Jobs -1, -2, ... present at time 0: of several dispatchers each has sent as many, to within one."""
    for i, size in enumerate(draws.initial_sizes(n).tolist()):
        job = Job(-1 - i, gap=0.0, size=size, tie=0.0, dispatcher=i % draws.system.knowledge.dispatchers)
        job.arrival = 0.0
        yield job


def arriving_jobs(draws: JobDraws) -> Iterator[Job]:
    """Jobs 0, 1, 2, ...; a gap of infinity ends a recorded stream."""
    for block in draws.blocks():
        for first in range(0, block.gaps.size, CHUNK):
            part = slice(first, first + CHUNK)
            samples = block.samples[part] if block.samples.size else repeat((), CHUNK)
            turns = block.turns[part].tolist() if block.turns.size else repeat(0, CHUNK)
            marks = block.marks[part].tolist() if block.marks.size else repeat(0, CHUNK)
            numbers = (column[part].tolist() for column in (block.gaps, block.sizes, block.ties))
            rows = zip(*numbers, samples, turns, marks, strict=True)
            for k, (gap, size, tie, sample, turn, mark) in enumerate(rows, start=block.first + first):
                if gap == math.inf:
                    return
                yield Job(k, gap, size, tie, sample, turn, mark)
