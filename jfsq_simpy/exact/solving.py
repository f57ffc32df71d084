"""From a System to its exact law: which servers to tell apart, which method, and whether it fits.

In    a System with Poisson arrivals and exponential sizes
Out   an ExactLaw
Rule  sizes are worked out before any array is made; a refusal says how large it is and what would fit
Cost  that of the method chosen: "elimination" for small chains, "sweeps" for large ones, "birth_death"
      where jobs present say all, "excursions" for equal servers with two places
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from jfsq_simpy.errors import ModelError, TooLargeError
from jfsq_simpy.exact import elimination, sweeps, twos
from jfsq_simpy.exact.generator import Chain, chain_of, routing
from jfsq_simpy.exact.law import ExactLaw, Part, Solution
from jfsq_simpy.exact.states import StateSpace, Units, n_states, units_of
from jfsq_simpy.policies import AskAll
from jfsq_simpy.rates import FloatArray, IntArray
from jfsq_simpy.system import System

Form = Literal["auto", "servers", "groups", "classes"]
Method = Literal["auto", "elimination", "sweeps", "birth_death", "excursions"]

MOST_STATES = 1_000_000
MOST_CELLS = 200_000_000  # states x units x levels, looked at a portion at a time
MOST_CLASSES = 1000  # with more there are above 10^301 states
FOLLOW_SERVERS_UP_TO = 20_000  # states: with index ties each server is followed while that is cheap
LIGHT = 5e9  # multiplications of an elimination done without a second thought, about a second
HEAVY = 4e11  # and of one worth a minute or two when sweeps do not settle
MOST_MEMORY = 2**30  # bytes an elimination may keep
EXCURSIONS_FROM = 60  # equal servers: below, the chain is small anyway
MOST_EQUAL_SERVERS = 50_000


def solve(system: System, *, form: Form = "auto", method: Method = "auto") -> ExactLaw:
    """The stationary law of the queue lengths.

    Parameters
    ----------
    system : System   Poisson arrivals, exponential sizes; any policy whose routing probabilities are known
    form : which servers to tell apart. "classes": those of different speed (the smallest chain, enough
        where ties are uniform: equal servers have equal laws). "servers": every one, (places + 1)^N states.
        "groups": speed classes, cut at N1 and N2. "auto": classes; with index ties servers if there are at
        most 20,000 states, else groups if they fit, else classes (`idle_among_n1`, `_n2` then are in `refused`).
    method : "elimination" (block elimination without subtraction), "sweeps" (Gauss-Seidel with aggregation),
        "birth_death" (one state a number of jobs), "excursions" (equal servers, two places, shortest queue),
        or "auto"

    Returns an ExactLaw; probabilities are right to 1e-10 relative or better, each one.
    Errors: ModelError when the queue lengths are not a Markov chain or the policy's probabilities are not
    known; TooLargeError with the number of states and what would fit.

    >>> from jfsq_simpy import System, rates
    >>> solve(System(rates.homogeneous(1), load=0.5, places=2)).blocking_probability    # M/M/1/2: 1/7
    0.14285714285714285
    """
    _refuse_what_is_no_chain(system)
    if system.rates.n_classes > MOST_CLASSES:
        raise _too_large(system, "more than 10^301 states")
    units = _units(system, form)
    if method == "excursions" or (method == "auto" and _only_twos_matter(system, units) and system.n_servers > EXCURSIONS_FROM):
        return ExactLaw(system, _by_excursions(system, units))
    _refuse_too_large(system, units)
    return ExactLaw(system, _by_chain(chain_of(system, units), method))


def is_solvable(system: System) -> bool:
    """Whether `solve` knows this small system's chain, told without solving: every routing probability is known.

    O(states). Errors: TooLargeError.

    >>> from jfsq_simpy import System, rates
    >>> [is_solvable(System(rates.homogeneous(2), load=0.5, places=2, policy=name)) for name in ("jsq", "round_robin")]
    [True, False]
    """
    try:
        _refuse_what_is_no_chain(system)
        units = _units(system, "auto")
        _refuse_too_large(system, units)
        space = StateSpace(units, system.places)
        routing(system, units)(space.counts(np.arange(space.n_states)))
    except ModelError:
        return False
    return True


def _refuse_what_is_no_chain(system: System) -> None:
    if system.breakdowns is not None:
        raise ModelError("exact: servers that fail have more states than queue lengths. Use simulation: simulate(system).")
    if not system.knowledge.perfect:
        raise ModelError(
            "exact: dispatchers do not know all queues and speeds as they are (knowledge), and it solves only for those who do. "
            "Use simulation: simulate(system)."
        )
    if not system.is_markov:
        raise ModelError(
            f"exact: sizes are {system.size!r} and arrivals {system.arrivals!r}; queue lengths are a Markov chain only with "
            "exponential sizes and Poisson arrivals. Use simulation for others: simulate(system)."
        )


# ---- which servers to tell apart -----------------------------------------------------------------------------


def _units(system: System, form: Form) -> Units:
    classes = units_of(system.rates)
    if form == "servers" or (form == "auto" and _servers_must_be_followed(system)):
        return _every_server(system)
    if form == "groups":
        return _cut_at_n1_and_n2(system)
    if form not in ("auto", "classes"):
        raise ModelError(f'form = {form!r} must be "auto", "servers", "groups" or "classes".')
    if form == "classes" or system.policy.ties != "index":
        return classes
    if system.n_servers * math.log(system.places + 1) <= math.log(FOLLOW_SERVERS_UP_TO):
        return _every_server(system)
    groups = _cut_at_n1_and_n2(system)
    return groups if _fits(groups, system.places) else classes


def _every_server(system: System) -> Units:
    if system.n_servers > MOST_CLASSES:
        raise _too_large(system, "more than 10^301 states when every server is followed")
    return units_of(system.rates, range(system.n_servers))


def _cut_at_n1_and_n2(system: System) -> Units:
    return units_of(system.rates, (system.n1().floor, system.n2.floor))


def _servers_must_be_followed(system: System) -> bool:
    """Whether index ties between different levels of one speed make it matter which server is which."""
    if system.policy.ties != "index" or system.rates.all_distinct:
        return False
    several = system.policy.rank_table(system.rates, system.places)[system.rates.counts > 1]
    return any(np.unique(row).size < row.size for row in several)


def _only_twos_matter(system: System, units: Units) -> bool:
    """Whether these are equal servers of two places of which the shortest queue is always joined."""
    if units.n_units > 1 or system.places != 2 or not isinstance(system.policy.query, AskAll):
        return False
    return bool((np.diff(system.policy.rank_table(system.rates, 2)[0]) > 0).all())


# ---- whether it fits -----------------------------------------------------------------------------------------


def _log_states(sizes: IntArray, places: int) -> float:
    return sum(math.lgamma(n + places + 1) - math.lgamma(n + 1) - math.lgamma(places + 1) for n in sizes.tolist())


def _fits(units: Units, places: int) -> bool:
    if _log_states(units.sizes, places) > 2 * math.log(MOST_STATES):  # astronomical integers are slow
        return False
    total = n_states(units.sizes, places)
    return total <= MOST_STATES and total * units.n_units * (places + 1) <= MOST_CELLS


def _refuse_too_large(system: System, units: Units) -> None:
    if not _fits(units, system.places):
        digits = _log_states(units.sizes, system.places) / math.log(10)
        count = f"{n_states(units.sizes, system.places):,}" if digits < 15 else f"about 10^{digits:.0f}"
        apart = "" if units.n_units == system.rates.n_classes else f" when {units.n_units:,} kinds of servers are told apart"
        raise _too_large(system, f"{count} states{apart}")


def _too_large(system: System, count: str) -> TooLargeError:
    rates, b = system.rates, system.places
    classes = f"{rates.n_classes:,} speed class" + ("es" if rates.n_classes > 1 else "")
    return TooLargeError(
        f"exact: N = {rates.n_servers:,} servers in {classes} with places = {b} have {count}; at most "
        f"{MOST_STATES:,} are solved. With places = {b} there fit {_what_fits(b)}. Use one of these, or simulate."
    )


def _what_fits(places: int) -> str:
    def largest(make: Callable[[int], list[int]]) -> int:
        n = 1
        while _fits(_plain_units(make(n + 1)), places):
            n += max(1, n // 100)  # close enough: 1 %
        return sum(make(n))

    equal = f"{MOST_EQUAL_SERVERS:,} equal servers (JFSQ, JSQ)" if places == 2 else f"{largest(lambda n: [n]):,} equal servers"
    return f"{largest(lambda n: [1] * n):,} servers of distinct speeds, {largest(lambda n: [n, n]):,} of two speeds, {equal}"


def _plain_units(sizes: list[int]) -> Units:
    n = len(sizes)
    return Units(np.array(sizes), np.ones(n), np.arange(n))


# ---- the methods ---------------------------------------------------------------------------------------------


def _by_chain(chain: Chain, method: Method) -> Solution:
    probabilities, name, facts = _stationary(chain, method)
    cells = (chain.space.units.n_units, chain.space.places + 1)
    levels, sent = np.zeros(cells), np.zeros(cells)
    for part, counts in chain.parts():
        p = probabilities[part]
        levels += np.tensordot(p, counts, axes=1)
        sent += np.tensordot(p, chain.sent(counts), axes=1)

    def parts() -> Iterator[Part]:
        return ((counts, probabilities[part]) for part, counts in chain.parts())

    jobs = np.zeros(chain.space.most_jobs + 1)
    jobs[: chain.most_jobs + 1] = np.add.reduceat(probabilities, chain.first[:-1])
    return Solution(name, chain.space.units, chain.n_states, levels, sent, jobs, parts, facts)


def _stationary(chain: Chain, method: Method) -> tuple[FloatArray, str, dict[str, Any]]:
    work = elimination.work(chain)
    one_each = chain.n_states == chain.most_jobs + 1
    if method == "auto":
        method = "birth_death" if one_each else "elimination" if work <= LIGHT else "sweeps"
        if method == "sweeps" and work <= HEAVY and elimination.memory(chain) <= MOST_MEMORY:
            return _sweeps_else_elimination(chain)
    if method == "birth_death" and not one_each:
        raise ModelError('method = "birth_death" is for chains with one state for each number of jobs; use method = "auto".')
    if method == "birth_death":
        return sweeps.birth_death(chain.up[:-1], chain.down[1:]), method, {}
    if method == "sweeps":
        probabilities, facts = sweeps.stationary(chain)
        return probabilities, method, facts
    if method == "elimination":
        return elimination.stationary(chain), method, {}
    raise ModelError(f'method = {method!r} must be "auto", "elimination", "sweeps", "birth_death" or "excursions".')


def _sweeps_else_elimination(chain: Chain) -> tuple[FloatArray, str, dict[str, Any]]:
    try:
        probabilities, facts = sweeps.stationary(chain)
    except TooLargeError:
        return elimination.stationary(chain), "elimination", {}
    return probabilities, "sweeps", facts


def _by_excursions(system: System, units: Units) -> Solution:
    n = system.n_servers
    if not _only_twos_matter(system, units):
        raise ModelError(
            'method = "excursions" is for equal servers with places = 2 under a policy that always joins a shortest queue; '
            'use method = "auto".'
        )
    if n > MOST_EQUAL_SERVERS:
        raise TooLargeError(
            f"exact: N = {n:,} equal servers with places = 2 have {(n + 1) * (n + 2) // 2:,} states; up to "
            f"N = {MOST_EQUAL_SERVERS:,} are solved (time grows like N^2). Use fewer servers; or simulate."
        )
    summary = twos.summary(n, system.arrival_rate)

    def parts() -> Iterator[Part]:
        for counts, probabilities in twos.states(n, system.arrival_rate, summary.total):
            yield counts[:, None, :], probabilities

    return Solution("excursions", units, (n + 1) * (n + 2) // 2, summary.levels, summary.sent, summary.jobs, parts)
