"""The paper's parameters: regime, N1, N2, nu, k, eta, A, B and thresholds, each with its equation.

In    a System, or bare numbers (`Parameters.of`), so that N = 10^34 can be asked about
Out   a frozen Parameters; rates enter only through mu_1, mu_N1, mu_N2, the rate at the cut, epsilon and N2
Rule  epsilon is only a lower bound on the rates: below Halfin-Whitt we take the largest one that also
      gives nu >= 3, without which the proof of Lemma 3 can fail ("paper" keeps the literal one)
Cost  O(speed classes) once
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from jfsq_simpy.errors import ModelError
from jfsq_simpy.system import System
from jfsq_simpy.theory.scope import HALF, default_delta, default_epsilon, paper_epsilon, why_silent

if TYPE_CHECKING:
    import pandas as pd

Regime = Literal["sub-Halfin-Whitt", "Halfin-Whitt", "super-Halfin-Whitt"]
Side = Literal["sub", "super"]

LARGEST_LOG = 700.0  # exp of more is beyond floats
LARGEST_ORDER = 200
SLACK = 1e-12  # relative: sums of rates meet lambda N up to rounding


@dataclass(frozen=True)
class Parameters:
    """Everything sections 2 and 3 define from N, alpha, b, r and the rates.

    Parameters
    ----------
    log_n : float            log N (natural, like every logarithm of the paper)
    alpha : float in (0, 1)  load = 1 - N^-alpha
    places : int >= 2        b
    order : int >= 1         r, the order of the moment
    mu_1, mu_n1, mu_n2 : float   rates of servers 1, N1, N2, jobs per unit time
    mu_cut : float           the rate of the server inside which the N2 cut falls (number ceil(N2))
    slowest : float          mu_N
    epsilon : float          lower bound on all rates
    delta : float            the capacity share beyond N1
    n1, n2 : float           N1 and N2 with their fractions; (1 - delta) N and lambda N when servers are equal

    Errors: ModelError. Source: sections 2 and 3.

    >>> p = Parameters.of(n_servers=1e4, alpha=0.5, places=2)
    >>> p.regime, round(p.x), round(p.k), round(p.eta, 3)
    ('Halfin-Whitt', 100, 24, 3.21)
    """

    log_n: float
    alpha: float
    places: int
    order: int
    mu_1: float
    mu_n1: float
    mu_n2: float
    mu_cut: float
    slowest: float
    epsilon: float
    delta: float
    n1: float
    n2: float

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ModelError(f"alpha = {self.alpha} must lie strictly between 0 and 1: the paper's load is 1 - N^-alpha.")
        if not self.log_n > 0:
            raise ModelError("N must be at least 2: with one server alpha means load 0.")
        if self.places < 2:
            raise ModelError(f"places = {self.places}: the paper needs a buffer (b >= 2); with b = 1 nothing waits and nu is 0.")
        if self.order < 1 or self.order != int(self.order):
            raise ModelError(f"order = {self.order} must be a whole number at least 1: it is the moment r of Theorem 2.")
        if self.order > LARGEST_ORDER:
            raise ModelError(f"order = {self.order}: moments up to {LARGEST_ORDER} are computed, bounds beyond are no floats.")
        if not self.epsilon > 0:
            raise ModelError(f"epsilon = {self.epsilon} must be above 0: it is a lower bound on the rates.")

    @classmethod
    def of(
        cls,
        *,
        alpha: float,
        places: int,
        n_servers: float | None = None,
        log_n: float | None = None,
        order: int = 1,
        mu_1: float = 1.0,
        mu_n1: float = 1.0,
        mu_n2: float = 1.0,
        slowest: float = 1.0,
        mu_cut: float | None = None,
        epsilon: float | None = None,
        delta: float | None = None,
        n1: float | None = None,
        n2: float | None = None,
    ) -> Parameters:
        """From bare numbers, by default those of equal servers; give N or log N.

        `epsilon` defaults to the one described at the head of this module, `delta` to half the slowest rate (at
        most 1/4), `mu_cut` to the slowest rate (which every bound may use), `n1` and `n2` to those of equal servers.

        >>> Parameters.of(log_n=34 * math.log(10), alpha=0.25, places=2).nu
        3.0
        """
        if log_n is None and n_servers is not None:
            log_n = math.log(n_servers)
        elif log_n is None or n_servers is not None:
            raise ModelError("give exactly one of n_servers and log_n.")
        log_n = float(log_n)
        if epsilon is None:
            epsilon = default_epsilon(alpha, places, mu_n2, slowest)
        delta = default_delta(slowest) if delta is None else delta
        return cls(
            log_n=log_n,
            alpha=alpha,
            places=places,
            order=order,
            mu_1=mu_1,
            mu_n1=mu_n1,
            mu_n2=mu_n2,
            mu_cut=slowest if mu_cut is None else mu_cut,
            slowest=slowest,
            epsilon=epsilon,
            delta=delta,
            n1=_exp(log_n) * (1 - delta) if n1 is None else n1,
            n2=_exp(log_n) * -math.expm1(-alpha * log_n) if n2 is None else n2,
        )

    @classmethod
    def from_system(
        cls, system: System, *, order: int = 1, epsilon: float | Literal["paper"] | None = None, delta: float | None = None
    ) -> Parameters:
        """The parameters of a System. `epsilon="paper"` is min(mu_N, 1/2) below Halfin-Whitt, mu_N above.

        Errors: ModelError where alpha means nothing (N = 1, load >= 1) or b = 1.

        >>> from jfsq_simpy import rates
        >>> Parameters.from_system(System(rates.two_speed(100, ratio=3), alpha=0.25, places=5)).regime
        'sub-Halfin-Whitt'
        """
        alpha = system.alpha
        if alpha is None or why_silent(system):
            raise ModelError(f"{why_silent(system)} Identities and reference models still speak.")
        rates, cut = system.rates, system.n2
        mu_n2 = rates.rate_of(max(cut.floor, 1) - 1)
        if epsilon is None:
            epsilon = default_epsilon(alpha, system.places, mu_n2, rates.slowest)
        elif epsilon == "paper":
            epsilon = paper_epsilon(alpha, rates.slowest)
        if not 0 < epsilon <= rates.slowest * (1 + 1e-12):
            raise ModelError(f"epsilon = {epsilon} must be above 0 and at most the slowest rate, {rates.slowest:.6g}.")
        delta = default_delta(rates.slowest) if delta is None else delta
        first = system.n1(delta)
        return cls(
            log_n=math.log(system.n_servers),
            alpha=alpha,
            places=system.places,
            order=order,
            mu_1=rates.fastest,
            mu_n1=rates.rate_of(max(first.floor, 1) - 1),
            mu_n2=mu_n2,
            mu_cut=rates.rate_of(max(math.ceil(cut.fractional), 1) - 1),
            slowest=rates.slowest,
            epsilon=epsilon,
            delta=delta,
            n1=first.fractional,
            n2=cut.fractional,
        )

    def with_order(self, order: int) -> Parameters:
        """The same with another r."""
        return replace(self, order=order)

    # ---- the load --------------------------------------------------------------------------------------------

    @property
    def regime(self) -> Regime:
        """Where alpha lies: below, at or above 1/2. Section 2 (1/2 is counted to super)."""
        if self.side == "sub":
            return "sub-Halfin-Whitt"
        return "Halfin-Whitt" if self.alpha <= 1 - HALF else "super-Halfin-Whitt"

    @property
    def side(self) -> Side:
        """Which half of every theorem applies."""
        return "sub" if self.alpha < HALF else "super"

    @property
    def n(self) -> float:
        """N; inf beyond floats, while conditions go on working with log N."""
        return _exp(self.log_n)

    @property
    def n_alpha(self) -> float:
        """N^alpha = 1 / (1 - lambda)."""
        return _exp(self.alpha * self.log_n)

    @property
    def x(self) -> float:
        """X = N^(1 - alpha) = N (1 - lambda), the spare capacity."""
        return _exp(self.log_x)

    @property
    def log_x(self) -> float:
        """log X."""
        return (1 - self.alpha) * self.log_n

    @property
    def load(self) -> float:
        """lambda = 1 - N^-alpha. Section 2."""
        return -math.expm1(-self.alpha * self.log_n)

    @property
    def arrival_rate(self) -> float:
        """lambda N."""
        return self.load * self.n

    # ---- how many of the fastest -----------------------------------------------------------------------------

    @property
    def n1_whole(self) -> float:
        """The whole servers among N1: those of Lemma 1 (the floor keeps its drift's sign)."""
        return _whole(self.n1)

    @property
    def n2_whole(self) -> float:
        """The whole servers among N2: those of Lemma 2."""
        return _whole(self.n2)

    # ---- below Halfin-Whitt ----------------------------------------------------------------------------------

    @property
    def nu(self) -> float:
        """nu = (b - 1) mu_N2 / epsilon. Section 3.2."""
        return (self.places - 1) * self.mu_n2 / self.epsilon

    @property
    def k_sub(self) -> float:
        """k_sub = 16 (b - 1) mu_N2 / epsilon^2 = 16 nu / epsilon. Section 2."""
        return 16 * self.nu / self.epsilon

    @property
    def c_0(self) -> float:
        """c_0 = 1 - 3 / (4 nu). Proof of Lemma 3."""
        return 1 - 3 / (4 * self.nu)

    # ---- at and above Halfin-Whitt ---------------------------------------------------------------------------

    @property
    def k_super(self) -> float:
        """k_super = 24 r (b - 1) mu_1 / epsilon. Section 2."""
        return 24 * self.order * (self.places - 1) * self.mu_1 / self.epsilon

    @property
    def c_1(self) -> float:
        """c_1 = 1 / (6 mu_1). Lemma 4."""
        return 1 / (6 * self.mu_1)

    # ---- both ------------------------------------------------------------------------------------------------

    @property
    def k(self) -> float:
        """k_sub or k_super, whichever speaks here."""
        return self.k_sub if self.side == "sub" else self.k_super

    @property
    def a(self) -> float:
        """A of the Lyapunov function (4): 0, or k_super N^alpha log N (equation (6), not section 3.2's N^(1 - alpha))."""
        return 0.0 if self.side == "sub" else self.k_super * self.n_alpha * self.log_n

    @property
    def b(self) -> float:
        """B of the Lyapunov function (4): N2 + (1 - 1/(4 nu)) X, or N."""
        return self.n2 + (1 - 1 / (4 * self.nu)) * self.x if self.side == "sub" else self.n

    @property
    def eta(self) -> float:
        """eta: B / N (equation (14)), or 1 + k_super log N / X (Theorem 2; the proof's N^alpha is a slip)."""
        return self.b / self.n if self.side == "sub" else 1 + self.k_super * self.log_n / self.x

    @property
    def threshold(self) -> float:
        """What V stays below: (1 - 3/(8 nu)) X (Lemma 3), or 3 c_1 X = X / (2 mu_1) (Lemma 4)."""
        return (1 - 3 / (8 * self.nu)) * self.x if self.side == "sub" else 3 * self.c_1 * self.x

    @property
    def drift_start(self) -> float:
        """From where V drifts down: c_0 X (proof of Lemma 3), or c_1 X (proof of Lemma 4)."""
        return (self.c_0 if self.side == "sub" else self.c_1) * self.x

    def table(self) -> pd.DataFrame:
        """Every value with its symbol, meaning and place in the paper: columns symbol, value, meaning."""
        import pandas as pd

        from jfsq_simpy.theory.quantities import shown

        return pd.DataFrame([(q.symbol, q.of(self), q.meaning) for q in shown(self)], columns=["symbol", "value", "meaning"])

    def to_dict(self) -> dict[str, Any]:
        """Every value by symbol, and the regime; plain numbers for JSON."""
        from jfsq_simpy.theory.quantities import shown

        return {"regime": self.regime, **{q.symbol: q.of(self) for q in shown(self)}}


def _exp(log: float) -> float:
    return math.exp(log) if log < LARGEST_LOG else math.inf


def _whole(servers: float) -> float:
    return float(math.floor(servers * (1 + SLACK))) if math.isfinite(servers) else servers
