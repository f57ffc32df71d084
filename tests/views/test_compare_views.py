"""Views of a comparison: every policy where its numbers are, named, and nothing hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jfsq_simpy import System, compare
from jfsq_simpy.compare import Comparison
from jfsq_simpy.views import compare_figures, compare_tables, figures
from jfsq_simpy.views.numbers import signed, with_interval
from tests.views.printing import printed

POLICIES = ["jfsq", "jsq", "random", {"name": "jsq_d", "d": 2}]


@pytest.fixture(scope="module")
def found() -> Comparison:
    system = System(rates=[1.6, 0.8, 0.6], load=0.8, places=3)
    return compare(system, POLICIES, horizon=200, warmup=10, replications=4, rng=5, engine="process", workers=1)


# ---- tables --------------------------------------------------------------------------------------------------


def test_the_ranking_shows_every_number_in_one_line_a_policy(found: Comparison) -> None:
    text = printed(compare_tables.ranking(found))
    for name in found.policies:
        (line,) = [line for line in text.splitlines() if f" {name} " in line and "minus" not in line]
        assert with_interval(found.estimate(name)) in line
        if name != "jfsq":
            assert f"{found.pair(name, 'jfsq').variance_saved:.0%}" in line
    assert "cannot be told apart" in text


def test_tails_show_every_quantile(found: Comparison) -> None:
    text = printed(compare_tables.tails(found))
    for name in found.policies:
        assert with_interval(found.estimate(name, "response_p99.9")) in text


def test_a_place_that_is_not_sure_is_a_range() -> None:
    system = System(rates=[1.5, 0.5], load=0.5, places=2)
    twins = compare(
        system, {"one": "jfsq", "two": "jfsq"}, horizon=50, warmup=0, replications=3, engine="process", rng=1, workers=1
    )
    assert printed(compare_tables.ranking(twins)).count(" 1-2 ") == 2


def test_causes_show_what_adds_up(found: Comparison) -> None:
    jobs = found.jobs("random")
    text = printed(compare_tables.causes(jobs))
    assert jobs.causes().cause[0] in text
    assert f"{jobs.counts()['worse']:,} later" in text


# ---- figures -------------------------------------------------------------------------------------------------


def panels(found: Comparison) -> tuple[Any, Any]:
    left, right = compare_figures.comparison(found, "Which one?").axes
    return left, right


def dots(ax: Any) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for line in ax.lines if line.get_marker() != "None" for x, y in [line.get_xydata()[0]]]


def test_dots_stand_at_the_values_best_on_top(found: Comparison) -> None:
    left, _ = panels(found)
    ranking = found.ranking()
    assert dots(left) == [(value, float(y)) for y, value in enumerate(ranking.value)]
    assert [label.get_text() for label in left.get_yticklabels()] == ranking.policy.tolist()
    assert left.yaxis_inverted()
    written = {text.get_text() for text in left.texts}
    assert set(ranking.letters) <= written
    row = found.differences().iloc[0]
    from jfsq_simpy.estimate import Estimate

    assert signed(Estimate(row.difference, row.low, row.high, 0.95, 0, "")) in written


def test_delay_stands_against_messages_each_point_named_apart(found: Comparison) -> None:
    _, right = panels(found)
    expected = {(found.estimate(n, "messages_per_job").value, found.estimate(n, "mean_response").value) for n in found.policies}
    assert set(dots(right)) == expected
    assert {text.get_text() for text in right.texts} == set(found.policies)
    boxes = [compare_figures.Box(*t.get_position(), 0.01 * len(t.get_text()), 0.04) for t in right.texts]
    assert not any(a.overlap(b) for i, a in enumerate(boxes) for b in boxes[:i]), "no name covers another"
    assert right.get_xlim()[0] < 0, "no message at all has its place"


def test_who_blocks_many_jobs_is_hollow(found: Comparison) -> None:
    left, _ = panels(found)
    faces = {y: line.get_markerfacecolor() for line in left.lines if line.get_marker() != "None" for y in line.get_ydata()[:1]}
    order = found.ranking().policy.tolist()
    assert faces[order.index("random")] == "white"
    assert faces[order.index("jfsq")] != "white"


def test_markers_differ_so_grey_print_can_be_read(found: Comparison) -> None:
    left, _ = panels(found)
    markers = [line.get_marker() for line in left.lines if line.get_marker() != "None"]
    assert len(set(markers)) == len(found.policies)


def test_a_figure_is_written(found: Comparison, tmp_path: Path) -> None:
    picture = compare_figures.comparison(found, "Which one of all these?", "load = 0.8")
    assert figures.save(picture, tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("metric", ["wait_p99", "blocking_probability", "mean_busy"])
def test_any_metric_can_be_drawn(found: Comparison, metric: str, tmp_path: Path) -> None:
    other = Comparison(found.runs, metric, "jsq")
    figures.save(compare_figures.comparison(other), tmp_path / "c.png")
    assert printed(compare_tables.ranking(other))
