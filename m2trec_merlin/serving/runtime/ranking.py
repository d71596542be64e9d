"""From scores to the best catalogue rows."""

from __future__ import annotations

import numpy as np

_BLOCK = 64


def best_rows(scores: np.ndarray, top_k: int) -> np.ndarray:
    """Return the rows with the highest scores, best first; among equals the lower row.

    Args:
        scores: float32 [N + 1]; -inf for rows that must not be recommended.
        top_k: rows wanted; fewer are returned where fewer have a finite score.

    Returns:
        int64 [at most top_k].
    """
    rows = np.flatnonzero((scores >= _floor(scores, top_k)) & (scores > -np.inf))
    return rows[np.argsort(-scores[rows], kind="stable")][:top_k]


def _floor(scores: np.ndarray, top_k: int) -> float:
    """Return a score that at least `top_k` rows reach, and few more: the rest need not be sorted.

    It is the `top_k`-th largest of the maxima of blocks, which are found much faster than the `top_k`-th
    largest of all scores.
    """
    maxima = scores[: len(scores) // _BLOCK * _BLOCK].reshape(-1, _BLOCK).max(axis=1)
    if top_k > len(maxima):
        return -np.inf
    return float(np.partition(maxima, -top_k)[-top_k])


def most_recent(positions: np.ndarray) -> np.ndarray:
    """Tell which events of a session are the most recent ones of their items, bool [L].

    Args:
        positions: int64 [L], catalogue rows; negative numbers stand for items outside of the catalogue.
    """
    _, distances = np.unique(positions[::-1], return_index=True)
    recent = np.zeros(len(positions), dtype=bool)
    recent[len(positions) - 1 - distances] = True
    return recent


def add_repeat_biases(scores: np.ndarray, positions: np.ndarray, biases: np.ndarray) -> None:
    """Add the bias of items that stand in the session, in place.

    Args:
        scores: float32 [N + 1].
        positions: int64 [L], the session: catalogue rows, or negative for items outside of the catalogue.
        biases: float32 [max_length], by distance from the end of the session: entry 0 is the last event.
            An item that occurs more than once gets the bias of its most recent occurrence.
    """
    places = np.flatnonzero(most_recent(positions) & (positions > 0))
    scores[positions[places]] += biases[len(positions) - 1 - places]
