"""A small scenario as text, for tests of what is done with scenario files: three unequal servers."""

from __future__ import annotations

import json

SYSTEM = """[system]
servers = 3
load = 0.8
places = 3
rates = {profile = "linear", ratio = 4}
"""


def scenario(question: str = "Small?", **run: str | int) -> str:
    """A file's text: the question, the system, and what its [run] says.

    >>> scenario(engine="lockstep", jobs=300).splitlines()[-3:]
    ['[run]', 'engine = "lockstep"', 'jobs = 300']
    """
    plan = "".join(f"{key} = {json.dumps(value)}\n" for key, value in run.items())
    return f"# {question}\n{SYSTEM}[run]\n{plan}"
