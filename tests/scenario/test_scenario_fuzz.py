"""Whatever a scenario file holds, it is read or refused with one line; nothing else ever comes out."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jfsq_simpy.errors import JfsqError
from jfsq_simpy.scenario import Scenario

BASE = """# Is it quick?
[system]
servers = 6
alpha = 0.5
places = 3
[system.rates]
profile = "linear"
ratio = 4
[run]
jobs = 1000
"""
KEYS = [
    *("system", "run", "sweep", "system.servers", "system.alpha", "system.load", "system.places", "system.policy", "system.size"),
    *("system.arrivals", "system.rates", "system.rates.profile", "system.rates.ratio", "system.rates.shape", "system.policy.name"),
    *("system.policy.ties", "system.size.law", "system.size.k", "system.size.scv", "system.rates.counts", "system.rates.speeds"),
    *("run.engine", "run.jobs", "run.horizon", "run.precision", "run.precision.metric", "run.precision.relative", "run.warmup"),
    *("run.replications", "run.seed", "run.start", "run.batches", "run.drain", "run.level", "sweep.system.servers"),
    *("sweep.system.alpha", "sweep.system.policy", "sweep.run.jobs", "nonsense", "system.nonsense", ""),
]
WORDS = [
    "jfsq",
    "jsq",
    "random",
    "erlang",
    "exponential",
    "poisson",
    "linear",
    "classes",
    "file",
    "auto",
    "busy",
    "index",
    "mmpp",
    "",
]
plain = st.one_of(
    st.booleans(),
    st.integers(-3, 12),
    st.integers(),
    st.floats(),
    st.floats(0, 2),
    st.sampled_from(WORDS),
    st.text(max_size=8),
    st.dates(),
)
values = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["name", "law", "profile", "ratio", "counts", "speeds", "k", "file", "x"]), inner, max_size=3
        ),
    ),
    max_leaves=6,
)


def read_or_refused(text: str, overrides: list[tuple[str, Any]]) -> None:
    message = "fleet.toml: fine"
    try:
        assert Scenario.parse(text, overrides, source="fleet.toml").points()
    except JfsqError as error:
        message = str(error)
    assert message.startswith("fleet.toml: ")
    assert len(message.splitlines()) == 1


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KEYS), values), min_size=1, max_size=3))
def test_any_value_anywhere(overrides: list[tuple[str, Any]]) -> None:
    read_or_refused(BASE, overrides)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    read_or_refused(text, [])


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(BASE)), st.integers(0, 12), st.text(alphabet="[]{}=\"'.,#\n 0159eE+-_nai", max_size=6))
def test_a_damaged_file(place: int, gone: int, put: str) -> None:
    read_or_refused(BASE[:place] + put + BASE[place + gone :], [])
