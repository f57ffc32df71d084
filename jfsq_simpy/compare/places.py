"""Places in a ranking, shared by those who cannot be told apart.

In    policies in the order of their values, and which pairs differ for sure
Out   the best and worst place each may have, and letters: two policies share one exactly when they cannot be told apart
Rule  being indistinguishable does not carry over: A like B and B like C leaves A and C to be judged by
      themselves, so places are ranges and letters may come in pairs
Cost  O(pairs x letters)
"""

from __future__ import annotations

import string
from collections.abc import Collection

Apart = Collection[tuple[int, int]]  # pairs (i, j), i < j, of policies that differ


def places(n: int, apart: Apart) -> list[tuple[int, int]]:
    """Best and worst place of each of n policies, given in ascending order of their values.

    When the pairs err anywhere with probability a, all ranges hold together with probability 1 - a.

    >>> places(3, {(0, 2)})  # the middle one may be first or last
    [(1, 2), (1, 3), (2, 3)]
    """
    ahead = [sum((i, j) in apart for i in range(j)) for j in range(n)]
    behind = [sum((i, j) in apart for j in range(i + 1, n)) for i in range(n)]
    return [(1 + before, n - after) for before, after in zip(ahead, behind, strict=True)]


def letters(n: int, apart: Apart) -> list[str]:
    """A compact letter display: policies share a letter exactly when they are not told apart. Piepho (2004).

    >>> letters(3, {(0, 2)})
    ['a', 'ab', 'b']
    """
    groups = [frozenset(range(n))]
    for i, j in apart:
        split = [part for g in groups for part in ((g - {i}, g - {j}) if i in g and j in g else (g,))]
        groups = [g for k, g in enumerate(split) if not any(g < other or (g == other and m < k) for m, other in enumerate(split))]
    groups.sort(key=lambda g: sorted(g))
    return ["".join(_letter(k) for k, g in enumerate(groups) if i in g) for i in range(n)]


def _letter(k: int) -> str:
    return string.ascii_letters[k] if k < len(string.ascii_letters) else f"({k})"
