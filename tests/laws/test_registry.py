"""Laws by name: what is written, and the nearest name where it is written wrong."""

import re

import pytest
from scipy import stats

from jfsq_simpy.errors import ModelError
from jfsq_simpy.laws import LAWS, Deterministic, Erlang, Exponential, FromScipy, Law, as_law


def test_names_tables_and_laws_are_all_accepted():
    assert as_law("poisson", "arrivals") == as_law({"law": "exponential"}, "size") == Exponential()
    law = Erlang(3)
    assert as_law(law, "size") is law
    assert as_law({"law": "erlang", "k": 3}, "size") == law


def test_a_frozen_scipy_distribution_is_accepted_as_it_is():
    assert as_law(stats.gamma(2.0), "size") == FromScipy(stats.gamma(2.0))


def test_the_users_table_is_not_changed():
    table = {"law": "erlang", "k": 3}
    as_law(table, "size")
    assert table == {"law": "erlang", "k": 3}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("erlag", "size: there is no law 'erlag' (nearest: \"erlang\"); known: exponential, "),
        ("Poisson", '(nearest: "poisson")'),
        ({"law": "log-normal", "scv": 1}, '(nearest: "lognormal")'),
        ({"law": "pareto"}, '(nearest: "bounded_pareto")'),
        ("xyzzy", "there is no law 'xyzzy'; known:"),
        ({"law": "erlang"}, "law 'erlang': missing a required argument: 'k'; it is written {law = \"erlang\", k = 4}"),
        ({"law": "erlang", "K": 3}, "law 'erlang': "),
        ({"law": "exponential", "rate": 2}, "got an unexpected keyword argument 'rate'"),
        ({"name": "erlang"}, "size must be a name, a table"),
        ({"law": ["erlang"]}, "size must be a name, a table"),
        (3.0, "it is 3.0."),
        (None, "it is None."),
        (Deterministic, "That is the class; give an object of it: Deterministic(...)."),
        (lambda rng, n: rng.random(n), "A function becomes a law by laws.from_function(function)."),
    ],
)
def test_what_is_no_law_is_refused_in_one_line_with_a_way_out(spec, said):
    with pytest.raises(ModelError, match=re.escape(said)) as caught:
        as_law(spec, "size")
    assert "\n" not in str(caught.value)


def test_every_example_is_the_law_it_is_the_example_of(example):
    name, table = example
    assert as_law(table, "x").name == name
    assert type(as_law(table, "x")) is LAWS[name]


@pytest.mark.parametrize("variance", [None, "1", -1.0, float("nan")])
def test_a_law_of_ones_own_needs_a_variance_that_is_one(variance):
    mine = type("Mine", (Law,), {"name": "mine", "variance": variance, "draw": lambda self, rng, n: rng.random(n) * 2})
    with pytest.raises(ModelError, match=r"size: law 'mine' has variance = .*must be a number >= 0"):
        as_law(mine(), "size")
