"""What a law is: mean 1, drawn block by block, and what a block must look like to be believed.

In    a generator of one block, a number of draws, and the state left by the block before
Out   arrays of sizes or gaps; moments; what a record keeps
Rule  every law has mean 1: a job of size s takes s / mu_n at server n, and a gap is divided by the
      arrival rate where it is drawn. What a block holds depends on its own generator and the state
      alone, and blocks are always drawn whole, so no result depends on how a stream is sliced.
Cost  one vectorised draw a block
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.errors import ModelError

FloatArray = NDArray[np.float64]
Use = Literal["sizes and gaps", "gaps", "sizes"]


class Law(ABC):
    """A law of mean 1 on [0, infinity), for sizes or for the gaps between arrivals.

    A law of one's own subclasses this: give `variance` and `draw`. One with memory from draw to draw
    (not renewal) also overrides `start` and `draw_block`, which carry its state from block to block.

    >>> class Coin(Law):
    ...     "A job is small or large with equal chances."
    ...     name, variance = "coin", 0.25
    ...
    ...     def draw(self, rng, n):
    ...         return rng.choice([0.5, 1.5], n)
    >>> Coin().scv, Coin().describe()
    (0.25, {'law': 'coin'})
    """

    name: str = "custom"
    example: str = ""  # how a scenario writes it
    memoryless: bool = False  # True only for the exponential: the chain view needs it
    use: Use = "sizes and gaps"
    length: float = math.inf  # draws there are; a record of n jobs has n, then infinity n + 1, n + 2, ...

    @property
    @abstractmethod
    def variance(self) -> float:
        """The variance; with mean 1 it is also the squared coefficient of variation."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int) -> FloatArray:
        """`n` draws from the beginning, float array (n,), all >= 0 and finite; independent unless the law has memory."""

    @property
    def mean(self) -> float:
        """Always 1: the unit in which sizes and gaps are measured."""
        return 1.0

    @property
    def scv(self) -> float:
        """Squared coefficient of variation."""
        return self.variance

    @property
    def memory(self) -> float:
        """Of gaps: how many come, at the highest rate there is, until what was is forgotten; 0 where all are independent."""
        return 0.0

    @property
    def phases(self) -> tuple[FloatArray, FloatArray] | None:
        """Initial law (m,) and subgenerator (m, m) where the law is a phase type, else None."""
        return None

    @property
    def initial(self) -> Law:
        """What jobs already present at time 0 draw their sizes from: the law itself, unless it is a record of later jobs."""
        return self

    @property
    def source(self) -> str:
        """The code that draws, as messages name it."""
        return f"{type(self).__qualname__}.draw"

    def laplace(self, s: float) -> float:
        """E[exp(-s X)] for s >= 0, where it has a closed form; else ModelError.

        G/M/1 needs it: the chance sigma that an arrival waits solves sigma = laplace((1 - sigma) / load).
        """
        _refuse_laplace(self)

    def start(self) -> Any:
        """The state before the first block; None for laws without memory."""
        return None

    def draw_block(self, rng: np.random.Generator, n: int, state: Any) -> tuple[FloatArray, Any]:
        """The next `n` draws and the state after them."""
        return self.draw(rng, n), state

    def describe(self) -> dict[str, Any]:
        """What a record keeps: the name and every parameter, as JSON can hold them."""
        return {"law": self.name, **{k: v for k, v in vars(self).items() if not k.startswith("_")}}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Law) and type(self) is type(other) and self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __repr__(self) -> str:
        parameters = ", ".join(f"{k}={v!r}" for k, v in self.describe().items() if k != "law")
        return f"{self.name}({parameters})"


def _refuse_laplace(law: Law) -> NoReturn:
    raise ModelError(
        f"law {law.name!r} has no Laplace transform in closed form here; exponential, deterministic, uniform, gamma, erlang, "
        "hyperexponential, coxian2, phase_type and empirical have one."
    )


def checked_draws(law: Law, values: Any, n: int) -> FloatArray:
    """The block a law handed over as a float array (n,); refused unless it is n numbers >= 0.

    They must be finite too, unless the law has an end (`length`): then infinities may follow the last
    draw. The ModelError names the law, the user's function, and the first value at fault. O(n).
    """
    said = f"law {law.name!r}: {law.source}(rng, {n}) gave"
    try:
        array = np.asarray(values)
    except ValueError:  # rows of unequal length
        raise ModelError(
            f"{said} {type(values).__name__}s of unequal length; it must give a float array of shape ({n},)."
        ) from None
    if array.shape != (n,):
        raise ModelError(f"{said} an array of shape {array.shape}; it must give ({n},).")
    if array.dtype.kind not in "fiu":
        raise ModelError(f"{said} {array.dtype} values, the first {array[0]!r}; sizes and gaps must be real numbers.")
    array = array.astype(np.float64, copy=False)
    wrong = ~(np.isfinite(array) & (array >= 0))
    if wrong.any():
        _refuse_value(law, said, array, int(np.flatnonzero(wrong)[0]))
    return array


def _refuse_value(law: Law, said: str, array: FloatArray, place: int) -> None:
    """Refuse the value at `place`, unless from there on the law has ended."""
    if law.length < math.inf and np.all(array[place:] == math.inf):
        return
    raise ModelError(f"{said} {array[place]} at place {place}; sizes and gaps must be finite and at or above 0.")
