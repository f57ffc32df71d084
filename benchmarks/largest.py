"""The largest fleets: a hundred million unequal servers, a thousand million in two generations.

In    nothing
Out   arrivals a second of `chain`, seconds to set up, peak memory of the whole process
Rule  each fleet in a process of its own, so that the peak is its own
Cost  about 2 minutes and 3 GiB

    python -m benchmarks.largest
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.side_by_side import machine
from jfsq_simpy import System, engines, rates
from jfsq_simpy.draws import Seed
from jfsq_simpy.tally import NOTHING, Window

FLEETS = {
    "linear, 10^8 servers": lambda: rates.linear(10**8, ratio=3),
    "two speeds, 10^8 servers": lambda: rates.two_speed(10**8, ratio=3),
    "two speeds, 10^9 servers": lambda: rates.two_speed(10**9, ratio=3),
}
JOBS = 50_000_000


def main() -> None:
    """Each fleet in its own process, a line a fleet."""
    print(machine())
    print(f"\nchain, alpha = 0.5, b = 5, the fastest busy at time 0, {JOBS / 1e6:.0f} million jobs, one core")
    print(f"  {'':26}{'arrivals / s':>14}{'set-up':>10}{'peak memory':>14}")
    for name in FLEETS:
        command = [sys.executable, "-m", "benchmarks.largest", name]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(f"  {name:26}{found['rate'] / 1e6:12.1f} M{found['setup']:8.1f} s{found['peak']:10.2f} GiB")


def one(name: str) -> dict[str, float]:
    """One fleet: set up and run for next to nothing, then for JOBS jobs."""
    engine, seed = engines.ENGINES["chain"], Seed.of(2026)
    before = time.perf_counter()
    system = System(FLEETS[name](), alpha=0.5, places=5)
    engines.compile_for(engine, system)
    built = time.perf_counter()
    seconds = []
    for jobs in (1_000, JOBS):
        start = time.perf_counter()
        window = Window(0.0, jobs / system.arrival_rate)
        engines.run_replications(engine, system, seed, [0], window, observe=NOTHING, start="busy")
        seconds.append(time.perf_counter() - start)
    short, long = seconds
    status = Path("/proc/self/status").read_text()  # Linux alone tells the peak of the whole process
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024**2
    return {"rate": (JOBS - 1_000) / (long - short), "setup": built - before + short, "peak": peak}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(one(sys.argv[1])))
    else:
        main()
