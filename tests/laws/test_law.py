"""The contract every law keeps, and what a block must look like to be believed."""

import json
import math
import pickle
import re

import numpy as np
import pytest

from jfsq_simpy.draws import BLOCK, JobDraws, Seed
from jfsq_simpy.errors import ModelError
from jfsq_simpy.laws import LAWS, Law, as_law, checked_draws
from jfsq_simpy.system import System

WITH_LAPLACE = {
    "exponential",
    "deterministic",
    "uniform",
    "gamma",
    "erlang",
    "hyperexponential",
    "coxian2",
    "phase_type",
    "empirical",
}


def generator(seed=3):
    return np.random.Generator(np.random.PCG64DXSM(seed))


# ---- every registered law ------------------------------------------------------------------------------------


def test_a_block_depends_on_its_generator_and_the_state_alone(any_law):
    state, seen = any_law.start(), []
    for j in range(3):
        once, after = any_law.draw_block(generator(j), 1000, state)
        again, after_again = any_law.draw_block(generator(j), 1000, state)
        assert np.array_equal(once, again)
        assert after == after_again
        checked_draws(any_law, once, 1000)
        seen.append(once)
        state = after
    if any_law.variance > 0 and any_law.length == math.inf:
        assert not np.array_equal(seen[0], seen[1])  # else the comparison above proves nothing


def test_no_law_touches_the_global_generator(any_law):
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    any_law.draw_block(generator(), 1000, any_law.start())
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_drawing_nothing_changes_nothing(any_law):
    for state in (any_law.start(), any_law.draw_block(generator(), 7, any_law.start())[1]):
        none, after = any_law.draw_block(generator(), 0, state)
        assert none.shape == (0,)
        assert after == state


def test_mean_variance_and_scv_are_floats_that_agree(any_law):
    assert any_law.mean == 1.0
    assert isinstance(any_law.variance, float)
    assert any_law.variance >= 0
    assert any_law.scv == any_law.variance


def test_a_record_is_json_and_holds_no_data(any_law):
    text = json.dumps(any_law.describe(), allow_nan=False)
    assert json.loads(text) == any_law.describe()
    assert any_law.describe()["law"] == any_law.name
    assert len(text) < 300


def test_a_law_rebuilt_from_its_record_is_the_same_to_the_last_bit(any_law):
    if "sha256" in any_law.describe():
        pytest.skip("a record of measured data tells data apart, it does not hold them")
    rebuilt = as_law(json.loads(json.dumps(any_law.describe())), "size")
    assert rebuilt == any_law
    assert hash(rebuilt) == hash(any_law)
    assert np.array_equal(rebuilt.draw(generator(), 500), any_law.draw(generator(), 500))


def test_a_rebuilt_law_is_not_scaled_again():
    """Scaling to mean 1 leaves a mean of 1 up to rounding; scaling by that rounding would move the last bit at every rebuild."""
    rng = np.random.default_rng(2)
    for a, b, c, d in rng.uniform(0.1, 3.0, (100, 4)):
        for table in (
            {"law": "coxian2", "rate1": a, "rate2": b, "second": c / 3},
            {"law": "phase_type", "initial": [a / (a + b), b / (a + b)], "subgenerator": [[-a - c, c], [d, -d - b]]},
            {"law": "mmpp", "rates": [a, b], "switching": [[-c, c], [d, -d]]},
            {"law": "periodic", "levels": [a, b], "durations": [c, d]},
        ):
            law = as_law(table, "x")
            assert as_law(law.describe(), "x") == law


def test_laws_survive_the_way_to_a_worker(any_law):
    travelled = pickle.loads(pickle.dumps(any_law))
    assert travelled == any_law
    assert np.array_equal(travelled.draw(generator(), 500), any_law.draw(generator(), 500))


def test_only_the_exponential_says_it_is_memoryless(any_law):
    assert any_law.memoryless == (any_law.name == "exponential")


def test_no_two_laws_are_equal(any_law):
    others = [as_law(name, "size") for name in ("exponential", "deterministic") if name != any_law.name]
    assert all(any_law != other for other in others)
    assert any_law != any_law.name


def test_laplace_at_zero_is_one_and_falls_with_slope_minus_the_mean(any_law):
    if any_law.name not in WITH_LAPLACE:
        with pytest.raises(ModelError, match=f"law '{any_law.name}' has no Laplace transform"):
            any_law.laplace(0.0)
        return
    assert any_law.laplace(0.0) == pytest.approx(1, abs=1e-14)
    s = 1e-5  # 1 - s + s^2 (1 + variance) / 2 - ...
    expected = 1 - s + s**2 * (1 + any_law.variance) / 2
    assert any_law.laplace(s) == pytest.approx(expected, abs=1e-13)


def test_phases_give_back_the_moments(any_law):
    if any_law.phases is None:
        return
    initial, subgenerator = any_law.phases
    once = np.linalg.solve(-subgenerator, np.ones(len(initial)))
    assert initial @ once == pytest.approx(1, rel=1e-12)
    assert 2 * initial @ np.linalg.solve(-subgenerator, once) - 1 == pytest.approx(any_law.variance, rel=1e-12)


def test_every_law_shows_how_it_is_written_and_says_what_it_is():
    for name, make in LAWS.items():
        assert make.name == name
        assert f'law = "{name}"' in make.example
        assert make.__doc__
        assert make.__doc__ != Law.__doc__


# ---- a law of one's own --------------------------------------------------------------------------------------


class TwoSizes(Law):
    """Small jobs nine times in ten, large ones else: a law of one's own in six lines."""

    name = "two_sizes"
    variance = 0.9 * 0.5**2 + 0.1 * 4.5**2

    def draw(self, rng, n):
        return np.where(rng.random(n) < 0.9, 0.5, 5.5)


def test_a_users_law_runs_like_any_other():
    system = System(np.ones(2), load=0.5, places=3, size=TwoSizes())
    sizes = next(JobDraws(system, Seed.of(1), 0).blocks()).sizes
    assert set(sizes) == {0.5, 5.5}
    assert abs(sizes.mean() - 1) < 5 * math.sqrt(system.size.variance / BLOCK)  # false alarm 6e-7
    assert system.describe()["size"] == {"law": "two_sizes"}


class Lagging(Law):
    """A law of one's own with memory: every draw twice, once more in the next block where a block ends between."""

    name, variance = "lagging", 1.0

    def draw(self, rng, n):
        return self.draw_block(rng, n, self.start())[0]

    def draw_block(self, rng, n, state):
        waiting = [] if state is None else [state]
        doubled = np.concatenate([waiting, np.repeat(rng.standard_exponential(n // 2 + 1), 2)])
        return doubled[:n], (None if (n - len(waiting)) % 2 == 0 else float(doubled[n]))


def test_a_users_law_may_carry_a_state(blocks):
    law = Lagging()
    state, values = None, []
    for j in range(5):
        block, state = law.draw_block(generator(j), 7, state)
        values.append(block)
    pairs = np.concatenate(values)[:34].reshape(-1, 2)
    assert np.array_equal(pairs[:, 0], pairs[:, 1])


# ---- blocks refused ------------------------------------------------------------------------------------------


def block_of(values):
    class Given(Law):
        name, variance = "given", 1.0

        def draw(self, rng, n):
            return values

    law = Given()
    return checked_draws(law, law.draw(None, 4), 4)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([1.0, 2.0, -0.25, -3.0]), "-0.25 at place 2"),
        (np.array([1.0, np.nan, 1.0, 1.0]), "nan at place 1"),
        (np.array([np.inf, 1.0, 1.0, 1.0]), "inf at place 0"),
        (np.array([1.0, 1.0, 1.0, np.inf]), "inf at place 3"),  # only a record may end
        (np.ones(3), r"shape \(3,\); it must give \(4,\)"),
        (np.ones((4, 1)), r"shape \(4, 1\)"),
        (1.0, r"shape \(\)"),
        (None, r"shape \(\)"),
        ([[1.0], [1.0, 2.0], 1.0, 1.0], "unequal length"),
        (["1", "2", "3", "4"], "<U1 values, the first .*'1'"),
        (np.ones(4) * 1j, "complex128 values"),
        (np.ones(4, dtype=bool), "bool values"),
        ([None] * 4, "object values, the first None"),
    ],
)
def test_a_block_that_is_no_block_is_refused_by_function_and_value(values, said):
    with pytest.raises(ModelError, match=said) as caught:
        block_of(values)
    message = str(caught.value)
    assert message.startswith("law 'given': ")
    assert "Given.draw(rng, 4) gave" in message
    assert "\n" not in message


def test_whole_numbers_become_floats():
    block = block_of([1, 0, 2, 1])
    assert block.dtype == np.float64
    assert block.tolist() == [1.0, 0.0, 2.0, 1.0]


def test_infinities_end_a_record_and_nothing_else():
    record = as_law({"law": "recorded_gaps", "times": [1.0, 2.0]}, "arrivals")
    assert checked_draws(record, np.array([1.0, 1.0, np.inf, np.inf]), 4)[3] == np.inf
    for wrong in ([1.0, np.inf, 1.0, np.inf], [1.0, -np.inf, np.inf, np.inf], [np.nan, np.inf, np.inf, np.inf]):
        with pytest.raises(ModelError, match=re.escape(f"{np.array(wrong)[~(np.array(wrong) == 1)][0]} at place")):
            checked_draws(record, np.array(wrong), 4)
