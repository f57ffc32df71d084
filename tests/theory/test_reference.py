"""Reference models against independent routes: exact arithmetic, recursions, exact laws, published tables."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import exact, rates
from jfsq_simpy.errors import ModelError, TooLargeError
from jfsq_simpy.simulate import simulate
from jfsq_simpy.system import System
from jfsq_simpy.theory.reference import curves, erlang, fluid, limits
from jfsq_simpy.theory.reference.pooled import bounds_it, jobs_law, pooled
from tests.theory.systems import SOLVED, law_of

# ---- Erlang --------------------------------------------------------------------------------------------------


def recursion(m: int, a: float, b: float = 1.0, start: int = 0) -> float:
    """B_k = a B / (k + a B), from any B at `start`."""
    for k in range(start + 1, m + 1):
        b = a * b / (k + a * b)
    return b


@pytest.mark.parametrize(
    ("m", "a"),
    [
        (0, 2.0),
        (1, 0.5),
        (10, 9.0),
        (100, 80.0),
        (100, 150.0),
        (10, 1000.0),
        (1000, 999.0),
        (50, 1e-3),
        (100_000, 99_000.0),
        (20_000, 40_000.0),
    ],
)
def test_erlang_b_is_the_recursion(m, a):
    assert erlang.erlang_b(m, a) == pytest.approx(recursion(m, a), rel=1e-12)


def test_erlang_b_at_a_billion_servers_lies_between_two_recursions():
    # the recursion forgets where it starts: from far below, B = 0 and B = 1 end at the same value
    m, a = 10**9, 1e9 - 1e5
    start = int(a - 15 * math.sqrt(a))
    low, high = recursion(m, a, 1e-12, start), recursion(m, a, 1.0, start)
    assert high == pytest.approx(low, rel=1e-11)
    assert erlang.erlang_b(m, a) == pytest.approx(low, rel=1e-11)


def test_log_b_where_b_underflows():
    assert erlang.log_erlang_b(1000, 1.0) == pytest.approx(-1 - math.lgamma(1001), rel=1e-12)  # a^m e^-a / m!


def test_erlang_c_and_halfin_whitt():
    assert erlang.erlang_c(1, 0.7) == pytest.approx(0.7)
    for n in (10**4, 10**6, 10**8):
        at_n = erlang.erlang_c(n, n - math.sqrt(n))
        assert abs(at_n - erlang.halfin_whitt_delay(1.0)) < 3 / math.sqrt(n)
    assert erlang.halfin_whitt_delay(1.0) == pytest.approx(0.2234, abs=5e-5)
    assert erlang.erlang_c(3, 4.0) == 1.0


def mmnk_by_fractions(n: int, k: int, load: Fraction) -> tuple[float, float, float]:
    w = [Fraction(1)]
    for j in range(1, k + 1):
        w.append(w[-1] * load / min(j, n))
    total = sum(w)
    return float(sum(w[n:]) / total), float(w[k] / total), float(sum((j - n) * w[j] for j in range(n, k + 1)) / total)


@pytest.mark.parametrize(
    ("n", "k", "load"),
    [
        (5, 12, Fraction(9, 2)),
        (5, 12, Fraction(5)),
        (5, 12, Fraction(5000001, 10**6)),
        (5, 12, Fraction(7)),
        (1, 1, Fraction(1, 2)),
        (3, 400, Fraction(2999, 1000)),
        (2, 200, Fraction(2)),
        (3, 600, Fraction(29999999, 10**7)),
    ],
)
def test_mmnk_by_exact_fractions(n, k, load):
    d = erlang.mmnk(n, k, float(load))
    assert (d.waiting_probability, d.blocking_probability, d.mean_waiting_jobs) == pytest.approx(
        mmnk_by_fractions(n, k, load), rel=1e-9
    )


@pytest.mark.parametrize("last", [65, 100, 1000])
@pytest.mark.parametrize("x", [-0.99, -0.3, 1e-9, 0.7])
def test_sums_of_powers_near_load_one_keep_all_their_digits(last, x):
    theta = x / last
    by_hand = math.fsum(t * math.exp(theta * t) for t in range(1, last + 1))
    assert erlang._by_euler_maclaurin(theta, last) == pytest.approx(by_hand, rel=1e-12)


def test_mmn_without_end():
    d = erlang.mmnk(2, math.inf, 1.0)
    assert d.waiting_probability == pytest.approx(1 / 3)
    assert d.mean_wait == pytest.approx(1 / 3)  # C / (N (1 - lambda))
    with pytest.raises(ModelError, match="load"):
        erlang.mmnk(2, math.inf, 2.0)
    with pytest.raises(ModelError, match="K >= N"):
        erlang.mmnk(3, 2, 1.0)


@pytest.mark.parametrize(("servers", "offered"), [(-1, 1.0), (2, 0.0), (2, math.nan), (math.inf, 1.0)])
def test_erlang_b_refuses_what_makes_no_sense(servers, offered):
    with pytest.raises(ModelError, match="Erlang B"):
        erlang.erlang_b(servers, offered)


# ---- the pooled queue ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [c for c in SOLVED if bounds_it(law_of(c).system)])
def test_pooled_queue_bounds_every_exact_law_from_below(case):
    law = law_of(case)
    below = pooled(law.system)
    for metric, value in below.metrics().items():
        assert value <= law[metric] * (1 + 1e-9) + 1e-300, metric
    tail = np.cumsum(jobs_law(law.system)[::-1])[::-1]
    ours = np.cumsum(law.jobs_distribution[::-1])[::-1]
    assert (tail <= ours * (1 + 1e-9) + 1e-15).all()


def test_equal_servers_take_the_closed_form():
    system = System(rates.homogeneous(7), load=0.9, places=3)
    n = np.arange(22)
    law = jobs_law(system)
    found = pooled(system)
    assert found.mean_jobs == pytest.approx(law @ n, rel=1e-12)
    assert found.mean_waiting_jobs == pytest.approx(law @ np.maximum(n - 7, 0), rel=1e-12)
    assert found.blocking_probability == pytest.approx(law[-1], rel=1e-12)


def test_pooled_queue_is_no_bound_on_p_w():
    # M/M/N at beta = 1 waits with probability .22; JSQ with b = 2 with .024 at N = 1000
    system = System(rates.homogeneous(1000), alpha=0.5, places=2)
    waits_pooled = erlang.mmnk(1000, 2000, system.arrival_rate).waiting_probability
    assert waits_pooled > 8 * exact.solve(system).waiting_probability
    assert "waiting_probability" not in pooled(system).metrics()


def test_pooled_queue_is_no_bound_for_policies_that_block_early():
    system = System(rates.from_speeds([1.5, 1.0, 0.5]), load=1.2, places=2, policy="random")
    assert not bounds_it(system)
    assert exact.solve(system).mean_jobs < pooled(system).mean_jobs


def test_a_pooled_queue_too_long_is_refused():
    with pytest.raises(TooLargeError, match="states"):
        pooled(System(rates.two_speed(10**9, ratio=2), load=0.9, places=2))


# ---- limits --------------------------------------------------------------------------------------------------


def test_exact_systems_near_their_fluid_limits():
    # two speeds, load .7, b = 2: JSQ nears 1.07056 from above, JFSQ nears 2/3 slowly
    assert fluid.blind(rates.two_speed(100, ratio=3), 0.7) == pytest.approx(1.07056, abs=5e-6)
    gaps = {"jsq": [], "jfsq": []}
    for n in (10, 20):
        for name, gap in gaps.items():
            system = System(rates.two_speed(n, ratio=3), load=0.7, places=2, policy=name)
            gap.append(exact.solve(system).mean_response - fluid.mean_response(system))
    assert (gaps["jsq"][1], gaps["jfsq"][1]) == pytest.approx((1.1540 - 1.07056, 0.9202 - 2 / 3), abs=1e-4)
    assert 0 < gaps["jsq"][1] < 0.6 * gaps["jsq"][0]
    assert 0.6 * gaps["jfsq"][0] < gaps["jfsq"][1] < 0.9 * gaps["jfsq"][0]  # like 1 / sqrt N


def test_blind_fluid_by_bisection_on_its_equation():
    share, mu, load = np.array([0.25, 0.75]), np.array([2.2, 0.6]), 0.55
    fleet = rates.Rates(mu, np.array([250, 750]))
    low, high = 1e-6, 1e6
    for _ in range(200):
        h = math.sqrt(low * high)
        low, high = (h, high) if share @ (mu * h / (h + mu)) < load else (low, h)
    assert fluid.blind(fleet, load) == pytest.approx(share @ (h / (h + mu)) / load, rel=1e-10)


def test_gamma_limit_is_neared_by_exact_systems():
    limit = limits.jsq_gamma()
    found = []
    for n in (1000, 4000):
        law = exact.solve(System(rates.homogeneous(n), alpha=0.75, places=2))
        found.append((law.mean_jobs - n) / n**0.75)
    assert found[0] == pytest.approx(1.4623, abs=5e-5)
    assert abs(found[1] - limit.mean) < abs(found[0] - limit.mean)
    assert limit.tail(1.5) == pytest.approx((1 + 1.5) * math.exp(-1.5))
    assert limit.tail(1.5) == pytest.approx(stats.gamma.sf(1.5, 2.0))


def test_the_conjecture_is_the_theorem_for_equal_servers_and_says_so_otherwise():
    assert limits.gamma_conjecture(rates.homogeneous(10)).proved
    assert limits.gamma_conjecture(rates.homogeneous(10)).shape == limits.jsq_gamma().shape
    unequal = limits.gamma_conjecture(rates.two_speed(10, ratio=3))
    assert not unequal.proved
    assert (unequal.shape, unequal.waiting_constant) == pytest.approx((4 / 3, 2.0))
    assert limits.gamma_conjecture(rates.two_speed(10, ratio=3), "jsq").shape == pytest.approx(2.667, abs=1e-3)
    with pytest.raises(ModelError, match="conjecture"):
        limits.gamma_conjecture(rates.homogeneous(3), "random")


@pytest.mark.verify
def test_simulation_nears_the_conjecture_for_two_speeds():
    # speeds 1.5 and .5, alpha = 3/4: the scaled mean rises from N = 100 to 1000 towards 4/3, and p_W X towards 2.
    # Ten replications of 600 (50) relaxation times: the differences are many standard errors wide
    limit = limits.gamma_conjecture(rates.two_speed(100, ratio=3))
    means, waits = [], []
    for n in (100, 1000):
        system = System(rates.two_speed(n, ratio=3), alpha=0.75, places=10)
        run = simulate(system, horizon=30_000, warmup=3000, replications=10, rng=1, workers=1)
        means.append(((run.mean_jobs.low - n) / n**0.75, (run.mean_jobs.high - n) / n**0.75))
        p_w = run.waiting_probability
        waits.append((p_w.low * system.spare_capacity, p_w.high * system.spare_capacity))
    assert means[0][1] < means[1][0]
    assert means[1][1] < limit.mean
    assert waits[0][1] < waits[1][0]
    assert waits[1][1] < limit.waiting_constant


@pytest.mark.parametrize(("n", "ratio"), [(100, 1.0923), (1000, 1.0290), (4000, 1.0151)])
def test_p_w_below_halfin_whitt_is_erlangs_loss(n, ratio):
    system = System(rates.homogeneous(n), alpha=0.25, places=2)
    found = exact.solve(system).waiting_probability / limits.loss_curve(system)
    assert found == pytest.approx(ratio, abs=5e-4 if n < 4000 else 5e-3)


def test_p_w_at_ten_thousand_servers_has_all_its_digits():
    # 2e-26: nothing is subtracted on the way
    system = System(rates.homogeneous(10_000), alpha=0.25, places=2)
    b = limits.loss_curve(system)
    n, load = 10_000, system.load
    assert b == pytest.approx(math.exp(-n * (load - 1 - math.log(load))) / math.sqrt(2 * math.pi * n), rel=1e-3)
    assert exact.solve(system).waiting_probability == pytest.approx(2.1111e-26, rel=1e-4)


def test_ordered_entry_against_index_ties():
    # seven equal servers filled in order with one place each: no waiting at all, so the formula is exact
    system = System(rates.homogeneous(7), load=0.6, places=1, policy={"name": "jfsq", "ties": "index"})
    law = exact.solve(system, form="servers")
    idle = (law.queue_lengths == 0).T @ law.probabilities
    for m in range(1, 8):
        # jobs beyond the seventh are lost, so only the first few see the full stream; all m do
        assert idle[:m].sum() == pytest.approx(limits.ordered_idle(m, system.arrival_rate), rel=1e-10)
    assert limits.ordered_idle(8000, 9000.0) == pytest.approx(7.86, abs=5e-3)
    assert limits.ordered_idle(9000, 9000.0) == pytest.approx(math.sqrt(2 * 9000 / math.pi), rel=0.01)


def test_halfin_whitt_idle_servers_are_beta_root_n():
    law = exact.solve(System(rates.homogeneous(2500), alpha=0.5, places=2))
    assert (2500 - law.mean_busy) / 50 == pytest.approx(1.0, abs=1e-9)


# ---- as curves -----------------------------------------------------------------------------------------------


def test_curves_speak_only_where_they_apply():
    equal = System(rates.homogeneous(100), alpha=0.25, places=2)
    kinds = {(c.metric, c.kind) for c in curves(equal)}
    assert ("waiting_probability", "limit") in kinds
    assert ("blocking_probability", "lower bound") in kinds
    assert ("waiting_probability", "lower bound") not in kinds
    unequal = System(rates.two_speed(100, ratio=3), alpha=0.75, places=2)
    assert {c.kind for c in curves(unequal) if c.metric == "waiting_probability"} == {"conjecture"}
    deterministic = equal.replaced(size="deterministic")
    assert {c.metric for c in curves(deterministic)} <= {"mean_response"}
    index = equal.replaced(policy={"name": "jfsq", "ties": "index"})
    assert {"idle_among_n1", "idle_among_n2"} <= {c.metric for c in curves(index)}
