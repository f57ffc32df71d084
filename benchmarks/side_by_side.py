"""Timing contenders side by side in one run, as throughput and as ratios.

In    contenders: functions of a round's number that do their work and say how much of it they did, in what time
Out   a table: minimum, median and maximum of work a second, and the median of the rounds' ratios
Rule  contenders take turns within a round, so that what else the machine does falls on all of them alike
Cost  rounds x contenders
"""

from __future__ import annotations

import platform
import statistics
import subprocess
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version

Contender = Callable[[int], tuple[float, float]]  # a round's number -> units of work, seconds


def machine() -> str:
    """The processor, the interpreter and the versions that matter, one line each."""
    try:
        with open("/proc/cpuinfo") as lines:
            processor = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    packages = ", ".join(f"{name} {_version(name)}" for name in ("numpy", "numba", "simpy", "sortedcontainers", "ciw"))
    compiler = subprocess.run(["g++", "--version"], capture_output=True, text=True).stdout.partition("\n")[0]
    return f"{processor}; Python {platform.python_version()}; {packages}; {compiler}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def take_turns(contenders: Mapping[str, Contender], rounds: int) -> dict[str, list[float]]:
    """Units of work a second of each contender, one number a round."""
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, contender in contenders.items():
            work, seconds = contender(number)
            speeds[name].append(work / seconds)
    return speeds


def table(speeds: Mapping[str, list[float]], beside: str, unit: str) -> str:
    """Lines: name, minimum, median and maximum speed, and the speed as a share of `beside` round by round."""
    width = max(map(len, speeds))
    lines = [f"  {unit:{width}}  {'min':>10} {'median':>10} {'max':>10}   x {beside}"]
    for name, values in speeds.items():
        ratio = statistics.median(v / other for v, other in zip(values, speeds[beside], strict=True))
        numbers = " ".join(f"{_short(v):>10}" for v in (min(values), statistics.median(values), max(values)))
        lines.append(f"  {name:{width}}  {numbers}   {ratio:.3g}")
    return "\n".join(lines)


def _short(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"
