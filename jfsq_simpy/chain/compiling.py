"""How the chain's kernels are compiled: without what no one calls, because wrappers cost seconds.

In    plain functions on arrays
Out   compiled ones, kept on disk and free of the GIL; the functions themselves where Numba is not installed
Rule  no fastmath, and no test for division by zero or bounds inside loops
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from jfsq_simpy.jobs.bits import numba
from jfsq_simpy.jobs.kernel_cache import kept

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """A function Python calls."""
    return _compiled(function, no_cpython_wrapper=False)


def part(function: F) -> F:
    """A function only kernels call."""
    return _compiled(function, no_cpython_wrapper=True)


def _compiled(function: F, **options: bool) -> F:
    if numba is None:
        return function
    fast: F = kept(numba.njit(nogil=True, error_model="numpy", no_cfunc_wrapper=True, **options)(function))
    return fast
