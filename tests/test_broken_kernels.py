"""Kernels broken on purpose: each break is one that is easily made, and the tests named beside it must fail.

A copy of the package is broken, and its tests run without compilation, which is quicker for a few thousand
events. `make verify` tries every break; the normal run sees that none has become a dead letter.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

pytest.importorskip("numba")

ROOT = Path(__file__).parent.parent
CHAIN, EVENTS = "tests/chain/test_agreement.py", "tests/jobs/test_events.py"
ONCE, LARGE, BYTES, GROUPS = f"{CHAIN} every_kernel_once", f"{CHAIN} large_systems", f"{CHAIN} 255", f"{CHAIN} large_fleet"
RANDOM, ASKING, GAPS = f"{EVENTS} random_systems", f"{EVENTS} whomever", f"{EVENTS} long_gap"
MANY = "tests/jobs/test_choices.py twenty"


class Break(NamedTuple):
    """What goes wrong, where, and the tests that see it: a file and what they are called."""

    what: str
    file: str
    old: str
    new: str
    seen_by: str


BREAKS = [
    # ---- chain ----
    Break(
        "an idle server is not put back",
        "chain/first.py",
        "np.uint64(held == U1) << at_word",
        "np.uint64(held == U0) << at_word",
        ONCE,
    ),
    Break("a busy server stays in its set", "chain/first.py", "below = below & (below - U1)", "below = below & below", ONCE),
    Break("snapshots drift", "chain/first.py", "snapshot += stride", "snapshot += stride + 1", ONCE),
    Break(
        "a word above is not emptied",
        "chain/first.py",
        "~(np.uint64(below == U0) << (at_word",
        "~(np.uint64(below == U1) << (at_word",
        LARGE,
    ),
    Break("the group before at its edge", "chain/first.py", "edges[group + U1] <= ", "edges[group + U1] < ", GROUPS),
    Break(
        "both words of an event are one", "chain/decode.py", "np.uint64(i) * step + step)", "np.uint64(i) * step + gamma)", LARGE
    ),
    Break("a refused coin is taken", "chain/decode.py", "server = np.int64(n_servers + 1)", "server = server + 0", LARGE),
    Break(
        "a tie goes to the next word",
        "chain/uniform.py",
        "missed = U0, U0\n                for c in range(at_once)",
        "missed = U1, U0\n                for c in range(at_once)",
        LARGE,
    ),
    Break("an arrival's choice is another's", "chain/uniform.py", "event + at + j + s)", "event + at + j)", ONCE),
    Break(
        "counts of sets go down only",
        "chain/uniform.py",
        "layer[np.uint64(d)] + inside] += U1",
        "layer[np.uint64(d)] + inside] += U0",
        LARGE,
    ),
    Break("a class with room is not seen", "chain/classes_first.py", "free |= bit_of[row]\n                    s +=", "s +=", ONCE),
    Break("ties go to the first cell", "chain/classes_rank.py", "if not by_choice[rank]:", "if rank >= 0:", ONCE),
    Break("a server is asked twice", "chain/sample.py", "new += 1", "new += 0", ONCE),
    Break("bytes run over", "chain/snapshots.py", "MOST_IN_BYTE = 255", "MOST_IN_BYTE = 256", BYTES),
    # ---- events ----
    Break("who leaves now is still there", "jobs/kernels.py", 'entry["time"] > instant', 'entry["time"] >= instant', RANDOM),
    Break(
        "one snapshot too few sees who left",
        "jobs/kernels.py",
        "unseen = snapshots - taken",
        "unseen = snapshots - taken - 1",
        RANDOM,
    ),
    Break(
        "times by a reciprocal",
        "jobs/kernels.py",
        'start + sizes[k] / server["rate"]',
        'start + sizes[k] * (1.0 / server["rate"])',
        RANDOM,
    ),
    Break("service without a queue", "jobs/kernels.py", 'max(arrival, server["free_at"])', "arrival", RANDOM),
    Break("pending departures are passed over", "jobs/kernels.py", "> FAR and on[0] == n_servers", "> FAR", GAPS),
    Break(
        "one snapshot too few sees a job",
        "jobs/kernels.py",
        'cell["below"] -= snapshots - taken',
        'cell["below"] -= snapshots - taken - 1',
        RANDOM,
    ),
    Break(
        "a class's idle servers are miscounted",
        "jobs/kernels.py",
        "on_by_class[level, tie_class[n]] -= 1",
        "on_by_class[level, tie_class[n]] -= 0",
        RANDOM,
    ),
    Break(
        "counts of sets go up only",
        "jobs/kernels.py",
        "spans[level, span_at[d] + inside] -= 1",
        "spans[level, span_at[d] + inside] -= 0",
        MANY,
    ),
    Break(
        "a tie goes to the neighbour",
        "jobs/choices.py",
        "return inside << U6 | nth_one(words[level, inside], r)",
        "return inside << U6 | nth_one(words[level, inside], max(r - 1, 0))",
        RANDOM,
    ),
    Break("a match in the tree counts one side", "jobs/choices.py", "(right <= left) * tied", "(right < left) * tied", RANDOM),
    Break("a server is drawn twice", "jobs/choices.py", "pick += pick >= asked[j]", "pick += pick > asked[j]", ASKING),
    Break(
        "a share above is not the last", "jobs/choices.py", "if sums[middle] > share:", "if sums[middle] >= share + 0.1:", RANDOM
    ),
]


@pytest.mark.parametrize("broken", BREAKS, ids=[b.what for b in BREAKS])
def test_every_break_is_still_one(broken: Break) -> None:
    text = (ROOT / "jfsq_simpy" / broken.file).read_text()
    assert text.count(broken.old) >= 1, f"what {broken.what!r} replaces is no longer in {broken.file}"
    file, _, name = broken.seen_by.partition(" ")
    assert name in (ROOT / file).read_text()


def copied(to: Path) -> Path:
    for part in ("jfsq_simpy", "tests"):
        shutil.copytree(ROOT / part, to / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "setup.cfg", to)
    return to


def failures(root: Path, tests: str) -> tuple[int, str]:
    """Pytest's return code (1: some failed, 0: none) and what it printed."""
    file, _, name = tests.partition(" ")
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-W", "ignore", file, "-k", name]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=600)
    return done.returncode, done.stdout


@pytest.mark.verify
@pytest.mark.parametrize("tests", sorted({b.seen_by for b in BREAKS}))
def test_nothing_broken_is_nothing_seen(tests: str, tmp_path: Path) -> None:
    code, printed = failures(copied(tmp_path), tests)
    assert code == 0, printed[-2000:]


@pytest.mark.verify
@pytest.mark.parametrize("broken", BREAKS, ids=[b.what for b in BREAKS])
def test_a_broken_kernel_is_caught(broken: Break, tmp_path: Path) -> None:
    root = copied(tmp_path)
    file = root / "jfsq_simpy" / broken.file
    file.write_text(file.read_text().replace(broken.old, broken.new))
    code, printed = failures(root, broken.seen_by)
    assert code == 1, printed[-2000:]
