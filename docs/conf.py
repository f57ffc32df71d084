"""How the site is built: guides as they are, and a page of reference a room, from its docstrings.

In    docs/**/*.md, the README and the package
Out   HTML, by `make docs`; a warning is an error
Rule  docstrings are written for a terminal, in columns. They are shown as written, not read as reStructuredText:
      prose flows, columns and examples keep their shape
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # `pages`, and the package where it is not installed

project = "jfsq_simpy"
author = "The jfsq_simpy authors"
copyright = "the jfsq_simpy authors, BSD-3-Clause"

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_title = "jfsq_simpy: does a job have to wait?"
myst_heading_anchors = 3

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100


def as_shown(lines: list[str]) -> list[str]:
    """A docstring as reStructuredText that looks like it.

    >>> as_shown(["The `mean` of a*b.", "", "Parameters", "----------", "x : float   a number"])
    ['The \\\\ ``mean``\\\\  of a\\\\*b.', '', '.. code-block:: text', '', '    x : float   a number', '']
    """
    shown: list[str] = []
    for block in _blocks(lines):
        if block[0].startswith(">>>"):
            shown += block
        elif len(block) > 1 and re.fullmatch(r"-{3,}", block[1]):  # a heading and its columns
            shown += [".. code-block:: text", "", *(f"    {line}" for line in block[2:])]
        elif _is_in_columns(block):
            shown += [".. code-block:: text", "", *(f"    {line}" for line in block)]
        else:
            shown += [_prose(" ".join(line.strip() for line in block))]
        shown.append("")
    return shown


def _blocks(lines: list[str]) -> list[list[str]]:
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _is_in_columns(block: list[str]) -> bool:
    """Whether spaces carry meaning: gaps inside lines, or lines set in."""
    return any(re.search(r"\S {2,}\S", line) or line.startswith("  ") for line in block)


def _prose(text: str) -> str:
    """Backticks are code; every other character stands for itself."""
    parts = re.split(r"`+([^`]+)`+", text)
    escaped = [re.sub(r"([*|_`\\<>])", r"\\\1", part) for part in parts[::2]]
    joined = escaped[0]
    for code, after in zip(parts[1::2], escaped[1:], strict=True):
        # an escaped space is not shown, and lets code stand beside a letter
        joined += f"\\ ``{code.strip()}``\\ {after}"
    return rf"\ {joined}" if re.match(r"(\w{1,3}[.)]|[-+])( |$)", joined) else joined  # "N." would begin a list


def setup(app: Any) -> None:
    from pages import write_pages  # found once the path above is set

    app.connect("builder-inited", lambda app: write_pages())
    app.connect("autodoc-process-docstring", lambda app, what, name, thing, options, lines: _replace(lines))


def _replace(lines: list[str]) -> None:
    lines[:] = as_shown(lines)
