"""The chain view beside C++: `chain` and `lockstep`, the textbook chain, the best single path, a naive loop.

In    nothing; `--quick` for fewer jobs
Out   arrivals a second of each, with the ratio to the best C++ path, one table a fleet
Rule  the answer first: both C++ programs read the package's words and must give the package's tally, count
      by count, and the naive loop as many waiting jobs; only then is anything timed. One core, in seconds of
      processor time, which others on the machine lengthen less than wall time; tallies on, set-up apart
Cost  about 8 minutes; --quick about 2

    python -m benchmarks.chain
"""

from __future__ import annotations

import ctypes
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from benchmarks.fleets import PLACES, SEED, STANDARD_ERRORS, asked, homogeneous, linear, two_speed
from benchmarks.side_by_side import Contender, machine, table, take_turns
from jfsq_simpy import System
from jfsq_simpy.chain import jump, lockstep, paths, tables
from jfsq_simpy.chain.plan import grid_of, plan_of
from jfsq_simpy.chain.watching import Log
from jfsq_simpy.tally import Tally, Window, groups_of

# ---- the C++ programs ----------------------------------------------------------------------------------------


class Chain(ctypes.Structure):
    """The struct of that name in chain_reference.cpp."""

    _fields_ = [
        *((name, ctypes.c_uint64) for name in ("start", "gamma")),
        *((name, ctypes.c_int64) for name in ("words", "n_servers", "bits")),
        *((name, ctypes.c_void_p) for name in ("column", "cell_first", "cell_bits", "surely", "limit_at", "limit")),
        *((name, ctypes.c_int64) for name in ("places", "n_queue", "n_leaf", "n_middle", "n_layers")),
        *((name, ctypes.c_void_p) for name in ("queue", "leaf", "middle", "layer", "top")),
        *((name, ctypes.c_int64) for name in ("n_groups", "by_bytes")),
        *((n, ctypes.c_void_p) for n in ("group_of", "edges", "joins", "at_most", "in_bytes", "full", "numbers")),
    ]


class Cpp(paths.First):
    """A path whose kernel is a function of the compiled library; everything else is the package's."""

    library: ctypes.CDLL
    function: str

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        codes, sets, count = self.codes, self.sets, self.count
        values: dict[str, Any] = {
            "start": int(self.stream.start),
            "gamma": int(self.stream.gamma),
            "words": codes.words,
            "n_servers": codes.n_servers,
            "bits": codes.bits,
            "cell_first": codes.first,
            "places": self.system.places,
            "n_queue": sets.queue.size,
            "n_layers": len(sets.layers),
            "n_groups": self.groups.n_groups,
            "by_bytes": int(count.in_bytes.size > 0),
        }
        for name, _ in Chain._fields_:
            value = values[name] if name in values else next(getattr(x, name) for x in (codes, sets, count) if hasattr(x, name))
            values[name] = value.ctypes.data if isinstance(value, np.ndarray) else value
        self.chain = Chain(**values)

    def _kernel(self, log: Log, first_event: int, n: int, snapshot: int, stride: int) -> None:
        numbers = (ctypes.c_int64(x) for x in (first_event, n, snapshot, stride))
        getattr(self.library, self.function)(ctypes.byref(self.chain), *numbers)


def compiled(folder: Path) -> dict[str, type[Cpp]]:
    """Both programs, as kinds of path. Errors: CalledProcessError with the compiler's message on standard error."""
    source, target = Path(__file__).with_name("chain_reference.cpp"), folder / "chain.so"
    subprocess.run(["g++", "-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-o", str(target), str(source)], check=True)
    library = ctypes.CDLL(str(target))
    names = {"C++, best path": "best_path", "C++, textbook": "textbook"}
    return {name: type(function, (Cpp,), {"library": library, "function": function}) for name, function in names.items()}


def one_word(n: int, fleet: Callable[[int], System]) -> System:
    """A System whose table has one entry a server, whatever N: the textbook's."""
    system = fleet(n)
    limit, tables.MOST_IN_ONE_WORD = tables.MOST_IN_ONE_WORD, 2**31
    try:
        tables.server_events(system)
    finally:
        tables.MOST_IN_ONE_WORD = limit
    return system


# ---- a naive loop --------------------------------------------------------------------------------------------


@njit
def naive(cumulative: np.ndarray, total: float, places: int, n: int, seed: int) -> tuple[int, int]:
    """What one writes first: the shortest queue by a look at every server. Returns arrivals, those that waited."""
    np.random.seed(seed)  # noqa: NPY002  what Numba compiles is a generator of its own
    queue = np.zeros(cumulative.size, np.int64)
    arrivals, waited = 0, 0
    for event in range(n):
        u = np.random.random() * total  # noqa: NPY002
        if u < cumulative[-1]:
            server = np.searchsorted(cumulative, u, side="right")
            if queue[server] > 0:
                queue[server] -= 1
        else:
            server = np.argmin(queue)
            if event >= n // 2:
                arrivals += 1
                waited += queue[server] > 0
            if queue[server] < places:
                queue[server] += 1
    return arrivals, waited


def naive_run(system: System, events: int, seed: int) -> tuple[int, int]:
    cumulative = np.cumsum(system.rates.vector())
    counts: tuple[int, int] = naive(cumulative, cumulative[-1] + system.arrival_rate, system.places, events, seed)
    return counts


# ---- the answer first ----------------------------------------------------------------------------------------


def check(kinds: dict[str, type[Cpp]], fleet: Callable[[int], System], n: int, jobs: int) -> None:
    """Stop the benchmark unless the C++ programs give the package's tally."""
    for name, kind in kinds.items():
        system = one_word(n, fleet) if name.endswith("textbook") else fleet(n)
        window = Window(0.1 * jobs / system.arrival_rate, jobs / system.arrival_rate)
        _insist(tally_of(kind, system, window) == tally_of(paths.First, system, window), f"{name} differs at N = {n}")


def tally_of(kind: type[paths.First], system: System, window: Window) -> Tally:
    path = kind(system, groups_of(system), SEED, 0, system.n2.floor)
    grid = grid_of(path.rate, window)
    path.advance(0, grid.warmup, jump.NEVER, jump.NEVER)
    path.forget()
    path.advance(grid.warmup, grid.length, grid.warmup, grid.stride)
    return path.tally()


def check_naive(system: System, runs: int = 20) -> None:
    """Stop unless as many jobs wait in the naive loop as here."""
    theirs = [w / a for a, w in (naive_run(system, 200_000, seed) for seed in range(runs))]
    window = Window(100.0, 5_000.0)
    ours = [1 - t.joins[:, 0].sum() / t.routed for t in (jump.run(system, SEED, r, window).tallies[0] for r in range(runs))]
    apart = abs(np.mean(ours) - np.mean(theirs)) / math.sqrt((np.var(ours, ddof=1) + np.var(theirs, ddof=1)) / runs)
    _insist(apart <= STANDARD_ERRORS, f"naive loop: {np.mean(theirs):.4f} of its jobs wait, {np.mean(ours):.4f} of ours")


def _insist(holds: bool, otherwise: str) -> None:
    if not holds:
        sys.exit(f"benchmarks.chain: {otherwise}; nothing was timed.")


# ---- then the times ------------------------------------------------------------------------------------------


def path(kind: Callable[..., paths.Path], system: System, jobs: float) -> Contender:
    """A compiled path on about `jobs` arrivals, started busy; one path goes on from round to round."""
    going = kind(system, groups_of(system), SEED, 0, system.n2.floor)
    grid = grid_of(going.rate, Window(0.0, jobs / system.arrival_rate))

    def once(number: int) -> tuple[float, float]:
        first = number * grid.length
        going.forget()
        before = time.thread_time()
        going.advance(first, grid.length, -(-first // grid.stride) * grid.stride, grid.stride)
        seconds = time.thread_time() - before
        return float(going.count.numbers[2]), seconds

    return once


def abreast(system: System, replications: int, jobs: float) -> Contender:
    """Lockstep as a run has it, set-up and tallies included: about so many jobs each, started busy."""
    window = Window(0.0, jobs / system.arrival_rate)

    def once(number: int) -> tuple[float, float]:
        numbers = list(range(number * replications, (number + 1) * replications))
        before = time.thread_time()
        outcomes = lockstep.run(system, SEED, numbers, window, start="busy")
        seconds = time.thread_time() - before
        return float(sum(o.arrivals for o in outcomes)), seconds

    return once


def naive_loop(system: System, events: int) -> Contender:
    def once(number: int) -> tuple[float, float]:
        before = time.thread_time()
        naive_run(system, events, number)
        return events * system.arrival_rate / (system.arrival_rate + system.n_servers), time.thread_time() - before

    return once


NAIVE_EVENTS = {10: 4_000_000, 100: 2_000_000, 1_000: 400_000, 10_000: 40_000}
LARGEST_ABREAST = 10_000  # servers


def contenders(kinds: dict[str, type[Cpp]], fleet: Callable[[int], System], n: int, jobs: float) -> dict[str, Contender]:
    """Everybody who can run a system of this size in a few seconds."""
    system = fleet(n)
    kind = paths.kind_of(system, plan_of(system))
    taking_part = {"C++, best path": path(kinds["C++, best path"], system, jobs), "chain": path(kind, system, jobs)}
    if fleet is linear:
        taking_part["C++, textbook"] = path(kinds["C++, textbook"], one_word(n, fleet), jobs)
    if n <= LARGEST_ABREAST:
        taking_part["lockstep, 1024 replications"] = abreast(system, 1024, jobs / 250)
        taking_part["lockstep, 10 replications"] = abreast(system, 10, jobs / 250)
    if n in NAIVE_EVENTS and fleet is linear:
        taking_part["naive Numba loop"] = naive_loop(system, NAIVE_EVENTS[n])
    return taking_part


def main(arguments: list[str] | None = None) -> None:
    """Check, then time, then print."""
    options = asked("chain", "The chain view beside C++.", arguments)
    jobs, rounds = (2e6, 3) if options.quick else (1e7, 7)
    print(f"{machine()}\nchain: kernels compiled or read from disk in {jump.compile_kernels():.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        kinds = compiled(Path(folder))
        for fleet in (linear, homogeneous):
            for n in options.servers:
                check(kinds, fleet, n, jobs=200_000)
        check_naive(linear(10))
        print("checked: both C++ programs give the package's tally, count by count; as many jobs wait in the naive loop")
        for fleet in (linear, homogeneous, two_speed):
            for n in options.servers:
                speeds = take_turns(contenders(kinds, fleet, n, jobs), rounds)
                system = fleet(n)
                print(f"\nN = {n:,}, {fleet.__name__} speeds, load {system.load:.4f}, b = {PLACES}; {rounds} rounds, one core")
                print(table(speeds, "C++, best path", "arrivals / s"), flush=True)


if __name__ == "__main__":
    main()
