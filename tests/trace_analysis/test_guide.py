"""The guide to traces says nothing that is not so: every example runs, every column and command it names exists."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from jfsq_simpy.cli.main import execute
from jfsq_simpy.jobs.trace_rows import REPLICATION, TRACE_TYPES

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "traces.md"
TEXT = GUIDE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def after_the_examples(tmp_path_factory):
    """Runs the examples in an empty directory, and leaves what they wrote."""
    directory = tmp_path_factory.mktemp("guide")
    code = "\n".join(re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(code, {}, GUIDE.name, str(GUIDE), 0)
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        runner.run(test, out=said.append)
    return directory, len(test.examples), runner.failures, "".join(said)


def test_every_example_runs_as_shown(after_the_examples):
    _, examples, failures, said = after_the_examples
    assert examples > 30
    assert failures == 0, said


def test_every_command_runs(after_the_examples, monkeypatch, capsys):
    monkeypatch.chdir(after_the_examples[0])
    commands = re.findall(r"^    jfsq (.*)$", TEXT, flags=re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        assert execute(command.split()) == 0, capsys.readouterr()


def test_the_columns_explained_are_those_there_are():
    rows = re.findall(r"^\| (`.*?) \|", TEXT, flags=re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {REPLICATION, *TRACE_TYPES}
