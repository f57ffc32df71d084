"""Every case of the reference file, every value in it."""

import numpy as np
import pytest

from jfsq_simpy import exact
from tests.exact.cases import REFERENCE, reference_system

TOLERANCE = 1e-9
DUST = 1e-200  # the reference's solver leaves such values where a state is never visited


def found(law, name, value):
    if name == "wait_ccdf":
        return law.wait_ccdf([float(t) for t in value])["value"].to_numpy(), np.array(list(value.values()))
    by_server = {"utilisation": law.utilisation_by_server, "mean_queue_by_server": law.mean_queue_by_server}
    if name in by_server:
        return by_server[name](), np.array(value)
    return np.array(getattr(law, name)), np.array(value)


@pytest.mark.parametrize("case", REFERENCE, ids=[case["id"] for case in REFERENCE])
def test_every_value_of_the_reference_is_met(case):
    law = exact.solve(reference_system(case))
    for name, value in case["values"].items():
        got, expected = found(law, name, value)
        np.testing.assert_allclose(got, expected, rtol=TOLERANCE, atol=DUST, err_msg=name)
