"""The tally rebuilt from records, by hand."""

from __future__ import annotations

import numpy as np

from jfsq_simpy import System
from jfsq_simpy.draws import Seed
from jfsq_simpy.jobs import process
from jfsq_simpy.tally import Observables, Window


def test_a_snapshot_at_time_0_sees_the_jobs_present_then():
    system = System([1.0, 1.0], load=0.5, places=2, size="deterministic", arrivals="deterministic")
    observe = Observables(path=True)
    tally = process.run(system, Seed.of(1), 0, Window(0.0, 1.0), observe=observe, start="busy").tallies[0]
    # one of the two servers carries the load, so one job is there from 0 to 1, when the next one comes
    np.testing.assert_array_equal(tally.path, np.ones(8))
    np.testing.assert_array_equal(tally.levels.sum(axis=0), [8, 8, 0])
