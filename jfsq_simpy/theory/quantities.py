"""How the paper's parameters are shown: symbol, value, meaning and place.

In    Parameters
Out   the quantities that mean something on its side of Halfin-Whitt, in the order of the paper
Rule  one line a symbol; what a symbol is worth is said in `geometry`
Cost  nothing
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from jfsq_simpy.theory.geometry import Parameters


class Quantity(NamedTuple):
    """How a parameter is shown."""

    symbol: str
    side: Literal["both", "sub", "super"]
    of: Callable[[Parameters], float]
    meaning: str


QUANTITIES = (
    Quantity("N", "both", lambda p: p.n, "servers"),
    Quantity("alpha", "both", lambda p: p.alpha, "load = 1 - N^-alpha, section 2"),
    Quantity("lambda", "both", lambda p: p.load, "load, section 2"),
    Quantity("X", "both", lambda p: p.x, "spare capacity N^(1 - alpha)"),
    Quantity("b", "both", lambda p: p.places, "places a server has, the one in service included"),
    Quantity("r", "both", lambda p: p.order, "order of the moment, Theorem 2"),
    Quantity("mu_1", "both", lambda p: p.mu_1, "fastest rate"),
    Quantity("mu_N1", "both", lambda p: p.mu_n1, "rate of server N1"),
    Quantity("mu_N2", "both", lambda p: p.mu_n2, "rate of server N2"),
    Quantity("mu_N", "both", lambda p: p.slowest, "slowest rate"),
    Quantity("epsilon", "both", lambda p: p.epsilon, "lower bound on the rates, section 2"),
    Quantity("delta", "both", lambda p: p.delta, "capacity share beyond N1, section 3"),
    Quantity("N1", "both", lambda p: p.n1, "fastest servers that carry (1 - delta) N, section 3"),
    Quantity("floor N1", "both", lambda p: p.n1_whole, "whole servers among them, Lemma 1"),
    Quantity("N2", "both", lambda p: p.n2, "fastest servers that carry lambda N, section 2"),
    Quantity("floor N2", "both", lambda p: p.n2_whole, "whole servers among them, Lemma 2"),
    Quantity("nu", "sub", lambda p: p.nu, "(b - 1) mu_N2 / epsilon, section 3.2"),
    Quantity("k_sub", "sub", lambda p: p.k_sub, "16 (b - 1) mu_N2 / epsilon^2, section 2"),
    Quantity("c_0", "sub", lambda p: p.c_0, "1 - 3/(4 nu), proof of Lemma 3"),
    Quantity("k_super", "super", lambda p: p.k_super, "24 r (b - 1) mu_1 / epsilon, section 2"),
    Quantity("c_1", "super", lambda p: p.c_1, "1/(6 mu_1), Lemma 4"),
    Quantity("A", "both", lambda p: p.a, "waiting jobs the Lyapunov function forgives, (4)"),
    Quantity("B", "both", lambda p: p.b, "busy servers the Lyapunov function expects, (4)"),
    Quantity("eta", "both", lambda p: p.eta, "threshold of h, section 3.4"),
    Quantity("T", "both", lambda p: p.threshold, "threshold of V, Lemmas 3 and 4"),
)


def shown(p: Parameters) -> list[Quantity]:
    """The quantities of a side: those of both, and its own.

    >>> [q.symbol for q in shown(Parameters.of(n_servers=1e4, alpha=0.5, places=2)) if q.side == "super"]
    ['k_super', 'c_1']
    """
    return [q for q in QUANTITIES if q.side in ("both", p.side)]
