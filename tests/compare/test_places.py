"""Places and letters: what must hold whichever pairs differ."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jfsq_simpy.compare.paired import all_pairs
from jfsq_simpy.compare.places import letters, places

N = 6
apart_sets = st.sets(st.sampled_from(all_pairs(N)))


@given(apart_sets)
def test_policies_share_a_letter_exactly_when_they_are_not_told_apart(apart: set[tuple[int, int]]) -> None:
    groups = letters(N, apart)
    for i, j in all_pairs(N):
        assert bool(set(groups[i]) & set(groups[j])) == ((i, j) not in apart)


@given(apart_sets)
def test_no_letter_says_what_another_says_too(apart: set[tuple[int, int]]) -> None:
    groups = letters(N, apart)
    members = [{i for i in range(N) if letter in groups[i]} for letter in sorted(set("".join(groups)))]
    assert not any(a <= b for k, a in enumerate(members) for m, b in enumerate(members) if k != m)


@given(apart_sets)
def test_places_count_those_surely_ahead_and_behind(apart: set[tuple[int, int]]) -> None:
    for i, (best, worst) in enumerate(places(N, apart)):
        assert 1 <= best <= i + 1 <= worst <= N, "the place in the list is one it may have"
        assert best == 1 + sum((j, i) in apart for j in range(N))
        assert worst == N - sum((i, j) in apart for j in range(N))


def test_all_equal_and_all_different() -> None:
    assert places(3, set()) == [(1, 3)] * 3
    assert letters(3, set()) == ["a"] * 3
    assert places(3, set(all_pairs(3))) == [(1, 1), (2, 2), (3, 3)]
    assert letters(3, set(all_pairs(3))) == ["a", "b", "c"]


def test_letters_beyond_the_alphabet() -> None:
    assert letters(60, set(all_pairs(60)))[-1] == "(59)"
