"""Loops over numbers, compiled: where arrays as a whole would be gone through many times over."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of arrays and numbers, once for each of their types, when it is called first.

    numba is imported then, too. The code is kept beside the module, as Python keeps its own, or in the user's
    cache; where neither can be written, every process compiles anew.
    """

    @cache
    def machine_code() -> Callable[P, R]:
        from numba import njit

        try:
            code: Callable[P, R] = njit(cache=True)(function)
        except RuntimeError:  # how numba says that there is no place for a cache
            code = njit(function)
        return code

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return machine_code()(*args, **kwargs)

    return call
