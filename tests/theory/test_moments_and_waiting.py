"""Theorem 2 and section 3.5: the recursion by another route, printed constants against it, slips as counterexamples."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jfsq_simpy import exact, rates
from jfsq_simpy.errors import ModelError
from jfsq_simpy.system import System
from jfsq_simpy.theory import conditions, moments, waiting
from jfsq_simpy.theory.geometry import Parameters
from jfsq_simpy.theory.reference.erlang import erlang_b
from jfsq_simpy.theory.reference.limits import boundary_excess
from tests.theory.systems import SOLVED, law_of, random_system


def recursion_written_out(p: Parameters, r: int) -> float:
    """Equation (20) as printed: a sum of products, and one product."""
    w, z = (lambda j: moments.w(p, j)), (lambda j: moments.z(p, j))
    total = math.prod(w(j) for j in range(1, r + 1))
    return total + sum(math.prod(w(j) for j in range(r - k + 1, r + 1)) * z(r - k) for k in range(r))


@pytest.mark.parametrize("alpha", [0.1, 0.25, 0.45, 0.5, 0.75])
@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_recursion_is_equation_20(alpha, order):
    for n in (1e2, 1e4, 1e9):
        p = Parameters.of(n_servers=n, alpha=alpha, places=3, order=order)
        assert moments.recursion(p) == pytest.approx(recursion_written_out(p, order), rel=1e-12)


def test_first_moments_by_hand():
    sub = Parameters.of(n_servers=1e4, alpha=0.25, places=2)
    assert moments.recursion(sub) == pytest.approx(sub.k_sub * (8 + 2) / sub.x + sub.k_sub / sub.x)
    sup = Parameters.of(n_servers=1e4, alpha=0.75, places=2)
    assert moments.recursion(sup) == pytest.approx((2 + 16) / sup.x + 2 / sup.x)


@settings(max_examples=200, deadline=None)
@given(st.floats(3, 60), st.floats(0.01, 0.49), st.integers(1, 8), st.integers(2, 10), st.floats(0.01, 0.5))
def test_eleven_is_enough_below_halfin_whitt(log10_n, alpha, order, places, epsilon):
    p = Parameters.of(n_servers=10**log10_n, alpha=alpha, places=places, order=order, epsilon=epsilon)
    assert moments.recursion(p) <= moments.moment_bound(p, "corrected") * (1 + 1e-12)
    assert moments.moment_bound(p, "corrected") <= moments.moment_bound(p, "proof")


@settings(max_examples=200, deadline=None)
@given(st.floats(1, 60), st.floats(0.5, 0.95), st.integers(1, 8))
def test_the_statement_above_halfin_whitt_follows_from_the_recursion(log10_n, alpha, order):
    p = Parameters.of(n_servers=10**log10_n, alpha=alpha, places=2, order=order)
    assert moments.recursion(p) <= moments.moment_bound(p, "statement") * (1 + 1e-12)


def test_the_constant_1_of_the_statement_is_not_what_the_recursion_gives():
    # r = 1: k_sub/X stated, 34 k_sub/X in (21), 11 k_sub/X from (20)
    p = Parameters.of(n_servers=1e4, alpha=0.25, places=2)
    ratios = [moments.moment_bound(p, v) / (p.k_sub / p.x) for v in ("statement", "proof", "recursion")]
    assert ratios == pytest.approx([1, 34, 11])
    p3 = p.with_order(3)
    assert moments.recursion(p3) > 6 * moments.moment_bound(p3, "statement")  # r^r is missing as well


def test_mean_queue_bound_and_tail():
    p = Parameters.of(n_servers=1e4, alpha=0.5, places=2)
    assert moments.mean_queue_bound(p, "statement") == pytest.approx(1 + (p.k_super * p.log_n + 20) / p.x)
    q = Parameters.of(n_servers=1e40, alpha=0.25, places=2)
    bound, order = moments.queue_tail(q, 0.1)
    assert order > 1
    assert bound == min(moments.recursion(q, r) / 0.1**r for r in range(1, 13))


def test_explicit_bounds_hold_where_they_can_be_held_against_an_exact_law():
    # no solvable system meets the assumptions; the bounds themselves are true there (they are far above)
    for case in SOLVED:
        system = law_of(case).system
        if system.policy.name != "jfsq" or system.alpha is None or system.alpha >= 1 or system.places < 2:
            continue
        p = Parameters.from_system(system)
        for variant in ("corrected", "identity"):
            assert law_of(case).mean_waiting_jobs <= waiting.waiting_jobs(p, variant, blocking=law_of(case).blocking_probability)


# ---- mu_1, and what a job that waits waits -------------------------------------------------------------------


def of_those_that_wait(law) -> tuple[float, float]:
    """E[T_Q] over jobs that wait, E[S] over accepted jobs."""
    mean_wait = law.mean_wait * (1 - law.blocking_probability) / law.buffered_probability
    return mean_wait, law.mean_response - law.mean_wait


def test_a_job_that_waits_may_wait_less_than_a_mean_service():
    # section 3.5 has E[T_Q] >= E[S]; two servers suffice to break it: jobs wait at the fast one
    law = exact.solve(System([1.2, 0.8], load=0.5, places=2))
    waits, service = of_those_that_wait(law)
    assert waits == pytest.approx(0.95431, abs=1e-5)
    assert service == pytest.approx(0.97225, abs=1e-5)


def test_and_then_the_printed_bound_on_p_wait_fails():
    # 15 servers of rate 1.6 and 25 of .64, alpha = 1/2
    fleet = rates.Rates(np.array([1.6, 0.64]), np.array([15, 25]))
    law = exact.solve(System(fleet, alpha=0.5, places=2))
    waits, service = of_those_that_wait(law)
    assert (waits, service) == pytest.approx((0.68193, 0.94988), abs=1e-5)
    claimed = (1 - law.blocking_probability) * law.mean_waiting_jobs / law.mean_busy
    assert law.buffered_probability == pytest.approx(0.0809257, abs=1e-7)
    assert claimed == pytest.approx(0.0580978, abs=1e-7)
    corrected = fleet.fastest * law.mean_waiting_jobs / law.system.arrival_rate
    assert law.buffered_probability <= corrected


@pytest.mark.parametrize("seed", range(10))
def test_with_the_factor_mu_1_it_holds(seed):
    rng = np.random.default_rng(seed)
    for policy in ("jfsq", "jsq"):
        law = exact.solve(random_system(rng, policy=policy))
        system = law.system
        assert law.buffered_probability <= system.rates.fastest * law.mean_waiting_jobs / system.arrival_rate * (1 + 1e-12)
        low = system.rates.slowest * law.mean_waiting_jobs / ((system.places - 1) * system.arrival_rate)
        assert law.buffered_probability >= low * (1 - 1e-12)


@pytest.mark.parametrize("alpha", [0.25, 0.75])
@pytest.mark.parametrize("variant", ["corrected", "identity"])
def test_bound_on_p_w_is_the_bound_on_e_w_in_services_of_the_fastest(alpha, variant):
    # p_wait <= mu_1 (1 - p_B) E[W]: a job that waits does so 1/mu_1 in the mean at least
    p = Parameters.of(n_servers=1e6, alpha=alpha, places=3, mu_1=1.6, mu_n1=1.6, mu_n2=0.64, slowest=0.64)
    blocking = 0.01
    waits = waiting.mean_wait(p, variant, blocking) * (1 - blocking)
    assert waiting.waiting_probability(p, variant, blocking) == pytest.approx(1.6 * waits + blocking, rel=1e-12)


def test_equal_servers_keep_the_printed_inequality():
    waits, service = of_those_that_wait(exact.solve(System(rates.homogeneous(6), load=0.8, places=3)))
    assert waits >= service


# ---- the busy servers' knapsack ------------------------------------------------------------------------------


def test_the_identity_that_replaces_lemma_2_needs_the_server_the_cut_falls_in():
    # mu = (2, 2, .5 x 4), lambda N = 4.2: N2 = 2.4, floor 2. Losing capacity c costs c / .5 servers, not c / 2
    fleet = rates.from_speeds([2, 2, 0.5, 0.5, 0.5, 0.5])
    system = System(fleet, load=0.7, places=2)
    assert system.n2.fractional == pytest.approx(2.4)
    lost = 0.0714285
    true_loss = system.n2.fractional - fleet.critical_index(system.arrival_rate - lost).fractional
    assert true_loss == pytest.approx(0.14285, abs=1e-4)
    assert true_loss > lost / 2.0  # with the rate of server floor(N2) it would be .0357
    assert true_loss <= lost / Parameters.from_system(system).mu_cut * (1 + 1e-9)


def test_printed_display_of_35_breaks_for_unequal_servers():
    # the fast servers carry the load exactly; while some idle, slow ones make up for it: E[jobs] - N2 ~ sqrt N >> N^alpha
    n, alpha, slow = 3e8, 0.05, 0.5
    spare = n ** (1 - alpha)
    fast = n - spare / slow
    fast_rate = (n - spare) / fast
    truth = boundary_excess(round(fast), fast_rate, slow)
    p = Parameters.of(
        n_servers=n, alpha=alpha, places=2, mu_1=fast_rate, mu_n1=fast_rate, mu_n2=fast_rate, slowest=slow, epsilon=slow
    )
    display = (34 * p.k_sub + p.log_n) * p.n_alpha
    assert truth == pytest.approx(27_842, rel=1e-3)
    assert display == pytest.approx(14_660, rel=1e-3)
    assert truth < waiting.waiting_jobs(p, "corrected", 0.0)


def test_boundary_excess_against_an_exact_law():
    # 10 fast servers carry the load; 40 slow ones, so that with one place each hardly a job is lost
    fleet = rates.Rates(np.array([3.0, 0.5]), np.array([10, 40]))
    system = System(fleet, load=30 / 50, places=1)
    law = exact.solve(system)
    assert law.blocking_probability < 1e-3
    excess = law.mean_jobs - system.n2.fractional
    assert excess == pytest.approx(boundary_excess(10, 3.0, 0.5), rel=0.01)
    assert boundary_excess(10, 3.0, 0.5) == pytest.approx(10 * erlang_b(10, 10.0) * 5)


# ---- p_B and the readings ------------------------------------------------------------------------------------


def test_blocking_bound_takes_the_moment_that_says_most():
    p = Parameters.of(n_servers=1e45, alpha=0.25, places=2)
    best = waiting.best_blocking_order(p)
    assert best.order > 1
    assert all(c.holds for c in conditions.sufficient(best))
    assert waiting.blocking_probability(p) < waiting.blocking_probability(p.with_order(1), "paper")
    assert waiting.blocking_probability(p) < 1 / p.n  # what the paper plugs in, and one moment alone does not give
    assert moments.recursion(p) / (p.places - p.eta) > 1 / p.n


def test_no_room_beyond_eta_means_no_bound():
    p = Parameters.of(n_servers=1e4, alpha=0.5, places=2)
    assert p.eta > p.places
    assert waiting.blocking_probability(p) == math.inf
    assert waiting.mean_wait(p) == math.inf
    assert waiting.waiting_probability(p) == math.inf


def test_corrected_and_printed_cross_as_n_grows():
    # the printed bound misses a term of order X, so it is the smaller one for large N, and larger for small
    def ratio(n):
        p = Parameters.of(n_servers=n, alpha=0.25, places=2)
        return waiting.waiting_jobs(p, "corrected", 1 / n) / waiting.waiting_jobs(p, "paper", 1 / n)

    assert ratio(1e6) < 1
    assert ratio(1e60) > 1e10


def test_orders_bound_the_bounds():
    # each explicit bound over its order stays bounded as N grows, for the corrected order; for the printed p_W it does not
    def p_at(n):
        return Parameters.of(n_servers=n, alpha=0.25, places=2)

    corrected = [
        waiting.waiting_probability(p_at(n), blocking=0.0) / waiting.waiting_probability_order(p_at(n)) for n in (1e8, 1e20, 1e80)
    ]
    assert max(corrected) / min(corrected) < 20
    printed = [
        waiting.waiting_probability(p_at(n), blocking=0.0) / waiting.waiting_probability_order(p_at(n), "paper")
        for n in (1e20, 1e80)
    ]
    assert printed[1] / printed[0] > 1e6


def test_unknown_readings_are_refused():
    p = Parameters.of(n_servers=1e4, alpha=0.25, places=2)
    for call in (waiting.waiting_jobs, waiting.waiting_probability, moments.moment_bound, waiting.mean_wait_order):
        with pytest.raises(ModelError, match="no variant"):
            call(p, "mine")


@pytest.mark.parametrize("alpha", [0.25, 0.75])
def test_high_moments_end_in_inf_and_never_in_an_error(alpha):
    p = Parameters.of(n_servers=10.0, alpha=alpha, places=30, order=200)
    for variant in moments.MOMENT:
        assert moments.moment_bound(p, variant) > 1e100
    assert waiting.blocking_probability(p, "paper") > 1e100
    assert moments.moment(p).log_bound == math.inf or moments.moment(p).bound > 1e100
