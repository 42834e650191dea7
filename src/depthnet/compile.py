"""Plain Python loops compiled by Numba when they are first used: nothing is compiled, or imported, before."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any

from depthnet.errors import MissingTierError

#: What the compiler may do to sums: reorder and contract them, so that they run on vector instructions.
_FAST = {"contract", "reassoc", "nsz", "arcp", "nnan", "ninf"}


@functools.cache
def compiled(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function, and with it the functions of its own module that it calls.

    The machine code is kept beside the source or in the user's cache folder, so that only the first run on a machine
    waits for the compiler (some 20 s in all). Where neither folder can be written, each process compiles for itself.

    Args:
        kernel: a function of a module, of arrays and numbers, without closure.

    Raises:
        MissingTierError: if Numba is not installed.
    """
    try:
        import numba
    except ImportError as error:
        user = kernel.__module__.removeprefix("depthnet.").rpartition(".")[0]
        raise MissingTierError(f'{user} needs numba; run: pip install "depthnet[data]".') from error
    called = {name: kernel.__globals__.get(name) for name in kernel.__code__.co_names}
    own = {
        name: compiled(function)
        for name, function in called.items()
        if inspect.isfunction(function) and function.__module__ == kernel.__module__
    }
    copy = types.FunctionType(kernel.__code__, {**kernel.__globals__, **own}, kernel.__name__, kernel.__defaults__)
    copy.__module__, copy.__qualname__ = kernel.__module__, kernel.__qualname__
    try:
        function: Callable[..., Any] = numba.njit(copy, cache=True, fastmath=_FAST, nogil=True)
    except RuntimeError:  # "no locator available": nowhere to keep the machine code
        function = numba.njit(copy, fastmath=_FAST, nogil=True)
    return function
