"""How kernels are compiled: without what no one calls, because wrappers cost seconds.

In    plain functions on arrays and numbers
Out   compiled ones, kept on disk and free of the GIL; the functions themselves where Numba is not installed
Rule  no fastmath. Division by zero gives infinity, as in NumPy: Python's check would cost a branch at each
      division. No test for bounds inside loops
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from jfsq_simpy.jobs.kernel_cache import kept

numba: ModuleType | None
try:
    import numba
except ImportError:  # the compiled engines are an extra; their modules must still be importable
    numba = None

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """A function Python may call, and kernels may."""
    return _compiled(function, no_cpython_wrapper=False)


def part(function: F) -> F:
    """A function only kernels call."""
    return _compiled(function, no_cpython_wrapper=True)


def _compiled(function: F, **options: bool) -> F:
    if numba is None:
        return function
    fast: F = kept(numba.njit(nogil=True, error_model="numpy", no_cfunc_wrapper=True, **options)(function))
    return fast
