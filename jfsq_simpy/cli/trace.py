"""`jfsq trace FILE summary|ccdf|export|check`: what a trace file says.

In    a Parquet file written by a run with a trace
Out   its numbers at a glance, a tail with intervals, a plain table for other programs, or a verdict
Rule  a file of any size is read in bounded memory; a broken rule is exit code 1, a file that is no trace is 2
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from jfsq_simpy.cli import options, output
from jfsq_simpy.cli.status import Status
from jfsq_simpy.errors import IdentityError, PlanError

DEFAULT_TIMES = "0,0.1,0.2,0.5,1,2,5,10"


class What(StrEnum):
    """What can be asked of a trace."""

    summary = "summary"
    ccdf = "ccdf"
    export = "export"
    check = "check"


class Of(StrEnum):
    """Which time of a job."""

    wait = "wait"
    response = "response"
    service = "service"


class By(StrEnum):
    """What to split by."""

    speed = "speed"
    level = "level"
    time = "time"


File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        parser=options.named("FILE", "give a trace, for example trace.parquet"),
        help="A trace: the Parquet file of a run.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        parser=options.named("--out", "say where to, for example --out jobs.csv"),
        help="export: the file to write, which ends in .csv, .parquet or .pq.",
    ),
]


def trace(
    file: File,
    what: Annotated[
        What, typer.Argument(help="Numbers at a glance, a tail P(time > t), a plain table, or a verdict.", show_default=False)
    ],
    times: Annotated[
        str, typer.Option(metavar="T,T,...", help="ccdf: at which t, in the unit of time of the trace.")
    ] = DEFAULT_TIMES,
    of: Annotated[Of, typer.Option(help="ccdf: of which time of a job.")] = Of.wait,
    by: Annotated[
        By | None,
        typer.Option(help="ccdf: apart by speed class, by jobs found at the server, or by time of arrival [default: together]."),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(metavar="FROM,TO", help="summary, ccdf: only jobs that arrived in this span [default: the measured part]."),
    ] = None,
    level: Annotated[float, typer.Option(help="summary, ccdf: confidence level of intervals, between 0 and 1.")] = 0.95,
    out: Out = None,
    columns: Annotated[str | None, typer.Option(metavar="NAME,...", help="export: which columns [default: all].")] = None,
    json_: options.Json = False,
) -> None:
    """Look into a trace: a summary, a tail, a plain table, or whether every job obeyed the rules."""
    from jfsq_simpy.jobs.trace import Trace

    found = Trace.read(file)
    period = _numbers("--window", window, 2) if window is not None else None
    match what:
        case What.summary:
            _summary(found, period, level, json_)
        case What.ccdf:
            _ccdf(found, _numbers("--times", times), of, by, period, level, json_)
        case What.export:
            _export(file, found, out, columns, json_)
        case What.check:
            _check(file, found, json_)


def _summary(trace: Any, window: Any, level: float, json_: bool) -> None:
    from jfsq_simpy.trace_analysis import summary

    found = summary(trace, window, level)
    if json_:
        output.document(found)
        return
    from jfsq_simpy.views import trace_tables

    output.show(trace_tables.summary(found))


def _ccdf(trace: Any, times: list[float], of: Of, by: By | None, window: Any, level: float, json_: bool) -> None:
    from jfsq_simpy.trace_analysis import ccdf
    from jfsq_simpy.trace_analysis.summary import without_nan

    table = ccdf(trace, times, of=of.value, by=by.value if by else None, window=window, level=level)
    if json_:
        output.document(without_nan({**table.attrs, "window": list(table.attrs["window"]), "ccdf": table.to_dict("records")}))
        return
    from jfsq_simpy.views import trace_tables

    output.show(trace_tables.frame(table))


def _export(file: Path, trace: Any, out: Path | None, columns: str | None, json_: bool) -> None:
    if out is None:
        raise PlanError(f"trace {file} export: say where to, for example --out {file.with_suffix('.csv').name}.")
    if out.exists() and out.resolve() == file.resolve():
        raise PlanError(f"--out {out} is the trace itself; a plain table in its place would no longer be one.")
    names = [name.strip() for name in columns.split(",")] if columns is not None else list(trace.names)
    trace.export(out, *names)
    if json_:
        output.document({"file": str(file), "out": str(out), "columns": names, "rows": len(trace)})
    else:
        output.note(f"{len(trace):,} jobs, {len(names)} columns: {out}")


def _check(file: Path, trace: Any, json_: bool) -> None:
    try:
        trace.check()
    except IdentityError as error:
        if not json_:
            raise IdentityError(f"{file}: {str(error).removeprefix('trace: ')}") from None
        output.document({"file": str(file), "rows": len(trace), "passed": False, "error": str(error)})
        raise typer.Exit(Status.FAILED) from None
    if json_:
        output.document({"file": str(file), "rows": len(trace), "passed": True, "error": None})
    else:
        print(f"{file}: all {len(trace):,} jobs obey every rule of the model.")


def _numbers(option: str, text: str, how_many: int | None = None) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if not values or (how_many is not None and len(values) != how_many):
        wanted = "numbers separated by commas" if how_many is None else f"{how_many} numbers separated by commas"
        raise PlanError(f"{option} {text}: give {wanted}, for example {DEFAULT_TIMES if how_many is None else '0,1000'}.")
    return values
