"""Confidence intervals by resampling sessions, because prefixes of one session are not independent."""

from __future__ import annotations

import numpy as np

#: Share of the resampled means that lie within the interval.
CONFIDENCE = 0.95
#: The share as text for people.
CONFIDENCE_TEXT = f"{100 * CONFIDENCE:.0f} %"

#: Number of drawn sessions held at a time.
_CHUNK = 1 << 22


def session_intervals(
    values: np.ndarray, session: np.ndarray, samples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return percentile intervals of means over prefixes.

    A resample draws as many sessions as there are, with replacement; its mean is
    sum of the drawn sessions' values / number of their values.

    Args:
        values: values of the prefixes, one column per measure, float [P, C]; NaN is not counted.
        session: the session that each prefix belongs to, int64 [P].
        samples: number of resamples; 0 gives NaN.
        seed: seed of the draws; equal seeds draw equal resamples, so that scorers are compared on the same.

    Returns:
        Lower and upper ends, float64 [C] each; NaN where there is nothing to resample.
    """
    empty = np.full(values.shape[1], np.nan)
    if samples == 0 or not len(values):
        return empty, empty
    _, index = np.unique(session, return_inverse=True)
    counted = ~np.isnan(values)
    sums = _totals(np.where(counted, values, 0.0), index)
    counts = _totals(counted.astype(np.float64), index)
    generator = np.random.default_rng(seed)
    n_sessions = len(sums)
    means = []
    chunk = max(1, _CHUNK // n_sessions)
    for start in range(0, samples, chunk):
        drawn = generator.integers(n_sessions, size=(min(chunk, samples - start), n_sessions))
        times = np.stack([np.bincount(line, minlength=n_sessions) for line in drawn]).astype(np.float64)
        with np.errstate(invalid="ignore"):
            means.append((times @ sums) / (times @ counts))
    resampled = np.concatenate(means)
    ends = np.full((2, values.shape[1]), np.nan)
    measured = counts.sum(axis=0) > 0
    tail = (1 - CONFIDENCE) / 2
    ends[:, measured] = np.nanquantile(resampled[:, measured], [tail, 1 - tail], axis=0)
    return ends[0], ends[1]


def _totals(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    columns = [np.bincount(index, weights=column) for column in values.T]
    return np.stack(columns, axis=1)
