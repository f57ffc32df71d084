"""The pages that are written at every build: first steps from the README, and a page of reference a room.

In    README.md; the package's modules
Out   docs/start.md and docs/reference/rooms/*.md, which are not kept
Rule  nothing is said twice: what a room does is said in its docstrings, and the first steps in the README
"""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module
from pathlib import Path

import jfsq_simpy

HERE = Path(__file__).parent


def write_pages() -> None:
    """All of them."""
    (HERE / "start.md").write_text(first_steps((HERE.parent / "README.md").read_text(encoding="utf-8")), encoding="utf-8")
    directory = HERE / "reference" / "rooms"
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.md"):
        old.unlink()
    for room in rooms():
        (directory / f"{room}.md").write_text(page_of(room), encoding="utf-8")


def first_steps(readme: str) -> str:
    """The README as a page: links into docs/ lead to pages, links to other files of the repository are only named.

    >>> first_steps("# jfsq_simpy\\n[Laws](docs/guides/laws.md) and [the model](jfsq_simpy/jobs/process.py)")
    '# First steps\\n[Laws](guides/laws.md) and the model'
    """
    text = readme.replace("# jfsq_simpy\n", "# First steps\n", 1).replace("](docs/", "](")
    return re.sub(r"\[([^\]]*)\]\((?!guides/|background/|https?:)[^)]*\)", r"\1", text)


def rooms() -> list[str]:
    """Every room there is."""
    return sorted(m.name for m in pkgutil.iter_modules(jfsq_simpy.__path__) if not m.name.startswith("_"))


def page_of(room: str) -> str:
    """A room by its public names where it lists them, else module by module.

    >>> print(page_of("metrics"))
    # metrics
    <BLANKLINE>
    ```{eval-rst}
    .. automodule:: jfsq_simpy.metrics
    <BLANKLINE>
    ```
    <BLANKLINE>
    """
    name = f"jfsq_simpy.{room}"
    package, modules = import_module(name), [name]
    if hasattr(package, "__path__") and not hasattr(package, "__all__"):
        modules += [f"{name}.{m.name}" for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")]
    return "\n".join([f"# {room}", "", *(line for module in modules for line in _section(module))])


def _section(module: str) -> list[str]:
    _, *inside = module.removeprefix("jfsq_simpy.").split(".")
    title = [f"## {inside[-1]}", ""] if inside else []
    return [*title, "```{eval-rst}", f".. automodule:: {module}\n", "```", ""]
