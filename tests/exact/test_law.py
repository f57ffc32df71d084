"""An ExactLaw answers as a Run does: names, shapes, columns."""

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import System, exact, metrics, rates
from jfsq_simpy.errors import ModelError, TooLargeError
from jfsq_simpy.policies import CARDS

SYSTEM = System(rates.two_speed(6, ratio=3), load=0.9, places=3)


@pytest.fixture(scope="module")
def law():
    return exact.solve(SYSTEM)


def test_every_metric_is_an_attribute_an_item_and_a_row(law):
    for name in metrics.METRICS:
        assert isinstance(getattr(law, name), float)
        assert getattr(law, name) == law[name] == law.metrics()[name]
    assert law.table().columns.tolist() == ["metric", "value"]
    assert law.table()["metric"].tolist() == list(metrics.METRICS)
    assert set(metrics.METRICS) <= set(dir(law))


def test_unknown_names_are_refused(law):
    with pytest.raises(AttributeError, match="waiting_probability"):
        _ = law.wait_probability
    with pytest.raises(KeyError, match="waiting_probability"):
        law["p_W"]


def test_columns_are_those_of_a_run(law):
    assert law.wait_ccdf([0, 1]).columns.tolist() == ["t", "value"]
    assert law.response_ccdf(1.0).columns.tolist() == ["t", "value"]
    assert law.wait_quantiles([0.5]).columns.tolist() == ["p", "value"]
    assert law.response_quantiles([0.5]).columns.tolist() == ["p", "value"]
    assert law.found_level_distribution().columns.tolist() == ["level", "value"]
    assert law.queue_length_distribution().columns.tolist() == ["level", "value"]
    assert law.utilisation_by_class().columns.tolist() == ["speed", "value"]
    assert law.utilisation_by_class()["speed"].tolist() == SYSTEM.rates.speeds.tolist()


def test_tails_are_mixtures_of_erlangs_over_what_jobs_find(law):
    """Summed state by state from the law itself: JFSQ's choice written out again."""
    speeds, t = SYSTEM.rates.speeds, 0.7
    tail = accepted = 0.0
    for counts, p in zip(law.levels, law.probabilities, strict=True):
        level = next((q for q in range(3) if counts[:, q].any()), None)
        if level is None:
            continue
        speed = speeds[np.flatnonzero(counts[:, level])[0]]
        accepted += p
        tail += p * stats.erlang.sf(t, level + 1, scale=1 / speed)
    assert law.response_ccdf(t)["value"][0] == pytest.approx(tail / accepted, rel=1e-12)


def test_quantiles_undo_tails(law):
    p = np.array([0.0, 0.3, 0.9, 0.999])
    q = law.wait_quantiles(p)["value"].to_numpy()
    assert q[0] == 0
    waits = law.wait_ccdf(0.0)["value"][0]
    for level, time in zip(p, q, strict=True):
        if 1 - level < waits:
            assert law.wait_ccdf(time)["value"][0] == pytest.approx(1 - level, rel=1e-9)
        else:
            assert time == 0
    with pytest.raises(ModelError, match="must lie in"):
        law.wait_quantiles([1.0])


def test_distributions_sum_to_one_and_agree_with_the_numbers(law):
    found, held = law.found_level_distribution()["value"], law.queue_length_distribution()["value"]
    assert found.sum() == pytest.approx(1, rel=1e-13)
    assert held.sum() == pytest.approx(1, rel=1e-13)
    assert found.iloc[-1] == law.blocking_probability
    assert held @ np.arange(4) == pytest.approx(law.mean_queue, rel=1e-13)
    n = np.arange(6 * 3 + 1)
    assert law.jobs_distribution @ n == pytest.approx(law.mean_jobs, rel=1e-13)
    assert law.variance_of_jobs == pytest.approx(law.jobs_distribution @ n**2 - law.mean_jobs**2, rel=1e-12)


def test_means_of_any_function_of_the_state(law):
    jobs = law.expect(lambda counts: counts.sum(axis=1) @ np.arange(4))
    assert float(jobs) == pytest.approx(law.mean_jobs, rel=1e-13)
    by_hand = law.probabilities @ (law.levels.sum(axis=1) @ np.arange(4))
    assert float(jobs) == pytest.approx(by_hand, rel=1e-13)


def test_queues_server_by_server_need_a_law_that_follows_servers(law):
    with pytest.raises(ModelError, match="servers"):
        _ = law.queue_lengths
    full = exact.solve(SYSTEM, form="servers")
    assert full.queue_lengths.shape == (4**6, 6)
    np.testing.assert_allclose(full.probabilities @ full.queue_lengths, law.mean_queue_by_server(), rtol=1e-12)


def test_a_law_too_large_to_hold_says_how_to_go_through_it():
    law = exact.solve(System(rates.homogeneous(5_000), load=0.9, places=2))
    with pytest.raises(TooLargeError, match="expect"):
        _ = law.probabilities


def test_a_law_shows_what_it_is(law):
    assert "elimination" in repr(law)
    assert "400 states" not in repr(law)
    assert f"n_states={law.n_states:,}" in repr(law)


def test_solvable_is_what_can_be_solved():
    """Told without solving, and the same as solving says, for every policy there is."""
    told, found = {}, {}
    for name, make in CARDS.items():
        system = System(rates.two_speed(4, ratio=2), load=0.5, places=2, policy={"name": name, **make.example})
        told[name] = exact.is_solvable(system)
        try:
            found[name] = exact.solve(system).waiting_probability > 0
        except ModelError:
            found[name] = False
    assert told == found
    assert set(found.values()) == {True, False}
    assert not exact.is_solvable(System(rates.homogeneous(2), load=0.5, places=2, size="deterministic"))
    with pytest.raises(TooLargeError):
        exact.is_solvable(System(rates.linear(100, 2), load=0.5, places=5))
