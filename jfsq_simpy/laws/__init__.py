"""Interarrival and size laws of mean 1: by name, by table, or of one's own.

In    a name or a table ({law = "erlang", k = 3}), a frozen scipy.stats distribution, an array, a function
Out   a Law: its moments, and arrays of draws from a generator it is handed
Rule  every law has mean 1; the arrival rate and the servers' rates carry the unit of time

    law.py          what a law is, and what a block of draws must look like
    parameters.py   parameters, checked once
    simple.py       exponential, deterministic, uniform, gamma
    heavy.py        lognormal, Weibull, bounded Pareto
    phase_type.py   Erlang, hyperexponential, Coxian, any phase type
    given.py        a scipy distribution, a sample, a function
    trial.py        whether a law of one's own has mean 1
    recorded.py     a log's arrivals and sizes, in their order
    arrivals.py     MMPP and batches: gaps with memory
    periodic.py     load that varies with time
    registry.py     laws by name
"""

from jfsq_simpy.laws.arrivals import MMPP, Batch, Stream
from jfsq_simpy.laws.given import Empirical, FromScipy, from_function
from jfsq_simpy.laws.heavy import BoundedPareto, Lognormal, Weibull
from jfsq_simpy.laws.law import FloatArray, Law, checked_draws
from jfsq_simpy.laws.periodic import Periodic, Sinusoidal
from jfsq_simpy.laws.phase_type import Coxian2, Erlang, Hyperexponential, PhaseType
from jfsq_simpy.laws.recorded import RecordedGaps, RecordedSizes, RecordedStream, check_pair, recorded_stream
from jfsq_simpy.laws.registry import LAWS, SYNONYMS, as_law
from jfsq_simpy.laws.simple import Deterministic, Exponential, Gamma, Uniform

__all__ = [
    "LAWS",
    "MMPP",
    "SYNONYMS",
    "Batch",
    "BoundedPareto",
    "Coxian2",
    "Deterministic",
    "Empirical",
    "Erlang",
    "Exponential",
    "FloatArray",
    "FromScipy",
    "Gamma",
    "Hyperexponential",
    "Law",
    "Lognormal",
    "Periodic",
    "PhaseType",
    "RecordedGaps",
    "RecordedSizes",
    "RecordedStream",
    "Sinusoidal",
    "Stream",
    "Uniform",
    "Weibull",
    "as_law",
    "check_pair",
    "checked_draws",
    "from_function",
    "recorded_stream",
]

LAWS.update(
    (law.name, law)
    for law in (
        Exponential,
        Deterministic,
        Uniform,
        Gamma,
        Erlang,
        Hyperexponential,
        Coxian2,
        PhaseType,
        Lognormal,
        Weibull,
        BoundedPareto,
        FromScipy,
        Empirical,
        MMPP,
        Batch,
        Periodic,
        Sinusoidal,
        RecordedGaps,
        RecordedSizes,
    )
)
