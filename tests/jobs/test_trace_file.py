"""Trace files in an unkind world: garbage, damage, full disks, interrupts. One line each, nothing half-written."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jfsq_simpy.draws import Seed
from jfsq_simpy.engines import ENGINES
from jfsq_simpy.errors import DataError
from jfsq_simpy.jobs.trace import Trace, open_sink
from jfsq_simpy.jobs.trace_file import DIGEST, KEY, UnfinishedFile, is_trace
from jfsq_simpy.system import System
from jfsq_simpy.tally import Window

SYSTEM = System(rates=[1.5, 0.5], load=0.9, places=3)
PACKAGE = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("traces") / "sound.parquet"
    with open_sink(path, SYSTEM, seed=Seed.of(1)) as recording:
        ENGINES["process"].load().run(SYSTEM, Seed.of(1), 0, Window(0.0, 60.0), sink=recording.of(0))
        return recording.commit()


def refused(path, match):
    """Reading fails with one line that names the file, at the first look or when its rows are read."""
    with pytest.raises(DataError, match=match) as caught:
        Trace.read(path).to_pandas()
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


# ---- what is not a trace -------------------------------------------------------------------------------------


def test_no_file(tmp_path):
    refused(tmp_path / "none.parquet", "there is no such file")


def test_a_directory(tmp_path):
    refused(tmp_path, "is not a trace")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"job,arrival\n0,1.0\n", b"PAR1" + bytes(100) + b"PAR1"], ids=len)
def test_not_parquet(tmp_path, content):
    path = tmp_path / "odd.parquet"
    path.write_bytes(content)
    refused(path, "is not a trace, or not a whole one")
    assert not is_trace(path)


def test_foreign_parquet(tmp_path, sound):
    path = tmp_path / "foreign.parquet"
    sound.to_pandas().to_parquet(path)
    refused(path, "is Parquet but not a trace of jfsq_simpy")
    assert not is_trace(path)
    assert is_trace(sound.rows.path)


def rewritten(sound, path, change):
    table = change(pq.read_table(sound.rows.path))
    pq.write_table(table, path)
    return path


def with_column(name, values):
    return lambda t: t.set_column(t.schema.get_field_index(name), name, values(t)).replace_schema_metadata(t.schema.metadata)


CHANGES = {
    "a column is missing": (lambda t: t.drop_columns(["wait"]), "has no column `wait`"),
    "a column has another type": (
        with_column("level", lambda t: t["level"].cast("double")),
        "column `level` holds double, not int64",
    ),
    "a column holds words": (with_column("size", lambda t: pa.array(["x"] * len(t))), "column `size` holds string"),
    "empty cells": (with_column("start", lambda t: pa.array([None] * len(t), "double")), "column `start` has empty cells"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_columns_that_are_not_a_traces(tmp_path, sound, what):
    change, message = CHANGES[what]
    refused(rewritten(sound, tmp_path / "changed.parquet", change), message)


def facts_changed(sound, path, change, *, sealed=True):
    def to(table):
        facts = json.loads(table.schema.metadata[KEY])
        text = json.dumps(change(facts)).encode()
        digest = hashlib.sha256(text).hexdigest().encode() if sealed else table.schema.metadata[DIGEST]
        return table.replace_schema_metadata({KEY: text, DIGEST: digest})

    return rewritten(sound, path, to)


FACTS = {
    "of a later version": (lambda f: f | {"format": 99}, "format 99 is not known"),
    "without places": (lambda f: {k: v for k, v in f.items() if k != "places"}, "lack 'places'"),
    "places in words": (lambda f: f | {"places": "three"}, "garbled"),
    "no places": (lambda f: f | {"places": 0}, "garbled"),
    "no replications": (lambda f: f | {"replications": []}, "garbled"),
    "a window of one": (lambda f: f | {"window": [1.0]}, "garbled"),
    "a list": (lambda f: [f], "format None is not known"),
}


@pytest.mark.parametrize("what", FACTS)
def test_facts_that_cannot_be_used(tmp_path, sound, what):
    change, message = FACTS[what]
    refused(facts_changed(sound, tmp_path / "facts.parquet", change), message)


def test_facts_that_were_tampered_with(tmp_path, sound):
    refused(facts_changed(sound, tmp_path / "facts.parquet", lambda f: f | {"places": 4}, sealed=False), "not what was written")


# ---- fuzz ----------------------------------------------------------------------------------------------------

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@FUZZ
@given(content=st.binary(max_size=300), framed=st.booleans())
@example(b"", True)
def test_random_bytes_are_refused_in_one_line(tmp_path, content, framed):
    path = tmp_path / "fuzz.parquet"
    path.write_bytes(b"PAR1" + content + len(content).to_bytes(4, "little") + b"PAR1" if framed else content)
    refused(path, "is not a trace|is Parquet but not")


@FUZZ
@given(share=st.floats(0.0, 1.0, exclude_max=True))
def test_a_truncated_trace_is_refused_in_one_line(tmp_path, sound, share):
    whole = sound.rows.path.read_bytes()
    path = tmp_path / "cut.parquet"
    path.write_bytes(whole[: int(share * len(whole))])
    refused(path, "is not a trace, or not a whole one")


@FUZZ
@given(data=st.data())
def test_flipped_bits_are_noticed_or_change_nothing(tmp_path, sound, data):
    """Pages and facts have checksums; what is left are notes that no number depends on."""
    content = bytearray(sound.rows.path.read_bytes())
    footer = int.from_bytes(content[-8:-4], "little") + 8
    for _ in range(data.draw(st.integers(1, 3))):
        # the footer is where a flip can do more than spoil a page
        place = data.draw(st.integers(len(content) - footer, len(content) - 1) | st.integers(0, len(content) - 1))
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "flipped.parquet"
    path.write_bytes(content)
    try:
        found = Trace.read(path)
        table = found.to_pandas()
    except DataError:
        refused(path, "is not a trace|is damaged|cannot be used|is Parquet but not|column|there is no")
    else:
        assert table.equals(sound.to_pandas())
        assert found.facts == sound.facts


# ---- a full disk, an interrupt -------------------------------------------------------------------------------

WRITER = """
    import os, resource, signal, sys
    from pathlib import Path
    import numpy as np
    from jfsq_simpy.errors import DataError
    from jfsq_simpy.jobs.trace import open_sink
    from jfsq_simpy.system import System

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
    rng = np.random.default_rng(1)

    def rows(first, n=70_000):
        k = np.arange(first, first + n)
        at = k + rng.random(n)
        return dict(job=k, arrival=at, server=k * 0, level=k * 0, start=at, departure=at + rng.random(n), size=rng.random(n))

    def write(path, how_many):
        with open_sink(path, System(rates=[1.0], load=0.5, places=2)) as recording:
            for i in range(how_many):
                recording.write(rows(70_000 * i))
                print("block", i, flush=True)
            recording.commit()
"""


def script(tmp_path, text):
    file = tmp_path / "script.py"
    file.write_text(textwrap.dedent(WRITER) + textwrap.dedent(text))
    environment = os.environ | {"PYTHONPATH": str(PACKAGE)}
    return [sys.executable, str(file)], {
        "cwd": tmp_path,
        "env": environment,
        "text": True,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }


def test_a_full_disk_costs_the_new_trace_and_no_other(tmp_path):
    """The limit on a file's size stands for the full disk: the same write fails, in the same place."""
    command, how = script(
        tmp_path,
        """
        write("trace.parquet", 1)
        before = Path("trace.parquet").read_bytes()
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, 5_000_000))
        try:
            write("trace.parquet", 100)
        except DataError as error:
            print("refused:", error)
        assert Path("trace.parquet").read_bytes() == before
        """,
    )
    done = subprocess.run(command, timeout=120, check=False, **how)
    assert done.returncode == 0, done.stderr
    assert "refused: trace.parquet: cannot be written (File too large)" in done.stdout
    assert done.stderr == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["script.py", "trace.parquet"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB, where one may be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs the administrator's rights")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_really_fills_up(tmp_path, small_disk):
    command, how = script(
        tmp_path,
        """
        write("disk/trace.parquet", 0)
        before = Path("disk/trace.parquet").read_bytes()
        try:
            write("disk/trace.parquet", 100)
        except DataError as error:
            print("refused:", error)
        assert Path("disk/trace.parquet").read_bytes() == before
        """,
    )
    done = subprocess.run(command, timeout=120, check=False, **how)
    assert done.returncode == 0, done.stderr
    assert "refused: disk/trace.parquet: cannot be written (No space left on device)" in done.stdout
    assert [p.name for p in small_disk.iterdir()] == ["trace.parquet"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full here")
def test_no_room_at_all_is_said_in_the_systems_words(tmp_path):
    file = UnfinishedFile(tmp_path / "trace.parquet")
    file.handle.close()
    file.handle = open("/dev/full", "wb")  # noqa: SIM115  # closed by the failing commit
    file.handle.write(b"x")
    with pytest.raises(DataError, match=r"cannot be written \(No space left on device\)"):
        file.commit()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how_stopped", ["SIGINT", "SIGTERM"])
def test_an_interrupt_in_mid_write_leaves_earlier_results_and_nothing_else(tmp_path, how_stopped):
    command, how = script(tmp_path, 'write("trace.parquet", 1)\nwrite("trace.parquet", 10_000)\n')
    process = subprocess.Popen(command, **how)
    try:
        for line in process.stdout:
            if line == "block 4\n":  # of the second trace: several row groups are on disk
                break
        unfinished = [p.name for p in tmp_path.iterdir() if p.name.endswith(".part")]
        before = (tmp_path / "trace.parquet").read_bytes()
        process.send_signal(getattr(signal, how_stopped))
        _, words = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert len(unfinished) == 1  # it was indeed in mid-write
    assert process.returncode in ((-signal.SIGINT, 1, 130) if how_stopped == "SIGINT" else (128 + signal.SIGTERM,)), words
    assert (tmp_path / "trace.parquet").read_bytes() == before
    assert len(Trace.read(tmp_path / "trace.parquet")) == 70_000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["script.py", "trace.parquet"]


# ---- memory --------------------------------------------------------------------------------------------------

MEGABYTES = 400


def peak(tmp_path, text):
    """Peak resident memory of a fresh process that runs the text, in megabytes."""
    # not ru_maxrss, which a child inherits from the process that forked it: a large test run would be measured
    report = "\nprint('peak', int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) / 1024)\n"
    command, how = script(tmp_path, textwrap.dedent(text) + report)
    done = subprocess.run(command, timeout=1200, check=False, **how)
    assert done.returncode == 0, done.stderr
    return float(done.stdout.split("peak")[1])


def test_memory_does_not_grow_with_the_trace(tmp_path):
    short, long = (peak(tmp_path, f"write('{n}.parquet', {n})") for n in (8, 32))
    assert long < short + 15  # 24 blocks more are 94 MB of columns


@pytest.mark.verify
def test_two_million_jobs_are_written_and_ten_million_summarised_in_bounded_memory(tmp_path):
    run = """
    from jfsq_simpy import rates
    from jfsq_simpy.draws import Seed
    from jfsq_simpy.engines import ENGINES
    from jfsq_simpy.tally import Window
    system = System(rates=rates.linear(100, ratio=4), load=0.95, places=5)
    window = Window(0.0, {jobs} / system.arrival_rate)
    with open_sink("{name}", system, engine="{engine}", window=window) as recording:
        ENGINES["{engine}"].load().run(system, Seed.of(1), 0, window, sink=recording.of(0))
        recording.commit()
    """
    engines = ["process"] + (["events"] if ENGINES["events"].available else [])
    for engine in engines:
        assert peak(tmp_path, run.format(jobs=2e6, engine=engine, name=f"{engine}.parquet")) < MEGABYTES
    if "events" in engines:
        peak(tmp_path, run.format(jobs=1e7, engine="events", name="long.parquet"))
        read = "from jfsq_simpy.jobs.trace import Trace\nfrom jfsq_simpy.trace_analysis import summary\n"
        read += "trace = Trace.read('long.parquet')\n"
        assert peak(tmp_path, read + "assert summary(trace)['jobs']['arrived'] > 9.9e6") < MEGABYTES
        assert peak(tmp_path, read + "trace.check()") < MEGABYTES
