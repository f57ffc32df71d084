"""Lemmas 1 to 5: drifts by brute force over all states, tails against exact laws, slips as counterexamples."""

import math

import numpy as np
import pytest

from jfsq_simpy import exact, rates
from jfsq_simpy.errors import ModelError
from jfsq_simpy.exact.states import units_of
from jfsq_simpy.system import System
from jfsq_simpy.theory import drift, lemmas, states
from jfsq_simpy.theory.evidence import FromLaw
from jfsq_simpy.theory.geometry import Parameters
from tests.theory import brute
from tests.theory.systems import random_system

INDEX = {"name": "jfsq", "ties": "index"}


def worst(system: System, p: Parameters) -> float:
    return drift.worst_drift(system, drift.collapse_function(p.a, p.b), p.drift_start)[0]


# ---- drift ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["jfsq", "jfsq index", "jsq", "jsq index", "random"])
def test_drift_is_the_generator_applied_to_v(policy):
    # the generator is built state by state from the words of section 2
    speeds = [1.5, 1.5, 0.75, 0.25]
    law = brute.solve(speeds, 3.0, 2, policy)
    name, _, ties = policy.partition(" ")
    system = System(rates.from_speeds(speeds), load=0.75, places=2, policy={"name": name, "ties": ties or "uniform"})
    units = units_of(system.rates, range(4))
    levels = (law.q[:, :, None] == np.arange(3)).astype(int)
    for v in (lambda q: (q**2 * np.arange(1, 5)).sum(axis=-1), lambda q: np.minimum((q == 2).sum(axis=-1), (q == 0).sum(axis=-1))):

        def by_levels(n, v=v):
            return v((n * np.arange(3)).sum(axis=-1)).astype(float)

        assert drift.drift(system, by_levels, levels, units) == pytest.approx(law.generator @ v(law.q), abs=1e-12)


def test_drift_does_not_depend_on_how_servers_are_put_together():
    system = System(rates.two_speed(6, ratio=3), load=0.8, places=2)
    p = Parameters.from_system(system)
    assert p.side == "super" or p.side == "sub"
    v = drift.collapse_function(1.0, 5.0)
    by_class = drift.worst_drift(system, v, 1.0)[0]
    by_server = drift.worst_drift(system, v, 1.0, units_of(system.rates, range(6)))[0]
    assert by_class == pytest.approx(by_server)


def test_every_state_is_there_once():
    units = units_of(rates.two_speed(5, ratio=2))
    every = states.every_state(units, 3)
    assert len(np.unique(every.reshape(len(every), -1), axis=0)) == len(every) == math.comb(5, 3) * math.comb(6, 3)
    assert (every.sum(axis=2) == units.sizes).all()


# ---- Lemma 3: its drift --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_lemma_3_drift_is_at_most_minus_gamma_over_all_states(seed):
    rng = np.random.default_rng(seed)
    checked = 0
    while checked < 2:
        system = random_system(rng, most_servers=7, most_places=4)
        if system.alpha >= 0.5:
            continue
        p = Parameters.from_system(system)
        assert p.nu >= 3 - 1e-9
        assert worst(system, p) <= -min(lemmas.gammas(p)[:2]) + 1e-12
        assert worst(system, p) <= -lemmas.gammas(p).paper + 1e-12  # right for nu >= 3
        checked += 1


def fleet_of_40() -> System:
    # 24 servers of 1.01942 and 16 of .97087, the fastest 18 carrying the load exactly
    fleet = rates.classes([24, 16], [1.05, 1.0])
    return System(fleet, load=18 * fleet.fastest / 40, places=2)


def test_positive_drift_at_small_nu():
    # b = 2 and nu = 1.05: where the paper claims a drift of at most -5.25, V can drift up by 2.04
    system = fleet_of_40()
    p = Parameters.from_system(system, epsilon=system.rates.slowest)
    assert p.nu == pytest.approx(1.05)
    assert p.x == pytest.approx(21.65, abs=5e-3)
    assert lemmas.gammas(p).paper == pytest.approx(5.25, abs=5e-3)
    assert worst(system, p) == pytest.approx(2.04, abs=5e-3)
    assert lemmas.gammas(p).case_2 < 0
    assert lemmas.collapse_log_tail(p) == 0.0  # no bound


@pytest.mark.parametrize("nu", [2.0, 3.0])
def test_a_smaller_epsilon_mends_it(nu):
    system = fleet_of_40()
    p = Parameters.from_system(system, epsilon=system.rates.fastest / nu)
    assert p.nu == pytest.approx(nu)
    assert worst(system, p) <= -min(lemmas.gammas(p)[:2])
    assert (lemmas.gammas(p).case_2 >= lemmas.gammas(p).paper * (1 - 1e-12)) == (nu >= 3)


@pytest.mark.parametrize("places", [2, 3])
def test_lemma_4_drift(places):
    # k is so large that V < 0 in any small system (A > N (b - 1)); with a smaller A the drift's formula is the same
    system = System(rates.two_speed(6, ratio=2), load=0.8, places=places)
    p = Parameters.from_system(system)
    a, start = 1.0, 0.5
    pull = p.slowest / (places - 1) * (start + a)
    found, _ = drift.worst_drift(system, drift.collapse_function(a, 6.0), start)
    assert found <= -min(pull, pull - p.x) + 1e-12
    assert p.a > 6 * (places - 1)
    assert lemmas.unreachable(Parameters.of(n_servers=6, alpha=0.9, places=places))


# ---- tails against exact laws --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_lemma_3_tail_holds_on_exact_laws(seed):
    rng = np.random.default_rng(100 + seed)
    checked = 0
    while checked < 2:
        system = random_system(rng, most_servers=8)
        if system.alpha >= 0.5:
            continue
        p = Parameters.from_system(system)
        statement = lemmas.collapse(p)
        found = FromLaw(exact.solve(system)).tail(p.a, p.b, p.threshold)
        assert found.value <= statement.bound
        checked += 1


def test_lemma_3_on_a_system_where_v_reaches_its_threshold():
    system = System(rates.homogeneous(100), alpha=0.3, places=2)
    p = Parameters.from_system(system)
    assert not lemmas.unreachable(p)
    statement = lemmas.collapse(p)
    found = FromLaw(exact.solve(system)).tail(p.a, p.b, p.threshold)
    assert statement.applies
    assert 0 < found.value < statement.bound < 0.99


def test_lemma_3_bounds_from_above_where_both_places_print_from_below():
    # nu = 2, N = 1000, alpha = 1/4: P(V >= T) = 1.7e-40, far from ">= N^-2"
    system = System(rates.homogeneous(1000), alpha=0.25, places=2)
    p = Parameters.from_system(system, epsilon=0.5)
    found = FromLaw(exact.solve(system)).tail(p.a, p.b, p.threshold).value
    assert found == pytest.approx(1.7e-40, rel=0.05)
    assert found < math.exp(lemmas.collapse_log_tail(p, "statement")) == pytest.approx(1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_unreachable_means_no_state_has_v_at_its_threshold(seed):
    rng = np.random.default_rng(seed)
    for _ in range(5):
        n, places = int(rng.integers(2, 9)), int(rng.integers(2, 4))
        p = Parameters.of(n_servers=n, alpha=float(rng.uniform(0.05, 0.95)), places=places)
        every = states.every_state(units_of(rates.homogeneous(n)), places)
        reached = bool((drift.collapse_function(p.a, p.b)(every) >= p.threshold).any())
        assert not (reached and lemmas.unreachable(p))


@pytest.mark.parametrize("seed", range(6))
def test_lemma_5_bounds_any_function_on_exact_laws(seed):
    rng = np.random.default_rng(seed)
    system = random_system(rng, most_servers=4, most_places=3)
    law = exact.solve(system)

    def v(levels):
        return states.jobs(levels).astype(float)

    meaningful = 0
    for start in range(1, system.n_servers * system.places):
        for steps in (0, 1, 2):
            threshold = start + 2 * steps
            found = drift.tail_from_drift(system, v, start, threshold)
            tail = float(law.expect(lambda n, t=threshold: v(n) >= t))
            if tail > 0:
                assert math.log(tail) <= found.log_bound + 1e-12
            meaningful += found.log_bound < -0.3
    assert meaningful > 0


def test_lemma_5_by_hand_on_mm1():
    # jobs in M/M/1/20 at load 1/2: drift -1/2 above 1, rate 1/2: ratio 1/2, tail 2^-t beats 2^-((t-1)/2)
    system = System(rates.homogeneous(1), load=0.5, places=20)
    found = drift.tail_from_drift(system, lambda n: states.jobs(n).astype(float), 1.0, 11.0)
    assert (found.pull, found.rate, found.jump, found.steps) == pytest.approx((0.5, 0.5, 1.0, 5))
    assert found.log_bound == pytest.approx(-5 * math.log(2))


def test_the_upward_rate_is_that_of_all_events_together():
    # V = servers idle: it goes up whenever one of the busy falls idle, in either class; q_max is their summed rate
    system = System(rates.two_speed(6, ratio=3), load=0.8, places=2)
    found = drift.tail_from_drift(system, lambda n: n[..., 0].sum(axis=-1).astype(float), 1.0, 3.0)
    law = brute.solve([1.5, 1.5, 1.5, 0.5, 0.5, 0.5], 4.8, 2)
    falls = ((law.q == 1) @ law.rates).max()
    assert found.rate == pytest.approx(falls)


def test_lemma_5_says_nothing_without_pull_and_adds_what_lies_outside():
    assert drift.lemma_5(10, pull=-0.1, rate=1.0) == 0.0
    assert drift.lemma_5(10, pull=0.0, rate=1.0) == 0.0
    with_outside = drift.lemma_5(10, pull=1.0, rate=1.0, push=3.0, log_outside=math.log(1e-6))
    assert math.exp(with_outside) == pytest.approx(2**-10 + 4e-6)
    assert drift.lemma_5(1, pull=1.0, rate=1.0, push=1e9, log_outside=0.0) == 0.0  # never above 1


def test_a_start_below_the_jump_is_refused():
    system = System(rates.homogeneous(2), load=0.5, places=2)
    with pytest.raises(ModelError, match="start"):
        drift.tail_from_drift(system, lambda n: 3.0 * states.jobs(n), 1.0, 2.0)


# ---- Lemmas 1 and 2 ------------------------------------------------------------------------------------------


def idle_worst(system: System, m: int, start: float) -> float:
    units = units_of(system.rates, [m])
    return drift.worst_drift(system, drift.idle_function(units, m), start, units)[0]


@pytest.mark.parametrize("seed", range(6))
def test_lemma_1_and_2_drifts_with_index_ties(seed):
    rng = np.random.default_rng(seed)
    system = random_system(rng, most_servers=7, policy=INDEX)
    p = Parameters.from_system(system)
    n1, n2 = system.n1(p.delta).floor, system.n2.floor
    if n1:  # V >= 1: drift <= -(lambda N) + (1 - delta) N, which the lemma's 2/N^alpha <= delta makes <= -delta N / 2
        assert idle_worst(system, n1, 1.0) <= -system.arrival_rate + (1 - p.delta) * system.n_servers + 1e-12
    if n2:  # V >= v: drift <= -mu_N2 v
        for v in range(1, n2 + 1):
            assert idle_worst(system, n2, v) <= -p.mu_n2 * v + 1e-12


def test_with_uniform_ties_idle_servers_among_the_first_do_not_drain():
    # equal servers: one of the first N1 is idle, but so are others, and the arrival need not go to the first
    system = System(rates.homogeneous(6), load=0.9, places=2)
    m = 4
    assert idle_worst(system, m, 1.0) > 0
    assert idle_worst(system.replaced(policy=INDEX), m, 1.0) < 0


def within_lemma_1(n: int, alpha: float, delta: float) -> tuple[float, Parameters]:
    """P(at most 1 + 8 log^2 N idle among the N1 fastest) of equal servers with b = 2 and uniform ties, exactly."""
    system = System(rates.homogeneous(n), alpha=alpha, places=2)
    p = Parameters.from_system(system, delta=delta)
    tail = FromLaw(exact.solve(system)).idle_tail(system.n1(delta).floor, lemmas.lemma_1_threshold(p))
    assert lemmas.lemma_1(p).applies
    return 1 - tail.value, p


def test_lemma_1_is_false_for_uniform_ties():
    within, p = within_lemma_1(5000, 0.165, 0.495)
    claimed = 1 - math.exp(lemmas.lemma_1_log_tail(p))
    assert claimed > 1 - 1e-15
    assert within < 0.2


@pytest.mark.verify
@pytest.mark.parametrize(("delta", "expected"), [(0.2, 0.0585), (0.3, 0.381)])
def test_lemma_1_is_false_at_ten_thousand_servers_too(delta, expected):
    # alpha = 1/4: at most 680 of the first 8000 (7000) idle, by the lemma with probability above 1 - 4e-8
    within, p = within_lemma_1(10_000, 0.25, delta)
    assert lemmas.lemma_1_threshold(p) == pytest.approx(679.6, abs=0.1)
    assert within == pytest.approx(expected, abs=1e-3)


def test_ties_do_not_change_counts_but_do_change_who_is_idle():
    system = System(rates.homogeneous(6), load=0.9, places=2)
    uniform, index = exact.solve(system), exact.solve(system.replaced(policy=INDEX))
    for metric in ("waiting_probability", "blocking_probability", "mean_wait", "mean_jobs"):
        assert uniform[metric] == pytest.approx(index[metric], rel=1e-12)
    assert uniform["idle_among_n2"] == pytest.approx(0.84002158, abs=1e-8)
    assert index["idle_among_n2"] == pytest.approx(0.70514232, abs=1e-8)


def test_index_tie_tails_on_exact_laws_keep_lemma_5s_bound():
    # Lemma 1's own numbers are out of reach in a system one can solve; its mechanism is not: the same V and Lemma 5
    system = System(rates.homogeneous(7), load=0.95, places=2, policy=INDEX)
    law = exact.solve(system, form="servers")
    units = units_of(system.rates, [5])
    found = drift.tail_from_drift(system, drift.idle_function(units, 5), 1.0, 3.0, units)
    tail = float(((law.queue_lengths[:, :5] == 0).sum(axis=1) >= 3) @ law.probabilities)
    assert 0 < tail <= math.exp(found.log_bound) < 0.9


# ---- Lemma 4's exponent --------------------------------------------------------------------------------------


def test_lemma_4_statement_needs_more_than_its_own_condition():
    # 12 r mu_1 log N = X exactly: the tail bound is N^(-2 r log 2), between the proof's N^-r and the statement's N^-2r
    n = 1e4
    p = Parameters.of(n_servers=n, alpha=0.5, places=2, mu_1=100 / (12 * math.log(n)))
    exact_value = lemmas.collapse_log_tail(p, "exact")
    assert exact_value == pytest.approx(-2 * math.log(2) * math.log(n))
    assert lemmas.collapse_log_tail(p, "statement") < exact_value < lemmas.collapse_log_tail(p, "proof")


@pytest.mark.parametrize("log10_n", [9.6, 12, 20, 40])
def test_under_assumption_2_lemma_4_statement_is_right_up_to_a_constant(log10_n):
    p = Parameters.of(log_n=log10_n * math.log(10), alpha=0.5, places=3)
    assert lemmas.collapse_log_tail(p, "exact") <= lemmas.collapse_log_tail(p, "statement") + p.order * p.epsilon / (2 * p.places)


def test_a_of_order_n_to_the_1_minus_alpha_would_prove_nothing():
    # section 3.2 prints A = Theta(N^(1 - alpha) log N): with that A the pull is N^(1 - 2 alpha) times smaller
    p = Parameters.of(n_servers=1e30, alpha=0.75, places=2)
    pull = p.epsilon * (p.k_super * p.x * p.log_n) / (2 * (p.places - 1)) / p.n
    wrong = drift.lemma_5(p.c_1 * p.x, pull=pull, rate=1.0)
    assert wrong > -1e-10
    assert lemmas.collapse_log_tail(p, "exact") < -2 * p.log_n * 0.9


def test_whole_steps_cost_at_most_one_ratio():
    for n in (1e3, 1e6, 1e12):
        p = Parameters.of(n_servers=n, alpha=0.25, places=2)
        ratio = math.log1p(lemmas.gammas(p).case_2 / p.n)
        assert 0 <= lemmas.collapse_log_tail(p, "whole") - lemmas.collapse_log_tail(p, "exact") <= ratio + 1e-12


@pytest.mark.parametrize("n", [3, 10, 1e3, 1e6, 1e12, 1e30])
def test_statements_of_lemmas_1_and_2_follow_from_whole_steps(n):
    p = Parameters.of(n_servers=n, alpha=0.25, places=2, epsilon=0.5, delta=0.5)
    assert lemmas.lemma_1_log_tail(p, "whole") <= lemmas.lemma_1_log_tail(p, "statement")
    if p.mu_n2 <= math.sqrt(p.n) / p.log_n:
        assert lemmas.lemma_2_log_tail(p, "whole") <= lemmas.lemma_2_log_tail(p, "statement")


@pytest.mark.parametrize("alpha", [0.1, 0.25, 0.4])
def test_lemma_3_statement_follows_where_its_conditions_hold(alpha):
    for log10_n in np.linspace(10, 300, 60):
        p = Parameters.of(log_n=log10_n * math.log(10), alpha=alpha, places=2)
        s = lemmas.collapse(p, "statement")
        if s.applies:
            assert lemmas.collapse_log_tail(p, "whole") <= s.log_bound


def test_an_unknown_reading_is_refused_by_name():
    p = Parameters.of(n_servers=1e4, alpha=0.25, places=2)
    with pytest.raises(ModelError, match="'best'"):
        lemmas.collapse_log_tail(p, "best")
    with pytest.raises(ModelError, match="Lemma 1"):
        lemmas.lemma_1_log_tail(p, "proof")
