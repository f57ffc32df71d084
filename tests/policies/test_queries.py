"""Whom a dispatcher looks at: by hand, by definition, and what it is told when it cannot be."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jfsq_simpy import System, rates
from jfsq_simpy.errors import ModelError
from jfsq_simpy.policies import AskClass, AskEachClass, AskFastSlow, AskSample, AskWork, IdleFirst, OneQueue, Sight

FALSE_ALARM = 1e-6
FLEET = rates.classes([2, 3], [2.0, 1.0])  # servers 0 and 1 are fast, 2, 3 and 4 slow
uniform = st.floats(0, 1, exclude_max=True)


def asked(query, queues=(1, 1, 1, 1, 1), **sight):
    return query.candidates(Sight.of(FLEET, 3, queues, **sight)).tolist()


# ---- by hand -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "samples", "servers"),
    [
        (AskClass((0.6, 0.4)), [0.59], [0, 1]),
        (AskClass((0.6, 0.4)), [0.6], [2, 3, 4]),
        (AskClass((0.0, 1.0)), [0.0], [2, 3, 4]),
        (AskClass((1.0, 0.0)), [0.9999999999999999], [0, 1]),
        (AskClass((0.6, 0.4), 1), [0.2, 0.7], [1]),
        (AskClass((0.6, 0.4), 2), [0.8, 0.9, 0.9], [3, 4]),
        (AskEachClass((1, 2)), [0.5, 0.0, 0.5], [1, 2, 4]),
        (AskEachClass((0, 1)), [0.5], [3]),
        (AskEachClass((2, 3)), [0.9] * 5, [0, 1, 2, 3, 4]),
    ],
)
def test_by_hand(query, samples, servers):
    assert query.samples == len(samples)
    assert asked(query, samples=samples) == servers


POLLED = {"samples": [0.3, 0.0, 0.0, 0.0]}  # the coin shows 0.3; servers 0, 2 and 3 are polled


@pytest.mark.parametrize(
    ("queues", "p_slow", "p_fast", "servers"),
    [
        ([0, 1, 0, 1, 1], 1.0, 0.0, [0]),  # an idle fast one before all
        ([1, 0, 1, 0, 0], 0.31, 0.0, [2, 3]),  # server 1 was not asked, server 3 is idle
        ([1, 0, 1, 0, 0], 0.30, 0.0, [0]),
        ([2, 0, 1, 1, 0], 0.0, 0.71, [0]),  # nobody asked is idle
        ([2, 0, 1, 1, 0], 0.0, 0.69, [2, 3]),
    ],
)
def test_fast_and_slow_servers_polled_by_hand(queues, p_slow, p_fast, servers):
    assert asked(AskFastSlow((1, 2), p_slow, p_fast), queues, **POLLED) == servers


def test_idle_servers_are_remembered_wherever_they_are():
    query = IdleFirst(AskSample(2))
    assert asked(query, [1, 0, 1, 2, 0], samples=[0.0, 0.0]) == [1, 4]
    assert asked(query, [1, 1, 1, 2, 1], samples=[0.0, 0.0]) == [0, 1]


@pytest.mark.parametrize(
    ("queues", "free_at", "servers"),
    [
        ([1, 1, 2, 1, 1], [5.0, 4.0, 3.0, 6.0, 7.0], [2]),
        ([1, 1, 3, 1, 1], [5.0, 4.0, 3.0, 6.0, 7.0], [1]),  # server 2 is full
        ([1, 0, 1, 0, 1], [5.0, 1.0, 3.0, 2.0, 7.0], [1, 3]),  # since when they are idle does not matter
        ([1, 1, 1, 1, 1], [5.0, 3.0, 3.0, 6.0, 7.0], [1, 2]),
        ([3, 3, 3, 3, 3], [5.0, 4.0, 3.0, 6.0, 7.0], [0, 1, 2, 3, 4]),
    ],
)
def test_least_work_by_hand(queues, free_at, servers):
    assert asked(AskWork(), queues, free_at=free_at) == servers


# ---- by definition -------------------------------------------------------------------------------------------


@given(st.lists(uniform, min_size=5, max_size=5))
def test_some_of_each_class_are_as_many_as_said(samples):
    servers = np.array(asked(AskEachClass((2, 3)), samples=samples))
    assert servers.tolist() == [0, 1, 2, 3, 4]
    fewer = np.array(asked(AskEachClass((1, 2)), samples=samples[:3]))
    assert np.all(np.diff(fewer) > 0)
    assert ((fewer < 2).sum(), (fewer >= 2).sum()) == (1, 2)


def test_classes_are_drawn_with_their_probabilities_and_servers_inside_uniformly():
    samples = np.random.default_rng(3).random((30_000, 2))
    seen = Counter(asked(AskClass((0.4, 0.6), 1), samples=s)[0] for s in samples)
    expected = 30_000 * np.array([0.2, 0.2, 0.2, 0.2, 0.2])
    assert stats.chisquare([seen[n] for n in range(5)], expected).pvalue > FALSE_ALARM
    tilted = 30_000 * np.array([0.21, 0.21, 0.58 / 3, 0.58 / 3, 0.58 / 3])
    assert stats.chisquare([seen[n] for n in range(5)], tilted).pvalue < FALSE_ALARM  # a class more often by 1 in 20 would show


# ---- messages a job ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "servers"),
    [
        (AskSample(3), 3),
        (AskSample(9, replace=True), 9),
        (AskClass((0.5, 0.5)), 2.5),
        (AskClass((0.5, 0.5), 2), 2),
        (AskEachClass((1, 2)), 3),
        (AskFastSlow((1, 2), 0.5, 0.5), 3),
        (IdleFirst(AskSample(2)), 2),
        (AskWork(), 5),
        (OneQueue(), 0),
    ],
    ids=str,
)
def test_how_many_are_asked(query, servers):
    assert query.asks(FLEET) == servers


# ---- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ({"name": "jsq_d", "d": 6}, r"policy\.d = 6 servers cannot be drawn without replacement from N = 5"),
        ({"name": "jsq_d", "d": 0}, r"policy\.d = 0 must be a whole number"),
        ({"name": "jsq_d", "d": 2, "replace": 1}, r"policy\.replace = 1 must be true or false"),
        ({"name": "jiq_d", "d": 6}, r"policy\.d = 6"),
        ({"name": "class_jsq", "probabilities": [1.0]}, r"has 1 entry but there are 2 speed classes, of 2, 3 servers"),
        ({"name": "class_jsq", "probabilities": [0.5, 0.6]}, r"probabilities = \(0\.5, 0\.6\) must be one number.*sum 1"),
        ({"name": "class_jsq", "probabilities": [1.5, -0.5]}, r"probabilities"),
        ({"name": "class_jsq", "probabilities": "fast"}, r"probabilities = 'fast'"),
        ({"name": "class_jsq", "probabilities": [0.5, float("nan")]}, r"probabilities"),
        (
            {"name": "class_jsq", "probabilities": [0.5, 0.5], "d": 3},
            r"policy\.d = 3 servers cannot be drawn from a speed class of 2",
        ),
        ({"name": "class_jsq", "probabilities": [0.5, 0.5], "d": 0}, r"policy\.d = 0"),
        ({"name": "jsq_df_ds", "d": [1]}, r"policy\.d has 1 entry but there are 2 speed classes"),
        ({"name": "jsq_df_ds", "d": [3, 1]}, r"policy\.d\[0\] = 3 servers cannot be drawn from a speed class of 2"),
        ({"name": "jsq_df_ds", "d": [0, 0]}, r"policy\.d = \(0, 0\)"),
        ({"name": "jsq_df_ds", "d": 2}, r"policy\.d = 2 must be one whole number >= 0 for each"),
        ({"name": "jsq_df_ds", "d": [1, 1], "p_slow": 0.5}, r"policy\.p_fast = None must be a probability"),
        ({"name": "jiq_df_ds", "d": [1, 1], "p_slow": 0.5, "p_fast": 1.5}, r"policy\.p_fast = 1\.5"),
        ({"name": "jiq_df_ds", "d": [1, 1, 1], "p_slow": 0.5, "p_fast": 0.5}, r"must be two whole numbers"),
        ({"name": "jiq_df_ds", "d": [0, 1], "p_slow": 0.5, "p_fast": 0.5}, r"policy\.d = 0"),
        ({"name": "round_robin", "ties": "index"}, r"'round_robin'.*ties"),
    ],
    ids=str,
)
def test_parameters_are_checked_with_one_clear_line(policy, says):
    with pytest.raises(ModelError, match=says) as caught:
        System(FLEET, load=0.5, places=2, policy=policy)
    assert "\n" not in str(caught.value)


def test_a_class_never_drawn_may_be_smaller_than_the_sample():
    System(FLEET, load=0.5, places=2, policy={"name": "class_jsq", "probabilities": [0.0, 1.0], "d": 3})


def test_fast_and_slow_need_two_speeds():
    with pytest.raises(ModelError, match="there is 1 speed class, of 4 servers"):
        System(rates.homogeneous(4), load=0.5, places=2, policy={"name": "jiq_df_ds", "d": [1, 1], "p_slow": 1, "p_fast": 1})
