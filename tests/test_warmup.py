"""Warm-up: MSER-5 on synthetic transients, relaxation against spectral gaps, and whether what is chosen is enough."""

import math

import numpy as np
import pytest

from jfsq_simpy import System, draws, rates, simulate
from jfsq_simpy.draws import FIRST_PILOT, Seed
from jfsq_simpy.engines import ENGINES
from jfsq_simpy.tally import NOTHING, Outcome, Tally, Window
from jfsq_simpy.warmup import MOST_PILOTS, choose_warmup, filling_time, looks_of, mser5, relaxation_time, usual_length
from tests.textbook import solve

FALSE_ALARM = 1e-6


def noisy(rng, n, correlation=0.9):
    """A stationary autoregressive path with variance 1."""
    x, path = rng.standard_normal(), np.empty(n)
    for i, e in enumerate((rng.standard_normal(n) * math.sqrt(1 - correlation**2)).tolist()):
        x = correlation * x + e
        path[i] = x
    return path


# ---- MSER-5 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0, 5, 50, 300])
def test_mser5_cuts_a_step_where_it_is(step):
    assert mser5(np.concatenate([np.zeros(step), np.ones(1000 - step)])) == step


def test_mser5_cuts_a_step_that_is_not_a_multiple_of_5_just_behind_it():
    assert mser5(np.concatenate([np.zeros(52), np.ones(948)])) == 55


def test_mser5_by_its_definition():
    """The cut that minimises sum of squared deviations over the square of what is left, in batches of 5."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        path = noisy(rng, 300) + 3 * np.exp(-np.arange(300) / 20)
        means = path.reshape(-1, 5).mean(axis=1)
        scores = [((means[d:] - means[d:].mean()) ** 2).sum() / (means.size - d) ** 2 for d in range(means.size // 2 + 1)]
        assert mser5(path) == 5 * int(np.argmin(scores))


def test_mser5_cuts_most_of_an_exponential_transient_and_little_of_none():
    rng = np.random.default_rng(2)
    with_transient = [mser5(noisy(rng, 2000) - 10 * np.exp(-np.arange(2000) / 100)) for _ in range(30)]
    without = [mser5(noisy(rng, 2000)) for _ in range(30)]
    assert min(with_transient) > 150  # less than 2.3 of 10 is left
    assert np.median(without) < 150


def test_mser5_does_not_care_where_zero_is():
    rng = np.random.default_rng(3)
    path = noisy(rng, 1000) - 5 * np.exp(-np.arange(1000) / 50)
    assert mser5(path + 2.0**40) == mser5(np.round(path * 2**10) / 2**10 + 2.0**40) > 0
    assert mser5(np.full(100, 12345.678)) == 0


def test_mser5_of_next_to_nothing():
    assert mser5(np.array([])) == 0
    assert mser5(np.arange(9.0)) == 0


# ---- relaxation ----------------------------------------------------------------------------------------------

FLEETS = [([1.0], 5), ([1.0], 20), ([1.0] * 3, 3), ([1.5, 0.5], 4), ([1.6, 1.0, 0.4], 3), ([2.0, 0.8, 0.2], 3), ([1.0] * 5, 2)]
FLEETS += [([1.9, 0.1], 5), ([3.4, 0.2, 0.2, 0.2], 3), ([1.0] * 6, 1), ([1.4, 1.2, 1.0, 0.8, 0.6], 2)]


@pytest.mark.parametrize("load", [0.3, 0.7, 0.95, 1.2])
@pytest.mark.parametrize(("mu", "places"), FLEETS)
def test_relaxation_is_near_the_spectral_gap(mu, places, load):
    exact = solve(mu, load, places).relaxation_time
    assert 0.8 * exact < relaxation_time(System(mu, load=load, places=places)) < (2.1 if load < 1 else 3.2) * exact


def test_relaxation_grows_like_n_to_the_2_alpha_minus_1_above_halfin_whitt():
    def at(n, alpha):
        return relaxation_time(System(rates.homogeneous(n), alpha=alpha, places=50))

    for alpha in (0.6, 0.75, 0.9):
        slope = math.log(at(10**9, alpha) / at(10**7, alpha)) / math.log(100)
        assert slope == pytest.approx(2 * alpha - 1, abs=0.06)
    assert at(10**9, 0.25) < 1.1  # below, a few service times


def test_relaxation_of_what_the_formula_must_not_trip_over():
    one = System([1.0], load=1.0, places=254)
    assert relaxation_time(one) == pytest.approx(1 + (255 / math.pi) ** 2, rel=0.01)  # diffusion over 254 places
    random = System(rates.homogeneous(100), load=0.9, places=20, policy="random")
    assert relaxation_time(random) > 5 * relaxation_time(random.replaced(policy="jfsq"))
    variable = one.replaced(size={"law": "lognormal", "scv": 9.0}, load=0.9)
    assert relaxation_time(variable) > 3 * relaxation_time(one.replaced(load=0.9))
    assert math.isfinite(relaxation_time(one.replaced(size={"law": "lognormal", "scv": 1e6})))


def test_filling_an_overloaded_system_takes_its_places_over_the_drift():
    assert filling_time(System(rates.homogeneous(10), load=1.5, places=10)) == pytest.approx(20)
    assert filling_time(System(rates.homogeneous(10), load=0.99, places=10)) == 0
    assert math.isfinite(filling_time(System(rates.homogeneous(10), load=1.0, places=10)))


# ---- the choice ----------------------------------------------------------------------------------------------

SYSTEM = System(rates.linear(5, 3), load=0.8, places=3)


def pretend(path_of, seen=None):
    """Pilots that follow a given path, 8 values a time unit."""

    def pilot(number, window, observe):
        if seen is not None:
            seen.append((number, window, observe))
        empty = np.zeros((1, 1), np.int64)
        return Outcome([Tally(empty, empty, path=path_of(np.arange(int(window.length * 8))))], 0)

    return pilot


def test_twice_the_cut_is_waited_for():
    choice = choose_warmup(SYSTEM, 10_000.0, pretend(lambda i: np.where(i < 80, 0, 7)))
    assert choice.time == 20.0  # cut at 80 snapshots, 10 time units
    assert choice.warning is None


def test_what_drifts_is_forgotten_too():
    drifting = SYSTEM.replaced(knowledge={"speeds": {"drift": {"sigma": 0.4, "memory": 300.0, "every": 1.0}}})
    assert relaxation_time(drifting) == pytest.approx(relaxation_time(SYSTEM) + 300.0)


def test_a_length_nobody_named_is_many_jobs_or_ten_times_what_is_forgotten():
    few, many, far = (System(rates.homogeneous(n), alpha=a, places=5) for n, a in ((10, 0.5), (200_000, 0.5), (200_000, 0.95)))
    assert usual_length(few) * few.arrival_rate == pytest.approx(100_000)
    assert usual_length(many) == pytest.approx(10 * relaxation_time(many))
    assert usual_length(far) * far.arrival_rate == pytest.approx(1e8), "nobody waits for ten times that"


def test_two_relaxation_times_are_waited_for_in_any_case():
    choice = choose_warmup(SYSTEM, 10_000.0, pretend(lambda i: np.full(i.size, 7)))
    assert choice.time == math.ceil(2 * relaxation_time(SYSTEM))
    assert choose_warmup(SYSTEM, 8.0, pretend(lambda i: np.full(i.size, 7))).time == 2.0  # but not most of a short run


def test_pilots_count_from_2_to_the_31_and_record_the_path():
    seen = []
    choice = choose_warmup(SYSTEM, 10_000.0, pretend(lambda i: np.full(i.size, 7), seen))
    assert [n for n, _, _ in seen] == [FIRST_PILOT + i for i in range(choice.pilots)]
    assert choice.pilots == MOST_PILOTS
    assert all(w.warmup == 0 and w.length == choice.pilot_length and o.path for _, w, o in seen)


def test_pilots_grow_while_they_are_too_short_to_tell():
    late = 3 * 64 * 8  # the path settles after three times the shortest pilot
    choice = choose_warmup(SYSTEM, 10_000.0, pretend(lambda i: np.where(i < late, i, late)))
    assert choice.pilot_length > 2 * 3 * 64
    assert choice.time > 2 * 0.8 * late / 8
    assert choice.warning is None


def test_pilots_are_never_longer_than_the_run():
    choice = choose_warmup(SYSTEM, 20.0, pretend(lambda i: np.full(i.size, 7)))
    assert choice.pilot_length == 20.0


def test_a_run_too_short_to_tell_is_warned_about():
    choice = choose_warmup(SYSTEM, 100.0, pretend(lambda i: i))
    assert "too short to tell" in choice.warning
    assert "N^(2 alpha - 1)" in choice.warning
    assert 'start = "busy"' in choice.warning
    assert "busy" not in choose_warmup(SYSTEM, 100.0, pretend(lambda i: i), "busy").warning
    slow = System(rates.homogeneous(10**6), alpha=0.75, places=5)
    assert "too short" in choose_warmup(slow, 100.0, pretend(lambda i: np.full(i.size, 7))).warning


def test_pilots_that_saw_nothing_change_nothing():
    assert choose_warmup(SYSTEM, 100.0, pretend(lambda i: i[:0])).time > 0


# ---- whether it is enough ------------------------------------------------------------------------------------


def engine():
    return ENGINES["events" if ENGINES["events"].available else "process"].load()


@pytest.mark.parametrize(
    "system",
    [
        System([1.0], load=0.9, places=20),
        System(rates.linear(10, 4), load=0.95, places=3),
        System(rates.homogeneous(10), load=1.3, places=5),
        System(rates.homogeneous(5), load=0.9, places=10, policy="random"),
    ],
    ids=["one server", "ten servers", "overload", "random routing"],
)
def test_what_the_empty_start_leaves_is_below_the_standard_error_of_ten_replications(system, monkeypatch):
    """The mean of jobs present after the warm-up chosen, against that after four times as long; 300 replications.

    300 replications see a bias of one standard error of ten as sqrt(30) of their own.
    """
    monkeypatch.setattr(draws, "BLOCK", 4096)
    if ENGINES["events"].available:
        monkeypatch.setattr("jfsq_simpy.jobs.events.BLOCK", 4096)
    length = 20 * relaxation_time(system)

    def pilot(number, window, observe):
        return engine().run(system, Seed.of(5), number, window, observe=observe)

    def mean_jobs(warmup, seed):
        found = [engine().run(system, Seed.of(seed), r, Window(warmup, length), observe=NOTHING).tallies[0] for r in range(300)]
        return np.array([(t.levels @ np.arange(system.places + 1)).sum() / t.snapshots for t in found])

    warm = choose_warmup(system, length, pilot)
    assert warm.warning is None
    after, reference, cold = mean_jobs(warm.time, 1), mean_jobs(4 * warm.time + 50, 2), mean_jobs(0.0, 1)
    error = np.sqrt((after.var() + reference.var()) / 300)
    one_standard_error = reference.std() / math.sqrt(10)
    assert abs(after.mean() - reference.mean()) < one_standard_error + 5 * error
    assert 5 * error < 1.5 * one_standard_error  # the test could see two
    assert abs(cold.mean() - reference.mean()) > abs(after.mean() - reference.mean())  # and there was something to wait for


# ---- looks ---------------------------------------------------------------------------------------------------


def test_what_arrivals_and_beliefs_do_not_forget_is_not_looked_at_anew():
    plain = System(rates.two_speed(4, ratio=3), load=0.5, places=3, policy="jfsq")
    seen = looks_of(plain, 10, 500.0)
    assert seen == pytest.approx(5_000 / (relaxation_time(plain) + 1 / plain.arrival_rate))

    def believing(**speeds):
        return looks_of(plain.replaced(knowledge={"speeds": speeds}), 10, 500.0)

    assert believing(sick={"servers": 1, "factor": 10}) == seen
    assert believing(noise=0.1) == 10
    assert believing(drift={"sigma": 0.5, "every": 5, "memory": 250}) == pytest.approx(20, rel=0.05)
    bursts = {"law": "mmpp", "rates": [0.5, 3.0], "switching": [[-0.01, 0.01], [0.04, -0.04]]}  # mean 1, forgets at rate 0.05
    slow = looks_of(plain.replaced(arrivals=bursts), 10, 500.0)
    assert slow == pytest.approx(5_000 / (relaxation_time(plain.replaced(arrivals=bursts)) + (1 + 3.0 / 0.05) / 2))


def test_a_limit_is_honest_about_bursts_that_were_not_seen():
    """A third of the jobs are lost, nearly all in bursts that five short runs often miss: the limit must say so."""
    bursts = {"law": "mmpp", "rates": [0.7, 10.0], "switching": [[-0.0003, 0.0003], [0.009, -0.009]]}
    system = System([1.0, 1.0], load=0.3, places=15, arrivals=bursts)
    quiet = [simulate(system, horizon=100, warmup=10, replications=5, rng=s, workers=1, engine="process") for s in range(10)]
    none = [run.blocking_probability for run in quiet if run.blocking_probability.value == 0]
    assert len(none) >= 3
    assert all(found.high > 0.33 for found in none)
