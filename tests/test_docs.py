"""The site: every room is on one reader's page, every page is reached, and what is generated says what it should."""

from __future__ import annotations

import doctest
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def loaded(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of docs/, which is no package."""
    monkeypatch.setattr(sys, "path", [str(DOCS), *sys.path])
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["pages", "conf"])
def test_examples_hold(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = doctest.testmod(loaded(name, monkeypatch), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0


def test_every_room_is_on_the_page_of_one_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [(DOCS / "reference" / f"{reader}.md").read_text() for reader in ("student", "researcher", "engineer")]
    shown = [room for page in pages for room in re.findall(r"<rooms/(\w+)>", page)]
    assert sorted(shown) == loaded("pages", monkeypatch).rooms(), "add a new room to the reader who comes for it"


def test_every_docstring_of_the_front_door_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks of reStructuredText that a docstring uses for something else would be warnings, and warnings are errors."""
    conf = loaded("conf", monkeypatch)
    shown = "\n".join(conf.as_shown(["Times *a*, |z| and name_ of `x`s.", "", "  a   b", "", ">>> 1", "1"]))
    assert r"\*a\*, \|z\| and name\_ of \ ``x``\ s." in shown
    assert ".. code-block:: text\n\n      a   b\n" in shown
    assert shown.endswith(">>> 1\n1\n")


def test_links_between_guides_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *DOCS.glob("guides/*.md"), *DOCS.glob("background/*.md")):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name} leads to {target}"
