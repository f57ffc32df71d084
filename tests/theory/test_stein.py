"""Stein's method: derivatives numerically, E[G g] = 0 and (51) on every exact law, and from runs."""

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import exact, rates
from jfsq_simpy.errors import ModelError, PlanError
from jfsq_simpy.exact.states import units_of
from jfsq_simpy.simulate import simulate
from jfsq_simpy.system import System
from jfsq_simpy.tally import Observables
from jfsq_simpy.theory import stein_measured
from jfsq_simpy.theory.observables import observables
from jfsq_simpy.theory.stein import Stein, coupling, generator_of_g, state_law, state_law_of
from jfsq_simpy.theory.stein_measured import measured_coupling
from tests.theory import brute
from tests.theory.systems import SOLVED, law_of

BELOW_ONE = [c for c in SOLVED if law_of(c).system.load < 1]
ETAS, ORDERS = (0.2, 0.7, 1.0, 1.3), (1, 2, 3)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_g_solves_steins_equation_numerically(order):
    f = Stein(n_servers=50, n_alpha=4.0, eta=0.8, order=order)
    x, d = np.linspace(0.5, 1.6, 111) + 0.003, 1e-6
    slope = (f.g(x + d) - f.g(x - d)) / (2 * d)
    assert f.g_prime(x) == pytest.approx(slope, abs=1e-8)
    assert f.g_prime(x) * (-1 / f.n_alpha) == pytest.approx(f.h(x) ** order)  # equation (7)
    bend = (f.g_prime(x + d) - f.g_prime(x - d)) / (2 * d)
    away = np.abs(x - f.eta) > 1e-5
    assert f.g_second(x)[away] == pytest.approx(bend[away], abs=1e-6)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_lemma_6_and_7(order):
    f = Stein(n_servers=20, n_alpha=3.0, eta=1.0, order=order)
    near = np.linspace(1 - 2 / 20, 1 + 2 / 20, 401)
    assert np.abs(f.g_prime(near)).max() <= f.gradient_bound() * (1 + 1e-12)
    assert np.abs(f.g_prime(near)).max() >= 0.99 * f.gradient_bound()  # it is attained at the right end
    beyond = np.linspace(1.001, 3, 100)
    assert np.abs(f.g_second(beyond)) == pytest.approx(order * f.n_alpha * f.h(beyond) ** (order - 1))


def test_generator_against_the_one_built_from_the_definition():
    law = brute.solve([1.5, 1.0, 0.5], 2.1, 3)
    system = System(rates.from_speeds([1.5, 1.0, 0.5]), load=0.7, places=3)
    levels = (law.q[:, :, None] == np.arange(4)).astype(int)
    ours = state_law(system, levels, law.pi, units_of(system.rates, range(3)))
    for eta in (0.4, 1.0):
        f = Stein.of(system, eta, 2)
        assert generator_of_g(ours, eta, 2) == pytest.approx(law.generator @ f.g(law.q.mean(axis=1)), abs=1e-12)
    assert ours.blocked == pytest.approx(law.blocked)


@pytest.mark.parametrize("case", BELOW_ONE)
def test_stein_identity_and_51_on_every_exact_law(case):
    law = state_law_of(law_of(case))
    for eta in ETAS:
        for order in ORDERS:
            c = coupling(law, eta, order)
            assert abs(c.stein_identity) <= 1e-12 * max(c.generator_scale, 1e-300)
            assert c.by_generator == pytest.approx(c.moment, rel=1e-9, abs=1e-15)
            assert c.moment <= c.right_of_51 * (1 + 1e-12)
            assert c.right_of_51 <= c.right_of_12
            assert c.identity_holds
            assert c.holds


def test_the_identity_is_sharp_enough_to_see_a_wrong_law():
    law = law_of("05-jfsq-N3-b2")
    skewed = law.probabilities * (1 + 1e-6 * np.arange(law.n_states))
    ours = state_law(law.system, law.levels, skewed / skewed.sum(), law.units)
    assert not coupling(ours, 0.7, 1).identity_holds


@pytest.mark.parametrize("order", [1, 2, 3])
def test_each_term_by_hand(order):
    # three servers followed one by one; every line of (9) to (12) and (51) written out from the page
    rates_, lam_n, n, eta = np.array([1.5, 1.0, 0.5]), 2.1, 3, 0.8
    brute_law = brute.solve(rates_, lam_n, 3)
    system = System(rates.from_speeds(rates_), load=0.7, places=3)
    c = coupling(state_law_of(exact.solve(system)), eta, order)
    n_alpha, x = 1 / (1 - 0.7), brute_law.q.sum(axis=1) / n
    served = (brute_law.q >= 1) @ rates_

    def h(y):
        return np.where(y > eta, np.abs(y - eta), 0.0)

    def g(y):
        return -n_alpha * h(y) ** (order + 1) / (order + 1)

    def mean(values):
        return float(brute_law.pi @ values)

    assert c.moment == pytest.approx(mean(h(x) ** order))
    assert c.arrivals == pytest.approx(-mean(lam_n * (1 - brute_law.blocked) * (g(x + 1 / n) - g(x))))
    assert c.departures == pytest.approx(-mean(served * (g(x - 1 / n) - g(x))))
    first = mean(h(x) ** order)  # g' (-N^-alpha) = h^r
    assert c.by_generator == pytest.approx(first + c.arrivals + c.departures)
    inside = 0.7 + 1 / n_alpha - served / n
    assert c.collapse == pytest.approx(mean(n_alpha * h(x) ** order * inside * (x > eta + 1 / n)))
    assert c.remainder == pytest.approx(2 ** (order + 2) * n_alpha / n**order)
    assert c.sharp_remainder == pytest.approx(2 ** (order + 1) * n_alpha / n**order)
    below = h(x + 1 / n) ** (order - 1) if order > 1 else np.ones_like(x)
    assert c.lower_moment == pytest.approx(order / (n * 0.3) * mean(below))


def test_51_is_no_empty_inequality():
    # without the term that state-space collapse is there to bound, it is false
    law = state_law_of(law_of("13-jfsq-N15-b2"))
    assert any((c := coupling(law, eta, 2)).moment > c.sharp_remainder + c.lower_moment for eta in (0.1, 0.2, 0.5))


def test_overload_has_no_fluid():
    with pytest.raises(ModelError, match="load"):
        Stein.of(System(rates.homogeneous(3), load=1.0, places=2), 1.0, 1)


# ---- from a run ----------------------------------------------------------------------------------------------


FALSE_ALARM = 1e-6
WIDER = float(stats.t.isf(FALSE_ALARM / 2, 7) / stats.t.isf(0.025, 7))  # of 8 replications: 95 % intervals made 1 - 1e-6


def run_of(system, **plan):
    return simulate(system, engine="lockstep", rng=11, replications=8, warmup=30, workers=1, observe=observables(system), **plan)


def test_measured_terms_of_equal_servers_meet_the_exact_ones():
    system = System(rates.homogeneous(6), load=0.9, places=2)
    run = run_of(system, horizon=2500)
    truth = coupling(state_law_of(law_of("08-jfsq-N6-b2")), 0.8, 2)
    found = measured_coupling(run, 0.8, 2)
    for name in ("moment", "collapse", "lower_moment", "arrivals", "departures"):
        low, high, half, _ = getattr(found, name)
        assert low == high  # equal servers, single-state cells: a point
        assert abs(low - getattr(truth, name)) <= WIDER * half
        assert WIDER * half < 0.5 * abs(low)
    assert abs(found.generator.low) <= WIDER * found.generator.low_half_width
    assert WIDER * found.generator.low_half_width < 0.1 * truth.generator_scale
    assert found.holds


def test_unequal_servers_bracket_the_exact_terms():
    law = law_of("07-jfsq-N4-b2")
    run = run_of(law.system, horizon=2000)
    truth, found = coupling(state_law_of(law), 0.8, 1), measured_coupling(run, 0.8, 1)
    for name in ("moment", "collapse", "lower_moment", "arrivals", "departures"):
        low, high, half_low, half_high = getattr(found, name)
        assert low - WIDER * half_low <= getattr(truth, name) <= high + WIDER * half_high
    assert found.collapse.low < found.collapse.high
    g = found.generator
    assert g.low - WIDER * g.low_half_width <= 0 <= g.high + WIDER * g.high_half_width


@pytest.mark.parametrize("edges", [((0, 1, 3, 9), (0, 2, 5)), ((0, 2, 9), (0, 1, 3, 5)), (tuple(range(10)), tuple(range(6)))])
def test_every_state_lies_within_what_its_cell_says(edges):
    system = System(rates.from_speeds([2.0, 1.0, 0.5, 0.5]), load=0.8, places=3)
    cells = stein_measured._cells(system, Observables(joint=edges))
    law = brute.solve(system.rates.vector(), system.arrival_rate, 3)
    row = np.searchsorted(edges[0], law.waiting, side="right") - 1
    column = np.searchsorted(edges[1], 4 - law.busy, side="right") - 1
    found = {"queue": law.q.mean(axis=1), "capacity": (law.q > 0) @ law.rates}
    for name, value in found.items():
        low, high = (getattr(cells, f"{name}_{end}")[row, column] for end in ("low", "high"))
        assert (low <= value + 1e-12).all()
        assert (value <= high + 1e-12).all()
    # and no wider than they must be: where no job waits, the ends are taken by some state
    for i in range(len(edges[1]) - 1):
        inside = (row == 0) & (column == i)
        assert cells.capacity_low[0, i] == pytest.approx(found["capacity"][inside].min())
        assert cells.capacity_high[0, i] == pytest.approx(found["capacity"][inside].max())


def test_wide_cells_bracket_the_exact_terms():
    law = law_of("07-jfsq-N4-b2")
    run = simulate(
        law.system,
        horizon=600,
        engine="lockstep",
        rng=11,
        replications=8,
        warmup=30,
        workers=1,
        observe=Observables(joint=((0, 1, 3, 5), (0, 2, 5))),
    )
    truth, found = coupling(state_law_of(law), 0.8, 1), measured_coupling(run, 0.8, 1)
    for name in ("moment", "collapse", "lower_moment", "arrivals", "departures"):
        low, high, half_low, half_high = getattr(found, name)
        assert low - WIDER * half_low <= getattr(truth, name) <= high + WIDER * half_high
        assert low < high or name == "lower_moment"
    assert found.generator.may_be_zero
    assert found.holds


def test_what_was_not_counted_is_said():
    system = System(rates.homogeneous(4), load=0.8, places=2)
    bare = simulate(system, horizon=20, engine="lockstep", rng=1, replications=2, warmup=1, workers=1)
    with pytest.raises(PlanError, match="observe"):
        measured_coupling(bare, 0.8, 1)
    random = system.replaced(policy="random")
    with pytest.raises(PlanError, match="block"):
        measured_coupling(run_of(random, horizon=20), 0.8, 1)
