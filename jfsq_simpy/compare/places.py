"""Places in a ranking, shared by those who cannot be told apart.

In    policies in the order of their values, and which pairs differ for sure
Out   the best and worst place each may have, and letters: two policies share one exactly when they cannot be told apart
Rule  being indistinguishable does not carry over: A like B and B like C leaves A and C to be judged by
      themselves, so places are ranges and letters may come in pairs
Cost  next to nothing: values in a row make few groups
"""

from __future__ import annotations

import string
from collections.abc import Collection, Iterator, Sequence

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
    """A compact letter display, as in Piepho (2004): policies share a letter exactly when they are not told apart.

    >>> letters(3, {(0, 2)})
    ['a', 'ab', 'b']
    """
    alike = [{j for j in range(n) if j != i and (min(i, j), max(i, j)) not in apart} for i in range(n)]
    groups = sorted(_cliques(set(), set(range(n)), set(), alike))
    return ["".join(_letter(k) for k, group in enumerate(groups) if i in group) for i in range(n)]


def _cliques(inside: set[int], maybe: set[int], done: set[int], alike: Sequence[set[int]]) -> Iterator[list[int]]:
    """The largest groups in which all are alike. Bron & Kerbosch (1973), with a pivot."""
    if not maybe and not done:
        yield sorted(inside)
        return
    pivot = max(maybe | done, key=lambda i: len(alike[i] & maybe))
    for i in sorted(maybe - alike[pivot]):
        yield from _cliques(inside | {i}, maybe & alike[i], done & alike[i], alike)
        maybe, done = maybe - {i}, done | {i}


def _letter(k: int) -> str:
    return string.ascii_letters[k] if k < len(string.ascii_letters) else f"({k})"
