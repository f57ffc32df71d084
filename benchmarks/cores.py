"""Two cores beside one: replications a second of each engine, to the same bits.

In    nothing; `--quick` for fewer rounds
Out   replications a second with one worker and with two, and their ratio, one table an engine; what two cores
      give the C++ loop, which shares nothing but the machine, beside `events`
Rule  both must give the same tallies; only then are they timed. In wall time, so nothing else should run; threads and
      worker processes are started before
Cost  about 6 minutes; --quick about 3

    python -m benchmarks.cores
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.jobs import Reference
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
    Case("chain", 1_000_000, 2e7, 8),
    Case("events", 1_000, 1e7, 16),
    Case("events", 100_000, 1e7, 16),
    Case("lockstep", 100, 4e4, 2048),
    Case("process", 100, 5e4, 8),
)


def with_workers(case: Case, workers: int) -> Contender:
    """The case's replications, each round others."""

    def once(number: int) -> tuple[float, float]:
        before = time.perf_counter()
        case.run(workers, number * case.replications)
        return case.replications, time.perf_counter() - before

    return once


def cpp(case: Case, references: list[Reference]) -> Contender:
    """A process of the C++ loop for each reference, all at once: replications a second of one, times how many they are."""

    def once(number: int) -> tuple[float, float]:
        def seconds(place: int) -> float:
            jobs = 2 * case.jobs  # a second or so
            return references[place].run(case.system, jobs / case.system.arrival_rate, seed=2 * number + place)[0] / 2

        with ThreadPoolExecutor(len(references)) as pool:
            return sum(1 / s for s in pool.map(seconds, range(len(references)))), 1.0

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
    with tempfile.TemporaryDirectory() as folder:
        references = [Reference(Path(folder) / name) for name in ("one", "two")]
        for reference in references:
            reference.folder.mkdir()
            reference.compile()
        compare(rounds, references)


def compare(rounds: int, references: list[Reference]) -> None:
    """Every case's table."""
    for case in CASES:
        engines.compile_for(engines.ENGINES[case.engine], case.system)
        alone, together = (case.run(workers, jobs=case.jobs / 20) for workers in (1, 2))
        if [o.tallies for o in alone] != [o.tallies for o in together]:
            sys.exit(f"benchmarks.cores: {case.engine} gives other tallies with two workers; nothing was timed.")
        print(f"\n{case.engine}, N = {case.servers:,}, {case.replications} replications of {case.jobs:,.0f} jobs; {rounds} rounds")
        speeds = take_turns({"one core": with_workers(case, 1), "two cores": with_workers(case, 2)}, rounds)
        print(table(speeds, "one core", "replications / s"), flush=True)
        if case.engine == "events":
            speeds = take_turns({"C++, one core": cpp(case, references[:1]), "C++, two cores": cpp(case, references)}, rounds)
            print(table(speeds, "C++, one core", "replications / s"), flush=True)


if __name__ == "__main__":
    main()
