"""What a precision costs: the noise of every way to estimate p_W, E[W], P(W > 1) and p_B, side by side.

In    nothing; `--quick` for fewer replications, `--million` for the fleet of 10^6 as well
Out   for each fleet, metric and estimator: the variance one job leaves, as a share of that of plain per-job averages
      with its 95 % interval, and the jobs and seconds a precision of 1 % takes on one core
Rule  all estimators see windows of the same length after the same warm-up, and must agree on the value before their
      noise is compared. The noise is that between replications, each many relaxation times long, so that it falls
      like 1 / jobs; seconds are of processor time, which others on the machine lengthen less, with all that the
      estimator needs counted
Cost  about 2 minutes; --quick half a minute; --million 3 minutes more, 1 GB

    python -m benchmarks.precision
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.stats

import jfsq_simpy as jfsq
from benchmarks.side_by_side import machine
from jfsq_simpy import System, metrics
from jfsq_simpy.controls import sharpened, surges_of
from jfsq_simpy.estimate import empirical_ccdf, left_out
from jfsq_simpy.rates import FloatArray
from jfsq_simpy.run import Run
from jfsq_simpy.tally import SURGE_POWERS, Observables, Tally
from jfsq_simpy.warmup import relaxation_time

Measure = Callable[[Tally], float]

WANTED = 0.01  # half width of the 95 % interval over the value
RELAXATIONS = 30  # a replication's length, in relaxation times
STANDARD_ERRORS = 5.0  # how far apart two estimates of one number may lie: one false alarm in 10^5 runs of this
RESAMPLES = 1_000
TIME = np.array([1.0])  # the t of P(W > t)
PLAIN = "average over jobs (events)"


@dataclass
class Noise:
    """An estimator on one sample: what it says, and what it leaves between replications."""

    value: float
    y: FloatArray  # (n,) the replications' pseudo-values
    x: FloatArray  # (n, n_controls)
    off: FloatArray  # (n_controls,) how far the controls are off 0, all replications together
    jobs: float  # of a replication
    seconds: float  # a job
    run: Run

    def variance_per_job(self, rows: FloatArray | slice = slice(None)) -> float:
        """Variance of an average over J jobs, times J; of resampled replications where `rows` says so."""
        residual, freedom = self._residual(rows)
        return float(residual @ residual) / freedom * self.jobs

    def corrected(self) -> tuple[float, float]:
        """The value and its standard error: replications are weighted so that what the controls are off by cancels."""
        centred = self.x - self.x.mean(axis=0)
        weights = np.linalg.lstsq(centred.T, self.off, rcond=1e-8)[0]
        error = math.sqrt(self.variance_per_job() / self.jobs * (1 / self.y.size + float(weights @ weights)))
        return self.value - float(weights @ self.y), error

    def _residual(self, rows: FloatArray | slice) -> tuple[FloatArray, int]:
        y, x = self.y[rows], self.x[rows]
        y, x = y - y.mean(), x - x.mean(axis=0)
        return y - x @ np.linalg.lstsq(x, y, rcond=1e-8)[0], y.size - 1 - x.shape[1]


# ---- the estimators ------------------------------------------------------------------------------------------


def noise_of(run: Run, measure: Measure, n_controls: int = 0) -> Noise:
    """A measure of a run's counts, corrected by the first so many controls."""
    sample = sharpened(run.sample)
    assert sample.controls is not None
    controls = sample.controls.measure

    def both(tally: Tally) -> FloatArray:
        return np.concatenate([[measure(tally)], controls(tally)[:n_controls]])

    n, pooled = len(sample.units), both(sample.pooled)
    pseudo = n * pooled - (n - 1) * left_out(sample.pooled, sample.units, both)
    jobs = sample.pooled.routed / n
    return Noise(float(pooled[0]), pseudo[:, 0], pseudo[:, 1:], pooled[1:], jobs, run.seconds / run.jobs, run)


def estimators(system: System, per_job: Run, chain: Run, watched: Run) -> dict[str, dict[str, Noise]]:
    """Every estimator of every metric. `watched` is `chain` with surges and idle servers counted at snapshots."""
    a, b = per_job.sample.averages, chain.sample.averages
    rate = system.arrival_rate

    def counted(formula: Callable[[metrics.Averages], float]) -> dict[str, Noise]:
        def measure(tally: Tally) -> float:
            return formula(b(tally))

        return {
            "counts (chain)": noise_of(chain, measure),
            ".. less work off balance": noise_of(chain, measure, 1),
            ".. and less surges": noise_of(watched, measure, 1 + watched.sample.units[0].surges.size),
        }

    def erlang_tail(v: metrics.Averages) -> float:
        return float(metrics.wait_ccdf(v, TIME)[0])

    def erlang_wait(tally: Tally) -> float:
        return metrics.mean_wait(replace(a(tally), direct_wait=None))

    def measured_tail(tally: Tally) -> float:
        assert tally.wait_bins is not None
        return float(empirical_ccdf(tally.wait_bins.sum(axis=0), TIME)[0])

    def nobody_idle(tally: Tally) -> float:
        return 1.0 - float(tally.idle_tails[0]) / tally.snapshots

    def little(tally: Tally) -> float:
        v = b(tally)
        return metrics.mean_waiting_jobs(v) / (rate * v.accepted)

    def plain(formula: Callable[[metrics.Averages], float]) -> dict[str, Noise]:
        return {PLAIN: noise_of(per_job, lambda t: formula(a(t)))}

    erlang = ".. Erlang by what they found"
    return {
        "p_W": plain(metrics.waiting_probability)
        | {"time none is idle (chain)": noise_of(watched, nobody_idle)}
        | counted(metrics.waiting_probability),
        "E[W]": plain(metrics.mean_wait)
        | {erlang: noise_of(per_job, erlang_wait)}
        | {"waiting jobs, Little (chain)": noise_of(chain, little)}
        | counted(metrics.mean_wait),
        "P(W > 1)": {PLAIN: noise_of(per_job, measured_tail), erlang: noise_of(per_job, lambda t: erlang_tail(a(t)))}
        | counted(erlang_tail),
        "p_B": plain(metrics.blocking_probability) | counted(metrics.blocking_probability),
    }


# ---- the table -----------------------------------------------------------------------------------------------


def ratio(noise: Noise, beside: Noise, rng: np.random.Generator) -> tuple[float, float, float]:
    """Variance per job beside another's, with a 95 % interval by resampling replications (pairs, if of one run)."""
    n, m = noise.y.size, beside.y.size
    ratios = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        rows = rng.integers(0, n, n)
        others = rows if noise.run is beside.run else rng.integers(0, m, m)
        ratios[i] = noise.variance_per_job(rows) / beside.variance_per_job(others)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return noise.variance_per_job() / beside.variance_per_job(), float(low), float(high)


def table(found: dict[str, dict[str, Noise]], rng: np.random.Generator) -> Iterator[str]:
    """Lines for a fleet."""
    head = f"{'':37} {'value':>10}  {'variance x jobs':>15}  {'share of plain, 95 % interval':>31}"
    yield f"  {head}  {'jobs for 1 %':>12} {'seconds':>8}"
    for metric, ways in found.items():
        plain = ways[PLAIN]
        if plain.value == 0:
            yield f"  {metric}: none in {plain.jobs * plain.y.size:.2g} jobs, by any estimator"
            continue
        for name, noise in ways.items():
            value, _ = noise.corrected()
            variance = noise.variance_per_job()
            share = "1" if noise is plain else "{:.3f} ({:.3f} .. {:.3f})".format(*ratio(noise, plain, rng))
            jobs = (scipy.stats.norm.ppf(0.975) / (WANTED * value)) ** 2 * variance
            yield f"  {metric:8} {name:28} {value:10.4g}  {variance:15.3g}  {share:>31}  {jobs:12.2g} {jobs * noise.seconds:8.2g}"


def check(found: dict[str, dict[str, Noise]]) -> None:
    """Stop unless all estimators of a metric agree within their noise."""
    for metric, ways in found.items():
        (plain, error), *others = (n.corrected() for n in ways.values())
        for (value, other), name in zip(others, list(ways)[1:], strict=True):
            if abs(value - plain) > STANDARD_ERRORS * math.hypot(error, other):
                sys.exit(
                    f"benchmarks.precision: {metric} is {value:.4g} by {name!r} and {plain:.4g} per job; nothing was compared."
                )


def timed(system: System, **plan: Any) -> Run:
    """A run on one core whose seconds are those of the processor."""
    jfsq.simulate(system, engine=plan["engine"], horizon=1, warmup=0, replications=1, rng=0)  # compiles, if need be
    before = time.process_time()
    run = jfsq.simulate(system, workers=1, **plan)
    run.seconds = time.process_time() - before
    return run


def measured(system: System, replications: int) -> dict[str, dict[str, Noise]]:
    """Runs of a system, and all that is estimated from them."""
    relaxation = relaxation_time(system)
    plan = {"horizon": RELAXATIONS * relaxation, "warmup": math.ceil(4 * relaxation), "replications": replications}
    idle = Observables(idle_tails=((system.n_servers, 1.0),))
    surges = replace(idle, surges=surges_of(system))
    runs = [
        timed(system, engine=engine, observe=observe, rng=seed, **plan)
        for engine, observe, seed in (("events", Observables(), 1), ("chain", Observables(), 2), ("chain", surges, 3))
    ]
    return estimators(system, *runs)


def million() -> Iterator[str]:
    """p_W of a million servers: how long each estimator takes to 10 %, from one run: that of scenarios/a_million_servers.toml."""
    system = System(jfsq.rates.linear(1_000_000, ratio=3), alpha=0.5, places=5)
    observe = Observables(surges=surges_of(system))
    plan = {"engine": "chain", "horizon": 40, "warmup": 10, "start": "busy", "replications": 30}
    run = timed(system, observe=observe, rng=2026, **plan)
    yield f"  {run.jobs:.3g} jobs in {run.seconds:.0f} s of one core, warm-ups included"
    yield from prices(run)


def prices(run: Run, wanted: float = 0.1) -> Iterator[str]:
    """p_W of a run by each estimator, and the processor time to a precision: it grows like 1 / half width squared."""

    def p_w(tally: Tally) -> float:
        return metrics.waiting_probability(run.sample.averages(tally))

    for name, n_controls in (("counts", 0), (".. less work off balance", 1), (".. and less surges", 1 + SURGE_POWERS)):
        noise = noise_of(run, p_w, n_controls)
        value, error = noise.corrected()
        half = float(scipy.stats.t.ppf(0.975, noise.y.size - 1 - n_controls)) * error / value
        seconds = run.seconds * (half / wanted) ** 2
        yield f"  p_W by {name:26} {value:.4g} +- {half:5.1%}: to {wanted:.0%} {seconds:6.0f} core-seconds"


def fleets() -> dict[str, System]:
    """Four fleets near saturation, and one small enough to block."""
    near = {
        f"N = {n:,}, {name} speeds, alpha = 0.5, b = 5": System(rates(n), alpha=0.5, places=5)
        for n in (100, 1_000)
        for name, rates in (("linear (1.5 to 0.5)", lambda n: jfsq.rates.linear(n, ratio=3)), ("equal", jfsq.rates.homogeneous))
    }
    return near | {"N = 5, linear speeds, load 0.9, b = 2": System(jfsq.rates.linear(5, ratio=3), load=0.9, places=2)}


def main(arguments: list[str] | None = None) -> None:
    """Run, check, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.precision", description="What a precision costs.")
    parser.add_argument("--quick", action="store_true", help="a quarter of the replications")
    parser.add_argument("--million", action="store_true", help="p_W of a million servers as well")
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(2026)
    print(machine())
    for name, system in fleets().items():
        found = measured(system, 75 if options.quick else 300)
        check(found)
        print(f"\n{name}")
        print("\n".join(table(found, rng)), flush=True)
    if options.million:
        print("\nN = 1,000,000, linear speeds (1.5 to 0.5), alpha = 0.5, b = 5")
        print("\n".join(million()), flush=True)


if __name__ == "__main__":
    main()
