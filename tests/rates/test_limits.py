"""What no fleet can be is refused in one clear line."""

import numpy as np
import pytest

from jfsq_simpy import rates
from jfsq_simpy.errors import ModelError, TooLargeError
from jfsq_simpy.rates import Rates


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: rates.as_rates([1.0, 2.0]), "sum to 3 but must sum to N = 2.*from_speeds"),
        (lambda: rates.as_rates([2.0, 0.0]), r"rates\[1\] = 0.0"),
        (lambda: rates.as_rates([2.0, -1.0, 2.0]), r"rates\[1\] = -1.0"),
        (lambda: rates.as_rates([1.0, float("nan")]), r"rates\[1\] = nan"),
        (lambda: rates.as_rates([1.0, float("inf")]), r"rates\[1\] = inf"),
        (lambda: rates.as_rates([]), "at least one server"),
        (lambda: rates.as_rates([[1.0, 1.0]]), "must be a vector"),
        (lambda: rates.as_rates(["fast", "slow"]), "must be numbers"),
        (lambda: rates.from_speeds([1e308, 1e308]), "run from 1e\\+308 to 1e\\+308.*unit"),
        (lambda: rates.from_speeds([1e-13, 1.0]), "run from 1e-13 to 1"),
        (lambda: rates.linear(3, ratio=1e13), "run from"),
        (lambda: rates.from_speeds([1, 2], labels=["a"]), "2 speeds but 1 labels"),
        (lambda: Rates(np.array([1.0]), np.array([2]), labels=("a",)), "2 servers but 1 labels"),
        (lambda: Rates(np.array([0.5, 1.5]), np.array([1, 1])), "fastest first"),
        (lambda: Rates(np.array([1.0]), np.array([0])), "at least 1"),
        (lambda: Rates(np.array([1.0]), np.array([1.0])), "whole number"),
        (lambda: Rates(np.array([1.0]), np.array([1, 1])), "1 speeds but 2 counts"),
        (lambda: rates.homogeneous(0), "servers = 0"),
        (lambda: rates.homogeneous(2.5), "servers = 2.5"),
        (lambda: rates.homogeneous(float("nan")), "servers = nan"),
        (lambda: rates.homogeneous("ten"), "servers = ten"),
        (lambda: rates.homogeneous(True), "servers = True"),
        (lambda: rates.linear(3, ratio=0.5), "rates.ratio = 0.5"),
        (lambda: rates.linear(3, ratio="4"), "rates.ratio = 4"),
        (lambda: rates.geometric(3, ratio=float("inf")), "rates.ratio = inf"),
        (lambda: rates.two_speed(3, ratio=2, fast_share=1.0), "rates.fast_share = 1.0"),
        (lambda: rates.pareto(3, shape=1.0), "rates.shape = 1.0"),
        (lambda: rates.classes([1, 2], [1.0]), "2 counts but 1 speeds"),
        (lambda: rates.classes([1, 0], [1.0, 2.0]), "rates.counts = 0"),
    ],
)
def test_bad_input_is_one_clear_line(make, says):
    with pytest.raises(ModelError, match=says) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_more_servers_than_can_be_counted_exactly_are_refused():
    with pytest.raises(TooLargeError, match="2\\^53"):
        rates.homogeneous(10**30)
