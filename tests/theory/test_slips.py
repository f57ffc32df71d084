"""Slips that need a state or a fleet to show them: what a proof gives, what the text says of it, and a case between."""

import math

import numpy as np
import pytest

from jfsq_simpy import rates
from jfsq_simpy.exact.states import units_of
from jfsq_simpy.system import System
from jfsq_simpy.theory import conditions, states
from jfsq_simpy.theory.geometry import Parameters
from jfsq_simpy.theory.reference.limits import boundary_excess


def on_the_good_event(system: System, p: Parameters):
    """Every state with V <= T and a mean queue above eta + 1/N: E_1 and E_sub, (13) and (14), together."""
    n = system.n_servers
    every = states.every_state(units_of(system.rates), system.places)
    v = np.minimum(states.waiting(every) - p.a, p.b - states.busy(every))
    return every[(v <= p.threshold) & (states.jobs(every) / n > p.eta + 1 / n)]


@pytest.mark.parametrize(
    "system",
    [
        System(rates.homogeneous(60), alpha=0.25, places=2),
        System(rates.two_speed(20, ratio=3), alpha=0.25, places=2),
        System(rates.homogeneous(25), alpha=0.4, places=4),
    ],
)
def test_servers_busy_on_the_good_event_are_those_of_15(system):
    p = Parameters.from_system(system)
    busy = states.busy(on_the_good_event(system, p))
    assert p.n2 + p.x / (8 * p.nu) <= busy.min() < p.n2 + p.x / (8 * p.nu) + 2


def test_and_not_those_of_the_text():
    # after Lemma 4 it says N2 + X/(2 nu): in a fleet large enough for whole servers to tell the two apart
    system = System(rates.homogeneous(60), alpha=0.25, places=2)
    p = Parameters.from_system(system)
    assert states.busy(on_the_good_event(system, p)).min() < p.n2 + p.x / (2 * p.nu) - 2


def test_the_other_events_of_section_3_4_with_any_a():
    # (22)-(24): where V <= T and the mean queue is above eta + 1/N, eta = 1 + A/N, at most T idle and capacity N - mu_1 T
    fleet = rates.two_speed(8, ratio=3)
    every = states.every_state(units_of(fleet), 4)
    a, threshold = 3.0, 2.0
    waiting, idle = states.waiting(every), 8 - states.busy(every)
    good = every[(np.minimum(waiting - a, idle) <= threshold) & (states.jobs(every) > 8 + a + 1)]
    assert (8 - states.busy(good)).max() == threshold
    assert states.capacity(good, units_of(fleet)).min() >= 8 - fleet.fastest * threshold


def test_the_display_of_35_is_false_where_assumption_1_holds():
    # N = 10^20, alpha = .1: slow servers of rate 1/2, the fast ones carry the load exactly; Erlang's formula alone
    n, alpha, slow = 1e20, 0.1, 0.5
    spare = n ** (1 - alpha)
    fast = n - spare / slow
    rate = (n - spare) / fast
    p = Parameters.of(n_servers=n, alpha=alpha, places=2, mu_1=rate, mu_n1=rate, mu_n2=rate, slowest=slow, epsilon=slow, n2=fast)
    assert all(c.holds for c in conditions.assumption_1(p, "paper"))
    assert boundary_excess(round(fast), rate, slow) > 10_000 * (34 * p.k_sub + p.log_n) * p.n_alpha


@pytest.mark.parametrize(("alpha", "log10_n"), [(0.05, 7.93), (0.1, 8.61), (0.2, 11.5), (0.25, 13.8)])
def test_from_where_on_the_display_breaks(alpha, log10_n):
    def ratio(log10):
        n = 10**log10
        spare = n ** (1 - alpha)
        fast = n - spare / 0.5
        rate = (n - spare) / fast
        p = Parameters.of(n_servers=n, alpha=alpha, places=2, mu_n2=rate, slowest=0.5, epsilon=0.5)
        return boundary_excess(round(fast), rate, 0.5) / ((34 * p.k_sub + p.log_n) * p.n_alpha)

    assert ratio(log10_n - 0.05) < 1 < ratio(log10_n + 0.05)


def test_assumption_1_as_printed_does_not_give_16():
    # 2 log^2 N where Lemma 1 has 8: ten places, slow servers of rate .05, N^alpha = 4/epsilon, mu_1 as large as printed
    n, b, eps = 1e60, 10, 0.05
    alpha, log_n = math.log(4 / eps) / math.log(n), math.log(n)
    fastest = n ** (1 - alpha) * eps**2 / (64 * b * (2 * log_n**2 + 3)) * (1 - 1e-9)
    p = Parameters.of(n_servers=n, alpha=alpha, places=b, mu_1=fastest, mu_n1=4 / 3, mu_n2=4 / 3, slowest=eps, epsilon=eps)
    assert all(c.holds for c in conditions.assumption_1(p, "paper"))
    assert conditions.hidden_sub(p)[0].holds
    assert conditions.equation_16(p, "paper").factor > 3
    assert conditions.equation_16(p).factor < 0.9
    assert not all(c.holds for c in conditions.assumption_1(p))  # as corrected it asks for a fastest rate four times smaller
