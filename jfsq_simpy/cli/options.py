"""Options that several commands share.

In    the words after a command's name
Out   annotated types for typer, and settings that override a scenario
Rule  every option is a `--set` in disguise, so file, option and sweep go one way
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from jfsq_simpy.errors import PlanError


def named(what: str, way_out: str) -> Callable[[str | Path], Path]:
    """A parser of paths that refuses an empty one, which to Python is the current folder. Errors: PlanError.

    >>> named("--out", "say where")("here").name
    'here'
    """

    def parse(text: str | Path) -> Path:  # a default comes as a Path
        if not str(text).strip():
            raise PlanError(f"{what} is empty, so it names nothing; {way_out}.")
        return Path(text)

    return parse


File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        parser=named("FILE", "give a scenario, for example scenarios/zero_waiting.toml"),
        help="A scenario: a TOML file that asks one question.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write one JSON document to standard output, nothing else.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a field of the file, for example system.alpha=0.25; may be repeated."
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Who simulates: auto, process, events, lockstep or chain [default: the file's run.engine]."),
]
Seed = Annotated[str | None, typer.Option(metavar="N", help="The root of all randomness [default: the file's run.seed].")]
Replications = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="How many independent repetitions, or the numbers of some: '[3, 99]' [default: the file's run.replications].",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="DIRECTORY",
        parser=named("--out", "say where results go, for example --out results/mine, or leave it out"),
        help="Where results are kept [default: a folder under results/ named after FILE].",
    ),
]
Workers = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="How many replications run side by side [default: one a core].")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Results and errors only: no progress, notes or warnings.")]


def settings(set_: Iterable[str] | None, **options: str | None) -> list[str]:
    """The overrides a command line asks for: every --set, then options such as --seed as run.seed."""
    return [*(set_ or []), *(f"run.{name}={value}" for name, value in options.items() if value is not None)]


def directory(out: Path | None, name: str) -> Path:
    """Where results are kept: where the user says, else under results/.

    >>> directory(None, "small").as_posix()
    'results/small'
    """
    return out if out is not None else Path("results") / name
