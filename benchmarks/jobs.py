"""The jobs view beside its peers: `events`, a C++ loop written for this, `process`, SimPy programs, Ciw.

In    nothing; `--quick` for fewer jobs
Out   arrivals a second of each, with the ratio to the C++ loop, one table a fleet
Rule  the answer first: `events` and the C++ loop must give equal counts from equal draws, `process` the
      same records, and the peers the same share of waiting jobs; only then is anything timed. One core, in seconds of processor
      time, which others on the machine lengthen less than wall time; tallies on, no trace; compilation is told apart
Cost  about 10 minutes; --quick about 3

    python -m benchmarks.jobs
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from benchmarks.fleets import PLACES, SEED, STANDARD_ERRORS, asked, homogeneous, linear
from benchmarks.jobs_peers import PEERS
from benchmarks.side_by_side import Contender, machine, table, take_turns
from jfsq_simpy import System
from jfsq_simpy.draws import JobDraws
from jfsq_simpy.jobs import events, process
from jfsq_simpy.jobs.sinks import MemorySink
from jfsq_simpy.tally import N_BINS, Tally, Window, groups_of

# ---- the C++ loop --------------------------------------------------------------------------------------------

PLAN = np.dtype(
    [(name, np.int64) for name in ("servers", "groups", "bands", "snapshots", "seed")] + [("rate", "f8"), ("end", "f8")]
)


@dataclass(frozen=True)
class Reference:
    """The C++ loop, compiled for fleets whose speeds all differ or are all the same."""

    folder: Path

    def compile(self) -> None:
        """Build both programs. Errors: CalledProcessError with the compiler's message on standard error."""
        source = Path(__file__).with_name("jobs_reference.cpp")
        for ties in (0, 1):
            flags = ["-O3", "-march=native", "-ffp-contract=off", f"-DPLACES={PLACES}", f"-DTIES={ties}"]
            subprocess.run(["g++", *flags, "-o", str(self.folder / f"reference{ties}"), str(source)], check=True)

    def run(self, system: System, end: float, seed: int = 1, draws: Path | None = None) -> tuple[float, dict[str, np.ndarray]]:
        """Seconds its loop took and what it counted, from time 0 to `end`; its own draws unless given some."""
        groups, window = groups_of(system), Window(0.0, end)
        plan = np.zeros(1, PLAN)
        plan[0] = (system.n_servers, groups.n_groups, groups.n_bands, window.snapshot_times().size, seed, system.arrival_rate, end)
        group = groups.of_server()
        columns = (system.rates.vector(), group.astype(np.uint32), groups.band[group].astype(np.uint32))
        plan_file, out = self.folder / "plan", self.folder / "counts"
        plan_file.write_bytes(plan.tobytes() + b"".join(np.ascontiguousarray(c).tobytes() for c in columns))
        program = self.folder / f"reference{int(system.rates.n_classes == 1)}"
        command = [str(program), str(plan_file), str(out), *([str(draws)] if draws else [])]
        seconds = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return seconds, _counts(out, groups.n_groups, groups.n_bands)


def _counts(file: Path, n_groups: int, n_bands: int) -> dict[str, np.ndarray]:
    numbers = np.fromfile(file, np.int64)
    names = ("arrivals", "blocked", "wait_ticks", "response_ticks")
    counts: dict[str, np.ndarray] = dict(zip(names, numbers[:4], strict=True))
    cells, bins = np.split(numbers[4:], [2 * n_groups * PLACES])
    counts["joins"], counts["below"] = cells.reshape(n_groups, PLACES, 2).transpose(2, 0, 1)
    counts["wait_bins"], counts["response_bins"] = bins.reshape(2, n_bands, N_BINS)
    return counts


def write_draws(system: System, n_blocks: int, file: Path) -> None:
    """The package's own draws, for the C++ loop to read."""
    with file.open("wb") as out:
        for _, block in zip(range(n_blocks), JobDraws(system, SEED, 0).blocks(), strict=False):
            for column in (block.gaps, block.sizes, block.ties):
                out.write(column.tobytes())


# ---- the answer first ----------------------------------------------------------------------------------------


def check(reference: Reference, system: System, jobs: int) -> None:
    """Stop the benchmark unless all agree on a system."""
    end = jobs / system.arrival_rate
    window = Window(0.0, end)
    outcome = events.run(system, SEED, 0, window)
    draws = reference.folder / "draws"
    write_draws(system, outcome.arrivals // 65_536 + 1, draws)
    _same_counts(outcome.tallies[0], outcome.arrivals, reference.run(system, end, draws=draws)[1], groups_of(system).sizes)
    if system.n_servers <= 1_000:
        fast, slow = MemorySink(), MemorySink()
        short = Window(0.0, min(end, 5_000 / system.arrival_rate))
        same = events.run(system, SEED, 0, short, sink=fast).tallies == process.run(system, SEED, 0, short, sink=slow).tallies
        columns = slow.columns()
        same &= all(np.array_equal(c, fast.columns()[name], equal_nan=c.dtype.kind == "f") for name, c in columns.items())
        _insist(same, "events and process give different records")


def _same_counts(tally: Tally, arrivals: int, counts: dict[str, np.ndarray], sizes: np.ndarray) -> None:
    at_most = counts["below"] + sizes[:, None] * tally.snapshots  # all idle at time 0
    levels = np.diff(at_most, axis=1, prepend=0, append=sizes[:, None] * tally.snapshots)
    found = {**counts, "levels": levels}
    for name in ("joins", "levels", "blocked", "wait_ticks", "response_ticks", "wait_bins", "response_bins"):
        _insist(np.array_equal(found[name], getattr(tally, name)), f"events and the C++ loop differ in {name}")
    _insist(int(counts["arrivals"]) == arrivals, "events and the C++ loop differ in arrivals")


def check_peer(name: str, program: Callable[[System, int, int], np.ndarray], system: System, jobs: int, runs: int = 8) -> None:
    """Stop unless a peer's jobs wait as often as ours, both from an empty system."""
    window = Window(0.0, jobs / system.arrival_rate)
    ours = [_waiting(events.run(system, SEED, r, window).tallies[0]) for r in range(200)]
    theirs = [float(np.mean(~(program(system, jobs, r) == 0))) for r in range(runs)]
    spread = np.sqrt(np.var(ours, ddof=1) * (1 / 200 + 1 / runs))
    apart = abs(np.mean(ours) - np.mean(theirs)) / spread
    _insist(apart <= STANDARD_ERRORS, f"{name}: {np.mean(theirs):.4f} of its jobs wait, {np.mean(ours):.4f} of ours")


def _waiting(tally: Tally) -> float:
    return 1 - float(tally.joins[:, 0].sum()) / tally.routed


def _insist(holds: bool, otherwise: str) -> None:
    if not holds:
        sys.exit(f"benchmarks.jobs: {otherwise}; nothing was timed.")


# ---- then the times ------------------------------------------------------------------------------------------


def engine(module: ModuleType, system: System, jobs: float) -> Contender:
    """One of our engines on about `jobs` arrivals, its draws and tally included."""

    def once(number: int) -> tuple[float, float]:
        before = time.thread_time()
        outcome = module.run(system, SEED, number, Window(0.0, jobs / system.arrival_rate))
        return outcome.arrivals, time.thread_time() - before

    return once


def cpp(reference: Reference, system: System, jobs: float) -> Contender:
    """The C++ loop on as many, drawing for itself."""

    def once(number: int) -> tuple[float, float]:
        seconds, counts = reference.run(system, jobs / system.arrival_rate, seed=number)
        return float(counts["arrivals"]), seconds

    return once


def peer(program: Callable[[System, int, int], np.ndarray], system: System, jobs: int) -> Contender:
    """Another tool's program."""

    def once(number: int) -> tuple[float, float]:
        before = time.thread_time()
        program(system, jobs, number)
        return jobs, time.thread_time() - before

    return once


# jobs a run by servers: seconds each at the speeds measured, and long enough that setting servers up does not count
PEER_JOBS = {
    "process": {10: 100_000, 100: 100_000, 1_000: 100_000, 10_000: 200_000},
    "SimPy, min over servers": {10: 100_000, 100: 50_000, 1_000: 10_000, 10_000: 1_000},
    "SimPy, sorted list": {10: 100_000, 100: 100_000, 1_000: 100_000, 10_000: 200_000},
    "Ciw 3.2": {10: 20_000, 100: 5_000, 1_000: 500},
}


def contenders(reference: Reference, system: System, jobs: float, share: float) -> dict[str, Contender]:
    """Everybody who can run a system of this size in a few seconds."""
    n = system.n_servers
    taking_part = {"C++": cpp(reference, system, jobs), "events": engine(events, system, jobs)}
    if n in PEER_JOBS["process"]:
        taking_part["process"] = engine(process, system, PEER_JOBS["process"][n] * share)
    if system.rates.all_distinct:  # the peers break ties by index, which is JFSQ only where nothing ties
        for name, program in PEERS.items():
            if n in PEER_JOBS[name]:
                taking_part[name] = peer(program, system, int(PEER_JOBS[name][n] * share))
    return taking_part


def main(arguments: list[str] | None = None) -> None:
    """Check, then time, then print."""
    options = asked("jobs", "The jobs view beside its peers.", arguments)
    share, rounds = (0.2, 3) if options.quick else (1.0, 5)
    print(f"{machine()}\nevents: kernels compiled or read from disk in {events.compile_kernels():.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        reference = Reference(Path(folder))
        reference.compile()
        for name, program in PEERS.items():
            check_peer(name, program, linear(10), jobs=2_000)
        for fleet in (linear, homogeneous):
            for n in options.servers:
                check(reference, fleet(n), jobs=200_000)
        print("checked: equal counts from equal draws (events, C++), equal records (events, process), peers wait as often")
        for fleet in (linear, homogeneous):
            for n in options.servers:
                system = fleet(n)
                jobs = max(10e6, 6 * system.arrival_rate) * share
                speeds = take_turns(contenders(reference, system, jobs, share), rounds)
                print(f"\nN = {n:,}, {fleet.__name__} speeds, load {system.load:.4f}, b = {PLACES}; {rounds} rounds, one core")
                print(table(speeds, "C++", "arrivals / s"), flush=True)


if __name__ == "__main__":
    main()
