"""`jfsq verify`: does this installation compute what it should?

In    nothing but a seed
Out   a table of checks with verdicts; exit code 1 if any differs
Rule  each line is shown as soon as it is known
"""

from __future__ import annotations

from typing import Annotated

import typer

from jfsq_simpy.cli import options, output
from jfsq_simpy.cli.status import Status


def verify(
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="The root of all randomness.")] = 2026,
    json_: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Hold the engines against each other and against exact values, which takes less than a minute."""
    from jfsq_simpy import verify as room
    from jfsq_simpy.views import tables

    findings = []
    for finding in room.verify(seed):
        findings.append(finding)
        if not quiet:
            output.note(f"{finding.verdict:8} {finding.check}")
    wrong = room.failed(findings)
    if json_:
        output.document({"seed": seed, "verified": not wrong, "checks": [f.to_dict() for f in findings]})
    else:
        rows = [f.to_dict() | {"seconds": f"{f.seconds:.1f}"} for f in findings]
        output.show(tables.listing(("check", "verdict", "detail", "seconds"), rows))
    if wrong:
        raise typer.Exit(Status.FAILED)
