"""Parameters: from a System and from numbers alike, and for fleets that grow."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jfsq_simpy import rates
from jfsq_simpy.errors import ModelError
from jfsq_simpy.system import System
from jfsq_simpy.theory import families
from jfsq_simpy.theory.geometry import Parameters


def test_from_a_system_by_hand():
    # 4 servers of 2, 6 of 1/3; alpha = log 2 / log 10: load 1/2, lambda N = 5: two fast carry 4, half of the third the rest
    system = System(rates.Rates(np.array([2.0, 1 / 3]), np.array([4, 6])), alpha=math.log10(2), places=3)
    p = Parameters.from_system(system)
    assert system.arrival_rate == pytest.approx(5)
    assert p.n2 == pytest.approx(2.5)
    assert (p.mu_1, p.mu_n2, p.mu_cut, p.slowest) == (2.0, 2.0, 2.0, pytest.approx(1 / 3))
    assert p.epsilon == pytest.approx(1 / 3)  # the slowest rate: below 1/2 and below (b - 1) mu_N2 / 3
    assert p.nu == pytest.approx(2 * 2 * 3)
    assert p.k_sub == pytest.approx(16 * p.nu * 3)
    assert p.x == pytest.approx(5)
    assert p.b == pytest.approx(2.5 + (1 - 1 / 48) * 5)
    assert p.regime == "sub-Halfin-Whitt"


@pytest.mark.parametrize(("alpha", "regime"), [(0.3, "sub-Halfin-Whitt"), (0.5, "Halfin-Whitt"), (0.8, "super-Halfin-Whitt")])
def test_regime_by_alpha_and_by_the_load_it_means(alpha, regime):
    n = 10_000
    assert Parameters.of(n_servers=n, alpha=alpha, places=2).regime == regime
    by_load = System(rates.homogeneous(n), load=1 - n**-alpha, places=2)
    assert Parameters.from_system(by_load).regime == regime


def test_default_epsilon_makes_lemma_3_hold_and_paper_does_not():
    system = System(rates.homogeneous(1000), alpha=0.25, places=2)
    assert Parameters.from_system(system).nu == pytest.approx(3)
    assert Parameters.from_system(system, epsilon="paper").nu == pytest.approx(2)


def test_capacity_facts_of_the_formula_sheet():
    # N - N2 <= X / eps (fractional N2), and mu_N2 <= lambda N / N2 for whole N2 >= 1
    rng = np.random.default_rng(1)
    for _ in range(200):
        n = int(rng.integers(2, 30))
        system = System(rates.from_speeds(rng.pareto(1.5, n) + 0.05), load=float(rng.uniform(0.1, 0.99)), places=2)
        floor, fractional = system.n2
        assert n - fractional <= system.spare_capacity / system.rates.slowest * (1 + 1e-9)
        if floor >= 1:
            assert system.rates.rate_of(floor - 1) <= system.arrival_rate / floor * (1 + 1e-9)


def test_with_the_fractional_n2_that_fact_is_false():
    # the sheet's counterexample: mu_1 = 10, mu_2 = .1, N2 = 1.9
    mu_n2, capacity, n2 = 0.1, 10 + 0.9 * 0.1, 1.9
    assert mu_n2 <= capacity / n2
    assert not capacity / n2 >= 10.0  # mu of the whole N2 = 1


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"alpha": 1.0}, "alpha"),
        ({"alpha": 0.0}, "alpha"),
        ({"places": 1}, "places"),
        ({"order": 0}, "order"),
        ({"order": 1.5}, "order"),
        ({"order": 201}, "up to 200"),
        ({"epsilon": 0.0}, "epsilon"),
        ({"n_servers": 1.0}, "N must"),
        ({"n_servers": None}, "exactly one"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, word):
    with pytest.raises(ModelError, match=word):
        Parameters.of(**({"n_servers": 100.0, "alpha": 0.25, "places": 2} | changes))


def test_a_system_the_paper_does_not_speak_about_is_refused_with_the_reason():
    with pytest.raises(ModelError, match="load"):
        Parameters.from_system(System(rates.homogeneous(10), load=1.2, places=2))
    with pytest.raises(ModelError, match="epsilon"):
        Parameters.from_system(System(rates.two_speed(10, ratio=3), alpha=0.25, places=2), epsilon=0.9)


# ---- families ------------------------------------------------------------------------------------------------

PAIRS = {
    "homogeneous": (lambda n: rates.homogeneous(n), families.HOMOGENEOUS),
    "two_speed": (lambda n: rates.two_speed(n, ratio=3, fast_share=0.25), families.two_speed(3, 0.25)),
    "linear": (lambda n: rates.linear(n, ratio=4), families.linear(4)),
    "geometric": (lambda n: rates.geometric(n, ratio=5), families.geometric(5)),
    "pareto": (lambda n: rates.pareto(n, shape=2.5), families.pareto(2.5)),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("alpha", [0.2, 0.4, 0.6])
def test_a_family_meets_its_profile_at_large_n(name, alpha):
    profile, family = PAIRS[name]
    n = 400_000
    system = System(profile(n), alpha=alpha, places=3)
    found = family.parameters(log_n=math.log(n), alpha=alpha, places=3)
    exact = Parameters.from_system(system)
    for field in ("mu_1", "mu_n1", "mu_n2", "slowest", "epsilon", "delta", "n2"):
        # a profile is a family up to steps of one server in N; Pareto's constant is a sum there, an integral here
        assert getattr(found, field) == pytest.approx(getattr(exact, field), rel=3e-3), field


def test_the_family_like_a_fleet_keeps_its_shares():
    fleet = rates.classes([600, 300, 100], [1.0, 1.5, 2.0])
    family = families.like(fleet)
    system = System(fleet, alpha=0.3, places=4)
    found = family.parameters(log_n=math.log(1000), alpha=0.3, places=4)
    exact = Parameters.from_system(system)
    assert found.n2 == pytest.approx(exact.n2, rel=1e-12)
    assert (found.mu_1, found.mu_n2) == pytest.approx((exact.mu_1, exact.mu_n2))


def test_a_fleet_of_many_speeds_is_put_together_and_stays_close():
    fleet = rates.linear(50_000, ratio=4)
    found = families.like(fleet).parameters(log_n=math.log(50_000), alpha=0.3, places=3)
    exact = Parameters.from_system(System(fleet, alpha=0.3, places=3))
    assert found.mu_1 == pytest.approx(exact.mu_1, rel=1e-9)
    assert (found.n2, found.mu_n2, found.slowest) == pytest.approx((exact.n2, exact.mu_n2, exact.slowest), rel=2e-3)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 0.99), st.sampled_from(sorted(PAIRS)))
def test_share_and_speed_agree(spare, name):
    # capacity of the slowest share(s) is s: integrate the speed curve numerically
    family = PAIRS[name][1]
    share = family.share(spare)
    x = 1 - share + share * (np.arange(20_000) + 0.5) / 20_000
    capacity = share * np.mean([family.speed(float(v), 1e5 if name != "pareto" else 200.0) for v in x])
    # Pareto's speed is unbounded at the fast end: the midpoint rule misses some of it when almost all is spare
    assert capacity == pytest.approx(spare, rel=2e-2 if name == "pareto" else 1e-3)


# ---- N1 and N2 -----------------------------------------------------------------------------------------------

FLEETS = {
    "homogeneous": rates.homogeneous(300),
    "linear": rates.linear(301, ratio=4),
    "two_speed": rates.two_speed(400, ratio=3, fast_share=0.25),
    "pareto": rates.pareto(250, shape=1.5),
    "two fast": rates.from_speeds([40.0, 3.0, *[1.0] * 20]),
}


@pytest.mark.parametrize("name", FLEETS)
@pytest.mark.parametrize("alpha", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("delta", [None, 0.05, 0.4])
def test_n1_and_n2_by_adding_servers_up_one_by_one(name, alpha, delta):
    fleet = FLEETS[name]
    system = System(fleet, alpha=alpha, places=3)
    p = Parameters.from_system(system, delta=delta)
    speeds = fleet.vector()

    def count(capacity):
        carried = whole = 0
        while whole < len(speeds) and carried + speeds[whole] <= capacity * (1 + 1e-12):
            carried += speeds[whole]
            whole += 1
        return whole, whole + (max(capacity - carried, 0.0) / speeds[whole] if whole < len(speeds) else 0.0)

    n1, n2 = count((1 - p.delta) * len(speeds)), count(system.arrival_rate)
    assert (p.n1_whole, p.n2_whole) == (n1[0], n2[0])
    assert (p.n1, p.n2) == pytest.approx((n1[1], n2[1]), rel=1e-9)
    assert (p.mu_n1, p.mu_n2) == pytest.approx((speeds[max(n1[0], 1) - 1], speeds[max(n2[0], 1) - 1]))
    assert p.mu_cut == pytest.approx(speeds[max(math.ceil(n2[1] - 1e-9), 1) - 1])
    if delta is None:
        assert p.delta == min(speeds[-1], 0.5) / 2
        assert system.n1().floor == p.n1_whole  # one N1 in metrics, figures and lemmas


def test_the_table_shows_n1_and_n2_with_and_without_fractions():
    table = Parameters.from_system(System(rates.linear(100, ratio=4), alpha=0.25, places=2)).table().set_index("symbol")["value"]
    for name in ("N1", "N2"):
        assert table[f"floor {name}"] == math.floor(table[name])
        assert 0 < table[name] < 100
