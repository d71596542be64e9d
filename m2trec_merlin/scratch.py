"""Arrays that are used again, since making one takes longer than what little is done with it."""

from __future__ import annotations

from threading import local

import numpy as np


class Zeros(local):
    """Zeros, for each thread an array of its own; whoever writes into it leaves zeros behind.

    Args:
        size: how many.
        dtype: of what kind.
    """

    def __init__(self, size: int, dtype: type[np.generic]) -> None:
        self.array: np.ndarray = np.zeros(size, dtype)
