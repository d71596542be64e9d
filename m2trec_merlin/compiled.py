"""Compiled loops over numbers, for work that would take many passes over whole arrays."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


#: LLVM's flags for reordering the terms of sums.
_IN_ANY_ORDER = frozenset({"reassoc", "contract"})


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of arrays and numbers with numba, on its first call with each combination of types.

    The first call also imports numba. Compiled code is cached beside the module, as Python does with its own,
    or in the user's cache folder; if neither can be written or read, every process compiles anew.
    """
    return _compiled(function, frozenset())


def compiled_in_any_order(function: Callable[P, R]) -> Callable[P, R]:
    """Compile as `compiled` does, but allow sums in any order, which is faster; results stay reproducible."""
    return _compiled(function, _IN_ANY_ORDER)


def _compiled(function: Callable[P, R], allowed: frozenset[str]) -> Callable[P, R]:

    @cache
    def machine_code() -> Callable[P, R]:
        from numba import njit

        try:
            code = njit(cache=True, fastmath=set(allowed))(function)
        except RuntimeError:  # numba found no writable place for a cache
            code = njit(fastmath=set(allowed))(function)
        else:
            code._cache = _Forgiving(code._cache)
        found: Callable[P, R] = code
        return found

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return machine_code()(*args, **kwargs)

    return call


class _Forgiving:
    """A numba cache that ignores errors: truncated files after a crash, a full disk, files of another user.

    Args:
        cache: numba's cache of one function.
    """

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, *of: Any) -> Any:
        """Return cached code; if it cannot be read, remove its files and return None."""
        try:
            return self._cache.load_overload(*of)
        except Exception:  # unpickling a damaged file may raise anything
            with suppress(Exception):
                self._cache.flush()
            return None

    def save_overload(self, *of: Any) -> None:
        """Cache code, if possible."""
        with suppress(Exception):
            self._cache.save_overload(*of)
