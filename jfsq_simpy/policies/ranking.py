"""From a key function to integers: every policy's preferences as one small table.

In    a key of (queue length, rate), smaller is better; the speeds; the places
Out   rank[speed class, level] of small integers, 0 the best
Rule  keys within 1e-12 relative are one key: after this no float is ever compared for equality
Cost  one call of the key on arrays (n_classes, places + 1); O(cells log cells) once
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jfsq_simpy.errors import ModelError, TooLargeError
from jfsq_simpy.rates import FloatArray

Key = Callable[[Any, Any], Any]
RankTable = NDArray[np.int32]

KEY_TOLERANCE = 1e-12
LARGEST_TABLE = 2 * 10**8  # cells; the two orders that need no table (JFSQ, JSQ) are not limited


def rank_table(key: Key, speeds: FloatArray, places: int, *, full_last: bool) -> RankTable:
    """How a policy ranks a server of each speed class at each level.

    Parameters
    ----------
    key : function (queue_length, rate) -> number or tuple of numbers, smaller first; called on arrays,
        or number by number where it cannot take arrays
    speeds : float array (n_classes,)   fastest first
    places : int                        b; levels run 0 .. b
    full_last : bool                    a full server ranks behind every other, whatever its key says

    Returns int32 array (n_classes, places + 1), dense from 0. Errors: ModelError naming the key
    function and the value when it gives NaN.

    >>> rank_table(lambda q, mu: (q, -mu), np.array([1.5, 0.5]), 2, full_last=True)
    array([[0, 2, 4],
           [1, 3, 4]], dtype=int32)
    """
    cells = speeds.size * (places + 1)
    if cells > LARGEST_TABLE:
        raise TooLargeError(
            f"policy: {speeds.size:,} speed classes x {places + 1} levels make a rank table of {cells:,} cells, above "
            f"{LARGEST_TABLE:,}; use fewer speed classes, or JFSQ or JSQ, which need no table."
        )
    levels = np.arange(places + 1)[None, :]
    mu = speeds[:, None]
    components = _evaluate(key, levels, mu)
    codes = [_cluster(c) for c in components]
    ranks = _dense_ranks(codes)
    if full_last:
        # one rank of its own for all full servers: if it is the best there is, nobody has a free place
        open_ranks = _dense(ranks[:, :-1])
        ranks = np.concatenate([open_ranks, np.full((speeds.size, 1), open_ranks.max() + 1)], axis=1)
    return np.ascontiguousarray(ranks, dtype=np.int32)


def _evaluate(key: Key, levels: NDArray[np.int64], mu: FloatArray) -> list[FloatArray]:
    shape = np.broadcast_shapes(levels.shape, mu.shape)
    try:
        value = key(levels, mu)
    except Exception:  # the user's function may be written for plain numbers: ask it number by number
        value = _evaluate_each(key, levels, mu)
    arrays = [_as_numbers(key, part, shape) for part in parts(value)]
    for array in arrays:
        if np.isnan(array).any():
            c, q = (int(i) for i in np.argwhere(np.isnan(array))[0])
            raise ModelError(
                f"policy key {_name(key)} gave nan for queue length {q} and rate {float(mu[c, 0]):.6g}; "
                "a key must order every server."
            )
    return arrays


def _evaluate_each(key: Key, levels: NDArray[np.int64], mu: FloatArray) -> tuple[FloatArray, ...]:
    rows = []
    for rate in mu[:, 0].tolist():
        for q in levels[0].tolist():
            try:
                value = key(q, rate)
            except Exception as error:
                raise ModelError(f"policy key {_name(key)} failed for queue length {q} and rate {rate:.6g}: {error!r}.") from error
            rows.append([_as_numbers(key, part, ()) for part in parts(value)])
    if len({len(row) for row in rows}) != 1:
        raise ModelError(f"policy key {_name(key)} must give a number or a tuple of numbers, as many for every state.")
    table = np.array(rows, dtype=np.float64)
    return tuple(table[:, i].reshape(mu.size, levels.size) for i in range(table.shape[1]))


def parts(value: Any) -> tuple[Any, ...]:
    """What a key gives, as a tuple: the first part orders, the next ones break its ties."""
    return value if isinstance(value, tuple) else (value,)


def _as_numbers(key: Key, part: Any, shape: tuple[int, ...]) -> FloatArray:
    try:
        array = np.asarray(part)
        if array.dtype.kind in "biuf":  # None and words would otherwise turn into nan or fail later
            return np.broadcast_to(array.astype(np.float64), shape)
    except ValueError:
        pass
    raise ModelError(f"policy key {_name(key)} must give a number or a tuple of numbers; it gave {part!r}.")


def _name(key: Key) -> str:
    return getattr(key, "__qualname__", repr(key))


def _cluster(values: FloatArray) -> NDArray[np.int64]:
    """Integer codes in the order of `values`, neighbours within the tolerance sharing one."""
    flat, place = np.unique(values, return_inverse=True)
    near = KEY_TOLERANCE * np.maximum(np.abs(flat[1:]), np.abs(flat[:-1]))
    apart = (np.diff(flat) > near) | np.isinf(near)  # infinity is apart from every number, but inf > inf is not
    code = np.concatenate([[0], np.cumsum(apart)])
    return code[place].reshape(values.shape)


def _dense_ranks(codes: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    combined = codes[0]
    for code in codes[1:]:
        combined = _dense(combined) * (int(code.max()) + 1) + code
    return _dense(combined)


def _dense(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(values, return_inverse=True)[1].reshape(values.shape)
