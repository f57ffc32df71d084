"""Two cores beside one: replications a second of each engine, to the same bits.

In    nothing; `--quick` for fewer rounds
Out   replications a second with one worker and with two, and their ratio, one table an engine
Rule  both must give the same tallies; only then are they timed. In wall time, so nothing else should run; threads and
      worker processes are started before
Cost  about 3 minutes; --quick about 1

    python -m benchmarks.cores
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

from benchmarks.side_by_side import Contender, machine, table, take_turns
from jfsq_simpy import System, engines, rates
from jfsq_simpy.draws import Seed
from jfsq_simpy.tally import NOTHING, Outcome, Window
from jfsq_simpy.workers import available_cores

SEED = Seed.of(2026)


@dataclass(frozen=True)
class Case:
    """So many replications of about so many jobs each, a few seconds in all."""

    engine: str
    servers: int
    jobs: float
    replications: int

    @property
    def system(self) -> System:
        return System(rates.linear(self.servers, ratio=3), alpha=0.5, places=5)

    def run(self, workers: int, first: int = 0, jobs: float | None = None) -> list[Outcome]:
        window = Window(0.0, (jobs or self.jobs) / self.system.arrival_rate)
        numbers = range(first, first + self.replications)
        chosen = engines.ENGINES[self.engine]
        return engines.run_replications(chosen, self.system, SEED, numbers, window, observe=NOTHING, start="busy", workers=workers)


CASES = (
    Case("chain", 1_000, 5e7, 8),
    Case("chain", 1_000_000, 2e7, 4),
    Case("events", 1_000, 1e7, 4),
    Case("events", 100_000, 1e7, 4),
    Case("lockstep", 100, 4e4, 512),
    Case("process", 100, 1e5, 4),
)


def with_workers(case: Case, workers: int) -> Contender:
    """The case's replications, each round others."""

    def once(number: int) -> tuple[float, float]:
        before = time.perf_counter()
        case.run(workers, number * case.replications)
        return case.replications, time.perf_counter() - before

    return once


def main(arguments: list[str] | None = None) -> None:
    """Check, then time, then print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cores", description="Two cores beside one.")
    parser.add_argument("--quick", action="store_true", help="two rounds")
    rounds = 2 if parser.parse_known_args(arguments)[0].quick else 5
    print(f"{machine()}\n{available_cores()} cores")
    if available_cores() < 2:
        print("one core only: nothing to compare")
        return
    for case in CASES:
        engines.compile_for(engines.ENGINES[case.engine], case.system)
        alone, together = (case.run(workers, jobs=case.jobs / 20) for workers in (1, 2))
        if [o.tallies for o in alone] != [o.tallies for o in together]:
            sys.exit(f"benchmarks.cores: {case.engine} gives other tallies with two workers; nothing was timed.")
        speeds = take_turns({"one core": with_workers(case, 1), "two cores": with_workers(case, 2)}, rounds)
        print(f"\n{case.engine}, N = {case.servers:,}, {case.replications} replications of {case.jobs:,.0f} jobs; {rounds} rounds")
        print(table(speeds, "one core", "replications / s"), flush=True)


if __name__ == "__main__":
    main()
