"""Loops over numbers, compiled: where arrays as a whole would be gone through many times over."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


#: What may be done to sums besides what the order of their terms allows.
_IN_ANY_ORDER = frozenset({"reassoc", "contract"})


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of arrays and numbers, once for each of their types, when it is called first.

    numba is imported then, too. The code is kept beside the module, as Python keeps its own, or in the user's
    cache; where neither can be written, or what is there cannot be read, every process compiles anew.
    """
    return _compiled(function, frozenset())


def compiled_in_any_order(function: Callable[P, R]) -> Callable[P, R]:
    """Do what `compiled` does, and let several terms of a sum be added at a time: always in the same way."""
    return _compiled(function, _IN_ANY_ORDER)


def _compiled(function: Callable[P, R], allowed: frozenset[str]) -> Callable[P, R]:

    @cache
    def machine_code() -> Callable[P, R]:
        from numba import njit

        try:
            code = njit(cache=True, fastmath=set(allowed))(function)
        except RuntimeError:  # how numba says that there is no place for a cache
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
    """A cache of numba's that stops nobody: files that a crash cut off, a full disk, files of another user.

    Args:
        cache: of one function.
    """

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, *of: Any) -> Any:
        """Return kept code; None if there is none that can be read, of which no file is left then."""
        try:
            return self._cache.load_overload(*of)
        except Exception:  # pickle has no end of errors for what is no pickle
            with suppress(Exception):
                self._cache.flush()
            return None

    def save_overload(self, *of: Any) -> None:
        """Keep code where that can be."""
        with suppress(Exception):
            self._cache.save_overload(*of)
