"""Inner products at serving time.

Shape legend: m rows, D width.
"""

from __future__ import annotations

import numpy as np


def products(vectors_mD: np.ndarray, vector_D: np.ndarray) -> np.ndarray:
    """Return the inner product of each row with a vector, float32 [m].

    Not a matrix product, which would take as long: a BLAS sums a row by where in the matrix it stands, and
    its threads go on spinning for a while on cores that others need.
    """
    found: np.ndarray = np.einsum("md,d->m", vectors_mD, vector_D)
    return found
