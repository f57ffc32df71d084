"""From arguments to an exit code.

In    sys.argv
Out   an exit code: 0 done, 1 a check failed or a precision was not reached, 2 the input is at fault,
      3 interrupted (what is done is kept), 4 everything else
Rule  the one place where exceptions become lines; SIGTERM is answered like Ctrl-C
Cost  commands import what they need when they run, so `jfsq --help` takes a tenth of a second
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer

from jfsq_simpy.cli import bounds, check, compare, exact, interrupts, listing, run, scaling, trace, verify
from jfsq_simpy.cli.output import complain
from jfsq_simpy.cli.status import Interrupted, Status
from jfsq_simpy.errors import DataError, IdentityError, JfsqError, ModelError, PlanError, ScenarioError, TooLargeError

AT_FAULT_IS_THE_INPUT = (ScenarioError, ModelError, PlanError, DataError, TooLargeError)
UsageError: Any = typer.BadParameter.__mro__[1]  # typer exports the leaf of its usage errors only
TYPER_INTERRUPTED = 130

app = typer.Typer(
    help="A lab for one question: does a job have to wait?",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run", short_help="Simulate a scenario; every replication is kept.")(run.run)
app.command("exact", short_help="Solve a scenario exactly.")(exact.exact)
app.command("bounds", short_help="What the paper says beforehand, and from which N on.")(bounds.bounds)
app.command("check", short_help="Measured, exact and claimed, side by side.")(check.check)
app.command("scaling", short_help="Slopes in N beside the theorem's orders.")(scaling.scaling)
app.command("compare", short_help="Compare policies on the same jobs.")(compare.compare)
app.command("trace", short_help="Look into a trace: every job of a run.")(trace.trace)
app.command("verify", short_help="Is this installation right?")(verify.verify)
app.command("list", short_help="What there is to choose from.")(listing.listing)


@app.callback(invoke_without_command=True)
def jfsq(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Show the version and stop."),
) -> None:
    """A lab for one question: does a job have to wait?"""
    if version:
        from jfsq_simpy.experiment.record import versions

        print(f"jfsq_simpy {versions()['jfsq_simpy'] or '(not installed)'}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> NoReturn:
    """Run the command of this process and leave with its exit code."""
    interrupts.listen()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without a plus-minus sign shows a question mark
            stream.reconfigure(errors="replace")
    status = execute(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            pass  # the reader of a pipe has left: that is its right
        except OSError:
            status = status or Status.OTHER
    # Not sys.exit: a kernel still running in a daemon thread cannot be stopped, and need not be waited for.
    os._exit(status)


def execute(arguments: Sequence[str]) -> int:
    """Run one command; its exit code. Nothing is raised."""
    try:
        status = app(args=list(arguments), prog_name="jfsq", standalone_mode=False)
        return complain("interrupted.", Status.INTERRUPTED) if status == TYPER_INTERRUPTED else int(status or 0)
    except (Interrupted, KeyboardInterrupt) as error:
        return complain(str(error) or "interrupted.", Status.INTERRUPTED)
    except AT_FAULT_IS_THE_INPUT as error:
        return complain(str(error), Status.INPUT)
    except IdentityError as error:
        return complain(str(error), Status.FAILED)
    except JfsqError as error:
        return complain(str(error), Status.OTHER)
    except UsageError as error:
        return complain(f"{_sentence(error.format_message())} See jfsq {_command(arguments)}--help.", Status.INPUT)
    except (BrokenPipeError, SystemExit):  # typer turns the first into the second
        return Status.DONE
    except MemoryError:
        return complain("out of memory; ask for fewer servers, places or replications side by side (--workers 1).", Status.OTHER)
    except OSError as error:
        what = error.filename or "standard output"  # our own files are written with errors of their own
        return complain(f"{what}: {error.strerror or error}.", Status.OTHER)
    except Exception as error:
        if interrupts.were_sent():  # an import cut short may say anything
            return complain("interrupted.", Status.INTERRUPTED)
        return complain(f"unexpected {type(error).__name__}: {error} (JFSQ_TRACEBACK=1 shows where)", Status.OTHER)


def _sentence(text: str) -> str:
    """What a library says about an argument, as a sentence of ours."""
    text = re.sub(r"\bValue error, ", "", " ".join(text.split()))
    return text if text.endswith((".", "?")) else f"{text}."


def _command(arguments: Sequence[str]) -> str:
    """The command whose help may help; empty where there is no such command."""
    known = {command.name for command in app.registered_commands}
    return f"{arguments[0]} " if arguments and arguments[0] in known else ""
