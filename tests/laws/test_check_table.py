"""Every law's stated mean and variance beside 20 blocks of its draws: a table to look at, and a slow test.

Run as a script it prints the table: python tests/laws/test_check_table.py
"""

import math

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy.draws import BLOCK, Purpose, Seed
from jfsq_simpy.laws import as_law, checked_draws, from_function

N_BLOCKS = 20
FALSE_ALARM = 1e-6  # a red run means a bug, not bad luck

# tails light enough for 20 blocks to show their variance, periods short enough for many rounds
LAWS = [
    "exponential",
    "deterministic",
    {"law": "uniform", "width": 1.5},
    {"law": "gamma", "scv": 3.0},
    {"law": "erlang", "k": 5},
    {"law": "hyperexponential", "scv": 4.0},
    {"law": "coxian2", "scv": 0.6},
    {"law": "coxian2", "rate1": 4.0, "rate2": 0.5, "second": 0.3},
    {"law": "phase_type", "initial": [0.6, 0.4], "subgenerator": [[-3.0, 1.0], [0.5, -0.8]]},
    {"law": "lognormal", "scv": 0.8},
    {"law": "weibull", "shape": 0.7},
    {"law": "weibull", "scv": 0.4},
    {"law": "bounded_pareto", "shape": 1.2, "ratio": 100.0},
    {"law": "scipy", "distribution": "burr12", "parameters": {"c": 6.0, "d": 2.0}},
    {"law": "empirical", "values": [0.3, 0.9, 1.1, 4.0]},
    {"law": "mmpp", "rates": [0.5, 3.0], "switching": [[-0.1, 0.1], [0.4, -0.4]]},
    {"law": "mmpp", "rates": [0.0, 1.0, 8.0], "switching": [[-0.3, 0.2, 0.1], [0.5, -0.6, 0.1], [0.0, 2.0, -2.0]]},
    {"law": "batch", "size": 8},
    {"law": "batch", "mean_size": 5.0, "gaps": {"law": "erlang", "k": 2}},
    {"law": "periodic", "levels": [0.4, 1.0, 1.6, 1.0], "period": 300.0},
    {"law": "periodic", "levels": [3.0, 0.0, 0.5], "durations": [10.0, 4.0, 50.0]},
    {"law": "sinusoidal", "amplitude": 0.8, "period": 300.0},
    from_function(lambda rng, n: rng.triangular(0.0, 1.0, 2.0, n), name="triangle", variance=1 / 6),
]


def row(law):
    """Two (stated, seen, allowed): for the mean and for the variance about 1, from block averages by Student t."""
    state, means, squares = law.start(), [], []
    for j in range(N_BLOCKS):
        block, state = law.draw_block(Seed.of(2026).generator(0, Purpose.GAPS, j), BLOCK, state)
        block = checked_draws(law, block, BLOCK)
        means.append(block.mean())
        squares.append(np.mean((block - 1) ** 2))
    t = stats.t.isf(FALSE_ALARM / 2, N_BLOCKS - 1) / math.sqrt(N_BLOCKS)
    return (1.0, np.mean(means), t * np.std(means, ddof=1)), (law.variance, np.mean(squares), t * np.std(squares, ddof=1))


def table():
    lines = [f"{'law':70s} {'mean':>8s} {'+-':>7s}   {'variance':>8s} {'stated':>8s} {'+-':>7s}"]
    for law in LAWS:
        (_, mean, mean_width), (stated, variance, variance_width) = row(as_law(law, "law"))
        name = repr(as_law(law, "law"))[:70]
        lines.append(f"{name:70s} {mean:8.5f} {mean_width:7.5f}   {variance:8.5f} {stated:8.5f} {variance_width:7.5f}")
    return "\n".join(lines)


@pytest.mark.verify
@pytest.mark.parametrize("law", LAWS, ids=str)
def test_twenty_blocks_show_the_stated_mean_and_variance(law):
    for stated, seen, allowed in row(as_law(law, "law")):
        assert abs(seen - stated) <= allowed + 1e-12
        assert allowed <= 0.1 * max(stated, 0.5)  # 10 % off could not hide


if __name__ == "__main__":
    print(table())
