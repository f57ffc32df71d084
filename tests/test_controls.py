"""Control variates: the same truth, known better."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

import jfsq_simpy as jfsq
from jfsq_simpy import metrics
from jfsq_simpy.controls import controlled, sharpened, surges_of
from jfsq_simpy.errors import PlanError
from jfsq_simpy.estimate import Sample, estimate
from jfsq_simpy.tally import Observables

FALSE_ALARM = 1e-6  # a red run means a bug, not bad luck
SYSTEM = jfsq.System(rates=[1.5, 1.0, 0.5], load=0.9, places=3)


def run(replications, seed=3, **plan):
    return jfsq.simulate(SYSTEM, jobs=2_000, warmup=30, replications=replications, engine="lockstep", rng=seed, workers=1, **plan)


def test_the_interval_covers_the_exact_value_as_often_as_it_says():
    law = jfsq.exact.solve(SYSTEM)
    many = run(2_400)
    for metric in ("waiting_probability", "mean_wait", "blocking_probability"):
        hits = 0
        for k in range(200):
            part = dataclasses.replace(many, replications=list(range(12)), tallies=many.tallies[12 * k : 12 * k + 12])
            found = part.controlled(metric)
            hits += found.low <= law[metric] <= found.high
        # 95 % of 200, with room for chance at the false-alarm rate and for replications this short
        assert hits >= stats.binom.ppf(FALSE_ALARM, 200, 0.93), (metric, hits)
        assert hits >= 165, "too blunt to catch an interval that is too narrow"


def test_it_is_narrower_where_work_explains_waiting():
    many = run(300)
    for metric in ("waiting_probability", "mean_jobs"):
        assert many.controlled(metric).half_width < 0.85 * many[metric].half_width


def test_for_a_plain_mean_it_is_the_intercept_of_a_regression():
    few = run(20)
    units = few.sample.units
    y = np.array([few.sample.averages(t).levels[:, 1:].sum() for t in units])  # mean busy
    joins = np.array([t.accepted / t.routed for t in units])
    work = np.array([metrics.busy_capacity(few.sample.averages(t)) for t in units]) - SYSTEM.arrival_rate * joins
    fit = stats.linregress(work, y)
    # the work balance is a ratio of counts, the regression takes it replication by replication: nearly the same
    assert few.controlled("mean_busy").value == pytest.approx(fit.intercept, rel=1e-3)


def test_few_replications_and_nothing_seen_give_the_plain_estimate():
    few = run(5)
    assert few.controlled("mean_wait") == few["mean_wait"]
    idle = jfsq.simulate(
        jfsq.System(rates=np.ones(50), load=0.1, places=3),
        horizon=20,
        warmup=5,
        replications=12,
        engine="lockstep",
        rng=1,
        workers=1,
    )
    assert controlled(idle.sample, "blocking_probability") == idle["blocking_probability"]


# ---- surges --------------------------------------------------------------------------------------------------

SURGES = Observables(surges=surges_of(SYSTEM))


@pytest.fixture(scope="module")
def watched():
    return run(240, observe=SURGES)


def test_every_control_has_mean_zero(watched):
    measure = sharpened(watched.sample).controls.measure
    found = np.array([measure(t) for t in watched.sample.units])
    off = found.mean(axis=0) / (found.std(axis=0, ddof=1) / np.sqrt(len(found)))
    assert found.shape == (240, 5)
    assert np.all(np.abs(off) < stats.t.isf(FALSE_ALARM / 10, 239)), off
    # and an expectation wrong by a hundredth would show
    arrivals = SYSTEM.arrival_rate / 8
    assert 0.01 * arrivals / (found[:, 1].std(ddof=1) / np.sqrt(len(found))) > stats.t.isf(FALSE_ALARM / 10, 239)


def test_with_surges_the_same_jobs_tell_ten_times_as_much(watched):
    law = jfsq.exact.solve(SYSTEM)
    plain, work = watched.sample, sharpened(dataclasses.replace(watched.sample, units=run(240).sample.units))
    for metric in ("waiting_probability", "blocking_probability", "mean_wait", "mean_jobs"):
        sharp = watched[metric]
        assert abs(sharp.value - law[metric]) < 2.6 * sharp.half_width  # five standard errors
        assert estimate(plain, metric).half_width > 10**0.5 * sharp.half_width
        assert estimate(work, metric).half_width > 1.5 * sharp.half_width
    assert "work conservation and surges (5 coefficients)" in watched["mean_wait"].method


def test_distributions_are_corrected_too(watched):
    law, times = jfsq.exact.solve(SYSTEM), np.array([0.5, 2.0])
    plain = dataclasses.replace(watched, observe=Observables())

    def width(table):
        return (table["high"] - table["low"]).to_numpy()

    tail, exact = watched.wait_ccdf(times), law.wait_ccdf(times)["value"].to_numpy()
    assert np.all(np.abs(tail["value"].to_numpy() - exact) < 1.3 * width(tail))  # five standard errors
    assert np.all(width(plain.wait_ccdf(times)) > 3 * width(tail))
    median = watched.wait_quantiles(0.5)
    assert width(plain.wait_quantiles(0.5))[0] > 3 * width(median)[0]
    reach = 1.3 * width(median)[0]
    beyond = law.wait_ccdf([median["value"][0] - reach, median["value"][0] + reach])["value"]
    assert beyond[0] > 0.5 > beyond[1]


def test_five_replications_pay_for_a_coefficient(watched):
    def used(n):
        part = dataclasses.replace(watched, replications=list(range(n)), tallies=watched.tallies[:n])
        return sharpened(part.sample).n_controls

    assert [used(n) for n in (2, 9, 10, 14, 15, 20, 29, 30, 200)] == [0, 0, 1, 1, 2, 3, 4, 5, 5]


def test_controls_that_say_the_same_twice_or_nothing_do_no_harm(watched):
    sample = sharpened(watched.sample)
    once = estimate(sample, "mean_wait")

    def doubled(tally):
        found = sample.controls.measure(tally)
        return np.concatenate([found, 2 * found, [0.0]])

    twice = dataclasses.replace(sample, controls=dataclasses.replace(sample.controls, names=("c",) * 11, measure=doubled))
    again = estimate(twice, "mean_wait")
    assert (again.value, again.half_width) == pytest.approx((once.value, once.half_width), rel=1e-9)


def test_a_run_to_a_precision_counts_surges_and_needs_fewer_replications():
    goal = {"metric": "mean_wait", "relative": 0.02, "max_seconds": 60}
    plan = {"jobs": 2_000, "warmup": 30, "rng": 4, "workers": 1, "precision": goal}
    sharp = jfsq.simulate(SYSTEM, engine="lockstep", **plan)
    assert sharp.observe == SURGES
    assert "surges" in sharp.mean_wait.method
    per_job = jfsq.simulate(SYSTEM, engine="process", **plan | {"precision": goal | {"relative": 0.04}})
    assert "surges" not in per_job.mean_wait.method
    assert len(sharp.replications) <= len(per_job.replications)  # for half the width


def test_surges_are_the_chain_views_own():
    with pytest.raises(PlanError, match=r"observe\.surges are counted in the chain view"):
        run_in_jobs_view()


def run_in_jobs_view():
    return jfsq.simulate(SYSTEM, horizon=10, warmup=0, engine="process", observe=SURGES, rng=1, workers=1)


def test_where_work_need_not_balance_in_a_window_nothing_is_corrected():
    rhythm = SYSTEM.replaced(arrivals={"law": "periodic", "levels": [0.5, 1.5], "period": 5_000.0})
    there = jfsq.simulate(rhythm, jobs=500, warmup=0, engine="process", replications=12, rng=1, workers=1)
    assert there.controlled("mean_wait") == there["mean_wait"]


# ---- what is claimed of intervals ----------------------------------------------------------------------------

COVERAGE_ALARM = 1e-4  # each of the coverages below is judged at this rate
EXPERIMENTS = 1_000
CASES = [
    pytest.param(SYSTEM, 12, 200.0, id="three servers, work alone"),
    pytest.param(SYSTEM, 30, 200.0, id="three servers, work and surges"),
    pytest.param(jfsq.System(rates=np.ones(20), alpha=0.5, places=2), 30, 150.0, id="twenty servers near saturation"),
]


@pytest.mark.verify
@pytest.mark.parametrize(("system", "n", "horizon"), CASES)
def test_intervals_cover_as_often_as_they_say(system, n, horizon, capsys):
    """95 % intervals cover the exact value in 94 to 96 % of 1,000 experiments, with room for chance only."""
    law, observe = jfsq.exact.solve(system), Observables(surges=surges_of(system))
    plan = {"horizon": horizon, "warmup": 30, "start": "busy", "replications": n * EXPERIMENTS, "engine": "auto"}
    many = jfsq.simulate(system, rng=11, observe=observe, workers=1, **plan)
    low, high = (stats.binom.ppf(q, EXPERIMENTS, p) for q, p in ((COVERAGE_ALARM, 0.94), (1 - COVERAGE_ALARM, 0.96)))
    for metric in ("waiting_probability", "mean_wait"):
        found = [estimate(part, metric) for part in parts_of(many.best_sample, n)]
        hits = sum(e.low <= law[metric] <= e.high for e in found)
        with capsys.disabled():
            print(f"\ncoverage of {metric}, {n} replications, {found[0].method}: {hits / EXPERIMENTS:.3f}")
        assert low <= hits <= high
        too_narrow = sum(abs(e.value - law[metric]) <= 0.8 * e.half_width for e in found)
        assert too_narrow < low, "intervals a fifth too narrow would be found out"


def parts_of(sample: Sample, n: int):
    light = sample.counts
    return [dataclasses.replace(light, units=light.units[i : i + n]) for i in range(0, len(light.units), n)]


@pytest.mark.verify
def test_stopping_at_a_precision_covers_with_controls_as_well(capsys):
    """A run stops when its interval looks narrow enough, so it stops early when it looks too narrow: seen, and small."""
    law, n = jfsq.exact.solve(SYSTEM), 600
    goal = {"metric": "mean_wait", "relative": 0.012, "max_seconds": 60}
    found = [jfsq.simulate(SYSTEM, horizon=150, warmup=30, rng=i, workers=1, precision=goal) for i in range(n)]
    estimates = [r.mean_wait for r in found]
    hits = sum(e.low <= law["mean_wait"] <= e.high for e in estimates)
    bias = np.array([e.value / law["mean_wait"] - 1 for e in estimates])
    with capsys.disabled():
        stopped = np.mean([e.n for e in estimates])
        print(f"\nstopped after {stopped:.0f} replications: coverage {hits / n:.3f}, bias {bias.mean():+.5f}")
    assert hits >= stats.binom.ppf(COVERAGE_ALARM, n, 0.93)
    assert abs(bias.mean()) < 0.002 + 4 * bias.std() / np.sqrt(n)


@pytest.mark.verify
@pytest.mark.parametrize("start", ["empty", "busy"])
def test_what_the_start_leaves_is_below_a_precision_of_half_a_percent(start):
    """3,000 short windows after the warm-up pilots chose: any bias of the start is in all of them."""
    system = jfsq.System(rates=np.ones(200), alpha=0.5, places=2)
    observe = Observables(surges=surges_of(system))
    plan = {"horizon": 50, "warmup": "auto", "replications": 3_000, "level": 1 - FALSE_ALARM}
    found = jfsq.simulate(system, start=start, rng=6, observe=observe, workers=1, **plan).waiting_probability
    truth = jfsq.exact.solve(system).waiting_probability
    assert found.low <= truth <= found.high
    assert found.half_width < 0.015 * truth  # at this level; 0.5 % at 95 %


@pytest.mark.verify
@pytest.mark.parametrize(("n", "truth", "relative", "horizon"), [(1_000, 0.02415031, 0.015, 100), (10_000, 0.00797723, 0.04, 60)])
def test_p_w_of_large_fleets_of_equal_servers(n, truth, relative, horizon):
    """The published values (tests/exact/test_twos.py solves for them), inside the run's own 99.9 % interval, quickly."""
    system = jfsq.System(jfsq.rates.homogeneous(n), alpha=0.5, places=2)
    goal = {"metric": "waiting_probability", "relative": relative, "max_seconds": 10 if n == 1_000 else 60}
    found = jfsq.simulate(system, horizon=horizon, start="busy", replications=40, rng=2026, level=0.999, precision=goal)
    assert found.precise
    p_w = found.waiting_probability
    assert p_w.low <= truth <= p_w.high
    assert p_w.half_width <= relative * truth * 1.05


def test_surges_are_0_in_the_mean_to_a_thousandth_of_what_arrives():
    system = jfsq.System(jfsq.rates.linear(50, ratio=3), load=0.9, places=3)
    run = jfsq.simulate(
        system, horizon=4_000, replications=40, rng=5, engine="chain", observe=Observables(surges=surges_of(system))
    )
    means = np.array([batches[0].surges / batches[0].snapshots for batches in run.tallies])
    expected = system.arrival_rate / 8  # arrivals from one snapshot to the next
    error = means.std(axis=0, ddof=1) / np.sqrt(len(means))
    assert error[0] < expected / 1_000, "sharp enough to see a hundredth missing"
    bound = stats.t.isf(FALSE_ALARM / (2 * means.shape[1]), len(means) - 1)
    assert np.all(np.abs(means.mean(axis=0)) < bound * error)


def test_busy_capacity_is_as_uncertain_as_blocking_is():
    """Work conservation says lambda N (1 - p_B), and while nobody is blocked that would be a number without an interval."""
    system = jfsq.System([1.5, 0.8, 0.7], load=0.4, places=4)
    run = jfsq.simulate(system, horizon=100, replications=30, rng=7)
    found, blocked = run.controlled("busy_capacity"), run.controlled("blocking_probability")
    assert blocked.value == 0
    assert found.low == pytest.approx(1.2 * (1 - blocked.high))
    assert found.low <= jfsq.exact.solve(system).metrics()["busy_capacity"] <= found.high


def test_of_equal_servers_work_says_how_many_are_busy():
    run = jfsq.simulate(jfsq.System([1.0] * 3, load=0.5, places=3), horizon=100, replications=30, rng=7)
    capacity, busy, idle = (run.controlled(name) for name in ("busy_capacity", "mean_busy", "idle_among_n2"))
    assert (busy.value, busy.low, busy.high) == (capacity.value, capacity.low, capacity.high)
    assert idle.value == pytest.approx((3 - busy.value) / 3 * run.system.n2.floor)
    assert idle.low < idle.high
