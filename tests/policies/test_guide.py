"""The guide to policies says nothing that is not so: every row is a policy, every example runs as shown."""

import re
import tomllib
from pathlib import Path

import pytest

from jfsq_simpy import System, rates
from jfsq_simpy.policies import CARDS, POLICIES, Sight
from tests.guides import run_examples

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "policies.md"
TEXT = GUIDE.read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if re.match(r"\| \w+ \| `policy", line)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_is_a_line_of_a_scenario_and_says_what_a_full_server_does(row):
    name, written, _, full = row
    policy = System(rates.two_speed(6, ratio=3), load=0.5, places=3, **tomllib.loads(written.strip("`"))).policy
    assert policy.name == name
    assert policy.full_last == (full != "blocks the job")


def test_every_policy_has_its_row():
    assert {row[0] for row in ROWS} == set(POLICIES)


def test_every_source_is_spelled_out():
    sources, cited = TEXT.split("## Sources")[1], 0
    for card in CARDS.values():
        for author, year in re.findall(r"([A-Z][\w-]+)(?: et al\.)? ((?:19|20)\d\d)\b", card.source):
            assert re.search(rf"{author}.* {year},", sources), (author, year)
            cited += 1
    assert cited > 15


def test_every_thing_a_sight_shows_is_there():
    sight = Sight.of(rates.homogeneous(2), places=2, queue_lengths=[0, 0])
    for cell in re.findall(
        r"^\| (`\w.*?) \|", TEXT.split("What a Sight shows:")[1].split("Take randomness")[0], flags=re.MULTILINE
    ):
        for name in re.findall(r"`(\w+)`", cell):
            assert hasattr(sight, name), name


def test_every_example_runs_as_shown():
    examples, wrong = run_examples(GUIDE)
    assert wrong == ""
    assert examples > 15
