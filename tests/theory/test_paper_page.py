"""The page that retells the paper runs as it stands."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "background" / "paper.md"


def test_every_block_of_the_page_runs():
    found = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 50
    assert found.failed == 0
