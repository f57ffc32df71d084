"""Conditions and smallest N: the formula sheet's table, what implies what, and what does not."""

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jfsq_simpy.errors import ModelError
from jfsq_simpy.theory import conditions, families
from jfsq_simpy.theory.geometry import Parameters
from jfsq_simpy.theory.record import condition, fact, log_condition
from jfsq_simpy.theory.smallest import first_below, smallest_n
from jfsq_simpy.theory.waiting import waiting_probability

LN10 = math.log(10)

# log10 of the smallest N for which the assumption holds: homogeneous, r = 1; eps = 1/2 in sub, 1 in super
TABLE = {
    2: {0.01: 15.91, 0.05: 17.51, 0.1: 19.99, 0.2: 27.58, 0.25: 33.81, 0.3: 43.34, 0.4: 93.33, 0.45: 199.90}
    | {0.5: 8.54, 0.6: 11.27, 0.75: 20.04, 0.9: 59.56},
    5: {0.01: 17.73, 0.05: 19.49, 0.1: 22.21, 0.2: 30.53, 0.25: 37.33, 0.3: 47.73, 0.4: 102.07, 0.45: 217.26}
    | {0.5: 9.52, 0.6: 12.49, 0.75: 21.95, 0.9: 64.18},
}


@pytest.mark.parametrize("places", TABLE)
@pytest.mark.parametrize("alpha", TABLE[2])
def test_table_of_smallest_n(places, alpha):
    found = smallest_n(alpha, places, epsilon=0.5 if alpha < 0.5 else None)
    assert found.log10_n == pytest.approx(TABLE[places][alpha], abs=6e-3)


@pytest.mark.parametrize(
    ("alpha", "order", "epsilon", "expected"),
    [(0.25, 1, 0.25, 36.48), (0.25, 1, 0.1, 39.98), (0.25, 2, 0.5, 35.37), (0.25, 3, 0.5, 36.48), (0.25, 5, 0.5, 38.03)],
)
def test_smallest_n_with_other_moments_and_epsilon(alpha, order, epsilon, expected):
    assert smallest_n(alpha, 2, order=order, epsilon=epsilon).log10_n == pytest.approx(expected, abs=6e-3)


def test_smallest_n_with_the_default_epsilon_and_another_moment():
    assert smallest_n(0.25, 2).log10_n == pytest.approx(35.37, abs=6e-3)
    assert smallest_n(0.5, 2, order=2).log10_n == pytest.approx(9.28, abs=6e-3)


def test_the_binding_condition_of_assumption_1_is_the_second():
    assert smallest_n(0.25, 2, epsilon=0.5).binding == "27(r+1) b log N / N^(1/4 - alpha/2) <= epsilon"
    assert smallest_n(0.25, 2, epsilon=0.5, conditions=lambda p: conditions.assumption(p, "paper")).log10_n == pytest.approx(
        33.81, abs=6e-3
    )


def test_smallest_n_is_the_boundary():
    found = smallest_n(0.25, 2, epsilon=0.5).log10_n

    def all_hold(log10_n):
        p = Parameters.of(log_n=log10_n * LN10, alpha=0.25, places=2, epsilon=0.5)
        return all(c.holds for c in conditions.assumption(p))

    assert all_hold(found + 1e-6)
    assert not all_hold(found - 1e-6)


def test_no_n_is_said_so():
    assert not smallest_n(0.25, 2, epsilon=0.7).exists  # epsilon <= 1/2 never holds
    assert str(smallest_n(0.9, 2, family=families.pareto(3))) == "no N"  # mu_1 outgrows the spare capacity
    assert smallest_n(0.25, 2, epsilon=0.7).to_dict()["log10_n"] is None


def test_an_epsilon_above_the_slowest_rate_is_refused():
    with pytest.raises(ModelError, match="epsilon"):
        smallest_n(0.25, 2, family=families.two_speed(3), epsilon=0.6)


@pytest.mark.parametrize(
    ("alpha", "variant", "epsilon", "expected"),
    [
        (0.25, "paper", 0.5, 5.63),
        (0.25, "corrected", 0.5, 4.30),
        (0.25, "identity", 0.5, 3.92),
        (0.25, "paper", None, 5.97),
        (0.25, "corrected", None, 4.61),
        (0.25, "identity", None, 4.36),
        (0.5, "paper", None, 7.06),
        (0.5, "mu_1 paper", None, 5.68),
        (0.5, "corrected", None, 4.94),
        (0.75, "paper", None, 15.40),
        (0.75, "mu_1 paper", None, 12.66),
        (0.75, "corrected", None, 11.23),
        (0.9, "paper", None, 42.83),
        (0.9, "mu_1 paper", None, 36.08),
        (0.9, "corrected", None, 32.61),
    ],
)
def test_first_n_at_which_a_bound_on_p_w_says_something(alpha, variant, epsilon, expected):
    found = first_below(lambda p: waiting_probability(p, variant, 1 / p.n), 1.0, alpha, 2, epsilon=epsilon)
    assert found.log10_n == pytest.approx(expected, abs=6e-3)


# ---- what implies what ---------------------------------------------------------------------------------------


def sub_parameters(log10_n, alpha, places, order, mu_1, slow):
    """A sub-Halfin-Whitt fleet: rates at N1 and N2 between the ends, as large as capacity allows at most."""
    return Parameters.of(
        log_n=log10_n * LN10,
        alpha=alpha,
        places=places,
        order=order,
        mu_1=mu_1,
        mu_n1=min(mu_1, 2.0),
        mu_n2=min(mu_1, 2.0),
        slowest=slow,
    )


@settings(max_examples=300, deadline=None)
@given(
    st.floats(10, 280),
    st.floats(0.01, 0.49),
    st.integers(2, 20),
    st.integers(1, 4),
    st.floats(0, 30),
    st.floats(-3, 0),
)
def test_assumption_1_and_the_hidden_condition_imply_the_rest(log10_n, alpha, places, order, log_mu, log_slow):
    p = sub_parameters(log10_n, alpha, places, order, math.exp(log_mu), math.exp(log_slow))
    assume(all(c.holds for c in conditions.assumption_1(p)))
    assume(conditions.hidden_sub(p)[0].holds)  # N^alpha >= 4/epsilon
    assert conditions.equation_16(p).holds
    assert all(c.holds for c in (*conditions.lemma_2(p), *conditions.lemma_3(p), *conditions.printed_in_35(p)))


def test_without_the_hidden_condition_none_of_it_follows():
    # N = 1e40, one fast class of 1.256e29 and the rest .0724: Assumption 1 holds, N^alpha = 13.8 < 4/epsilon
    n, fast = 1e40, 1.256e29
    log_n = math.log(n)
    p = Parameters.of(
        n_servers=n, alpha=math.log(13.8) / log_n, places=10, mu_1=fast, mu_n1=fast, mu_n2=fast, slowest=0.0724, epsilon=4 / log_n
    )
    assert all(c.holds for c in conditions.assumption_1(p, "paper"))
    assert not conditions.hidden_sub(p)[0].holds
    assert not conditions.lemma_2(p)[0].holds
    assert not conditions.lemma_3(p)[0].holds
    assert not conditions.equation_16(p).holds


@settings(max_examples=300, deadline=None)
@given(st.floats(2, 250), st.floats(0.5, 0.95), st.integers(2, 20), st.integers(1, 4), st.floats(0, 10), st.floats(-5, 0))
def test_assumption_2_implies_what_lemma_4_needs(log10_n, alpha, places, order, log_mu, log_slow):
    p = Parameters.of(
        log_n=log10_n * LN10, alpha=alpha, places=places, order=order, mu_1=math.exp(log_mu), slowest=math.exp(log_slow)
    )
    assume(conditions.assumption_2(p)[0].holds)
    assert conditions.lemma_4(p)[0].factor >= 2
    assert all(c.holds for c in conditions.lemma_4_drift(p))
    assert all(c.holds for c in conditions.printed_in_35(p)[:2])  # 2/N^alpha <= eps, 20 log N <= sqrt N
    assert p.a / (p.n * (p.places - 1)) <= 1 / (p.places * p.log_n) * (1 + 1e-9)
    assert p.eta < p.places


def test_assumption_2_does_not_imply_that_epsilon_log_n_is_large():
    p = Parameters.of(n_servers=1e20, alpha=0.5, places=2, slowest=0.01)
    assert conditions.assumption_2(p)[0].holds
    assert not conditions.printed_in_35(p)[2].holds


def test_section_3_5s_condition_for_p_b_does_not_give_it_at_r_1():
    # 2 r k_sub log(17 N) <= X leaves 17 (2 k_sub / X) <= 17/log(17 N), not 1/N
    p = Parameters.of(n_servers=1e12, alpha=0.25, places=2)
    assert conditions.blocking_printed(p).holds
    assert 17 * (2 * p.k_sub / p.x) > 1 / p.n


def test_conditions_refuse_the_wrong_side():
    with pytest.raises(ModelError, match="Assumption 2"):
        conditions.assumption_2(Parameters.of(n_servers=1e4, alpha=0.25, places=2))
    with pytest.raises(ModelError, match="Lemma 3"):
        conditions.lemma_3(Parameters.of(n_servers=1e4, alpha=0.75, places=2))


def test_a_condition_shows_both_sides_and_the_factor():
    c = condition("3 <= nu", 3.0, 2.0, "Lemma 3")
    assert (c.left, c.right, c.holds) == (3.0, 2.0, False)
    assert c.factor == pytest.approx(2 / 3)
    assert condition("b - eta >= 1", 1.0, -2.0, "").factor == 0.0
    assert condition("eta < b", -1.0, 2.0, "").holds
    assert log_condition("far", 1000.0, 1001.0, "").factor == pytest.approx(math.e)
    assert not fact("ties", holds=False, source="").holds
    assert fact("ties", holds=True, source="").to_dict()["left"] is None
