"""How long kernels take to compile where nothing is kept on disk, and to read where they are.

In    nothing
Out   seconds, one line a kind of kernel: the first time, and the next
Rule  each in an interpreter of its own, with an empty folder for what is compiled. In seconds of processor time,
      which others on the machine lengthen less than wall time
Cost  about a minute

    python -m benchmarks.compiling
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from benchmarks.side_by_side import machine

PROGRAM = """
import sys, time
from jfsq_simpy import System, engines, rates
engine, servers, policy = sys.argv[1:]
fleet = rates.linear(max(int(servers), 2), ratio=3)
system = None if servers == "0" else System(fleet, alpha=0.5, places=5, policy=policy)
before = time.process_time()
engines.compile_for(engines.ENGINES[engine], system)
print(time.process_time() - before)
"""
KERNELS = (
    ("chain", "100", "jfsq"),
    ("chain", "100000", "jfsq"),
    ("chain", "1000000", "jfsq"),
    ("chain", "100", "jsq"),
    ("chain", "100", "jsq_d"),
    ("chain", "0", "all its kernels"),
    ("events", "100", "jfsq"),
    ("events", "100", "jsq"),
    ("events", "0", "all its kernels"),
)


def seconds(folder: str, *what: str) -> float:
    """Processor time to have a kernel ready."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
    done = subprocess.run([sys.executable, "-c", PROGRAM, *what], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Compile, read, print."""
    print(f"{machine()}\n\n  {'kernel':34}  compiled s    read s")
    for engine, servers, policy in KERNELS:
        with tempfile.TemporaryDirectory() as folder:
            first, then = (seconds(folder, engine, servers, policy) for _ in range(2))
        name = f"{engine}, {policy}" + (f", N = {int(servers):,}" if servers != "0" else "")
        print(f"  {name:34}  {first:10.2f} {then:9.2f}", flush=True)


if __name__ == "__main__":
    main()
