"""The figures of the paper's claims: drawn from records, never from a simulation, and of what the records say."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from jfsq_simpy import exact, rates
from jfsq_simpy.errors import PlanError
from jfsq_simpy.run import Run
from jfsq_simpy.scenario import Scenario, results
from jfsq_simpy.system import System
from jfsq_simpy.tally import merged
from jfsq_simpy.theory import Parameters
from jfsq_simpy.views import busy_figures, collapse_figures, gamma_figures, order_figures

ROOT = Path(__file__).parents[2]
FEW = ["run.engine=lockstep", "run.replications=3", "run.warmup=2", "run.start=empty"]
SHORT = {
    "orders": ["sweep.system.servers=[4, 8]", "run.jobs=300"],
    "collapse": ["system.servers=24", "run.horizon=20"],
    "busy_servers": ["system.servers=12", "run.jobs=400"],
    "gamma": ["sweep.system.servers=[8, 16]", "run.jobs=300"],
    "inequality": ["system.servers=8", "run.jobs=300", "sweep.system.rates.ratio=[1, 4]"],
}
SCRIPTS = {name: name for name in ("orders", "collapse", "busy_servers", "gamma")} | {"heterogeneity": "inequality"}


def recorded(name: str, directory: Path) -> None:
    Scenario.read(ROOT / "scenarios" / f"{name}.toml", [*FEW, *SHORT[name]]).run(directory, workers=1)


@pytest.mark.parametrize(("script", "scenario"), SCRIPTS.items())
def test_each_script_draws_from_records_alone(script: str, scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(scenario, tmp_path)
    monkeypatch.setattr("jfsq_simpy.engines.run_replications", lambda *_, **__: pytest.fail("an analysis must not simulate"))
    monkeypatch.setattr(gamma_figures, "FARTHEST", 100.0)
    main = runpy.run_path(str(ROOT / "analysis" / f"{script}.py"))["main"]
    assert main([str(tmp_path)]) == tmp_path / f"{script}.png"
    assert (tmp_path / f"{script}.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    directory = tmp_path_factory.mktemp("collapse")
    recorded("collapse", directory)
    return [p.run for p in results(directory)]


def test_the_density_is_that_of_the_counted_law(observed: list[Run]) -> None:
    for run in observed:
        waiting, idle, p = collapse_figures.density(run)
        assert (p * np.diff(waiting)[:, None] * np.diff(idle)).sum() == pytest.approx(1.0)
        mean_idle = (p * idle[:-1]).sum()  # cells of one state each in so small a fleet
        assert mean_idle == pytest.approx(run.system.n_servers - run.mean_busy.value)


def test_wider_columns_hold_the_same_probability(observed: list[Run]) -> None:
    waiting, idle, p = collapse_figures.density(observed[0])
    fine = np.linspace(0, 300, 301)  # a made up law, with cells as fine as states and the last ones never seen
    made = np.zeros((waiting.size - 1, 300))
    made[0, :200], made[1, 150] = 0.9 / 200, 0.1
    _, wide, density = collapse_figures.columns(waiting, fine, made)
    assert wide.size <= collapse_figures.MOST_COLUMNS * 2
    assert set(wide) <= set(fine)
    mass = density * np.diff(wide)
    assert mass.sum(axis=1) == pytest.approx(made.sum(axis=1))
    assert mass[1].argmax() == np.searchsorted(wide, 150, side="right") - 1
    assert all(np.array_equal(a, b) for a, b in zip(collapse_figures.columns(waiting, idle, p), (waiting, idle, p), strict=True))


def test_the_corner_is_where_v_passes_its_threshold(observed: list[Run]) -> None:
    """V counted state by state through the corner is the tail that engines count as such."""
    for run in observed:
        p = Parameters.from_system(run.system)
        many_waiting, many_idle = collapse_figures.corner(run)
        for waiting in range(25):
            for idle in range(25):
                v = min(waiting - p.a, p.b - (p.n - idle))
                assert (v >= p.threshold - 1e-9) == (waiting >= many_waiting - 1e-9 and idle >= many_idle - 1e-9)
        rows, columns, density = collapse_figures.density(run)
        inside = density[np.ix_(rows[:-1] >= many_waiting, columns[:-1] >= many_idle)].sum()
        tally = merged(b for batches in run.tallies for b in batches)
        assert inside == pytest.approx(tally.tails[0] / tally.snapshots)


def test_a_run_that_did_not_observe_says_what_to_do(tmp_path: Path) -> None:
    recorded("busy_servers", tmp_path)
    with pytest.raises(PlanError, match=r"\[record\] observe"):
        collapse_figures.collapse([p.run for p in results(tmp_path)])


def test_busy_servers_are_drawn_at_their_measured_share_with_n1_and_n2_on_the_curve(tmp_path: Path) -> None:
    recorded("busy_servers", tmp_path)
    run = results(tmp_path)[0].run
    (ax,) = busy_figures.busy_servers([run]).axes
    curve, *marks = ax.get_lines()
    assert np.array_equal(curve.get_ydata(), run.utilisation_by_class()["value"])
    at = {int(m.get_xdata()[0]): m.get_ydata()[0] for m in marks}
    assert at.keys() == {run.system.n1().floor, run.system.n2.floor}
    assert all(y == curve.get_ydata()[n - 1] for n, y in at.items())


def test_orders_stand_beside_exact_values_where_the_fleet_is_solved(tmp_path: Path) -> None:
    recorded("orders", tmp_path)
    found = results(tmp_path)
    columns = order_figures.by_alpha(found)
    assert list(columns) == [0.25, 0.5, 0.75]
    axes = order_figures.orders(found).axes
    assert len(axes) == 6
    (truth,) = [line for line in axes[1].get_lines() if line.get_label() == "homogeneous, exact"]
    assert truth.get_xdata().tolist() == [4, 8]
    for n, value in zip(truth.get_xdata(), truth.get_ydata(), strict=True):
        assert value == exact.solve(System(rates.homogeneous(n), alpha=0.5, places=2))["waiting_probability"]


def test_jobs_beyond_n_are_drawn_as_measured_with_the_limit_they_are_to_lead_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gamma_figures, "FARTHEST", 100.0)
    recorded("gamma", tmp_path)
    found = results(tmp_path)
    fleets = gamma_figures.by_rates(found)
    assert [p.run.system.n_servers for p in fleets[0]] == [8, 16]
    run = fleets[1][0].run
    assert gamma_figures.beyond(run)[1] == pytest.approx((run.mean_jobs.value - 8) / 8**0.75)
    assert gamma_figures.waiting(run)[1] == pytest.approx(run.waiting_probability.value * 8**0.25)
    lines = gamma_figures.gamma(found).axes[0].get_lines()
    limits = {round(line.get_ydata()[0], 6) for line in lines if line.get_xdata()[0] > gamma_figures.FARTHEST}
    assert limits == {2.0, round(4 / 3, 6), round(10 / 9, 6)}


def test_jobs_beyond_n_need_one_alpha_above_one_half(tmp_path: Path) -> None:
    recorded("busy_servers", tmp_path)
    with pytest.raises(PlanError, match="one alpha above 1/2"):
        gamma_figures.gamma(results(tmp_path))
