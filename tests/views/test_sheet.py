"""Widths of columns: words whole, room used, nothing wider than it need be."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from jfsq_simpy.views.sheet import fit, shared

columns = st.lists(st.tuples(st.integers(1, 20), st.integers(0, 40)), min_size=1, max_size=8)


@given(columns, st.integers(0, 200))
def test_every_width_is_in_its_range_and_the_room_is_used(ranges: list[tuple[int, int]], room: int) -> None:
    least, most = [low for low, _ in ranges], [low + more for low, more in ranges]
    widths = shared(least, most, room)
    assert all(low <= width <= high for low, width, high in zip(least, widths, most, strict=True))
    assert sum(widths) == min(max(room, sum(least)), sum(most))


@pytest.mark.parametrize("width", [20, 30, 40, 60, 120])
def test_no_word_is_cut(width: int) -> None:
    words = ["incomprehensibilities", "of", "0.5310 ± 0.0220", "an", "electroencephalograph"]
    table = Table(*"abcde")
    table.add_row(*words)
    table.add_row(*(f"{word} " * 4 for word in words))
    page = io.StringIO()
    console = Console(file=page, width=width)
    console.width = fit(table, console)
    console.print(table)
    seen = page.getvalue()
    assert "…" not in seen
    assert all(part in seen for word in words for part in word.split())
    assert console.width == max(width, max(map(len, seen.splitlines())))
