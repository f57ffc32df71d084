"""The guide to laws says nothing that is not so: every line parses, every number is the law's, every example runs."""

import doctest
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from jfsq_simpy.laws import LAWS, as_law
from jfsq_simpy.system import System

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "laws.md"
TEXT = GUIDE.read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if re.match(r"\| \w+ \| `", line)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_is_a_line_of_a_scenario_with_the_variance_it_says(row):
    name, written, _, here, _ = row
    table = tomllib.loads(written.strip("`"))
    ((field, spec),) = table.items()
    law = as_law(spec, field)
    assert law.name == name
    assert law.variance == pytest.approx(float(here), rel=5e-4 if float(here) else 0, abs=0)
    if name != "recorded_sizes":  # which needs recorded arrivals beside it
        assert getattr(System(np.ones(2), load=0.5, places=3, **table), field) == law


def test_every_law_has_its_row():
    assert [row[0] for row in ROWS] == list(LAWS)


def test_every_example_runs_as_shown():
    code = "\n".join(re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(code, {}, "laws.md", str(GUIDE), 0)
    assert len(test.examples) > 15
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)
