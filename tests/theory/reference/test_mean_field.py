"""The mean field: closed forms, its equations, the rule itself on a hundred thousand servers, its rest in time, exact laws."""

import numpy as np
import pytest

from jfsq_simpy import exact, rates
from jfsq_simpy.errors import ModelError, TooLargeError
from jfsq_simpy.policies import CARDS, POLICIES, AskAll, AskEachClass, AskSample, IdleFirst, Policy, as_policy
from jfsq_simpy.policies.policy import nothing, shortest
from jfsq_simpy.policies.probabilities import cell_probabilities
from jfsq_simpy.system import System
from jfsq_simpy.theory.reference import curves, fluid, mean_field, supermarket
from jfsq_simpy.theory.reference.in_order import Fluid
from jfsq_simpy.theory.reference.sampling import intensity_of
from jfsq_simpy.theory.reference.transient import transient
from jfsq_simpy.theory.scaling import slope

TWO = rates.two_speed(4, ratio=3)  # shares one half, speeds 3/2 and 1/2
METRICS = ("waiting_probability", "blocking_probability", "mean_queue", "mean_response", "mean_wait")
WITHOUT = {"least_work", "round_robin", "weighted_round_robin", "central_queue"}  # lengths alone do not say where a job goes


def spec(name, **changes):
    return {"name": name, **CARDS[name].example, **changes}


def rest(policy, load=0.7, places=3, fleet=TWO):
    return mean_field.fixed_point(System(fleet, load=load, places=places, policy=policy))


# ---- closed forms --------------------------------------------------------------------------------------------


# mean jobs a server in the limit: Gast, Bortolussi & Tribastone (2018), supermarket with replacement, endless buffers
PUBLISHED_LIMITS = {(2, 0.7): 1.1301, (2, 0.9): 2.3527, (2, 0.95): 3.2139, (3, 0.9): 1.8251, (4, 0.95): 2.0771}


@pytest.mark.parametrize(("d", "load"), PUBLISHED_LIMITS)
def test_supermarket_against_a_published_table(d, load):
    assert supermarket.supermarket_tails(load, d, 40)[1:].sum() == pytest.approx(PUBLISHED_LIMITS[d, load], abs=6e-5)
    assert mean_field.power_of_d(load, d, 40).mean_queue == pytest.approx(PUBLISHED_LIMITS[d, load], abs=6e-5)


def test_mean_response_of_the_supermarket():
    d2 = [supermarket.supermarket_response(x, 2) for x in (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)]
    assert d2 == pytest.approx([1.2657, 1.6145, 1.9474, 2.6141, 3.3830, 5.4320], abs=6e-5)
    assert supermarket.supermarket_response(0.9, 1) == pytest.approx(10.0)  # M/M/1
    assert supermarket.supermarket_response(0.9, 3) == pytest.approx(2.0279, abs=6e-5)


def test_finite_places_solve_their_equation_and_grow_into_the_endless_ones():
    point = mean_field.power_of_d(0.9, 2, 6)
    s = np.append(point.tails[0], 0.0)
    assert 0.9 * (s[:-2] ** 2 - s[1:-1] ** 2) == pytest.approx(s[1:-1] - s[2:], abs=1e-12)
    assert mean_field.power_of_d(0.9, 2, 40).tails[0, :8] == pytest.approx(supermarket.supermarket_tails(0.9, 2, 8), abs=1e-9)
    assert mean_field.power_of_d(0.9, 2, 2).mean_queue == pytest.approx(1.15280, abs=5e-6)


def test_speed_classes_solve_theirs():
    point = mean_field.power_of_d(0.7, 2, 3, (0.5, 0.5), (1.5, 0.5))
    assert (point.mean_queue, point.waiting_probability, point.blocking_probability) == pytest.approx(
        (1.43568, 0.56597, 0.041328), abs=1e-5
    )
    x = np.concatenate([point.tails, np.zeros((2, 1))], axis=1)
    u = point.shares @ x
    for k in (1, 2, 3):
        up = 0.7 * (u[k - 1] ** 2 - u[k] ** 2) * 0.5 * (x[:, k - 1] - x[:, k]) / (u[k - 1] - u[k])
        assert up == pytest.approx(0.5 * point.speeds * (x[:, k] - x[:, k + 1]), abs=1e-12)
    assert point.waiting_probability == pytest.approx(u[1] ** 2, rel=1e-12)
    assert point.blocking_probability == pytest.approx(u[3] ** 2, rel=1e-12)
    assert rest({"name": "jsq_d", "d": 2}).law == pytest.approx(point.law, abs=1e-13)


@pytest.mark.parametrize("load", [0.35, 0.7, 0.95, 1.4])
@pytest.mark.parametrize(("policy", "weights"), [("random", None), ("weighted_random", (2.0, 1.0, 0.5))])
def test_random_splitting_is_a_queue_of_its_own_at_every_server(policy, weights, load):
    fleet = rates.classes([1, 1, 2], [2.0, 1.0, 0.5])
    found = rest(policy, load, 4, fleet)
    alone = supermarket.random_splitting(load, 4, (0.25, 0.25, 0.5), fleet.speeds.tolist(), weights)
    assert found.law == pytest.approx(alone.law, abs=1e-11)
    assert found.sent == pytest.approx(alone.sent, abs=1e-11)


def test_random_splitting_is_exact_at_any_n():
    """No error to fall: three servers are already the limit."""
    fleet = rates.as_rates([1.6, 1.0, 0.4])
    for policy in ("random", "weighted_random"):
        law = exact.solve(System(fleet, load=0.9, places=3, policy=policy))
        for metric in ("waiting_probability", "blocking_probability", "mean_queue", "mean_response", "mean_wait"):
            assert getattr(rest(policy, 0.9, 3, fleet), metric) == pytest.approx(law[metric], rel=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_fluids_without_waiting_are_the_closed_ones(seed):
    rng = np.random.default_rng(seed)
    fleet = rates.classes(rng.integers(1, 9, 3).tolist(), [3.0, 1.5, 1.0])
    load = float(rng.uniform(0.05, 0.99))
    for policy in ("jsq", "jiq", {"name": "jiq_d", "d": 1}):
        assert rest(policy, load, 3, fleet).mean_response == pytest.approx(fluid.blind(fleet, load), rel=1e-9)
    for policy in ("jfsq", "jfiq", "jfiq_weighted"):
        point = rest(policy, load, 3, fleet)
        assert point.mean_response == pytest.approx(fluid.fastest_first(fleet, load), rel=1e-9)
        assert point.waiting_probability < 1e-12


# ---- what a policy asks --------------------------------------------------------------------------------------

MANY = 10**5  # servers that stand for the limit: a sample of 5 meets one server twice once in ten thousand times


def random_law(rng, n_classes, places):
    """A law of levels in ten-thousandths of a class, with some empty cells."""
    weights = rng.random((n_classes, places + 1)) * (rng.random((n_classes, places + 1)) < 0.8) + 1e-3
    return np.floor(weights / weights.sum(axis=1, keepdims=True) * 1e4) / 1e4


SAMPLES = [
    spec("jsq_d", d=3),
    spec("jfsq_d", d=2),
    spec("jfsq_d", d=5, replace=True, ties="index"),
    spec("class_jsq", d=2),
    spec("jsq_df_ds", d=[2, 1]),
    spec("jsq_df_ds", d=[3, 2], p_slow=0.6, p_fast=0.9),
    spec("jiq_df_ds", d=[1, 2]),
    Policy("sed_d", lambda q, mu: ((q + 1) / mu, -mu), AskSample(4), full_last=False),
    Policy("idle of each", lambda q, mu: np.minimum(q, 1), AskEachClass((1, 3)), full_last=False),
    Policy("by pairs", lambda q, mu: q // 2, AskSample(3)),
    Policy("longest", lambda q, mu: -q, AskSample(2)),
]


@pytest.mark.parametrize("policy", SAMPLES, ids=lambda p: p.name if isinstance(p, Policy) else str(p))
def test_what_servers_get_is_what_the_rule_gives_a_hundred_thousand_of_them(policy):
    policy, rng = as_policy(policy), np.random.default_rng(1)
    fleet, places = rates.classes([3 * MANY // 10, 7 * MANY // 10], [2.0, 1.0]), 3
    ranks, shares = policy.rank_table(fleet, places), np.array([0.3, 0.7])
    sees = intensity_of(policy, policy.query, ranks, shares)
    for _ in range(3):
        law = random_law(rng, 2, places)
        law[:, 0] += 1 - law.sum(axis=1)
        counts = np.rint(law * fleet.counts[:, None]).astype(int)
        by_rule = cell_probabilities(policy, ranks, fleet.speeds, counts[None])[0]
        assert shares[:, None] * law * sees(law) == pytest.approx(by_rule, abs=2e-4)


# ---- at rest -------------------------------------------------------------------------------------------------

HAS_ONE = [name for name in POLICIES if name not in WITHOUT]


@pytest.mark.parametrize("name", HAS_ONE)
@pytest.mark.parametrize("load", [0.7, 0.85, 1.3])
def test_what_goes_in_comes_out(name, load):
    point = rest(spec(name), load)
    assert point.law.sum(axis=1) == pytest.approx([1.0, 1.0], abs=1e-13)
    assert (point.law >= 0).all()
    assert (point.sent >= 0).all()
    assert point.sent.sum() == pytest.approx(1.0, rel=1e-11)
    assert point.busy_capacity == pytest.approx(load * (1 - point.blocking_probability), rel=1e-10)


@pytest.mark.parametrize("name", HAS_ONE)
@pytest.mark.parametrize("load", [0.85, 1.3])
def test_it_is_where_time_leads_from_empty_and_from_full(name, load):
    """Two programs: one looks for the rest, the other follows the flow until it rests."""
    system = System(TWO, load=load, places=3, policy=spec(name))
    point, full = mean_field.fixed_point(system), np.zeros((2, 4))
    full[:, -1] = 1.0
    for start in ("empty", full) if load < 1 else (full,):
        end = transient(system, [400.0], start)
        assert end.law[0] == pytest.approx(point.law, abs=3e-5)
        assert end.waiting_probability[0] == pytest.approx(point.waiting_probability, abs=3e-5)
        assert end.blocking_probability[0] == pytest.approx(point.blocking_probability, abs=3e-5)


def test_jiq_waits_only_from_load_1_on_and_then_as_its_fallback_says():
    """Above load 1 whoever falls idle is taken at once: levels 1 .. b are M/M/1 queues of what finds nobody idle."""
    assert rest("jiq", 0.99).waiting_probability < 1e-12
    point = rest("jiq", 1.2, 4, rates.homogeneous(2))
    left = 1.2 - point.law[0, 1]  # jobs a server gets that found nobody idle
    ratios = point.law[0, 2:] / point.law[0, 1:-1]
    assert point.law[0, 0] == 0
    assert ratios == pytest.approx(left, rel=1e-10)
    assert point.sent[0, 0] == pytest.approx(point.law[0, 1] / 1.2, rel=1e-12)
    weighted = rest("jfiq_weighted", 1.2, 4)
    assert weighted.law[0] == pytest.approx(weighted.law[1], abs=1e-12)  # all are loaded alike


def test_sed_fills_the_fast_before_it_asks_the_slow():
    """Speeds 3/2 and 1/2: a slow idle server is as good as a fast one of two, and loses the tie. Above what the fast can
    carry they hold three each, and the slow what is left."""
    point = rest("sed", 0.85, 5)
    assert point.law[0] == pytest.approx([0, 0, 0, 1, 0, 0], abs=1e-12)
    assert point.law[1, 1] == pytest.approx((0.85 - 0.75) / 0.25, rel=1e-9)
    assert point.waiting_probability == pytest.approx(0.75 / 0.85, rel=1e-9)
    assert rest("sed", 0.7, 5).waiting_probability < 1e-12


def test_a_class_drawn_first_rests_by_itself():
    point = rest({"name": "class_jsq", "probabilities": [0.8, 0.2], "d": 2}, 0.7)
    for k, p in enumerate((0.8, 0.2)):
        own = 0.7 * p / 0.5 / TWO.speeds[k]
        assert point.law[k] == pytest.approx(mean_field.power_of_d(own, 2, 3).law[0], abs=1e-12)


# ---- approached at rate 1/N -------------------------------------------------------------------------------------


def two(n):
    return rates.two_speed(n, ratio=3)


LARGE, CLASSES = (20, 40, 80, 160), (4, 8, 16, 32)
GROWING = {
    "jsq_d": ({"name": "jsq_d", "d": 2}, rates.homogeneous, LARGE),
    "jsq_d with replacement": ({"name": "jsq_d", "d": 3, "replace": True}, rates.homogeneous, LARGE),
    "jsq_d of two speeds": ({"name": "jsq_d", "d": 2}, two, CLASSES),
    "jfsq_d": ({"name": "jfsq_d", "d": 2}, two, CLASSES),
    "jsq_df_ds": ({"name": "jsq_df_ds", "d": [1, 1]}, two, CLASSES),
    "jiq_df_ds": (spec("jiq_df_ds"), two, CLASSES),
    "class_jsq": ({"name": "class_jsq", "probabilities": [0.8, 0.2], "d": 2}, two, CLASSES),
}


@pytest.mark.parametrize("name", GROWING)
def test_exact_laws_come_near_as_one_over_n(name):
    """No simulation: the slope of the error's logarithm nears -1 with each doubling, to within 0.1 at the last."""
    policy, fleet, sizes = GROWING[name]
    systems = [System(fleet(n), load=0.8, places=2, policy=policy) for n in sizes]
    limit = mean_field.fixed_point(systems[0])
    assert mean_field.fixed_point(systems[-1]).law == pytest.approx(limit.law, abs=1e-12)
    errors = [abs(exact.solve(system).mean_queue - limit.mean_queue) for system in systems]
    off = [abs(slope(sizes[i : i + 2], errors[i : i + 2]) + 1) for i in range(len(sizes) - 1)]
    assert off[-1] < 0.1
    assert off[-1] < max(0.7 * off[0], 0.01)


def test_how_far_a_few_servers_are_from_the_limit_as_published():
    """Gast, Bortolussi & Tribastone (2018): the supermarket of load 0.7 is 0.849 / N above its limit; N = 10 has 1.2193."""
    limit = supermarket.supermarket_tails(0.7, 2, 40)[1:].sum()
    found = {}
    for n in (5, 10):
        system = System(rates.homogeneous(n), load=0.7, places=7, policy={"name": "jsq_d", "d": 2, "replace": True})
        found[n] = exact.solve(system).mean_queue
    assert found[10] == pytest.approx(1.2193, abs=2e-3)  # seven places lose a little
    c_5, c_10 = (n * (found[n] - limit) for n in (5, 10))
    assert 2 * c_10 - c_5 == pytest.approx(0.849, abs=0.05)


# ---- what has none ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(WITHOUT))
def test_policies_that_lengths_do_not_settle_are_refused_by_name(name):
    with pytest.raises(ModelError, match=f"policy {name!r} has no mean field here") as caught:
        rest(name)
    assert "\n" not in str(caught.value)
    assert mean_field.of_system(System(TWO, load=0.7, places=3, policy=name)) is None


@pytest.mark.parametrize(
    ("policy", "changes", "says"),
    [
        ("jsq", {"load": 1.0}, "may then rest in more than one state"),
        ({"name": "jiq_d", "d": 2}, {"load": 1.0}, "just what all servers can carry"),
        ("jsq", {"size": "deterministic"}, "laws other than Poisson"),
        ("jsq", {"knowledge": {"dispatchers": 3}}, "do not know as they are"),
        ("jsq", {"breakdowns": {"mean_up": 90.0, "mean_down": 10.0}}, "servers that fail"),
        ({"name": "random", "ties": "index"}, {}, "which server is which"),
        (Policy("rate", shortest, AskSample(2), ties="rate"), {}, "ties by rate within a sample"),
        (Policy("longest", lambda q, mu: -q), {}, "does not fall with the queue length"),
    ],
    ids=lambda value: value.name if isinstance(value, Policy) else str(value),
)
def test_what_the_limit_does_not_settle_is_said_in_one_line(policy, changes, says):
    with pytest.raises(ModelError, match=says) as caught:
        mean_field.fixed_point(System(TWO, **{"load": 0.7, "places": 3, "policy": policy, **changes}))
    assert "\n" not in str(caught.value)


def test_numbers_that_make_no_sense_are_refused():
    with pytest.raises(ModelError, match="between 0 and 1"):
        supermarket.supermarket_tails(1.0, 2, 3)
    with pytest.raises(ModelError, match="d = 0"):
        mean_field.power_of_d(0.5, 0, 3)
    with pytest.raises(ModelError, match="shares"):
        mean_field.power_of_d(0.5, 2, 3, (0.5, 0.4), (1.0, 1.0))
    with pytest.raises(ModelError, match="load"):
        mean_field.power_of_d(0.0, 2, 3)
    with pytest.raises(ModelError, match="shares"):
        supermarket.random_splitting(0.5, 3, (0.5, 0.4), (1.0, 1.0))


def test_many_places_and_many_speeds_are_no_trouble():
    fleet = rates.linear(2000, ratio=4)
    for policy in ("jfsq", "sed", {"name": "jsq_d", "d": 2}, {"name": "jiq_d", "d": 2}):
        assert rest(policy, 0.9, 5, fleet).sent.sum() == pytest.approx(1.0, rel=1e-9)
    for policy in ("jsq", "jiq", "random", {"name": "jsq_d", "d": 2}):
        for load in (0.95, 1.5):
            assert rest(policy, load, 254).sent.sum() == pytest.approx(1.0, rel=1e-9)


def test_a_million_speeds_are_left_to_the_closed_fluid():
    system = System(rates.linear(1_000_000, ratio=4), load=0.9, places=5)
    with pytest.raises(TooLargeError, match="fewer classes"):
        mean_field.fixed_point(system)
    assert {(c.metric, c.source) for c in curves(system)} >= {("mean_response", "fluid")}


def test_fluids_between_two_ranks_and_at_their_edges():
    """A load that the fast can just carry: at rest the slow get nothing, from whichever side it comes."""
    edge = rest("jfsq", 0.75)
    assert edge.tails[:, 1] == pytest.approx([1.0, 0.0], abs=1e-9)
    for load in (0.75 - 1e-7, 0.75 + 1e-7):
        assert rest("jfsq", load).tails[:, 1] == pytest.approx([1.0, 0.0], abs=1e-6)
    assert isinstance(as_policy("jfsq").query, AskAll)
    with pytest.raises(ModelError, match="more than one"):
        rest("sed", 0.75)  # the fast may hold one, two or three each
    one = Fluid(np.ones(1), np.ones(1), np.array([[0, 0, 0]]), np.ones(1)).at_rest(0.5)
    assert one.law[0] == pytest.approx(np.array([4, 2, 1]) / 7)


def test_ties_by_rate_where_they_decide_nothing_and_queries_of_ones_own():
    one = Policy("one", shortest, AskSample(2), ties="rate")
    assert mean_field.fixed_point(System(rates.homogeneous(4), load=0.7, places=3, policy=one)).law == pytest.approx(
        mean_field.power_of_d(0.7, 2, 3).law, abs=1e-13
    )
    remembered = Policy("fastest idle", lambda q, mu: (q, -mu), IdleFirst(AskSample(2)))
    assert rest(remembered).mean_response == pytest.approx(fluid.fastest_first(TWO, 0.7), rel=1e-9)
    assert rest(Policy("any", nothing, AskSample(3), full_last=False), 0.7).law == pytest.approx(rest("random").law, abs=1e-11)


# ---- as curves --------------------------------------------------------------------------------------------------


def curves_of(policy, **changes):
    system = System(rates.two_speed(40, ratio=3), **{"load": 0.8, "places": 3, "policy": policy, **changes})
    return {c.metric: (c.kind, c.source, c.value) for c in curves(system) if c.source in ("mean field", "fluid")}


@pytest.mark.parametrize("name", HAS_ONE)
def test_every_policy_that_has_one_shows_it_beside_its_measurements(name):
    """All that is not 0: that nobody waits in the limit is no number to hold a run against."""
    shown, point = curves_of(spec(name)), rest(spec(name), 0.8, 3)
    assert {"mean_response", "mean_queue"} <= set(shown)
    for metric in METRICS:
        value = getattr(point, metric)
        assert (metric in shown) == (value > 1e-12)
        if metric in shown:
            assert shown[metric][2] == pytest.approx(value, rel=1e-9)
    assert {kind for kind, _, _ in shown.values()} == {"exact" if name in ("random", "weighted_random") else "limit"}


def test_the_fluid_of_any_sizes_is_shown_where_nobody_waits():
    assert curves_of("jfsq", size="deterministic").keys() == {"mean_response"}
    assert curves_of("jsq_d", size="deterministic") == {}
    assert curves_of("round_robin") == {}


def test_only_a_rule_that_splits_is_exact_whatever_it_is_called():
    assert curves_of("random")["mean_queue"][0] == "exact"
    assert curves_of(Policy("any", nothing, full_last=False))["mean_queue"][0] == "exact"
    assert curves_of(Policy("random", shortest))["mean_queue"][0] == "limit"
    assert curves_of(Policy("random", nothing))["mean_queue"][0] == "limit"  # passes over full servers
