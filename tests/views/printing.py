"""A table as text, as a terminal of some width shows it."""

from __future__ import annotations

import io

from rich.console import Console


def printed(table: object, width: int = 120) -> str:
    """What a terminal would show, without its colours."""
    page = io.StringIO()
    Console(file=page, width=width).print(table)
    return page.getvalue()
