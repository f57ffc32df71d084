"""`jfsq compare FILE`: several policies on the same jobs.

In    a scenario file, policies (or its [compare] table), overrides
Out   a ranking with paired differences, tails, a figure; with --why the jobs behind a difference
Rule  results are kept as `jfsq run` keeps them; a rerun adds only what is missing
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jfsq_simpy.cli import options, output
from jfsq_simpy.errors import PlanError

if TYPE_CHECKING:
    from jfsq_simpy.compare import Comparison
    from jfsq_simpy.compare.planned import Compared

Policies = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,...",
        help="Names or tables: jfsq,jsq,\"{name='jsq_d',d=2}\" [default: the file's compare.policies].",
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What to compare by, for example mean_wait or response_p99 [default: the file's compare.metric, or mean_response].",
    ),
]
Against = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The policy the others are held against [default: the file's compare.against, or the first policy].",
    ),
]
Why = Annotated[
    str | None, typer.Option(metavar="NAME", help="Show which jobs do better and which do worse under this policy, and why.")
]


def compare(
    file: options.File,
    policies: Policies = None,
    metric: Metric = None,
    against: Against = None,
    why: Why = None,
    set_: options.Set = None,
    engine: options.Engine = None,
    seed: options.Seed = None,
    replications: options.Replications = None,
    out: options.Out = None,
    workers: options.Workers = None,
    json_: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Compare policies on the same jobs: paired differences, a ranking with shared places, tails, messages."""
    from jfsq_simpy.cli.progress import Reporter
    from jfsq_simpy.compare import planned
    from jfsq_simpy.compare.together import known

    settings = options.settings(set_, engine=engine, seed=seed, replications=replications)
    settings += [f"compare.{key}={value}" for key, value in (("metric", metric), ("against", against)) if value is not None]
    scenario = planned.read(file, settings, listed(policies) if policies is not None else None)
    directory = options.directory(out, f"{scenario.name}/compare")
    plan = planned.plan(scenario, directory)
    if why is not None:
        known(why, plan.policies)
    with Reporter(plan.scenario, directory, workers, quiet=quiet) as reporter:
        found = plan.run(directory, workers=workers, progress=reporter.progress)
    figures = draw(found, scenario.question, directory)
    followed = [comparison.jobs(why) if why is not None else None for _, comparison in found.comparisons]
    if json_:
        output.document(_document(found, figures, followed))
    else:
        tell(found, scenario.question, followed)
    if not quiet:
        _notes(found, directory, figures)


def draw(found: Compared, question: str, directory: Path) -> list[Path]:
    """A figure for each comparison."""
    from jfsq_simpy.views import compare_figures, figures

    single = len(found.comparisons) == 1
    return [
        figures.save(
            compare_figures.comparison(comparison, question, _at(labels)),
            directory / ("comparison.png" if single else f"comparison-{i + 1}.png"),
        )
        for i, (labels, comparison) in enumerate(found.comparisons)
    ]


def tell(found: Compared, question: str, followed: list[Any]) -> None:
    """The question and the tables that answer it."""
    from jfsq_simpy.views import compare_tables

    if question:
        output.headline(question)
    for (labels, comparison), jobs in zip(found.comparisons, followed, strict=True):
        if labels:
            output.headline(_at(labels))
        output.show(compare_tables.ranking(comparison))
        output.show(compare_tables.tails(comparison))
        if jobs is not None:
            output.show(compare_tables.causes(jobs))


def listed(text: str) -> list[Any]:
    """Policies as written after --policies: names and TOML tables, separated by commas. Errors: PlanError.

    >>> listed("jfsq, {name='jsq_d', d=2}")
    ['jfsq', {'name': 'jsq_d', 'd': 2}]
    """
    try:
        return [tomllib.loads(f"policy = {part}")["policy"] if part.startswith("{") else part.strip("'\"") for part in _parts(text)]
    except tomllib.TOMLDecodeError as error:
        reason = f"{' '.join(str(error).split())}"
        raise PlanError(
            f"--policies {text}: {reason}; write names and tables, for example jfsq,jsq,{{name='jsq_d',d=2}}."
        ) from None


def _parts(text: str) -> list[str]:
    """The text cut at commas that stand in no table."""
    depth, parts = 0, [""]
    for letter in text:
        depth += (letter in "{[") - (letter in "]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def _document(found: Compared, figures: list[Path], followed: list[Any]) -> dict[str, Any]:
    from jfsq_simpy.experiment.results import plain

    document = found.to_dict()
    for comparison, figure, jobs in zip(document["comparisons"], figures, followed, strict=True):
        comparison["figure"] = str(figure)
        comparison["jobs"] = plain(jobs.to_dict()) if jobs is not None else None
    return document


def _notes(found: Compared, directory: Path, figures: list[Path]) -> None:
    for labels, comparison in found.comparisons:
        for text in [*_warnings(comparison), *comparison.notes]:
            output.warn(f"{_at(labels)}: {text}" if labels else text)
    for text in found.results.notes:
        output.note(f"note: {text}")
    output.note(f"Results are kept in {directory}, the figure in {figures[0]}{' and beside it' if len(figures) > 1 else ''}.")


def _warnings(comparison: Comparison) -> list[str]:
    said = [(name, text) for name, run in comparison.runs.items() for text in run.warnings]
    texts = dict.fromkeys(text for _, text in said)
    return [f"{text} ({', '.join(name for name, t in said if t == text)})" for text in texts]


def _at(labels: dict[str, Any]) -> str:
    from jfsq_simpy.compare.together import spelled

    return ", ".join(f"{key.rpartition('.')[2]} = {spelled(value)}" for key, value in labels.items())
