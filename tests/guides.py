"""The Python of a guide, run as its reader would: from the first example to the last."""

from __future__ import annotations

import doctest
import re
from pathlib import Path


def run_examples(guide: Path) -> tuple[int, str]:
    """How many examples a guide holds, and what those that went wrong print; nothing, if all give what is shown."""
    code = "\n".join(re.findall(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(code, {}, guide.name, str(guide), 0)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(test, out=said.append)
    return len(test.examples), "".join(said)
