"""Asking memory for what will be needed soon, from a compiled loop.

In    an array and a place in it
Out   nothing; the cache line is on its way
Rule  a hint: it changes no result, and in plain Python it does nothing
Cost  one instruction. With more servers than the cache holds it saves a third of the loop's time
"""

from __future__ import annotations

from typing import Any

from jfsq_simpy.jobs.compiling import numba


def _in_python(array: Any, place: Any) -> None:
    pass


def _in_kernels() -> Any:
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    @intrinsic
    def _prefetch(typing_context: Any, array: Any, place: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data = context.make_array(array)(context, builder, arguments[0]).data
            address = builder.bitcast(builder.gep(data, [arguments[1]]), cgutils.voidptr_t)
            flag = ir.IntType(32)
            hint = builder.module.declare_intrinsic(
                "llvm.prefetch", [cgutils.voidptr_t], ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, flag, flag, flag])
            )
            to_be_written, keep_close, data_cache = flag(1), flag(3), flag(1)
            builder.call(hint, [address, to_be_written, keep_close, data_cache])
            return context.get_dummy_value()

        return types.void(array, place), emit

    return _prefetch


prefetch: Any = _in_python if numba is None or numba.config.DISABLE_JIT else _in_kernels()
"""Begin to fetch array[place]; `place` uint64, inside the array."""
