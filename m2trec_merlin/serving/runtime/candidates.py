"""The seam between a session's query and the items that may answer it.

Shape legend: B queries, D model width, R catalogue rows (NO_ITEM among them), m found rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from m2trec_merlin.scores import best_rows

#: Rows, int64, each of them once, and what is added to their scores.
Addition = tuple[np.ndarray, np.ndarray | float]


def _none() -> np.ndarray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class Selection:
    """How many rows are wanted, and of which.

    Attributes:
        k: rows wanted; fewer are found where fewer may be.
        forbidden: int64, rows that must not be found.
        allowed: bool [R], rows that may be found; None for all.
        only: int64, the rows that are looked at, where they are few and known; None for all.
    """

    k: int
    forbidden: np.ndarray = field(default_factory=_none)
    allowed: np.ndarray | None = None
    only: np.ndarray | None = None


@dataclass(frozen=True)
class Wish(Selection):
    """What is searched for one query: a selection of rows, by their scores and what is added to these.

    Attributes:
        additions: to scores, in this order.
        lifts: float32 [R], added to the scores of all rows; None for nothing.
    """

    additions: Sequence[Addition] = ()
    lifts: np.ndarray | None = None


@dataclass(frozen=True)
class Found:
    """The best rows for one query.

    Attributes:
        rows: int64 [m], best first; among equals the lower row.
        scores: float32 [m].
    """

    rows: np.ndarray
    scores: np.ndarray


class Candidates(Protocol):
    """All items that an exported model can recommend, ready to be searched."""

    def search(self, queries: np.ndarray, wishes: Sequence[Wish]) -> list[Found]:
        """Return the best rows for each query.

        score(row) = query . vector(row) + bias(row) + lift(row) + additions, exact to rounding; never
        NO_ITEM, never a row without a candidate vector. An index may miss rows that belong to the best. It
        finds `k` rows if so many may be found, considers every row that something is added to by
        `additions`, and answers a query alike whatever else is asked with it.

        Args:
            queries: float32 [B, D].
            wishes: B of them.
        """

    def changed(self, biases: np.ndarray, vectors: np.ndarray) -> Candidates:
        """Return these candidates with other biases, and with more rows behind their own.

        Both go on searching, and share what is large.

        Args:
            biases: float32 [R + more rows]; -inf for rows that are no candidates any more.
            vectors: float32 [more rows, D].
        """


class Index(Protocol):
    """A way to search candidates: what the export writes for it, and how the server opens that.

    Attributes:
        meaning: how candidates are searched, for the reference.
    """

    meaning: str

    def is_worth_trying(self, n_rows: int, has_lifts: bool) -> bool:
        """Tell whether `auto` may choose it.

        Args:
            n_rows: R.
            has_lifts: whether neighbours add to the scores of all rows.
        """

    def write(self, folder: Path) -> None:
        """Write files of its own beside CANDIDATE_VECTORS [R, D] and BIASES [R] in a version folder."""

    def open(self, folder: Path) -> Candidates:
        """Open what `write` left in a folder."""


def find_best(scores: np.ndarray, selection: Selection) -> Found:
    """Return the best rows of a selection; writes into `scores`, float32 [R]."""
    scores[selection.forbidden] = -np.inf
    if selection.allowed is not None:
        scores[~selection.allowed] = -np.inf
    if selection.only is not None:
        rows = np.unique(selection.only)
        best = best_rows(scores[rows], selection.k)
        return Found(rows[best], scores[rows[best]])
    rows = best_rows(scores, selection.k)
    return Found(rows, scores[rows])
