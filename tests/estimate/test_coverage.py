"""Coverage: 2,000 experiments of ten runs, and of one run in batches, against exact answers."""

import numpy as np
import pytest

from jfsq_simpy import System, draws
from jfsq_simpy.draws import Seed
from jfsq_simpy.engines import ENGINES
from jfsq_simpy.estimate import ccdf_of, estimate, quantile_estimate
from jfsq_simpy.tally import NOTHING, Outcome, Window
from tests.estimate.units import sample
from tests.textbook import solve

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
