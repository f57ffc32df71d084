"""Records: whole, equal to the bit after a round trip, named by what their numbers depend on."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jfsq_simpy import laws, rates
from jfsq_simpy.draws import Seed
from jfsq_simpy.errors import DataError
from jfsq_simpy.experiment import Plan, Point
from jfsq_simpy.experiment.record import SCHEMA, Record, decoded, encoded, key_of
from jfsq_simpy.system import System
from jfsq_simpy.tally import Observables, Tally, groups_of

SYSTEM = System(rates.linear(5, ratio=4), load=0.8, places=3)


def some_tally(seed: int, *, per_job: bool) -> Tally:
    rng = np.random.default_rng(seed)
    observe = Observables(joint=((0, 1, 5), (0, 2, 5)), tails=((0.0, 4.0, 1.0),), powers=((0.5, 2),), path=True)
    tally = Tally.empty(groups_of(SYSTEM), SYSTEM.places, observe, per_job=per_job)
    for f in fields(Tally):
        value = getattr(tally, f.name)
        if isinstance(value, np.ndarray) and value.dtype.kind == "i":
            setattr(tally, f.name, rng.poisson(0.3, value.shape) * rng.integers(0, 2**40, value.shape))
    tally.powers = rng.random(1) * 10.0 ** rng.integers(-300, 300)
    tally.surges = rng.normal(size=4) * 10.0 ** rng.integers(-300, 300, 4)
    tally.path = rng.integers(0, 50, 17)
    tally.blocked, tally.wait_ticks = 3, 2**70  # sums of ticks outgrow 64 bits
    return tally


@given(st.integers(0, 2**32), st.booleans())
def test_a_tally_comes_back_equal_to_the_bit(seed: int, per_job: bool) -> None:
    import json

    tally = some_tally(seed, per_job=per_job)
    again = decoded(json.loads(json.dumps(encoded(tally))))
    assert again == tally
    assert again.joins.dtype == tally.joins.dtype
    assert again.powers.tobytes() == tally.powers.tobytes()
    assert again.surges.tobytes() == tally.surges.tobytes()


def test_binned_waits_are_written_sparsely() -> None:
    import json

    tally = Tally.empty(groups_of(SYSTEM), SYSTEM.places, per_job=True)
    assert tally.wait_bins is not None
    tally.wait_bins[2, 100] = 7
    assert len(json.dumps(encoded(tally))) < 2_000


def point(system: System = SYSTEM, **plan: Any) -> Point:
    return Point({}, system, Plan(**{"jobs": 1000, **plan}))


SAME = {
    "labels": replace(point(), labels={"system.load": 0.8}),
    "more replications": point(replications=(0, 1)),
    "another level": point(level=0.99),
    "an engine of the same view": point(engine="process"),
    "the same rates another way": point(System(SYSTEM.rates.vector(), load=0.8, places=3)),
}
OTHER = {
    "seed": point(seed=Seed.of(1)),
    "length": point(jobs=1001),
    "warm-up": point(warmup=3.0),
    "start": point(start="busy"),
    "batches": point(batches=4),
    "drain": point(drain=10.0),
    "load": point(SYSTEM.replaced(load=0.81)),
    "places": point(SYSTEM.replaced(places=4)),
    "policy": point(SYSTEM.replaced(policy="jsq")),
    "ties": point(SYSTEM.replaced(policy={"name": "jfsq", "ties": "index"})),
    "size": point(SYSTEM.replaced(size={"law": "erlang", "k": 2})),
    "size's parameter": point(SYSTEM.replaced(size={"law": "erlang", "k": 3})),
    "measured sizes": point(SYSTEM.replaced(size=laws.Empirical([1.0, 2.0]))),
    "other measured sizes": point(SYSTEM.replaced(size=laws.Empirical([1.0, 3.0]))),
    "rates": point(SYSTEM.replaced(rates=rates.linear(5, ratio=5))),
}


@pytest.mark.parametrize("what", SAME)
def test_the_key_forgets_what_numbers_do_not_depend_on(what: str) -> None:
    assert key_of(SAME[what], "jobs") == key_of(point(), "jobs")


def test_the_key_knows_everything_numbers_depend_on() -> None:
    keys = [key_of(p, "jobs") for p in (point(), *OTHER.values())] + [key_of(point(), "chain")]
    assert len(set(keys)) == len(keys)


def test_large_fleets_are_told_apart_though_their_summary_is_short() -> None:
    one, other = rates.pareto(5000, shape=2.0), rates.pareto(5000, shape=2.0 + 1e-12)
    assert key_of(point(System(one, load=0.9, places=2)), "chain") != key_of(point(System(other, load=0.9, places=2)), "chain")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": 0}', f'{{"schema": {SCHEMA}}}', "nonsense", "null"])
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        Record.from_json(text)
