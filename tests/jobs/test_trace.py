"""Traces in memory and in files say the same; sinks leave a whole trace or nothing."""

from __future__ import annotations

import signal

import numpy as np
import pytest

from jfsq_simpy.draws import Seed
from jfsq_simpy.engines import ENGINES
from jfsq_simpy.errors import DataError, PlanError
from jfsq_simpy.jobs.sinks import MemorySink
from jfsq_simpy.jobs.trace import Recording, Trace, open_sink
from jfsq_simpy.jobs.trace_rows import BLOCK_ROWS, MemoryRows, TraceFacts
from jfsq_simpy.rates import from_speeds
from jfsq_simpy.system import System
from jfsq_simpy.tally import Window

SYSTEM = System(from_speeds([30.0, 10.0], labels=["new", "old"]), load=1.0, places=3)
WINDOW = Window(5.0, 100.0)
NAMES = ("job", "arrival", "server", "speed", "level", "blocked", "start", "departure", "wait", "response", "size", "finished")


def made(to, replications=(0,), system=SYSTEM, window=WINDOW):
    run = ENGINES["process"].load().run
    with open_sink(to, system, seed=Seed.of(7), replications=replications, engine="process", window=window) as recording:
        for number in replications:
            run(system, Seed.of(7), number, window, sink=recording.of(number))
        return recording.commit()


def same(a: Trace, b: Trace) -> bool:
    return a.names == b.names and all(
        np.array_equal(a[n], b[n], equal_nan=a[n].dtype.kind == "f") and a[n].dtype == b[n].dtype for n in a.names
    )


# ---- what a trace holds --------------------------------------------------------------------------------------


def test_the_columns_are_those_promised():
    trace = made(True)
    assert trace.names == NAMES
    assert tuple(trace.to_pandas().columns) == NAMES
    assert len(trace.to_pandas()) == len(trace) > 100


def test_by_hand():
    columns = {
        "job": np.array([0, 1, 2]),
        "arrival": np.array([0.0, 1.0, 1.5]),
        "server": np.array([0, 0, -1]),
        "level": np.array([0, 1, 2]),
        "start": np.array([0.0, 2.0, np.nan]),
        "departure": np.array([2.0, np.nan, np.nan]),
        "size": np.array([2.0, 5.0, 1.0]),
    }
    trace = Trace(System(rates=[1.0], load=0.5, places=2), columns)
    assert trace.blocked.tolist() == [False, False, True]
    assert trace.finished.tolist() == [True, False, False]
    assert np.array_equal(trace.wait, [0.0, 1.0, np.nan], equal_nan=True)
    assert np.array_equal(trace.response, [2.0, np.nan, np.nan], equal_nan=True)
    assert np.array_equal(trace.speed, [1.0, 1.0, np.nan], equal_nan=True)
    assert list(trace.columns) == list(columns)
    trace.check()


def test_an_unknown_column_is_refused_by_name():
    with pytest.raises(PlanError, match=r"no column 'waits'; there are job, arrival"):
        made(True)["waits"]


# ---- in memory and in a file ---------------------------------------------------------------------------------


@pytest.mark.parametrize("replications", [(0,), (3,), (0, 1, 4)])
def test_file_and_memory_agree_to_the_last_bit(tmp_path, replications):
    path = tmp_path / "trace.parquet"
    kept, written = made(True, replications), made(path, replications)
    assert same(kept, written)
    assert same(kept, Trace.read(path))
    assert (kept.names[0] == "replication") == (len(replications) > 1)
    copy = kept.to_parquet(tmp_path / "copy.parquet")
    assert same(copy, kept)
    copy.check()
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["copy.parquet", "trace.parquet"]


def test_the_file_says_what_was_run(tmp_path):
    facts = made(tmp_path / "trace.parquet", (0, 1)).facts
    assert facts.system == SYSTEM.describe()
    assert facts.seed == {"entropy": 7, "spawn_key": []}
    assert (facts.engine, facts.replications, facts.places, facts.n_servers) == ("process", (0, 1), 3, 2)
    assert (facts.window, facts.time_unit, facts.labels) == ((5.0, 105.0), 0.05, ("new", "old"))
    assert {"python", "numpy", "simpy"} <= facts.versions.keys()


def test_labels_of_large_fleets_are_not_kept():
    large = from_speeds(np.ones(1001), labels=[str(n) for n in range(1001)])
    assert TraceFacts.of(System(large, load=0.5, places=1)).labels is None


def test_a_replication_read_from_a_file_is_the_one_run_alone(tmp_path):
    three, alone = made(tmp_path / "three.parquet", (0, 1, 2)), made(True, (1,))
    mine = three["replication"] == 1
    assert all(np.array_equal(three[n][mine], alone[n], equal_nan=alone[n].dtype.kind == "f") for n in NAMES)


def test_rows_come_in_pieces_that_do_not_depend_on_how_they_were_written(tmp_path):
    """Many small writes, one large one: the same file, in row groups of one size."""
    whole = made(True, window=Window(0.0, 2000.0))
    columns = whole.columns
    for pieces in (1, 7, len(whole)):
        with open_sink(tmp_path / f"{pieces}.parquet", SYSTEM) as recording:
            for part in np.array_split(np.arange(len(whole)), pieces):
                recording.write({name: column[part] for name, column in columns.items()})
            assert same(recording.commit(), whole)


def test_large_files_are_read_a_block_at_a_time(tmp_path):
    n = 2 * BLOCK_ROWS + 5
    k = np.arange(n)
    columns = {
        "job": k,
        "arrival": k * 1.0,
        "server": k * 0,
        "level": k * 0,
        "start": k * 1.0,
        "departure": k + 0.5,
        "size": k * 0 + 0.5,
    }
    single = System(rates=[1.0], load=0.5, places=2)
    trace = Trace(single, columns).to_parquet(tmp_path / "long.parquet")
    sizes = [block["job"].size for block in trace.blocks("job")]
    assert max(sizes) <= BLOCK_ROWS
    assert sum(sizes) == n
    trace.check()


def test_an_empty_trace_is_a_trace(tmp_path):
    with open_sink(tmp_path / "none.parquet", SYSTEM) as recording:
        trace = recording.commit()
    assert len(trace) == 0
    assert trace["wait"].size == 0
    trace.check()


# ---- a whole trace or nothing --------------------------------------------------------------------------------


def write_until(path, stop, window=WINDOW):
    """A run that does not come to its end: `stop` is called when rows are on their way."""
    with open_sink(path, SYSTEM) as recording:
        for _ in range(3):
            recording.write(made(True, window=window).columns)
        stop()
        return recording.commit()


def fail():
    raise ZeroDivisionError


def test_an_error_in_the_run_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError):
        write_until(tmp_path / "trace.parquet", fail)
    assert list(tmp_path.iterdir()) == []


def test_earlier_results_survive_a_failed_rewrite(tmp_path):
    path = tmp_path / "trace.parquet"
    before = made(path)
    bytes_before = path.read_bytes()
    seen = []

    def look_and_fail():
        seen.append(path.read_bytes() == bytes_before)  # nothing under the final name while it is being written
        seen.append(len(list(tmp_path.iterdir())))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_until(path, look_and_fail, Window(0.0, 20_000.0))
    assert seen == [True, 2]
    assert path.read_bytes() == bytes_before
    assert [p.name for p in tmp_path.iterdir()] == ["trace.parquet"]
    assert same(Trace.read(path), before)


def test_leaving_without_commit_leaves_nothing(tmp_path):
    with open_sink(tmp_path / "trace.parquet", SYSTEM) as recording:
        recording.write(made(True).columns)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["missing/trace.parquet", "", "file/trace.parquet"])
def test_places_that_cannot_be_written_are_said_at_once(tmp_path, where):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written") as caught:
        open_sink(tmp_path / where, SYSTEM)
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.fixture
def sigterm():
    """Sets the handler of SIGTERM for a test."""
    before = signal.getsignal(signal.SIGTERM)
    yield lambda handler: signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGTERM, before)


def test_sigterm_unwinds_while_a_trace_is_open_and_only_then(tmp_path, sigterm):
    sigterm(signal.SIG_DFL)
    with pytest.raises(SystemExit) as caught:
        write_until(tmp_path / "trace.parquet", lambda: signal.raise_signal(signal.SIGTERM))
    assert caught.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert list(tmp_path.iterdir()) == []


def test_a_handler_somebody_else_has_set_is_left_alone(tmp_path, sigterm):
    heard = []
    sigterm(lambda *_: heard.append(1))
    write_until(tmp_path / "trace.parquet", lambda: signal.raise_signal(signal.SIGTERM))
    assert heard == [1]
    assert [p.name for p in tmp_path.iterdir()] == ["trace.parquet"]


def test_there_is_no_sink_for_no_trace():
    with pytest.raises(PlanError, match="nothing to record"):
        open_sink(False, SYSTEM)


def test_the_plain_memory_sink_still_gives_columns():
    sink = MemorySink()
    assert sink.columns()["job"].size == 0
    ENGINES["process"].load().run(SYSTEM, Seed.of(7), 0, WINDOW, sink=sink)
    assert same(Trace(SYSTEM, sink.columns()), made(True))


def test_recordings_can_be_made_of_any_store():
    """The protocol is three verbs: write, commit, discard."""

    class Counting:
        rows = 0

        def write(self, columns):
            self.rows += columns["job"].size

        def commit(self):
            return MemoryRows({}, None)

        def discard(self):
            self.rows = 0

    store = Counting()
    with Recording(TraceFacts.of(SYSTEM), store) as recording:
        recording.write(made(True).columns)
        assert store.rows > 0
    assert store.rows == 0
