"""Intervals: against hand computations, the delta method, synthetic correlation, and 2,000 experiments."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jfsq_simpy import System, draws
from jfsq_simpy.draws import Seed
from jfsq_simpy.engines import ENGINES
from jfsq_simpy.estimate import (
    FEWEST_BATCHES,
    Estimate,
    Sample,
    ccdf_of,
    correlation_factor,
    empirical_ccdf,
    estimate,
    jackknife,
    joined_in_pairs,
    neighbour_correlation,
    on_log_scale,
    on_logit_scale,
    quantile_estimate,
    shares,
    spread,
    symmetric,
    upper_limit,
)
from jfsq_simpy.run import Run
from jfsq_simpy.tally import N_BINS, NOTHING, Outcome, Tally, Window, bin_edges, groups_of, merged, time_bin
from tests.textbook import solve

FALSE_ALARM = 1e-6
SYSTEM = System([1.5, 0.5], load=0.8, places=2)


def tally(joins, blocked=0, levels=((1, 0, 0), (1, 0, 0)), snapshots=1, **counts) -> Tally:
    return Tally(np.array(joins, np.int64), np.array(levels, np.int64), blocked=blocked, snapshots=snapshots, **counts)


def sample(units, what="replications", looks=1000.0, system=SYSTEM, level=0.95) -> Sample:
    return Sample(system, groups_of(system), units, level, what, looks)


def waits_and_jobs(rng, n) -> list[Tally]:
    """Units whose number of jobs varies together with how many of them wait."""
    jobs = rng.integers(200, 400, n)
    waiting = rng.binomial(jobs, np.clip(jobs / 1000, 0, 1))
    return [tally([[j - w, w], [0, 0]]) for j, w in zip(jobs.tolist(), waiting.tolist(), strict=True)]


# ---- the number ----------------------------------------------------------------------------------------------


def test_an_estimate_says_all_of_itself():
    e = Estimate(0.25, 0.125, 0.5, 0.95, 10, "Student t")
    assert (float(e), e.half_width) == (0.25, 0.1875)
    assert e.to_dict() == {"value": 0.25, "low": 0.125, "high": 0.5, "level": 0.95, "n": 10, "method": "Student t"}
    assert replace(e, low=math.nan, high=math.inf).to_dict()["low"] is None
    assert replace(e, low=math.nan, high=math.inf).to_dict()["high"] is None


def test_a_tiny_probability_keeps_its_width():
    assert Estimate(2e-26, 1e-26, 3e-26, 0.95, 10, "").half_width == 1e-26


# ---- the jackknife -------------------------------------------------------------------------------------------


def test_leaving_one_out_is_merging_the_others():
    units = waits_and_jobs(np.random.default_rng(1), 7)
    seen = []
    jackknife(sample(units), lambda t: seen.append(t) or 0.0)
    others = [merged([t for j, t in enumerate(units) if j != i]) for i in range(7)]
    assert seen[0] == merged(units)
    for left_out, expected in zip(seen[1:], others, strict=True):
        assert all(np.array_equal(getattr(left_out, f.name), getattr(expected, f.name)) for f in fields(Tally))


def test_for_a_plain_mean_it_is_student_t():
    """Units of equal size: the mean of snapshots."""
    busy = np.array([3, 5, 4, 8, 6, 6, 2])
    units = [tally([[1, 0], [0, 0]], levels=[[10 - b, b, 0], [10, 0, 0]], snapshots=10) for b in busy.tolist()]
    for name in ("mean_jobs", "mean_busy"):
        e = estimate(sample(units), name)
        assert e.value == pytest.approx(busy.mean() / 10)
        assert (e.low, e.high) == pytest.approx(stats.t.interval(0.95, 6, busy.mean() / 10, stats.sem(busy) / 10))
        assert (e.n, e.method) == (7, "replications, jackknife, Student t")


def test_for_a_ratio_it_is_the_delta_method():
    """Numerator and denominator move together; treating the denominator as fixed would be wrong by a factor."""
    units = waits_and_jobs(np.random.default_rng(2), 400)
    waiting = np.array([t.joins[0, 1] for t in units])
    jobs = np.array([t.routed for t in units])
    ratio = waiting.sum() / jobs.sum()
    _, half = jackknife(sample(units), lambda t: t.joins[0, 1] / t.routed)
    by_delta = stats.t.ppf(0.975, 399) * np.std(waiting - ratio * jobs, ddof=1) / math.sqrt(400) / jobs.mean()
    fixed = stats.t.ppf(0.975, 399) * np.std(waiting, ddof=1) / math.sqrt(400) / jobs.mean()
    assert half == pytest.approx(by_delta, rel=0.01)
    assert fixed > 1.5 * half


def test_a_measure_may_be_an_array():
    units = waits_and_jobs(np.random.default_rng(3), 9)
    value, half = jackknife(sample(units), lambda t: t.joins.sum(axis=0) / t.routed)
    for i in range(2):
        v, h = jackknife(sample(units), lambda t, i=i: t.joins[:, i].sum() / t.routed)
        assert (value[i], half[i]) == pytest.approx((v, h))


def test_one_unit_has_a_value_and_no_interval():
    e = estimate(sample(waits_and_jobs(np.random.default_rng(4), 1)), "waiting_probability")
    assert 0 < e.value < 1
    assert math.isnan(e.low)
    assert math.isnan(e.high)


def test_binned_times_do_not_change_a_number():
    units = waits_and_jobs(np.random.default_rng(5), 5)
    with_bins = [
        replace(t, wait_bins=np.ones((2, N_BINS), int), response_bins=np.ones((2, N_BINS), int), wait_ticks=9) for t in units
    ]
    assert estimate(sample(with_bins), "waiting_probability") == estimate(sample(units), "waiting_probability")
    assert estimate(sample(with_bins), "mean_wait").value == pytest.approx(5 * 9 / 2**24 / merged(units).accepted)


# ---- scales --------------------------------------------------------------------------------------------------

values, halves = st.floats(1e-6, 1 - 1e-6), st.floats(1e-12, 10)


@given(values, halves)
def test_intervals_hold_their_value_and_stay_where_they_can_be(value, half):
    for scale in (symmetric, on_log_scale, on_logit_scale):
        low, high = scale(value, half)
        assert 0 <= low <= value * (1 + 1e-12)
        assert value * (1 - 1e-12) <= high
    assert on_logit_scale(value, half).high <= 1


@given(values)
def test_precise_intervals_are_the_same_on_every_scale(value):
    half = 1e-4 * value * (1 - value)
    for scale in (on_log_scale, on_logit_scale):
        assert np.array(scale(value, half)) == pytest.approx(np.array(symmetric(value, half)), rel=1e-7)


@given(values, halves)
def test_on_the_logit_scale_p_and_1_minus_p_are_mirror_images(value, half):
    low, high = on_logit_scale(value, half)
    mirrored = on_logit_scale(1 - value, half)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((low, high), abs=1e-9)


def test_scales_of_0_of_1_and_of_nan():
    for scale in (on_log_scale, on_logit_scale):
        low, high = scale([0.0, 1.0, 0.5], [0.0, 0.0, np.nan])
        assert (low[0], high[0], low[1], high[1]) == (0, 0, 1, 1)
        assert math.isnan(low[2])
        assert math.isnan(high[2])
    assert np.array(on_logit_scale(0.5, 1e300)) == pytest.approx([0.0, 1.0], abs=1e-300)


# ---- nothing seen --------------------------------------------------------------------------------------------

NONE_SEEN = [tally([[10, 0], [0, 0]]) for _ in range(5)]


def test_nothing_seen_gives_the_rule_of_three():
    e = estimate(sample(NONE_SEEN, looks=1000.0), "waiting_probability")
    assert (e.value, e.low) == (0.0, 0.0)
    assert e.high == pytest.approx(3 / 1000, rel=2e-3)
    assert "one-sided" in e.method
    assert estimate(sample(NONE_SEEN, looks=0.5), "blocking_probability").high == 1.0
    assert estimate(sample(NONE_SEEN, looks=1000.0, level=0.99), "waiting_probability").high == pytest.approx(4.605e-3, rel=1e-3)


def test_nothing_seen_bounds_what_cannot_be_without_it():
    looks = 1000.0
    limit = upper_limit(sample(NONE_SEEN, looks=looks))
    assert estimate(sample(NONE_SEEN), "mean_wait").high == pytest.approx(limit / 0.5)  # behind one job at the slow server
    assert estimate(sample(NONE_SEEN), "mean_waiting_jobs").high == pytest.approx(limit * 2)
    heavy = SYSTEM.replaced(size={"law": "lognormal", "scv": 9.0})
    assert estimate(sample(NONE_SEEN, system=heavy), "mean_wait").high == pytest.approx(5 * limit / 0.5)


def test_what_must_be_zero_is_zero():
    loss = SYSTEM.replaced(places=1)
    units = [tally([[10], [0]], levels=[[1, 0], [1, 0]]) for _ in range(5)]
    for name in ("mean_wait", "buffered_probability", "mean_waiting_jobs"):
        assert (estimate(sample(units, system=loss), name).low, estimate(sample(units, system=loss), name).high) == (0.0, 0.0)


def test_distributions_report_the_limit_too():
    value, low, high = shares(sample(NONE_SEEN), lambda t: t.joins.sum(axis=0) / t.routed)
    assert value.tolist() == [1.0, 0.0]
    assert low.tolist() == [1.0, 0.0]
    assert high.tolist() == [1.0, upper_limit(sample(NONE_SEEN))]


@pytest.mark.parametrize(
    ("mu", "load", "places"),
    [([1.0], 0.02, 3), ([1.0], 0.3, 5), ([1.0] * 4, 0.35, 2), ([1.9, 0.1], 0.1, 2), ([1.3, 1.0, 0.7], 0.25, 3)],
)
def test_the_limit_for_nothing_seen_is_honest(mu, load, places):
    """P(nothing seen) <= exp(-p looks): then a true p above the limit shows with probability `level` at least."""
    solved = solve(mu, load, places)
    system = System(mu, load=load, places=places)
    p = solved.waiting_probability
    length = 1.0 / p * (solved.relaxation_time + 1 / system.arrival_rate)
    run = Run(system, "events", Seed.of(0), Window(0, length), [0], [[tally([[1, 0]])]], 0, 0.0)
    engine, n, none = ENGINES["events" if ENGINES["events"].available else "process"].load(), 400, 0
    for r in range(n):
        outcome = engine.run(system, Seed.of(8), r, Window(30 * solved.relaxation_time, length))
        none += outcome.tallies[0].joins[:, 1:].sum() + outcome.tallies[0].blocked == 0
    assert stats.binomtest(int(none), n, math.exp(-p * run.sample.looks), alternative="greater").pvalue > FALSE_ALARM


# ---- batches -------------------------------------------------------------------------------------------------


def test_batches_are_joined_in_pairs_and_none_is_lost():
    units = [tally([[i, 0], [0, 0]]) for i in range(1, 8)]
    assert [t.joins[0, 0] for t in joined_in_pairs(units)] == [3, 7, 18]
    assert [t.joins[0, 0] for t in joined_in_pairs(units[:6])] == [3, 7, 11]


def test_correlation_of_neighbours_by_hand():
    x = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    assert neighbour_correlation(x).tolist() == [0.0, 0.0]
    assert neighbour_correlation(np.array([[-1.0], [1.0], [-1.0], [1.0]])).tolist() == [-0.75]


def test_correlation_that_is_left_widens_the_interval():
    """r = 1/4 + 1/4 among four batches: the variance of their mean is (1 + r) / (1 - r) = 3 times that of independent ones."""
    assert correlation_factor(np.array([0.25, -0.9, 5.0]), 4).tolist() == pytest.approx([3.0, 1.0, 9.0])
    levels = [[[10 - b, b, 0], [10, 0, 0]] for b in (3, 4, 6, 7, 6, 5, 3, 2)]  # up and down: neighbours are alike
    units = [tally([[1, 0], [0, 0]], levels=x, snapshots=10) for x in levels]
    r = float(neighbour_correlation(np.array([3.0, 4, 6, 7, 6, 5, 3, 2]))) + 1 / 8
    assert r > 0.5
    wide, plain = (spread(sample(units, what=what), lambda t: t.levels[0, 1] / t.snapshots) for what in ("batches", "replications"))
    assert wide.half == pytest.approx(plain.half * math.sqrt((1 + r) / (1 - r)))


def autoregressive_batches(rng, n_batches, relaxation_in_batches, per_batch=40):
    """Batch means of a stationary Gaussian process that forgets in so many batches, as tallies of mean jobs."""
    phi = math.exp(-1 / (relaxation_in_batches * per_batch))
    noise = rng.standard_normal(n_batches * per_batch) * math.sqrt(1 - phi**2)
    x, path = rng.standard_normal(), []
    for e in noise.tolist():
        x = phi * x + e
        path.append(x)
    means = np.array(path).reshape(n_batches, per_batch).mean(axis=1)
    jobs = np.round((means + 20) * 1e6).astype(int).tolist()
    return [tally([[1, 0], [0, 0]], levels=[[0, j, 0], [0, 0, 0]], snapshots=10**6) for j in jobs]


def test_batches_cover_despite_correlation():
    """Batches as long as the relaxation time are correlated by 0.4; taken as independent they cover 80 %."""
    rng, n, covered, naive = np.random.default_rng(6), 400, 0, 0
    for _ in range(n):
        units = autoregressive_batches(rng, 32, relaxation_in_batches=1.0, per_batch=8)
        e = estimate(sample(units, what="batches"), "mean_jobs")
        covered += e.low <= 20 <= e.high
        plain = estimate(sample(units), "mean_jobs")
        naive += plain.low <= 20 <= plain.high
    assert stats.binomtest(covered, n, 0.90, alternative="less").pvalue > FALSE_ALARM
    assert stats.binomtest(naive, n, 0.90, alternative="less").pvalue < FALSE_ALARM


def test_strongly_correlated_batches_are_joined_and_the_method_says_so():
    units = autoregressive_batches(np.random.default_rng(7), 32, relaxation_in_batches=3.0, per_batch=8)
    found = spread(sample(units, what="batches"), lambda t: t.levels[0, 1] / t.snapshots)
    assert FEWEST_BATCHES <= found.n < 32
    e = estimate(sample(units, what="batches"), "mean_jobs")
    assert e.n == found.n
    assert "batch means (lag-1 correlation" in e.method


# ---- distributions -------------------------------------------------------------------------------------------


def with_times(times_of_units, band=0) -> list[Tally]:
    units = []
    for times in times_of_units:
        bins = np.zeros((2, N_BINS), np.int64)
        bins[band] = np.bincount(time_bin(times), minlength=N_BINS)
        units.append(tally([[len(times), 0], [0, 0]], wait_bins=bins, response_bins=bins))
    return units


def test_the_empirical_tail_is_exact_at_bin_edges_and_within_one_percent_between():
    rng = np.random.default_rng(8)
    times = np.concatenate([np.zeros(3000), rng.standard_exponential(7000)])
    counts = np.bincount(time_bin(times), minlength=N_BINS)
    edges = bin_edges()[1:-1]
    assert empirical_ccdf(counts, edges[1:]) == pytest.approx([(times >= e).mean() for e in edges[1:]], abs=1e-15)
    assert empirical_ccdf(counts, np.array([0.0]))[0] == 0.7
    assert empirical_ccdf(counts, np.array([-1.0]))[0] == 1.0
    assert empirical_ccdf(counts, np.array([np.inf]))[0] == 0.0
    between = np.array([0.123, 0.5001, 2.2])
    true = np.array([(times > t).mean() for t in between])
    assert empirical_ccdf(counts, between) == pytest.approx(true, rel=0.02)
    assert np.isnan(empirical_ccdf(np.zeros(N_BINS, int), between)).all()


def test_quantiles_of_an_exponential_sample():
    rng = np.random.default_rng(9)
    s = sample(with_times(rng.standard_exponential((20, 2000))))
    tail = ccdf_of(s, "wait", "empirical")
    for p in (0.5, 0.9, 0.99):
        e = quantile_estimate(s, p, tail)
        assert e.low < e.value < e.high
        assert abs(e.value - -math.log(1 - p)) < 4 * e.half_width  # 4 half widths: eight standard errors
        # the width by the quantile's own formula: sqrt(p (1 - p) / n) / density
        assert e.half_width == pytest.approx(1.96 * math.sqrt(p * (1 - p) / 40_000) / (1 - p), rel=0.7)
    assert quantile_estimate(s, 0.0, tail).value == 0.0


def test_a_quantile_inside_the_atom_at_zero():
    s = sample(with_times(np.array([[0.0] * 80 + [1.0] * 20, [0.0] * 70 + [1.0] * 30])))
    e = quantile_estimate(s, 0.5, ccdf_of(s, "wait", "empirical"))
    assert (e.value, e.low) == (0.0, 0.0)


def test_a_quantile_of_one_unit_has_no_interval():
    s = sample(with_times(np.array([[0.0, 1.0, 2.0]])))
    e = quantile_estimate(s, 0.5, ccdf_of(s, "response", "empirical"))
    assert e.value > 0
    assert math.isnan(e.low)


# ---- coverage ------------------------------------------------------------------------------------------------

EXPERIMENTS, REPLICATIONS = 2000, 10
COVERED = [  # rates, load, places, warm-up, length of a replication
    ([1.0], 0.95, 5, 40.0, 200.0),
    ([1.2, 0.8], 0.3, 2, 20.0, 400.0),
    ([1.5, 1.0, 0.5], 0.9, 2, 30.0, 100.0),
]
COVERED_METRICS = ("waiting_probability", "blocking_probability", "mean_wait")


def independent_runs(system: System, window: Window, n: int, seed: int) -> list[Outcome]:
    engine = ENGINES["events" if ENGINES["events"].available else "process"].load()
    return [engine.run(system, Seed.of(seed), r, window, observe=NOTHING) for r in range(n)]


def short_blocks(monkeypatch) -> None:
    """Short runs need few draws: smaller blocks are other jobs of the same law, and ten times faster."""
    monkeypatch.setattr(draws, "BLOCK", 4096)
    if ENGINES["events"].available:
        monkeypatch.setattr("jfsq_simpy.jobs.events.BLOCK", 4096)


@pytest.mark.verify
@pytest.mark.parametrize("experiment", range(len(COVERED)))
def test_a_nominal_95_percent_covers_93_to_97_percent(experiment, monkeypatch, capsys):
    short_blocks(monkeypatch)
    mu, load, places, warmup, length = COVERED[experiment]
    system, solved = System(mu, load=load, places=places), solve(mu, load, places)
    exact = {name: getattr(solved, name) for name in COVERED_METRICS}
    q90 = solved.wait_quantile(0.9)
    outcomes = independent_runs(system, Window(warmup, length), EXPERIMENTS * REPLICATIONS, seed=experiment)
    inside, width = (
        dict.fromkeys([*COVERED_METRICS, "wait_quantile 0.9"], 0),
        dict.fromkeys([*COVERED_METRICS, "wait_quantile 0.9"], 0.0),
    )
    for i in range(EXPERIMENTS):
        units = [o.tallies[0] for o in outcomes[i * REPLICATIONS : (i + 1) * REPLICATIONS]]
        s = sample(units, system=system, looks=REPLICATIONS * length / (solved.relaxation_time + 1 / system.arrival_rate))
        found = {name: estimate(s, name) for name in COVERED_METRICS}
        found["wait_quantile 0.9"] = quantile_estimate(s, 0.9, ccdf_of(s, "wait", "empirical"))
        for name, e in found.items():
            inside[name] += e.low <= exact.get(name, q90) <= e.high
            width[name] += e.half_width / exact.get(name, q90) / EXPERIMENTS
    with capsys.disabled():
        jobs = np.mean([o.tallies[0].routed for o in outcomes])
        print(f"\ncoverage of 95 % intervals, {EXPERIMENTS} x {REPLICATIONS} runs of {jobs:.0f} jobs: {mu}, {load}, {places}")
        for name, n in inside.items():
            covered = f"covered {n / EXPERIMENTS:6.1%}   half width {width[name]:.0%}"
            print(f"  {name:22} exact {exact.get(name, q90):<10.4g} {covered}")
    assert all(0.93 <= n / EXPERIMENTS <= 0.97 for n in inside.values()), inside


@pytest.mark.verify
def test_batches_of_one_run_cover_as_they_should(monkeypatch, capsys):
    """One run of 32 batches, each three relaxation times long."""
    short_blocks(monkeypatch)
    system, solved = System([1.5, 1.0, 0.5], load=0.9, places=2), solve([1.5, 1.0, 0.5], 0.9, 2)
    length = 32 * 3 * solved.relaxation_time
    outcomes = independent_runs(system, Window(30.0, length, batches=32), EXPERIMENTS, seed=99)
    inside = dict.fromkeys([*COVERED_METRICS, "mean_jobs"], 0)
    for outcome in outcomes:
        s = sample(outcome.tallies, what="batches", system=system, looks=96.0)
        for name in inside:
            e = estimate(s, name)
            inside[name] += e.low <= getattr(solved, name) <= e.high
    with capsys.disabled():
        print(f"\ncoverage of 95 % intervals by batch means: {EXPERIMENTS} runs of {length:.0f} time units")
        for name, n in inside.items():
            print(f"  {name:22} covered {n / EXPERIMENTS:6.1%}")
    assert all(0.92 <= n / EXPERIMENTS <= 0.98 for n in inside.values()), inside
