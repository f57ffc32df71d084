"""Parameters out of range: one clear line that names the law, the key and the value. Nothing else is ever raised."""

import copy
import inspect
import json
import math
import re
import tomllib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jfsq_simpy.errors import ModelError
from jfsq_simpy.laws import LAWS, Batch, Coxian2, Law, Periodic, PhaseType, Uniform, Weibull, as_law, checked_draws
from jfsq_simpy.laws.parameters import fingerprint, is_finite_number, numbers_in

NO_NUMBERS = [math.nan, math.inf, -math.inf, True, np.True_, "3", [1.0], {}, -1.0, 10**400, 1j]
NO_LISTS = ["text", 3.0, [], [math.nan], [math.inf], ["a"], ["1"], [True, False], [[[1.0]]], [[1.0], [1.0, 2.0]], {}, None, [None]]


def refusal(table):
    """The message that refuses `table`; fails when it is accepted, or refused in any other way."""
    with pytest.raises(ModelError) as caught:
        as_law(table, "size")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("size: ")
    return message


def places(value, path=()):
    """Paths to every number and every list in a table."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("law", "distribution"):
                yield from places(inner, (*path, key))
    else:
        yield path, isinstance(value, list)


def replaced(table, path, value):
    table = copy.deepcopy(table)
    inner = table
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return table


def test_every_parameter_of_every_law_refuses_what_is_no_value(example):
    name, table = example
    tried = 0
    for path, is_list in places(table):
        for wrong in NO_LISTS if is_list else NO_NUMBERS:
            if name == "scipy" and wrong == -1.0:
                continue  # whether a negative parameter makes sense is scipy's to say
            message = refusal(replaced(table, path, wrong))
            assert f"law '{name}'" in message, message
            assert path[-1] in message, message
            tried += 1
    assert tried > 0 or name in ("exponential", "deterministic")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"law": "erlang", "k": 0}, "k = 0 must be a whole number from 1"),
        ({"law": "erlang", "k": 2.5}, "k = 2.5 must be a whole number"),
        ({"law": "gamma", "scv": 0.0}, "scv = 0.0 must be a finite number at or above 1e-09"),
        ({"law": "hyperexponential", "scv": 0.99}, "at or above 1"),
        ({"law": "coxian2", "scv": 0.49}, "cannot vary less than an Erlang of two"),
        ({"law": "coxian2", "rate1": 1.0, "rate2": 1.0, "second": 1.5}, "second = 1.5"),
        ({"law": "coxian2", "rate1": 1.0, "rate2": 1.0}, "second = None must be a finite number"),
        ({"law": "coxian2"}, "exactly one of scv, .* given: none"),
        ({"law": "coxian2", "scv": 2.0, "rate1": 1.0}, "exactly one of .* given: scv and"),
        ({"law": "weibull", "shape": 0.049}, "shape = 0.049"),
        ({"law": "weibull", "shape": 1.0, "scv": 1.0}, "given: shape and scv"),
        ({"law": "uniform", "width": 2.1}, "none may be negative"),
        ({"law": "uniform", "low": 0.0, "high": 1.0}, "have mean 0.5"),
        ({"law": "uniform", "low": 1.5, "high": 0.5}, "high = 0.5 must be a finite number above 1.5"),
        ({"law": "uniform", "low": 0.5}, "high = None"),
        ({"law": "bounded_pareto", "shape": 1.0, "ratio": 1.0}, "ratio = 1.0"),
        ({"law": "phase_type", "initial": [1.0], "subgenerator": [[-1.0, 1.0], [0.0, -1.0]]}, r"shape \(2, 2\).* must be \(1, 1\)"),
        ({"law": "phase_type", "initial": [0.5, 0.4], "subgenerator": [[-1.0, 1.0], [0.0, -1.0]]}, "sums to 0.9"),
        ({"law": "phase_type", "initial": [1.5, -0.5], "subgenerator": [[-1.0, 1.0], [0.0, -1.0]]}, r"initial\[1\] = -0.5"),
        ({"law": "phase_type", "initial": [1, 0], "subgenerator": [[-1.0, 2.0], [0.0, -1.0]]}, "row 0 sums to 1"),
        (
            {"law": "phase_type", "initial": [1, 0], "subgenerator": [[-1.0, -1.0], [0.0, -1.0]]},
            r"\[0, 1\] = -1 must be at or above 0",
        ),
        ({"law": "phase_type", "initial": [1, 0], "subgenerator": [[0.0, 0.0], [0.0, -1.0]]}, r"\[0, 0\] = 0 must be below 0"),
        (
            {"law": "phase_type", "initial": [1, 0, 0], "subgenerator": [[-2, 1, 0], [0, -1, 1], [0, 1, -1]]},
            "phase 1 there is no way out",
        ),
        ({"law": "phase_type", "initial": [1, 0], "subgenerator": [[-1, 1], [1, -1.000001]]}, "passes 2e\\+06 phases"),
        ({"law": "mmpp", "rates": [1.0], "switching": [[0.0]]}, "m >= 2 states"),
        ({"law": "mmpp", "rates": [1.0, 2.0], "switching": [[-1.0, 1.0]]}, r"shape \(1, 2\)"),
        ({"law": "mmpp", "rates": [0.0, 0.0], "switching": [[-1.0, 1.0], [1.0, -1.0]]}, "rates are all 0"),
        ({"law": "mmpp", "rates": [1.0, -2.0], "switching": [[-1.0, 1.0], [1.0, -1.0]]}, r"rates\[1\] = -2"),
        ({"law": "mmpp", "rates": [1.0, 2.0], "switching": [[-1.0, 1.1], [1.0, -1.0]]}, "row 0 sums to 0.1"),
        ({"law": "mmpp", "rates": [1.0, 2.0], "switching": [[1.0, -1.0], [1.0, -1.0]]}, r"\[0, 1\] = -1"),
        ({"law": "mmpp", "rates": [1.0, 2.0], "switching": [[-1.0, 1.0], [0.0, 0.0]]}, "state 0 is never reached from state 1"),
        ({"law": "mmpp", "rates": [1.0, 2.0], "switching": [[-1e-13, 1e-13], [1.0, -1.0]]}, "state 0 lasts 1e\\+13 mean gaps"),
        ({"law": "mmpp", "rates": [1.0, 2.0], "switching": [[-500.0, 500.0], [500.0, -500.0]]}, "switches 333 times a gap"),
        ({"law": "batch"}, "exactly one of size, mean_size"),
        ({"law": "batch", "size": 0}, "size = 0"),
        ({"law": "batch", "mean_size": 0.5}, "mean_size = 0.5"),
        ({"law": "batch", "size": 2, "gaps": "recorded"}, "gaps: there is no law 'recorded'"),
        ({"law": "batch", "size": 2, "gaps": {"law": "recorded_gaps", "times": [1.0, 2.0]}}, "batches need a law without end"),
        ({"law": "periodic", "levels": [0.0, 0.0], "period": 10.0}, "levels are all 0"),
        ({"law": "periodic", "levels": [1.0, 2.0], "durations": [10.0]}, "must be 2 numbers above 0"),
        ({"law": "periodic", "levels": [1.0, 2.0], "durations": [10.0, 0.0]}, "must be 2 numbers above 0"),
        ({"law": "periodic", "levels": [1.0, 2.0]}, "exactly one of period, durations"),
        ({"law": "periodic", "levels": [1.0, 2.0], "period": 1e13}, "at most 1e\\+09"),
        ({"law": "sinusoidal", "amplitude": 1.1, "period": 10.0}, "amplitude = 1.1"),
        ({"law": "empirical", "values": [0.0, 0.0]}, "all 0"),
        ({"law": "empirical", "values": [1e308, 1e308]}, "must not lie beyond 1e\\+100"),
        ({"law": "recorded_gaps", "times": [1e-310, 1e-300]}, "must not lie beyond 1e\\+100"),
        ({"law": "coxian2", "rate1": 1e-310, "rate2": 1.0, "second": 0.5}, "at or above 1e-100"),
        ({"law": "empirical", "values": [1.0, -2.0]}, r"values\[1\] = -2.0 must be finite and at or above 0"),
    ],
)
def test_values_out_of_range_say_where_what_and_why(table, said):
    assert re.search(said, refusal(table)), refusal(table)


def test_ends_of_ranges_are_inside():
    for law in (Uniform(2.0), Weibull(0.05), Weibull(1000), Coxian2(scv=0.5), Batch(1), Batch(mean_size=1), Periodic([1], 1e9)):
        assert isinstance(law, Law)
    assert Batch(1).variance == Batch(mean_size=1).variance == 1.0


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 50) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["law", "a", "c"]), inner, max_size=2),
    max_leaves=9,
)


def tables(name):
    """Tables of one law: any of its parameters, each as its example has it, or as nothing in particular."""
    example = tomllib.loads(f"x = {LAWS[name].example}")["x"]
    keys = inspect.signature(LAWS[name]).parameters
    return st.fixed_dictionaries(
        {"law": st.just(name)}, optional={key: st.just(example[key]) | junk if key in example else junk for key in keys}
    )


@given(st.sampled_from(sorted(LAWS)).flatmap(tables) | junk)
@settings(max_examples=200, deadline=None)
def test_whatever_is_written_becomes_a_law_that_draws_or_one_line(spec):
    said = ""
    try:
        law = as_law(spec, "size")
        json.dumps(law.describe(), allow_nan=False)
        assert law.variance >= 0
        checked_draws(law, law.draw(np.random.default_rng(1), 50), 50)
    except ModelError as error:
        said = str(error)
    assert "\n" not in said


# ---- the helpers themselves ----------------------------------------------------------------------------------


def test_arrays_are_copies_nobody_can_change():
    mine = np.array([1.0, 2.0])
    kept = numbers_in("x", mine)
    mine[0] = 9.0
    assert kept.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 9.0


def test_a_law_keeps_its_phases_from_being_changed():
    law = PhaseType([1, 0], [[-2, 2], [0, -2]])
    law.phases[1][0, 0] = 7.0
    assert law.phases[1][0, 0] == -2.0


def test_fingerprints_tell_data_apart_by_the_last_bit():
    assert fingerprint(np.array([1.0, 2.0])) == fingerprint(np.array([1.0, 2.0]))
    assert fingerprint(np.array([1.0, 2.0])) != fingerprint(np.array([1.0, np.nextafter(2.0, 3.0)]))


@pytest.mark.parametrize(("value", "whether"), [(1, True), (np.float32(2), True), (np.int64(3), True), (True, False), ("1", False)])
def test_what_counts_as_a_number(value, whether):
    assert is_finite_number(value) is whether
