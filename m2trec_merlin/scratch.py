"""Arrays that are reused, since allocating one takes longer than the little work done with it."""

from __future__ import annotations

from threading import local

import numpy as np


class Zeros(local):
    """An array of zeros per thread; code that writes into it has to reset it to zeros.

    Args:
        size: number of entries.
        dtype: type of the entries.
    """

    def __init__(self, size: int, dtype: type[np.generic]) -> None:
        self.array: np.ndarray = np.zeros(size, dtype)
