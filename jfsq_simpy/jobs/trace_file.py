"""Traces on disk: Parquet, written a row group at a time under a temporary name, read back the same way.

In    blocks of columns; a path
Out   a Parquet file whose metadata says what was run, and Rows that read it lazily
Rule  nothing half-written ever bears the final name: the file is renamed when it is complete, and
      removed when it is not (an error, Ctrl-C, SIGTERM)
Cost  memory O(row group), whatever the length of the run; about 45 bytes a job on disk
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jfsq_simpy.errors import DataError
from jfsq_simpy.jobs.counting import Columns
from jfsq_simpy.jobs.trace_rows import BLOCK_ROWS, REPLICATION, TRACE_TYPES, Rows, TraceFacts, column
from jfsq_simpy.rates import FloatArray

KEY = b"jfsq_simpy.trace"  # of the file's metadata, holding the facts as JSON
DIGEST = KEY + b".sha256"  # of that JSON: pages have checksums of their own, metadata has none
FORMAT = 1
# What pyarrow raises on bytes that are not Parquet, or Parquet gone bad: its own kinds derive from these.
BAD_BYTES = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError)


def table_schema(facts: TraceFacts) -> pa.Schema:
    """The columns of a trace file and its metadata."""
    names = ([REPLICATION] if len(facts.replications) > 1 else []) + list(TRACE_TYPES)
    kinds = [pa.from_numpy_dtype(np.dtype(TRACE_TYPES.get(name, np.int64))) for name in names]
    text = json.dumps({"format": FORMAT, **facts.to_dict()}).encode()
    metadata = {KEY: text, DIGEST: hashlib.sha256(text).hexdigest().encode()}
    return pa.schema([pa.field(n, k, nullable=False) for n, k in zip(names, kinds, strict=True)], metadata=metadata)


# ---- writing -------------------------------------------------------------------------------------------------


class UnfinishedFile:
    """A file under a temporary name in the directory of its final one, which it takes when complete.

    Errors of the system (no such directory, a full disk) come out as DataError in one line.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.part")
        with self.reported():
            if self.path.is_dir():
                raise IsADirectoryError(0, "it is a directory")
            self.handle: IO[bytes] = open(self.temporary, "xb")  # noqa: SIM115  # closed by commit or discard

    @contextlib.contextmanager
    def reported(self) -> Iterator[None]:
        """Whatever the system refuses inside, as one line; what was written is removed."""
        try:
            yield
        except OSError as error:
            self.discard()
            why = error.strerror or str(error).splitlines()[0]
            raise DataError(
                f"{self.path}: cannot be written ({why}); nothing was left behind. Is there room, may you write?"
            ) from None

    def commit(self) -> None:
        """Give the complete file its name; what bore it before is replaced in one step."""
        with self.reported():
            self.handle.flush()
            os.fsync(self.handle.fileno())
            self.handle.close()
            os.replace(self.temporary, self.path)

    def discard(self) -> None:
        """Remove what was written so far; after `commit` there is nothing left to remove."""
        handle = getattr(self, "handle", None)
        if handle is not None:
            with contextlib.suppress(OSError):  # closing flushes, and the disk may be full
                handle.close()
            self.temporary.unlink(missing_ok=True)


class ParquetStore:
    """Takes rows and writes a row group whenever there are enough."""

    def __init__(self, path: str | Path, facts: TraceFacts, speeds: FloatArray | None = None) -> None:
        self.schema, self.speeds = table_schema(facts), speeds
        self.pending: list[Columns] = []
        self.n_pending = 0
        self.file = UnfinishedFile(path)
        with self.file.reported():
            self.writer = pq.ParquetWriter(
                self.file.handle,
                self.schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=["server", "speed", "level"],
                write_page_checksum=True,  # a flipped bit is noticed on reading
            )

    def write(self, columns: Columns) -> None:
        self.pending.append(columns)
        self.n_pending += columns["job"].size
        if self.n_pending >= BLOCK_ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self.n_pending:
            return
        parts, self.pending, self.n_pending = self.pending, [], 0
        rows = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
        table = pa.table([column(name, rows, self.speeds) for name in self.schema.names], schema=self.schema)
        with self.file.reported():
            self.writer.write_table(table, row_group_size=BLOCK_ROWS)

    def commit(self) -> FileRows:
        """Write the rest and the footer, and give the file its name."""
        self._flush()
        with self.file.reported():
            self.writer.close()
        self.file.commit()
        return FileRows(self.file.path)

    def discard(self) -> None:
        """Leave nothing behind."""
        # the writer would write a footer when collected: close it on its own terms while the file is open
        with contextlib.suppress(*BAD_BYTES):
            self.writer.close()
        self.file.discard()


# ---- reading -------------------------------------------------------------------------------------------------


class FileRows:
    """Rows of a trace file, read a row group at a time. Errors: DataError, one line."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with self._read("is not a trace, or not a whole one"), self._open() as file:
            self.n_rows = int(file.metadata.num_rows)
            schema = file.schema_arrow
            metadata = schema.metadata or {}
        if KEY not in metadata:
            raise DataError(
                f"{path}: is Parquet but not a trace of jfsq_simpy (its metadata names no run). "
                "A log of one's own is re-dispatched with jfsq_simpy.replay."
            )
        self.facts = self._facts(metadata[KEY], metadata.get(DIGEST, b""))
        self.names = self._names(schema)

    @contextlib.contextmanager
    def _read(self, what: str) -> Iterator[None]:
        try:
            yield
        except DataError:
            raise
        except FileNotFoundError:
            raise DataError(
                f'{self.path}: there is no such file; a trace is written by jfsq.simulate(..., trace="{self.path.name}").'
            ) from None
        except BAD_BYTES as error:
            why = (str(error) or type(error).__name__).splitlines()[0].partition(". ")[0].rstrip(".")[:160]
            raise DataError(f"{self.path}: {what} ({why}).") from None

    def _open(self) -> pq.ParquetFile:
        # no prefetching of whole row groups: memory stays at the columns asked for
        return pq.ParquetFile(self.path, page_checksum_verification=True, pre_buffer=False)

    def _facts(self, text: bytes, digest: bytes) -> TraceFacts:
        try:
            if hashlib.sha256(text).hexdigest().encode() != digest:
                raise DataError("it is not what was written")
            table = json.loads(text)
            written = table.get("format") if isinstance(table, dict) else None
            if written != FORMAT:
                raise DataError(f"format {written!r} is not known here (this version reads {FORMAT})")
            return TraceFacts.from_dict(table)
        except (DataError, ValueError) as error:
            raise DataError(f"{self.path}: the metadata of the trace cannot be used: {str(error).splitlines()[0]}.") from None

    def _names(self, schema: pa.Schema) -> tuple[str, ...]:
        wanted = table_schema(self.facts)
        for name, kind in zip(wanted.names, wanted.types, strict=True):
            place = schema.get_field_index(name)
            if place < 0:
                raise DataError(f"{self.path}: has no column `{name}` (found: {', '.join(schema.names) or 'none'}).")
            if schema.field(place).type != kind:
                raise DataError(f"{self.path}: column `{name}` holds {schema.field(place).type}, not {kind}.")
        return tuple(wanted.names)

    def blocks(self, names: Sequence[str]) -> Iterator[Columns]:
        seen = 0
        with self._read("is damaged"), self._open() as file:
            for batch in file.iter_batches(batch_size=BLOCK_ROWS, columns=list(names), use_threads=False):
                seen += batch.num_rows
                yield {name: self._array(name, batch) for name in names}
            if seen != self.n_rows:
                raise DataError(f"{self.path}: is damaged (it should hold {self.n_rows} jobs but only {seen} can be read).")

    def _array(self, name: str, batch: pa.RecordBatch) -> Any:
        values = batch.column(name)
        if values.null_count:
            raise DataError(f"{self.path}: column `{name}` has empty cells; a trace has none.")
        return values.to_numpy(zero_copy_only=False)


def is_trace(path: str | Path) -> bool:
    """Whether the Parquet file at `path` is a trace, whole or not; False for anything that is not Parquet."""
    try:
        return KEY in (pq.read_schema(path).metadata or {})
    except BAD_BYTES:
        return False


# ---- for other programs --------------------------------------------------------------------------------------

SUFFIXES = (".csv", ".parquet", ".pq")


def export(rows: Rows, path: str | Path, names: Sequence[str]) -> None:
    """The named columns as a plain table, CSV or Parquet by the path's suffix, a block at a time. Errors: DataError.

    CSV holds every digit a float has; nan is written `nan`.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(
            f"{path}: the name must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}: it says what kind of table to write."
        )
    file = UnfinishedFile(path)
    try:
        writer = None
        for block in rows.blocks(names):
            table = pa.table({name: block[name] for name in names})
            with file.reported():
                writer = writer or _writer(file, table.schema)
                writer.write_table(table)
        with file.reported():
            writer = writer or _writer(file, table_schema(_NO_FACTS).empty_table().select(list(names)).schema)
            writer.close()
        file.commit()
    finally:
        file.discard()


def _writer(file: UnfinishedFile, schema: pa.Schema) -> Any:
    if file.path.suffix.lower() == ".csv":
        from pyarrow import csv

        return csv.CSVWriter(file.handle, schema, write_options=csv.WriteOptions(quoting_style="none"))
    return pq.ParquetWriter(file.handle, schema.remove_metadata(), compression="zstd")


_NO_FACTS = TraceFacts(1, 1, replications=(0, 1))  # whose schema has every column there can be
