"""What a rule may choose by: words of the stream `CHOICES`, as many an event as the rule needs.

In    a System, an event's choice words
Out   which servers a job asks
Rule  event k has its own choice words, read only if it is an arrival: no event moves another's
Cost  O(d^2) a job that samples d servers
"""

from __future__ import annotations

import numpy as np

from jfsq_simpy.chain.plan import is_random, rule_of
from jfsq_simpy.chain.tables import times_high
from jfsq_simpy.draws import Words
from jfsq_simpy.policies import AskSample
from jfsq_simpy.rates import IntArray
from jfsq_simpy.system import System


def sampling(system: System) -> AskSample:
    """The sample a job draws; uniform random routing is a sample of one."""
    query = system.policy.query
    return AskSample(1, replace=True) if is_random(system.policy) or not isinstance(query, AskSample) else query


def choice_words(system: System) -> int:
    """Choice words an event: one a server asked and one for the tie, or one."""
    return sampling(system).d + 1 if rule_of(system) == "sample" else 1


def picked(system: System, choices: Words) -> IntArray:
    """The servers a job asks, ascending, each once; word i picks the i-th.

    Without replacement pick i is number floor(word_i * (N - i) / 2^64) of the servers not yet picked.
    """
    query, picks = sampling(system), list[int]()
    for i in range(query.d):
        pick = int(times_high(choices[i], system.n_servers - (0 if query.replace else i)))
        if not query.replace:
            for earlier in sorted(picks):
                pick += pick >= earlier
        picks.append(pick)
    return np.unique(np.array(picks, dtype=np.int64))
