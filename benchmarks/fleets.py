"""What both views are timed on: the fleets, their sizes, and what a benchmark may be asked.

In    N
Out   a System at alpha = 0.5, five places a server
Rule  one definition for both views, so that their tables stand side by side
Cost  nothing
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from jfsq_simpy import System, rates
from jfsq_simpy.draws import Seed

PLACES = 5
SEED = Seed.of(2026)
SERVERS = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
STANDARD_ERRORS = 6.0  # how far apart two estimates of one number may lie


def linear(n: int) -> System:
    """Speeds from 1.5 down to 0.5, all different: no two servers ever tie."""
    return System(rates.linear(n, ratio=3), alpha=0.5, places=PLACES)


def homogeneous(n: int) -> System:
    """All speeds equal: every choice is a tie."""
    return System(rates.homogeneous(n), alpha=0.5, places=PLACES)


def two_speed(n: int) -> System:
    """Half the servers three times as fast as the others: by counts of two classes."""
    return System(rates.two_speed(n, ratio=3), alpha=0.5, places=PLACES)


def asked(name: str, about: str, arguments: Sequence[str] | None) -> argparse.Namespace:
    """`quick` and `servers`, from the words after `python -m benchmarks.<name>`."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=about)
    parser.add_argument("--quick", action="store_true", help="a fifth of the jobs, three rounds")
    parser.add_argument("--servers", type=int, nargs="*", default=SERVERS, help="fleet sizes")
    return parser.parse_args(arguments)
