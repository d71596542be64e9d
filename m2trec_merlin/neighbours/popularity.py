"""The popularity of items as a number between 0 and 1."""

from __future__ import annotations

import numpy as np


def popularity_share(occurrences: np.ndarray) -> np.ndarray:
    """Return log(1 + occurrences) divided by its maximum, float32 [R] between 0 and 1.

    Args:
        occurrences: occurrences of each item, int64 [R].
    """
    logarithm = np.log1p(occurrences)
    return (logarithm / max(float(logarithm.max()), 1.0)).astype(np.float32)
