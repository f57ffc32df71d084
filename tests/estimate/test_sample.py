"""An estimate says all of itself, however small it is."""

import math
from dataclasses import replace

from jfsq_simpy.estimate import Estimate


def test_an_estimate_says_all_of_itself():
    e = Estimate(0.25, 0.125, 0.5, 0.95, 10, "Student t")
    assert (float(e), e.half_width) == (0.25, 0.1875)
    assert e.to_dict() == {"value": 0.25, "low": 0.125, "high": 0.5, "level": 0.95, "n": 10, "method": "Student t"}
    assert replace(e, low=math.nan, high=math.inf).to_dict()["low"] is None
    assert replace(e, low=math.nan, high=math.inf).to_dict()["high"] is None


def test_a_tiny_probability_keeps_its_width():
    assert Estimate(2e-26, 1e-26, 3e-26, 0.95, 10, "").half_width == 1e-26
