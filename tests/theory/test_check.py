"""check, bounds, observables and scaling: verdicts on exact laws and runs, and a wrong bound found out."""

import contextlib
import inspect
import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from jfsq_simpy import exact, rates
from jfsq_simpy.errors import ModelError, PlanError
from jfsq_simpy.estimate import jackknife
from jfsq_simpy.metrics import METRICS
from jfsq_simpy.policies import POLICIES
from jfsq_simpy.simulate import simulate
from jfsq_simpy.system import System
from jfsq_simpy.theory import bounds, check, lemmas, observables, scaling, statements, statements_of
from jfsq_simpy.theory.evidence import Finding, FromLaw, FromRun
from jfsq_simpy.theory.geometry import Parameters
from jfsq_simpy.theory.record import Measure, Statement
from jfsq_simpy.theory.report import judge
from jfsq_simpy.theory.scaling import slope
from jfsq_simpy.theory.smallest import first_meaningful
from jfsq_simpy.views import theory_tables
from tests.theory.systems import SOLVED, law_of

SMALL = System(rates.two_speed(10, ratio=3), alpha=0.25, places=2)


@pytest.fixture(scope="module")
def run():
    return simulate(SMALL, horizon=800, engine="lockstep", rng=3, replications=10, warmup=20, workers=1, observe=observables(SMALL))


def wrong(bound: float, metric: str = "waiting_probability") -> Statement:
    return Statement(
        name="wrong",
        variant="made up",
        quantity=metric,
        log_bound=float(np.log(bound)),
        trivial=1.0,
        conditions=(),
        equation="none",
        sentence="not true",
        regime="none",
        measure=Measure("metric", metric),
    )


# ---- exact laws ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", SOLVED)
def test_nothing_the_theory_says_is_violated_on_exact_laws(case):
    law = law_of(case)
    report = check(law.system, law)
    assert not report.failed, report.failures
    assert not report.warnings
    judged = {line.verdict for line in report.lines}
    assert "holds" in judged
    json.dumps(report.to_dict(), allow_nan=False)


def test_every_statement_gets_a_verdict_and_the_unmet_say_what_they_miss():
    report = check(SMALL, exact.solve(SMALL))
    said = [line for line in report.lines if line.what == "statement"]
    assert {line.name for line in said} == {"Lemma 1", "Lemma 2", "Lemma 3", "Theorem 2", "E[Qbar]", "p_B", "E[Q_W]", "E[W]", "p_W"}
    for line in said:
        if line.verdict == "condition not met":
            assert line.note.startswith("misses ")
    assert any(line.variant == "paper" and line.verdict == "not judged" for line in said)


def test_a_wrong_bound_is_found_out_by_an_exact_law():
    law = exact.solve(SMALL)
    right, too_low = wrong(law.waiting_probability * 1.0001), wrong(law.waiting_probability * 0.9999)
    assert not check(SMALL, law, statements=[right]).failed
    report = check(SMALL, law, statements=[too_low])
    assert report.failed
    assert [line.name for line in report.failures] == ["wrong"]


def test_a_lower_bound_is_judged_from_below():
    law = exact.solve(SMALL)
    low = replace(wrong(law.mean_wait * 1.01, "mean_wait"), relation=">=", trivial=0.0)
    assert check(SMALL, law, statements=[low]).failed
    assert not check(SMALL, law, statements=[replace(low, log_bound=float(np.log(law.mean_wait * 0.99)))]).failed


def test_conditions_come_before_verdicts_and_soundness_before_conditions():
    law = exact.solve(SMALL)
    unmet = statements_of(SMALL)[0].conditions[:1]
    far_off = replace(wrong(1e-9), conditions=unmet)
    assert check(SMALL, law, statements=[far_off]).lines[0].verdict == "condition not met"
    assert check(SMALL, law, statements=[replace(far_off, sound=False)]).lines[0].verdict == "not judged"
    assert check(SMALL, law, statements=[replace(wrong(1.0), trivial=1.0)]).lines[0].verdict == "vacuous"


def test_lemma_3_is_judged_and_holds_where_it_says_something():
    system = System(rates.homogeneous(100), alpha=0.3, places=2)
    report = check(system, exact.solve(system))
    line = next(line for line in report.lines if line.name == "Lemma 3" and line.variant == "whole")
    assert line.verdict == "holds"
    assert line.reference < 1


# ---- ties ----------------------------------------------------------------------------------------------------


def test_lemmas_1_and_2_are_refused_when_their_cut_splits_a_class():
    system = System(rates.homogeneous(400), alpha=0.3, places=2)
    report = check(system, exact.solve(system))
    lemma_1 = [line for line in report.lines if line.name in ("Lemma 1", "Lemma 2")]
    assert {line.verdict for line in lemma_1} == {"condition not met"}
    assert any("ties" in note for note in report.notes)


def test_with_index_ties_they_speak():
    # seven servers, each followed: delta = 1/2 is allowed where N^alpha >= 4
    system = System(rates.homogeneous(7), alpha=0.75, places=2, policy={"name": "jfsq", "ties": "index"})
    law = exact.solve(system, form="servers")
    p = Parameters.from_system(system, delta=0.5)
    statement = lemmas.lemma_1(p, "whole", system.n1(0.5).floor)
    assert statement.applies
    report = check(system, law, statements=[statement])
    assert report.lines[0].verdict == "holds"
    assert not report.notes or not any("ties" in note for note in report.notes)


def test_a_cut_between_classes_is_judged_under_uniform_ties():
    fleet = rates.two_speed(16, ratio=3)  # N2 = 8 when the fast half carries the load
    system = System(fleet, load=0.75, places=2)
    assert system.n2.floor == 8
    lines = [
        line
        for line in check(system, exact.solve(System(fleet, load=0.75, places=2)), statements=None).lines
        if line.name == "Lemma 2"
    ]
    assert {line.verdict for line in lines} <= {"holds", "condition not met"}
    assert not any("ties" in line.note for line in lines)


# ---- runs ----------------------------------------------------------------------------------------------------


def test_a_run_is_held_against_statements_curves_and_its_own_exact_law(run):
    report = check(SMALL, run)
    assert not report.failed, report.failures
    assert not report.warnings
    kinds = {(line.what, line.variant) for line in report.lines}
    assert {("reference", "exact"), ("reference", "lower bound"), ("identity", "pathwise"), ("identity", "stationary")} <= kinds
    assert any(line.name == "P(no server idle) = p_W" for line in report.lines)
    json.dumps(report.to_dict(), allow_nan=False)
    table = report.by_metric().set_index("metric")
    assert table.loc["waiting_probability", "exact"] == pytest.approx(exact.solve(SMALL).waiting_probability)
    assert table.loc["mean_wait", "at_least"] <= table.loc["mean_wait", "exact"]
    assert len(report.table()) == len(report.lines)


def test_a_wrong_bound_is_found_out_by_a_run(run):
    truth = exact.solve(SMALL).mean_queue
    assert check(SMALL, run, statements=[wrong(truth * 0.8, "mean_queue")]).failed
    close = check(SMALL, run, statements=[wrong(float(run.waiting_probability) * 0.97)])
    assert close.lines[0].verdict == "holds within noise"
    assert not close.failed


def test_replications_that_agree_to_the_last_digit_do_not_rule_out_what_none_has_seen():
    # at load 1 % every job of a short run finds a fast server: E[T] is 2/3 each time, and the exact law has a little more
    system = System(rates.two_speed(6, ratio=3), load=0.01, places=2)
    run = simulate(system, horizon=300, engine="lockstep", rng=5, replications=4, warmup=3, workers=1)
    assert run.mean_response.low == run.mean_response.high
    assert exact.solve(system).mean_response > run.mean_response.value * (1 + 1e-6)
    report = check(system, run)
    assert not report.failed, report.failures


def test_but_they_do_rule_out_what_is_far_off():
    system = System(rates.homogeneous(4), load=0.5, places=2)
    run = simulate(system, horizon=400, engine="lockstep", rng=5, replications=8, warmup=3, workers=1)
    assert run["messages_per_job"].value == 8.0  # asked and answered by four servers, whatever happens
    report = check(system, run, law=None, statements=[wrong(4.0, "messages_per_job")])
    assert [line.name for line in report.failures] == ["wrong"]


def test_a_run_of_another_system_is_refused(run):
    with pytest.raises(PlanError, match="not of"):
        check(SMALL.replaced(places=3), run)


def test_a_law_that_is_not_the_runs_is_found_out(run):
    other = exact.solve(SMALL.replaced(alpha=0.5))
    assert check(SMALL, run, law=other).failed


def test_counted_tails_and_powers_meet_the_exact_law():
    system = System(rates.homogeneous(8), load=0.8, places=3)
    observed = replace(observables(system), tails=((1.0, 8.0, 1.0),), powers=((0.8, 2),))
    run = simulate(system, horizon=2200, engine="lockstep", rng=8, replications=8, warmup=30, workers=1, observe=observed)
    truth, found = FromLaw(exact.solve(system)), FromRun(run)
    wider = 6.8  # Student t, 8 units: from 95 % to 1 - 1e-6
    for measure in (
        Measure("tail", tail=(1.0, 8.0, 1.0)),
        Measure("power", power=(0.8, 2)),
        Measure("idle_tail", idle_tail=(8, 1.0)),
    ):
        ours, exactly = found.measured(measure), truth.measured(measure)
        half = (ours.high - ours.low) / 2
        assert abs(ours.value - exactly.value) <= wider * half
        assert wider * half < 0.5 * exactly.value
    assert found.tail(2.0, 8.0, 1.0) is None  # not asked for
    assert truth.tail(2.0, 8.0, 1.0).value < truth.tail(1.0, 8.0, 1.0).value


def test_a_tail_never_seen_is_reported_by_its_upper_limit(run):
    found = FromRun(run).idle_tail(SMALL.n2.floor, lemmas.lemma_2_threshold(Parameters.from_system(SMALL)))
    assert (found.value, found.low) == (0.0, 0.0)
    assert 0 < found.high < 0.05


def systems_by_policy() -> dict[str, System]:
    """Six servers under every policy that needs no parameter, or d alone."""
    found = {}
    for name, make in POLICIES.items():
        d = {"d": 2} if "d" in inspect.signature(make).parameters else {}
        with contextlib.suppress(ModelError):
            found[name] = System(rates.two_speed(6, ratio=2), load=0.7, places=2, policy={"name": name, **d})
    return found


BY_POLICY = systems_by_policy()


def test_most_policies_are_checked():
    assert {"jfsq", "jsq", "jiq", "sed", "sed_all", "jsq_d", "random"} <= set(BY_POLICY)


@pytest.mark.parametrize("name", sorted(BY_POLICY))
def test_every_policy_can_be_checked(name):
    system = BY_POLICY[name]
    run = simulate(system, horizon=150, engine="process", rng=2, replications=4, warmup=10, workers=1, observe=observables(system))
    report = check(system, run)
    assert not report.failed, report.failures
    met = [line for line in report.lines if line.what == "statement" and line.verdict in ("holds", "vacuous")]
    assert name == "jfsq" or not met


@pytest.mark.parametrize("changes", [{"load": 1.3}, {"load": 0.97}, {"places": 1}, {"size": "deterministic"}])
def test_systems_the_paper_does_not_speak_of_are_still_checked(changes):
    system = System(rates.homogeneous(6), **({"load": 0.7, "places": 2} | changes))
    run = simulate(system, horizon=200, engine="process", rng=4, replications=4, warmup=20, workers=1, observe=observables(system))
    report = check(system, run)
    assert not report.failed
    assert not any(line.what == "statement" and line.verdict == "holds" for line in report.lines)
    assert {line.what for line in report.lines} >= {"identity"}
    assert report.notes or "size" in changes


OTHER = {
    "overload": {"load": 1.3},
    "load beyond 1 - 1/N": {"load": 0.97},
    "deterministic sizes": {"size": "deterministic"},
    "random": {"policy": "random"},
    "jiq": {"policy": "jiq"},
}


@pytest.mark.parametrize("name", OTHER)
def test_every_metric_has_a_row_where_the_paper_is_silent_too(name):
    system = System(rates.from_speeds([2.0, 1.0, 1.0, 1.0, 0.5, 0.5]), **({"load": 0.7, "places": 2} | OTHER[name]))
    run = simulate(system, horizon=100, engine="process", rng=4, replications=4, warmup=10, workers=1, observe=observables(system))
    table = check(system, run, law=None).by_metric().set_index("metric")
    for metric in METRICS:
        row = table.loc[metric]
        assert row["measured"] == run[metric].value
        assert row["low"] <= row["measured"] <= row["high"]
        assert isinstance(row["verdict"], str)
    assert table.loc["waiting_probability", "measured"] > 0
    silent = table.index[table["verdict"] == "no statement"]
    assert "idle_among_n1" in silent
    for metric in silent:
        assert not table.loc[metric, ["at_least", "limit", "bound"]].notna().any()


def test_with_an_exact_law_every_metric_stands_beside_it():
    system = System(rates.from_speeds([2.0, 1.0, 0.5]), load=1.3, places=2)
    run = simulate(system, horizon=300, engine="lockstep", rng=4, replications=4, warmup=10, workers=1)
    table = check(system, run).by_metric().set_index("metric")
    law = exact.solve(system)
    for metric in METRICS:
        assert table.loc[metric, "exact"] == pytest.approx(law[metric])
        assert table.loc[metric, "verdict"] in ("holds", "holds within noise")


def test_a_conjecture_is_marked_and_judges_nothing():
    system = System(rates.two_speed(30, ratio=3), alpha=0.75, places=3)
    run = simulate(system, horizon=50, engine="lockstep", rng=4, replications=4, warmup=10, workers=1)
    table = check(system, run).by_metric().set_index("metric")
    assert table.loc["waiting_probability", "limit_kind"] == "conjecture"
    assert table.loc["mean_response", "limit_kind"] == "limit"
    out = "".join(str(cell) for cell in theory_tables.metrics(check(system, run)).columns[5].cells)
    assert " ?" in out


def headings(table):
    return [str(column.header) for column in table.columns]


def test_what_was_solved_exactly_is_not_said_to_be_measured(run):
    solved, simulated = check(SMALL, exact.solve(SMALL)), check(SMALL, run)
    assert headings(theory_tables.metrics(solved)) == ["metric", "exact", "at least", "limit", "bound", "verdict"]
    measured = headings(theory_tables.metrics(simulated))
    assert measured == ["metric", "measured", "interval", "exact", "at least", "limit", "bound", "verdict"]
    assert "exact" in headings(theory_tables.judged(solved))
    assert "measured" in headings(theory_tables.judged(simulated))
    row = {str(c.header): next(iter(c.cells)) for c in theory_tables.metrics(solved).columns}
    assert float(row["exact"]) == pytest.approx(exact.solve(SMALL).waiting_probability, rel=1e-3)


@pytest.mark.parametrize("change", ["boards", "failing"])
def test_statements_are_not_judged_where_servers_fail_or_boards_are_late(change):
    if change == "boards":
        system = SMALL.replaced(knowledge={"dispatchers": 2, "queues": {"name": "refreshed", "every": 3.0}})
    else:
        system = SMALL.replaced(breakdowns={"mean_up": 20.0, "mean_down": 5.0})
    missed = {c.name for s in statements_of(system) for c in s.missed}
    assert ("the dispatcher knows the servers as they are" in missed) == (change == "boards")
    assert ("servers never fail" in missed) == (change == "failing")
    assert not any(s.applies for s in statements_of(system))
    assert any("none is judged" in note for note in bounds(system).notes)
    run = simulate(system, horizon=60, engine="process", rng=2, replications=3, warmup=5, workers=1, observe=observables(system))
    report = check(system, run)
    assert not report.failed
    assert not any(line.name == "P(no server idle) = p_W" for line in report.lines)


# ---- judging -------------------------------------------------------------------------------------------------


def test_judge_compares_logarithms_where_floats_end():
    tiny = Finding(1e-300, 1e-300, 1e-300, 0.0, 0)
    assert judge(tiny, "<=", 0.0, -800.0)[0] == "violated"
    assert judge(tiny, "<=", 0.0, -600.0)[0] == "holds"


def test_judge_with_one_unit_knows_no_noise():
    lone = Finding(0.5, np.nan, np.nan, np.nan, 1)
    assert judge(lone, "<=", 0.4)[0] == "not judged"
    assert judge(lone, "<=", 0.6)[0] == "holds"


@pytest.mark.parametrize(("relation", "tails"), [("<=", 1), ("=", 2)])
@pytest.mark.parametrize("units", [4, 30])
def test_noise_alone_is_called_a_breach_once_in_a_million(relation, tails, units):
    limit = stats.t.isf(1e-6 / tails, units - 1)
    for z, verdict in ((limit * 0.999, "holds within noise"), (limit * 1.001, "violated")):
        assert judge(Finding(1 + z * 0.01, 0, 2, 0.01, units), relation, 1.0) == (verdict, pytest.approx(z))


def test_a_breach_is_not_hidden_by_a_bound_that_says_nothing():
    law = exact.solve(SMALL)
    empty = replace(wrong(law.waiting_probability * 0.9), trivial=law.waiting_probability * 0.8)
    assert empty.vacuous
    assert check(SMALL, law, statements=[empty]).lines[0].verdict == "violated"


@pytest.mark.parametrize(
    ("units", "z", "expected"), [(10, 5.0, "holds within noise"), (10, 20.0, "violated"), (1000, 6.0, "violated")]
)
def test_judge_asks_more_of_fewer_units(units, z, expected):
    found = Finding(1.0 + z * 0.01, 0, 2, 0.01, units)
    assert judge(found, "<=", 1.0) == (expected, pytest.approx(z))


# ---- bounds --------------------------------------------------------------------------------------------------


def test_bounds_says_how_far_each_is_from_meaning_anything():
    report = bounds(System(rates.homogeneous(1000), alpha=0.5, places=2))
    lines = {(line.statement.name, line.statement.variant): line for line in report.lines}
    assert lines["p_W", "paper"].verdict == "condition not met; vacuous at this N; first below 1 at N = 10^7.06"
    assert lines["E[Q_W]", "corrected"].verdict == "condition not met; vacuous at this N; says something from N = 10^4.93 on"
    assert lines["Lemma 2", "statement"].verdict == "condition not met; below 1"
    assert report.assumption_from == "10^8.54"
    assert not any("none is judged" in note for note in report.notes)
    assert len(report.table()) == len(report.lines)
    assert {"Assumption 2", "hidden", "section 2"} <= set(report.conditions_table()["from"])
    assert "k_super" in set(report.parameters_table()["symbol"])
    json.dumps(report.to_dict(), allow_nan=False)


def test_bounds_refuses_what_the_paper_does_not_speak_of():
    with pytest.raises(ModelError, match="alpha"):
        bounds(System(rates.homogeneous(10), load=1.1, places=2))


def test_statements_speak_in_every_regime():
    for alpha in (0.2, 0.5, 0.8):
        found = statements(Parameters.of(n_servers=1e6, alpha=alpha, places=3))
        names = {s.name for s in found}
        assert {"Lemma 1", "Lemma 2", "Theorem 2", "E[Qbar]", "p_B", "E[W]", "p_W", "Theorem 1, E[W]", "Theorem 1, p_W"} <= names
        assert f"Lemma {3 if alpha < 0.5 else 4}" in names
        for s in found:
            assert s.sentence.endswith(".")
            assert s.conditions
            assert s.equation


def test_sound_statements_apply_and_say_something_at_enormous_n():
    for alpha in (0.25, 0.5, 0.75):
        found = statements(Parameters.of(n_servers=1e90, alpha=alpha, places=2))
        for s in found:
            if s.sound and s.relation == "<=":
                assert s.applies, (s.name, s.variant, [c.name for c in s.missed])
                assert not s.vacuous, (s.name, s.variant, s.bound)


def test_first_meaningful_is_where_the_bound_crosses_the_trivial_one():
    def build(p):
        return lemmas.collapse(p)

    found = first_meaningful(build, 0.75, 2)
    at = Parameters.of(log_n=found.log10_n * np.log(10) + 1e-6, alpha=0.75, places=2)
    before = Parameters.of(log_n=found.log10_n * np.log(10) - 1e-6, alpha=0.75, places=2)
    assert not build(at).vacuous
    assert build(before).vacuous


def test_a_bound_that_never_says_anything_is_said_to_be_so():

    report = bounds(System(rates.homogeneous(1000), alpha=0.5, places=2))
    line = replace(report.lines[0], statement=replace(wrong(2.0), conditions=()), meaningful_from="no N")
    assert line.verdict == "vacuous at every N up to 10^300"


# ---- observables ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "system", [SMALL, System(rates.linear(3000, ratio=4), alpha=0.6, places=5), System(rates.homogeneous(10), load=1.2, places=3)]
)
def test_the_joint_histogram_covers_every_state(system):
    waiting, idle = observables(system).joint
    assert waiting[0] == idle[0] == 0
    assert waiting[-1] == system.n_servers * (system.places - 1) + 1
    assert idle[-1] == system.n_servers + 1
    assert all(a < b for edges in (waiting, idle) for a, b in pairwise(edges))
    assert len(waiting) <= 202
    assert len(idle) <= 202


@pytest.mark.parametrize("alpha", [0.25, 0.75])
def test_moments_are_counted_beyond_the_eta_of_their_own_order(alpha):
    system = System(rates.two_speed(40, ratio=3), alpha=alpha, places=3)
    p = Parameters.from_system(system)
    wanted = tuple((p.with_order(r).eta, r) for r in (1, 2, 3))
    assert observables(system).powers == wanted
    assert len({eta for eta, _ in wanted}) == (1 if alpha < 0.5 else 3)  # above Halfin-Whitt eta grows with r


def test_cells_are_single_states_near_zero_and_of_one_width_beyond():
    waiting, idle = observables(System(rates.homogeneous(200_000), alpha=0.5, places=2)).joint
    for edges in (waiting, idle):
        assert edges[:7] == (0, 1, 2, 3, 4, 5, 6)
        assert 90 <= len(edges) <= 130
        widths = np.diff(edges)[:-1]  # the last cell is all the rest
        growth = widths[1:] / widths[:-1]
        assert (growth[7:] <= 1.5).all()
        assert widths[-20:].max() - widths[-20:].min() <= 1  # rounded to whole numbers


def test_observables_ask_for_what_check_wants(run):
    for s in statements_of(SMALL):
        if s.measure.kind in ("tail", "idle_tail", "power"):
            assert FromRun(run).measured(s.measure) is not None, s.name


# ---- scaling -------------------------------------------------------------------------------------------------


def runs(alpha: float, sizes=(20, 40, 80), **plan):
    plan = {"horizon": 1500, "engine": "lockstep", "rng": 5, "replications": 6, "warmup": 40, "workers": 1} | plan
    return [simulate(System(rates.homogeneous(n), alpha=alpha, places=2), **plan) for n in sizes]


def test_scaling_of_runs_covers_the_exact_slope():
    found = scaling(runs(0.5, sizes=(20, 80), horizon=800), "waiting_probability")
    laws = [exact.solve(System(rates.homogeneous(n), alpha=0.5, places=2)) for n in (20, 80)]
    truth = scaling(laws, "waiting_probability")
    assert truth.error == 0
    assert truth.low == truth.slope == truth.high
    assert abs(found.slope - truth.slope) <= 8 * found.error  # Student t, 6 units, 1 - 1e-4
    assert found.error < 0.1
    assert found.order_exponent == -0.5
    assert found.low < found.slope < found.high
    assert found.verdict.startswith("falls")
    json.dumps(found.to_dict(), allow_nan=False)


def test_exact_slopes_fall_as_the_theorem_says():
    sizes = (500, 1000, 2000)
    sub = [exact.solve(System(rates.homogeneous(n), alpha=0.25, places=2)) for n in sizes]
    sup = [exact.solve(System(rates.homogeneous(n), alpha=0.75, places=2)) for n in sizes]
    assert scaling(sub).slope < -5  # exponentially fast: far below the order
    for metric in ("waiting_probability", "mean_wait"):
        found = scaling(sup, metric)
        assert -0.25 < found.slope < -0.1  # nearing -1/4: the limit 2/X is still far at these N
        assert found.order_slope > found.slope  # the order carries a logarithm
        assert found.verdict == "falls at least as fast as the theorem's order"


def test_the_unit_of_a_slope_is_the_replication():
    points = runs(0.5, sizes=(20, 40), horizon=200)
    by_hand = []
    for i in range(6):
        values = [METRIC(p, [t for r, batches in enumerate(p.tallies) if r != i for t in batches]) for p in points]
        by_hand.append(slope([20, 40], values))
    spread = np.array(by_hand)
    assert scaling(points, "mean_wait").error == pytest.approx(np.sqrt(5 / 6 * ((spread - spread.mean()) ** 2).sum()))


def METRIC(run, tallies):
    from jfsq_simpy.metrics import METRICS
    from jfsq_simpy.tally import merged

    return METRICS["mean_wait"](run.sample.averages(merged(tallies)))


def test_what_has_no_slope_is_refused():
    points = runs(0.5, sizes=(20, 40), horizon=50)
    with pytest.raises(PlanError, match="two different N"):
        scaling(points[:1])
    with pytest.raises(PlanError, match="one alpha"):
        scaling([*points, *runs(0.4, sizes=(80,), horizon=50)])
    with pytest.raises(PlanError, match="orders for"):
        scaling(points, "mean_jobs")
    with pytest.raises(PlanError, match="replication numbers"):
        scaling([points[0], *runs(0.5, sizes=(40,), horizon=50, replications=4)])
    with pytest.raises(PlanError, match="logarithm"):
        slope([10, 20], [0.1, 0.0])


def test_jackknife_halves_are_nan_for_a_single_unit():
    lone = simulate(SMALL, horizon=20, engine="lockstep", rng=1, replications=1, warmup=1, workers=1, batches=1)
    _, half = jackknife(lone.sample, lambda t: float(t.blocked))
    assert np.isnan(half)
    assert not check(SMALL, lone).failed
