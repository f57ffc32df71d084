"""Views: what is shown is what was estimated, and limits look like limits."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jfsq_simpy.estimate import Estimate
from jfsq_simpy.experiment import Results
from jfsq_simpy.scenario import Scenario
from jfsq_simpy.views import figures, tables
from jfsq_simpy.views.numbers import count, duration, with_interval
from tests.views.printing import printed

TEXT = """# Small?
[system]
servers = 4
alpha = 0.5
places = 3
[run]
engine = "lockstep"
jobs = 300
warmup = 5
replications = 3
[sweep]
system.servers = [4, 40]
system.alpha = [0.1, 0.9]
"""


@pytest.fixture(scope="module")
def results() -> Results:
    return Scenario.parse(TEXT).run(workers=1)


# ---- numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (0.042132, 0.0012, "0.0421 ± 0.0012"),
        (0.9, 0.05, "0.900 ± 0.050"),
        (12.34, 1.2, "12.3 ± 1.2"),
        (2.3e-7, 4e-8, "(2.30 ± 0.40)e-07"),
        (2.3e-7, 4e-7, "(2.3 ± 4.0)e-07"),
        (5e7, 1e5, "(5.000 ± 0.010)e+07"),
        (1.0, 0.0, "1"),
    ],
)
def test_two_digits_of_uncertainty(value: float, half: float, text: str) -> None:
    assert with_interval(Estimate(value, value - half, value + half, 0.95, 10, "")) == text


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (3.5e-6, 1.1e-6, 1.1e-5, "3.5e-06 (1.1e-06 .. 1.1e-05)"),
        (0.983, 0.88, 0.9963, "0.983 (0.88 .. 0.996)"),
        (0.10, 0.08, 0.13, "0.100 ± 0.030"),
    ],
)
def test_what_reaches_much_further_to_one_side_is_shown_by_its_ends(value: float, low: float, high: float, text: str) -> None:
    assert with_interval(Estimate(value, low, high, 0.95, 10, "")) == text


numbers = st.floats(min_value=0, allow_nan=False, allow_infinity=False, max_value=1e300)


@given(numbers, numbers)
def test_any_estimate_can_be_shown(value: float, half: float) -> None:
    assert with_interval(Estimate(value, max(value - half, 0.0), value + half, 0.95, 10, ""))


def test_one_replication_has_no_interval() -> None:
    assert with_interval(Estimate(0.5, math.nan, math.nan, 0.95, 1, "")) == "0.5 ± ?"


@given(st.floats(0, 1e30))
def test_any_count_and_duration_can_be_said(x: float) -> None:
    assert count(x)
    assert duration(x)


# ---- tables --------------------------------------------------------------------------------------------------


def test_the_table_shows_every_point_and_what_it_means(results: Results) -> None:
    text = printed(tables.estimates(results))
    rows = [line for line in text.splitlines() if line.strip().startswith(("4 ", "40 "))]
    assert len(rows) == 4
    for p, row in zip(results, rows, strict=True):
        assert with_interval(p.estimates["waiting_probability"]) in row
    assert "p_W: share of jobs routed to a busy server" in text
    assert "<" in text, "alpha = 0.1 with 40 servers: nobody waits, so a limit is shown"


def test_a_fleet_with_speeds_of_its_own_names_their_unit() -> None:
    text = """
        [system]
        load = 0.5
        places = 2
        rates = {profile = "classes", counts = [1, 1], speeds = [30, 10]}
        [run]
        engine = "process"
        jobs = 100
        warmup = 0
    """
    shown = printed(tables.estimates(Scenario.parse(text).run(workers=1)))
    assert "0.05 of the time units" in " ".join(shown.split()), "the average server does 20 jobs in one of the user's time units"


def test_how_many_coefficients_is_said_once() -> None:
    assert [tables._coefficients(n) for n in (set(), {5}, {2, 3, 5})] == ["", " (5 coefficients)", " (2 to 5 coefficients)"]


# ---- figures -------------------------------------------------------------------------------------------------


def test_lines_are_the_estimates(results: Results) -> None:
    curves = figures.lines(results, "waiting_probability")
    assert [c.name for c in curves] == [r"$\alpha$ = 0.1", r"$\alpha$ = 0.9"]
    assert [c.x for c in curves] == [[4.0, 40.0]] * 2
    assert curves[1].y == [p.estimates["waiting_probability"] for p in results if p.point.labels["system.alpha"] == 0.9]


def test_what_was_not_seen_is_drawn_at_its_limit(results: Results) -> None:
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    seen, unseen = Estimate(0.1, 0.05, 0.15, 0.95, 3, ""), Estimate(0.0, 0.0, 0.02, 0.95, 3, "")
    figures.draw_lines(ax, [figures.Line("a", [10.0, 100.0], [seen, unseen])], ["black"])
    hollow = [line for line in ax.lines if line.get_marker() == "v" and line.get_markerfacecolor() == "white"]
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in hollow] == [([100.0], [0.02])]
    measured = [line for line in ax.lines if line.get_marker() == "o"]
    assert list(measured[0].get_ydata()) == [0.1]


def test_lines_differ_without_colour(results: Results) -> None:
    figure = figures.against_fleet_size(results)
    styles = [
        (line.get_marker(), line.get_linestyle()) for line in figure.axes[0].lines if line.get_linestyle() not in ("None", "")
    ]
    assert len(set(styles)) == len(styles) >= 1


def test_names_at_the_ends_of_lines_do_not_cover_each_other() -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4))
    ax = figure.add_subplot()
    ax.set_yscale("log")
    curves = [
        figures.Line(name, [10.0], [Estimate(y, y, y, 0.95, 3, "")]) for name, y in zip("abcd", (0.3, 0.1, 0.101, 0.1), strict=True)
    ]
    figures.draw_lines(ax, curves, ["black"] * 4)
    figures.name_at_the_ends(ax, curves, ["black"] * 4)
    figure.canvas.draw()
    names = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)
    assert all(above.y0 >= below.y1 for below, above in itertools.pairwise(names))


def test_a_table_in_a_name_says_what_is_on() -> None:
    shown = figures._value
    assert shown({"name": "jsq_d", "d": 2, "replace": True}) == "jsq_d 2 replace"
    assert shown({"name": "jsq_d", "d": 2, "replace": False}) == "jsq_d 2"
    assert shown(False) == "false"


def test_a_figure_is_saved_whole(results: Results, tmp_path: Path) -> None:
    path = figures.save(figures.against_fleet_size(results, ["waiting_probability", "mean_wait"]), tmp_path / "f.png")
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert data.rstrip().endswith(b"IEND\xaeB`\x82")
    assert list(tmp_path.iterdir()) == [path]
