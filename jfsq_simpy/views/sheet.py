"""How every table looks, and what becomes of it on a narrow terminal: no word and no number is cut.

In    names of columns; a finished table and the console it goes to
Out   an empty table; the finished one, its columns as wide as there is room for
Rule  a column is never narrower than its longest word; where all of these do not fit, lines run over, because half a
      number is worse than a long line
Cost  O(cells)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.measure import Measurement
from rich.table import Column, Table

if TYPE_CHECKING:
    from rich.console import Console

ANY_WIDTH = 10_000  # columns


def sheet(columns: Sequence[str], words: Callable[[int, str], bool]) -> Table:
    """An empty table; `words(place, name)` says which columns hold words, which are set from the left, numbers from the right."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", caption_justify="left", caption_style="dim", padding=(0, 1))
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if words(place, name) else "right", overflow="fold")
    return table


def fit(table: Table, console: Console) -> int:
    """Set the widths of a table's columns; the width of the console it needs."""
    wide = console.options.update(max_width=ANY_WIDTH)
    ranges = [_range(column, console) for column in table.columns]
    beside = Measurement.get(console, wide, table).maximum - sum(r.maximum for r in ranges)
    widths = shared([r.minimum for r in ranges], [r.maximum for r in ranges], console.width - beside)
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width
    return max(console.width, sum(widths) + beside)


def shared(least: Sequence[int], most: Sequence[int], room: int) -> list[int]:
    """A width for each column between its least and its most: all up to one height, so that they fill the room.

    >>> shared([4, 4, 9], [5, 30, 60], 40)
    [5, 17, 18]
    >>> shared([4, 4, 9], [5, 30, 60], 10)
    [4, 4, 9]
    """
    widths = list(least)
    while sum(widths) < room and (able := [i for i, w in enumerate(widths) if w < most[i]]):
        widths[min(able, key=lambda i: (widths[i], -i))] += 1
    return widths


def _range(column: Column, console: Console) -> Measurement:
    options = console.options.update(max_width=ANY_WIDTH)
    ranges = [Measurement.get(console, options, cell) for cell in (column.header, *column.cells, column.footer)]
    most = max((r.maximum for r in ranges), default=1)
    return Measurement(most if column.no_wrap else max((r.minimum for r in ranges), default=1), most)
