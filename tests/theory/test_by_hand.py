"""Every formula once more, written out from the paper's text for unequal servers, where no two rates are alike.

The reference values elsewhere are of equal servers, where mu_1 = mu_N1 = mu_N2 = 1 and one rate in another's place
would not show. Nothing here calls the package for an intermediate value.
"""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from jfsq_simpy.theory import conditions, lemmas, moments, waiting
from jfsq_simpy.theory.geometry import Parameters
from jfsq_simpy.theory.statements import statements


@dataclass(frozen=True)
class Fleet:
    """Plain numbers, in the paper's letters."""

    N: float
    a: float
    b: int
    r: int
    mu1: float
    muN1: float
    muN2: float
    cut: float
    eps: float
    delta: float
    N2: float

    @property
    def parameters(self) -> Parameters:
        return Parameters.of(
            n_servers=self.N,
            alpha=self.a,
            places=self.b,
            order=self.r,
            mu_1=self.mu1,
            mu_n1=self.muN1,
            mu_n2=self.muN2,
            mu_cut=self.cut,
            slowest=self.eps * 1.25,
            epsilon=self.eps,
            delta=self.delta,
            n2=self.N2,
        )

    @property
    def L(self) -> float:
        return math.log(self.N)

    @property
    def X(self) -> float:
        return self.N ** (1 - self.a)

    @property
    def Na(self) -> float:
        return self.N**self.a

    @property
    def lamN(self) -> float:
        return self.N - self.X

    @property
    def nu(self) -> float:
        return (self.b - 1) * self.muN2 / self.eps

    @property
    def ksub(self) -> float:
        return 16 * (self.b - 1) * self.muN2 / self.eps**2

    @property
    def ksuper(self) -> float:
        return 24 * self.r * (self.b - 1) * self.mu1 / self.eps


SUB = (
    Fleet(N=4e6, a=0.2, b=3, r=2, mu1=6.0, muN1=2.5, muN2=0.7, cut=0.55, eps=0.2, delta=0.1, N2=3.1e6),
    Fleet(N=2e9, a=0.35, b=6, r=1, mu1=30.0, muN1=1.7, muN2=1.1, cut=0.9, eps=0.4, delta=0.2, N2=1.7e9),
    Fleet(N=700.0, a=0.4, b=2, r=3, mu1=1.9, muN1=1.4, muN2=1.2, cut=0.8, eps=0.35, delta=0.15, N2=601.25),
)
SUPER = (
    Fleet(N=5e9, a=0.55, b=3, r=2, mu1=6.0, muN1=2.5, muN2=0.7, cut=0.55, eps=0.2, delta=0.1, N2=4.1e9),
    Fleet(N=3e7, a=0.8, b=5, r=1, mu1=2.2, muN1=1.7, muN2=1.1, cut=0.9, eps=0.7, delta=0.2, N2=2.99e7),
    Fleet(N=900.0, a=0.5, b=2, r=3, mu1=1.9, muN1=1.4, muN2=0.9, cut=0.8, eps=0.35, delta=0.15, N2=866.5),
)
P_B = 3e-4


def tail(ratio: float, steps: float) -> float:
    """log of (1 / (1 + ratio))^steps, a number no larger than 1."""
    return steps * math.log(1 / (1 + ratio))


# ---- geometry ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", SUB)
def test_geometry_below_halfin_whitt(f: Fleet) -> None:
    p = f.parameters
    B = f.N2 + (1 - 1 / (4 * f.nu)) * f.X
    assert (p.x, p.n_alpha, p.arrival_rate) == pytest.approx((f.X, f.Na, f.lamN), rel=1e-12)
    assert (p.nu, p.k_sub, p.k, p.c_0) == pytest.approx((f.nu, f.ksub, f.ksub, 1 - 3 / (4 * f.nu)), rel=1e-12)
    assert (p.a, p.b, p.eta) == pytest.approx((0.0, B, f.N2 / f.N + (1 - 4 / (f.ksub * f.eps)) / f.Na), rel=1e-12)  # (1)
    assert p.threshold == pytest.approx((1 - 3 / (8 * f.nu)) * f.X, rel=1e-12)
    assert p.drift_start == pytest.approx((1 - 3 / (4 * f.nu)) * f.X, rel=1e-12)


@pytest.mark.parametrize("f", SUPER)
def test_geometry_above(f: Fleet) -> None:
    p = f.parameters
    assert (p.k_super, p.k, p.c_1) == pytest.approx((f.ksuper, f.ksuper, 1 / (6 * f.mu1)), rel=1e-12)
    assert (p.a, p.b) == pytest.approx((f.ksuper * f.Na * f.L, f.N), rel=1e-12)  # (6)
    assert p.eta == pytest.approx(1 + f.ksuper * f.L / f.X, rel=1e-12)  # (2)
    assert p.threshold == pytest.approx(f.X / (2 * f.mu1), rel=1e-12)  # (22)
    assert p.drift_start == pytest.approx(f.X / (6 * f.mu1), rel=1e-12)


# ---- lemmas --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", SUB + SUPER)
def test_lemmas_1_and_2(f: Fleet) -> None:
    p = f.parameters
    assert lemmas.lemma_1_threshold(p) == pytest.approx(1 + 8 * f.L**2, rel=1e-12)
    assert lemmas.lemma_1_log_tail(p, "statement") == pytest.approx(-f.delta * f.L**2, rel=1e-12)
    assert lemmas.lemma_1_log_tail(p, "exact") == pytest.approx(tail(f.delta / 2, 4 * f.L**2), rel=1e-12)
    assert lemmas.lemma_1_log_tail(p, "whole") == pytest.approx(tail(f.delta / 2, int(4 * f.L**2)), rel=1e-12)
    assert lemmas.lemma_2_threshold(p) == pytest.approx(5 * f.N**0.5 * f.L, rel=1e-12)
    assert lemmas.lemma_2_log_tail(p, "statement") == pytest.approx(-f.eps * f.L**2, rel=1e-12)
    pull = f.muN2 * f.N**0.5 * f.L / f.N
    assert lemmas.lemma_2_log_tail(p, "exact") == pytest.approx(tail(pull, 2 * f.N**0.5 * f.L), rel=1e-9)
    assert lemmas.lemma_2_log_tail(p, "whole") == pytest.approx(tail(pull, int(2 * f.N**0.5 * f.L)), rel=1e-9)


@pytest.mark.parametrize("f", SUB)
def test_lemma_3(f: Fleet) -> None:
    p, per_job = f.parameters, f.eps / (f.b - 1)
    c0 = 1 - 3 / (4 * f.nu)
    case_1, case_2, paper = per_job * c0 * f.X, (per_job * c0 - f.muN2 / (2 * f.nu)) * f.X, per_job * f.X / 4
    assert lemmas.gammas(p) == pytest.approx((case_1, case_2, paper), rel=1e-12)
    steps = (1 - c0) / 4 * f.X
    assert lemmas.collapse_log_tail(p, "statement") == pytest.approx(-2 * f.r * f.L, rel=1e-12)
    outside = (f.N / paper + 1) * math.exp(-f.eps * f.L**2)
    proof = math.exp(-2 * (f.r + 1) * f.L) + outside
    assert math.exp(lemmas.collapse_log_tail(p, "proof")) == pytest.approx(proof, rel=1e-10)
    assert lemmas.collapse_log_tail(p, "paper gamma") == pytest.approx(tail(paper / f.N, steps), rel=1e-9)
    assert lemmas.collapse_log_tail(p, "exact") == pytest.approx(tail(case_2 / f.N, steps), rel=1e-9)
    assert lemmas.collapse_log_tail(p, "whole") == pytest.approx(tail(case_2 / f.N, int(steps)), rel=1e-9)


@pytest.mark.parametrize("f", SUPER)
def test_lemma_4(f: Fleet) -> None:
    p, per_job = f.parameters, f.eps / (f.b - 1)
    A, c1 = f.ksuper * f.Na * f.L, 1 / (6 * f.mu1)
    pull = per_job * (c1 * f.X + A)
    assert lemmas.gammas(p) == pytest.approx((pull, pull - f.X, per_job * A / 2), rel=1e-12)
    assert lemmas.collapse_log_tail(p, "statement") == pytest.approx(-2 * f.r * f.L, rel=1e-12)
    assert lemmas.collapse_log_tail(p, "proof") == pytest.approx(-f.r * f.L, rel=1e-12)
    ratio = per_job * A / 2 / f.N
    assert lemmas.collapse_log_tail(p, "exact") == pytest.approx(tail(ratio, c1 * f.X), rel=1e-9)
    assert lemmas.collapse_log_tail(p, "whole") == pytest.approx(tail(ratio, int(c1 * f.X)), rel=1e-9)
    assert lemmas.unreachable(p) == (max(min((f.b - 1) * y - A, f.N - y) for y in (0, f.N, (A + f.N) / f.b)) < f.X / (2 * f.mu1))


@pytest.mark.parametrize("seed", range(20))
def test_v_is_called_unreachable_exactly_when_no_number_of_busy_servers_takes_it_there(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, b, alpha = float(rng.integers(2, 3000)), int(rng.integers(2, 4)), math.exp(rng.uniform(math.log(0.02), math.log(0.8)))
    p = Parameters.of(n_servers=n, alpha=alpha, places=b, mu_1=float(rng.uniform(1, 3)), slowest=float(rng.uniform(0.1, 1)))
    busy = np.linspace(0, max(p.b, 1.0), 400_001)
    highest = np.minimum((b - 1) * busy - p.a, p.b - busy).max()
    assert abs(highest / p.threshold - 1) > 1e-4, "too close to tell"
    assert lemmas.unreachable(p) == (highest < p.threshold)


# ---- Theorem 2 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", SUB)
def test_theorem_2_below_halfin_whitt(f: Fleet) -> None:
    p, r = f.parameters, f.r
    by_hand, first = 1.0, f.ksub * 10 / f.X + f.ksub / f.X
    for j in range(1, r + 1):
        by_hand = f.ksub * (2 ** (j + 2) + 2) / f.N ** (j - f.a) + f.ksub * j / f.N ** (1 - f.a) * by_hand
    assert moments.moment_bound(p, "recursion") == pytest.approx(by_hand, rel=1e-10)
    assert moments.moment_bound(p, "statement") == pytest.approx((f.ksub / f.X) ** r, rel=1e-10)
    assert moments.moment_bound(p, "proof") == pytest.approx(17 * (2 * f.ksub * r / f.X) ** r, rel=1e-10)
    assert moments.moment_bound(p, "corrected") == pytest.approx(11 * (f.ksub * r / f.X) ** r, rel=1e-10)
    eta = f.N2 / f.N + (1 - 1 / (4 * f.nu)) / f.Na
    for variant, excess in (("statement", f.ksub / f.X), ("proof", 34 * f.ksub / f.X), ("recursion", first)):
        assert moments.mean_queue_bound(p, variant) == pytest.approx(eta + excess, rel=1e-10)


@pytest.mark.parametrize("f", SUPER)
def test_theorem_2_above(f: Fleet) -> None:
    p, r = f.parameters, f.r
    by_hand = 1.0
    for j in range(1, r + 1):
        by_hand = (2 + 2 ** (j + 3)) / f.N ** (j - f.a) + 2 * j / f.N ** (1 - f.a) * by_hand
    assert moments.moment_bound(p, "recursion") == pytest.approx(by_hand, rel=1e-10)
    assert moments.moment_bound(p, "statement") == pytest.approx(10 * (2 * r / f.X) ** r, rel=1e-10)
    assert moments.moment_bound(p, "proof") == pytest.approx(32 * (2 * r / f.X) ** r, rel=1e-10)
    k1 = f.ksuper / r  # E[mean queue] takes r = 1
    assert moments.mean_queue_bound(p, "statement") == pytest.approx(1 + (k1 * f.L + 20) / f.X, rel=1e-10)
    assert moments.mean_queue_bound(p, "recursion") == pytest.approx(1 + (k1 * f.L + 20) / f.X, rel=1e-10)
    assert moments.mean_queue_bound(p, "proof") == pytest.approx(1 + (k1 * f.L + 64) / f.X, rel=1e-10)


# ---- section 3.5 and Theorem 1 -------------------------------------------------------------------------------


@pytest.mark.parametrize("f", SUB)
def test_section_35_below_halfin_whitt(f: Fleet) -> None:
    p, root = f.parameters, 6 * f.N**0.5 * f.L
    paper = (34 * f.ksub + f.L) * f.Na + root
    kept = (1 - 1 / (4 * f.nu)) * f.X + 11 * f.ksub * f.Na
    waiting_jobs = {"paper": paper, "corrected": kept + root, "identity": kept + f.lamN * P_B / f.cut}
    for variant, jobs in waiting_jobs.items():
        assert waiting.waiting_jobs(p, variant, P_B) == pytest.approx(jobs, rel=1e-10)
        assert waiting.mean_wait(p, variant, P_B) == pytest.approx(jobs / (f.lamN * (1 - P_B)), rel=1e-10)
        if variant != "paper":
            assert waiting.waiting_probability(p, variant, P_B) == pytest.approx(f.mu1 * jobs / f.lamN + P_B, rel=1e-10)
    printed = (4 * (34 * f.ksub + f.L) * f.Na + 24 * f.N**0.5 * f.L + 1) / f.N
    assert waiting.waiting_probability(p, "paper") == pytest.approx(printed, rel=1e-10)
    room = f.b - (f.N2 / f.N + (1 - 1 / (4 * f.nu)) / f.Na)
    assert waiting.blocking_probability(p, "paper") == pytest.approx(17 * (2 * f.ksub * f.r / (room * f.X)) ** f.r, rel=1e-10)
    assert waiting.mean_wait_order(p, "paper") == pytest.approx(1 / f.Na + f.ksub / f.X, rel=1e-10)
    assert waiting.mean_wait_order(p) == pytest.approx(1 / f.Na + f.ksub / f.X, rel=1e-10)
    assert waiting.waiting_probability_order(p, "paper") == pytest.approx(f.ksub / f.X + f.L / f.N**0.5, rel=1e-10)
    assert waiting.waiting_probability_order(p) == pytest.approx(f.mu1 * (1 / f.Na + f.ksub / f.X), rel=1e-10)
    assert waiting.order_exponent(p) == f.a


@pytest.mark.parametrize("f", SUPER)
def test_section_35_above(f: Fleet) -> None:
    p, k1 = f.parameters, f.ksuper / f.r
    A = k1 * f.Na * f.L
    paper = f.X / f.mu1 + 2 * A + 64 * f.Na + 1  # (27)
    tight = f.X / (2 * f.mu1) + A + 20 * f.Na + 1
    waiting_jobs = {"paper": paper, "corrected": tight, "identity": A + 20 * f.Na + (f.X + f.lamN * P_B) / f.eps}
    for variant, jobs in waiting_jobs.items():
        assert waiting.waiting_jobs(p, variant, P_B) == pytest.approx(jobs, rel=1e-10)
        assert waiting.mean_wait(p, variant, P_B) == pytest.approx(jobs / (f.lamN * (1 - P_B)), rel=1e-10)
        name = "mu_1 paper" if variant == "paper" else variant
        assert waiting.waiting_probability(p, name, P_B) == pytest.approx(f.mu1 * jobs / f.lamN + P_B, rel=1e-10)
    printed = (4 * f.X / f.mu1 + 8 * A + 256 * f.Na + 5) / f.N
    assert waiting.waiting_probability(p, "paper") == pytest.approx(printed, rel=1e-10)
    assert waiting.blocking_probability(p, "paper") == pytest.approx(32 * (2 * f.r / f.X) ** f.r, rel=1e-10)
    assert waiting.mean_wait_order(p, "paper") == pytest.approx(f.ksuper * f.L / f.X + f.L / f.N**0.5, rel=1e-10)
    assert waiting.mean_wait_order(p) == pytest.approx(f.ksuper * f.L / f.X, rel=1e-10)
    assert waiting.waiting_probability_order(p, "paper") == pytest.approx(f.ksuper * f.L / f.X, rel=1e-10)
    assert waiting.waiting_probability_order(p) == pytest.approx(f.mu1 * f.ksuper * f.L / f.X, rel=1e-10)
    assert waiting.order_exponent(p) == pytest.approx(1 - f.a)


def test_p_b_is_the_best_markov_inequality() -> None:
    # eta < b only where N is large; M_1, M_2, ... and their etas by hand
    N, a, b, mu1, eps = 1e16, 0.5, 3, 1.5, 0.8
    L, X = math.log(N), N ** (1 - a)
    by_order, moment = [], 1.0
    for r in range(1, 13):
        moment = (2 + 2 ** (r + 3)) / N ** (r - a) + 2 * r / X * moment
        room = b - (1 + 24 * r * (b - 1) * mu1 / eps * L / X)
        met = mu1 / eps <= X / (24 * r * b * L**2)
        by_order.append(moment / room**r if met and room > 0 else math.inf)
    p = Parameters.of(n_servers=N, alpha=a, places=b, mu_1=mu1, slowest=eps)
    assert waiting.blocking_probability(p) == pytest.approx(min(by_order), rel=1e-9)
    assert min(by_order) < by_order[0]


def test_p_b_takes_no_moment_whose_conditions_fail_where_another_has_them() -> None:
    # N = 10^9, alpha = 1/2, b = 2: Assumption 2 holds for r = 1 (from 10^8.54 on) and not for r = 2 (10^9.28)
    N, L = 1e9, math.log(1e9)
    X = N**0.5
    first = 20 / X / (1 - 24 * L / X)
    second = ((2 + 32) / N**1.5 + 4 / X * 20 / X) / (1 - 48 * L / X) ** 2
    p = Parameters.of(n_servers=N, alpha=0.5, places=2)
    assert second < first
    assert waiting.blocking_probability(p) == pytest.approx(first, rel=1e-9)


# ---- conditions: both sides ----------------------------------------------------------------------------------


def sides(found: conditions.Condition) -> tuple[float, float]:
    return found.left, found.right


@pytest.mark.parametrize("f", SUB)
def test_conditions_below_halfin_whitt(f: Fleet) -> None:
    p = f.parameters
    for reading, count in (("paper", 2), ("corrected", 8)):
        expected = [
            (2 * (f.r + 1) / f.L, f.eps),
            (27 * (f.r + 1) * f.b * f.L / f.N ** (0.25 - 0.5 * f.a), f.eps),
            (f.eps, 0.5),
            (f.mu1 / f.eps**2, f.X / (64 * f.b * (count * f.L**2 + 3))),
        ]
        assert [sides(c) for c in conditions.assumption_1(p, reading)] == [pytest.approx(e, rel=1e-9) for e in expected]
        fast_idle, others = (2, 3) if reading == "paper" else (8, 5)
        left = f.ksub * (f.muN2 + f.mu1 * (fast_idle * f.L**2 + 1) + others * f.muN1 * f.N**0.5 * f.L)
        assert sides(conditions.equation_16(p, reading)) == pytest.approx((left, f.X), rel=1e-9)
    expected = [
        (128 * (f.r + 1) * (f.b - 1) ** 2 * f.muN2 * f.L / f.eps**2, f.N ** (1 - 2 * f.a)),
        (2 * (f.r + 1) / f.L, f.eps),
        (4 * (f.b - 1) / f.eps + 2, f.X),
    ]
    assert [sides(c) for c in conditions.lemma_3(p)] == [pytest.approx(e, rel=1e-9) for e in expected]
    assert sides(conditions.lemma_3_drift(p)[1]) == pytest.approx((1, (1 - 3 / (4 * f.nu)) * f.X), rel=1e-9)
    assert conditions.lemma_3_drift(p)[0].holds == (f.nu > 1.5)
    assert sides(conditions.nu_at_least_3(p)) == pytest.approx((3, f.nu), rel=1e-9)
    assert sides(conditions.geometric_sum(p)) == pytest.approx((f.ksub * f.r / 4, f.X), rel=1e-9)
    assert sides(conditions.blocking_printed(p)) == pytest.approx((2 * f.r * f.ksub * math.log(17 * f.N), f.X), rel=1e-9)
    hidden = {c.name: sides(c) for c in conditions.hidden_sub(p)}
    assert hidden["4/epsilon <= N^alpha"] == pytest.approx((4 / f.eps, f.Na), rel=1e-9)
    assert hidden["b^r <= N"] == pytest.approx((f.b**f.r, f.N), rel=1e-9)


@pytest.mark.parametrize("f", SUPER)
def test_conditions_above(f: Fleet) -> None:
    p = f.parameters
    (a2,) = conditions.assumption_2(p)
    assert sides(a2) == pytest.approx((f.mu1 / f.eps, f.X / (24 * f.r * f.b * f.L**2)), rel=1e-9)
    (l4,) = conditions.lemma_4(p)
    assert sides(l4) == pytest.approx((12 * f.r * f.mu1 * f.L, f.X), rel=1e-9)
    drift = [sides(c) for c in conditions.lemma_4_drift(p)]
    assert drift[0] == pytest.approx((f.X, 12 * f.r * f.mu1 * f.Na * f.L), rel=1e-9)
    assert drift[1] == pytest.approx((1, f.X / (6 * f.mu1)), rel=1e-9)
    assert sides(conditions.hidden_super(p)[-1]) == pytest.approx((f.b * math.exp(0.25), f.N), rel=1e-9)
    room = conditions.every(p)["p_B"][0]
    assert sides(room) == pytest.approx((1, f.b - 1 - f.ksuper * f.L / f.X), rel=1e-9)


@pytest.mark.parametrize("f", SUB + SUPER)
def test_conditions_of_both_sides(f: Fleet) -> None:
    p = f.parameters
    assert [sides(c) for c in conditions.lemma_1(p)] == [pytest.approx(e, rel=1e-9) for e in ((2 / f.Na, f.delta), (f.delta, 0.5))]
    assert sides(conditions.lemma_2(p)[0]) == pytest.approx((f.muN2, f.N**0.5 / f.L), rel=1e-9)
    expected = [(2 / f.Na, f.eps), (20 * f.L, f.N**0.5), (1, f.eps * f.L)]
    assert [sides(c) for c in conditions.printed_in_35(p)] == [pytest.approx(e, rel=1e-9) for e in expected]


# ---- which readings are judged -------------------------------------------------------------------------------

PRINTED_AND_NOT_PROVED = {
    "sub": {
        ("Lemma 3", "proof"),  # with a term for leaving E_0 that its own proof does not carry to the end
        ("Theorem 2", "statement"),
        ("E[Qbar]", "statement"),
        ("p_B", "paper"),
        ("E[Q_W]", "paper"),
        ("E[W]", "paper"),
        ("p_W", "paper"),
        ("Theorem 1, E[W]", "paper"),
        ("Theorem 1, p_W", "paper"),
    },
    "super": {
        ("Lemma 4", "statement"),  # right up to a constant only, and only under Assumption 2
        ("p_B", "paper"),
        ("E[W]", "paper"),  # p_B = 1/N is put in
        ("p_W", "paper"),
        ("p_W", "mu_1 paper"),
        ("Theorem 1, E[W]", "paper"),
        ("Theorem 1, p_W", "paper"),
    },
}


@pytest.mark.parametrize(("side", "alpha"), [("sub", 0.25), ("super", 0.5), ("super", 0.75)])
def test_which_readings_are_not_judged(side: str, alpha: float) -> None:
    found = statements(Parameters.of(n_servers=1e6, alpha=alpha, places=3))
    assert {(s.name, s.variant) for s in found if not s.sound} == PRINTED_AND_NOT_PROVED[side]


@pytest.mark.parametrize("alpha", [0.25, 0.75])
def test_what_is_always_true(alpha: float) -> None:
    # a probability is at most 1; a queue at most b, its excess over eta b - eta; a wait (b - 1) services of the slowest
    p = Parameters.of(n_servers=1e40, alpha=alpha, places=3, order=2, mu_1=2.0, slowest=0.4)
    always = {(s.name): s.trivial for s in statements(p) if s.relation == "<="}
    assert always["E[W]"] == pytest.approx(2 / 0.4)
    assert always["E[Q_W]"] == pytest.approx(2e40)
    assert always["E[Qbar]"] == 3
    assert always["Theorem 2"] == pytest.approx((3 - p.eta) ** 2)
    assert {always[name] for name in ("p_B", "p_W", "Lemma 1", "Lemma 2")} == {1.0}


def test_what_each_bound_on_waiting_rests_on() -> None:
    # "corrected" below Halfin-Whitt takes Lemma 2's probability as 1 - 1/N, which needs epsilon log N >= 1; "identity" does not
    named = {(s.name, s.variant): {c.name for c in s.conditions} for s in statements(SUB[0].parameters)}
    needs = "1 <= epsilon log N"
    for name in ("E[Q_W]", "E[W]", "p_W"):
        assert needs in named[name, "corrected"]
        assert needs not in named[name, "identity"]
        assert named[name, "identity"] < named[name, "corrected"]
        assert {"2/N^alpha <= epsilon", "20 log N <= sqrt N", needs} <= named[name, "paper"]
