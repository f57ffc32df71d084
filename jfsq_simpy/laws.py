"""What jobs need and when they come: laws of mean 1, drawn block by block.

In    a name or a table ({law = "erlang", k = 3}), or an object of the user's own
Out   a Law: its moments, and arrays of draws from a generator it is handed
Rule  every law here has mean 1; a job of size s takes s / mu_n at server n, and a gap is divided by
      the arrival rate where it is drawn. A law draws whole blocks, so no result depends on slicing.
Cost  one vectorised draw a block
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.errors import ModelError

FloatArray = NDArray[np.float64]


class Law(ABC):
    """A law of mean 1 on [0, infinity).

    A law of one's own subclasses this: give `variance` and `draw`. One with memory from draw to draw
    (not renewal) also overrides `start` and `draw_block`, which carry its state from block to block.
    """

    name: str = "custom"
    memoryless: bool = False  # True only for the exponential: the chain view needs it

    @property
    @abstractmethod
    def variance(self) -> float:
        """The variance; with mean 1 it is also the squared coefficient of variation."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        """`n` independent draws, float array (n,), all >= 0 and finite."""

    @property
    def mean(self) -> float:
        """Always 1: the unit in which sizes and gaps are measured."""
        return 1.0

    @property
    def scv(self) -> float:
        """Squared coefficient of variation."""
        return self.variance

    def start(self) -> Any:
        """The state before the first block; None for laws without memory."""
        return None

    def draw_block(self, rng: np.random.Generator, n: int, state: Any) -> tuple[FloatArray, Any]:
        """The next `n` draws and the state after them."""
        return self.draw(rng, n), state

    def describe(self) -> dict[str, Any]:
        """What a record keeps: the name and every parameter."""
        return {"law": self.name, **{k: v for k, v in vars(self).items() if not k.startswith("_")}}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Law) and type(self) is type(other) and self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __repr__(self) -> str:
        parameters = ", ".join(f"{k}={v!r}" for k, v in self.describe().items() if k != "law")
        return f"{self.name}({parameters})"


class Exponential(Law):
    """Exponential sizes, as in the paper; exponential gaps make a Poisson process."""

    name = "exponential"
    memoryless = True

    @property
    def variance(self) -> float:
        return 1.0

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        return rng.standard_exponential(n)


class Deterministic(Law):
    """Every draw is 1."""

    name = "deterministic"

    @property
    def variance(self) -> float:
        return 0.0

    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        return np.ones(n)


def checked_draws(law: Law, values: FloatArray, n: int) -> FloatArray:
    """The block a law handed over, refused (ModelError naming law and value) unless n finite numbers >= 0."""
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (n,):
        raise ModelError(f"law {law.name!r}: draw(rng, {n}) gave an array of shape {values.shape}; it must give ({n},).")
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise ModelError(
            f"law {law.name!r}: draw(rng, {n}) gave {values[place]} at place {place}; sizes and gaps must be finite and at or above 0."
        )
    return values


# ---- by name -------------------------------------------------------------------------------------------------

LAWS: dict[str, Callable[..., Law]] = {"exponential": Exponential, "deterministic": Deterministic}
SYNONYMS = {"poisson": "exponential"}  # what arrivals are called when their gaps are exponential


def as_law(spec: Law | str | Mapping[str, Any], what: str) -> Law:
    """A Law from a name, a table with key `law`, or a Law itself. `what` names the place in messages.

    >>> as_law("poisson", "arrivals")
    exponential()
    """
    if isinstance(spec, Law):
        return spec
    if isinstance(spec, str):
        spec = {"law": spec}
    if not isinstance(spec, Mapping) or "law" not in spec:
        raise ModelError(f'{what} must be a name, a table {{law = "...", ...}} or a Law; it is {spec!r}.')
    parameters = {k: v for k, v in spec.items() if k != "law"}
    name = SYNONYMS.get(spec["law"], spec["law"])
    if name not in LAWS:
        raise ModelError(f"{what}: there is no law {name!r}; known: {', '.join([*LAWS, *SYNONYMS])}.")
    try:
        inspect.signature(LAWS[name]).bind(**parameters)
    except TypeError as error:
        raise ModelError(f"{what}: law {name!r}: {error}.") from None
    return LAWS[name](**parameters)
