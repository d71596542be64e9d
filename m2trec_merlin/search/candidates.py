"""The interface of indexes, which find the best items for the queries of sessions.

Shape legend: B queries, D model width, R catalogue rows (NO_ITEM among them), m found rows, S searches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from m2trec_merlin.compiled import compiled
from m2trec_merlin.scores import NO_LIFT, Lift, best_rows, reaching

#: Rows, int64, each once, and the numbers, or one number, to add to their scores.
Addition = tuple[np.ndarray, np.ndarray | float]


def _none() -> np.ndarray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class Selection:
    """The number of rows wanted, and the rows that may be found.

    Attributes:
        k: rows wanted; fewer are found if fewer may be.
        forbidden: rows that must not be found, int64.
        allowed: which rows may be found, bool [R]; None for all.
        only: the only rows to consider, if they are few and known, int64; None for all.
    """

    k: int
    forbidden: np.ndarray = field(default_factory=_none)
    allowed: np.ndarray | None = None
    only: np.ndarray | None = None


@dataclass(frozen=True)
class Wish(Selection):
    """The request for one query: a selection of rows, and changes of their scores.

    Attributes:
        additions: numbers to add to scores, applied in this order.
        lift: changes of scores by the session's neighbours.
    """

    additions: Sequence[Addition] = ()
    lift: Lift = NO_LIFT


@dataclass(frozen=True, eq=False)
class Base:
    """Numbers added to the scores of rows for every query.

    Attributes:
        biases: number added to each row, float32 [R]; -inf for rows that are no candidates.
        newness: number added times the novelty of a wish, float32 [R]; None if novelty is not used.
    """

    biases: np.ndarray
    newness: np.ndarray | None = None

    def of(self, rows: np.ndarray | slice, novelty: np.float32) -> np.ndarray:
        """Return the numbers added to rows at a novelty, float32 [m]."""
        if self.newness is None:
            return self.biases[rows]
        added: np.ndarray = self.biases[rows] + self.newness[rows] * novelty
        return added

    def add_to(self, scores: np.ndarray, novelty: np.float32) -> None:
        """Add the numbers of `of` to the scores of the first rows, in place."""
        if self.newness is None:
            scores += self.biases[: len(scores)]
        else:
            _add(scores, self.biases, self.newness, novelty)


@compiled
def _add(scores: np.ndarray, biases: np.ndarray, newness: np.ndarray, novelty: np.float32) -> None:
    for row in range(len(scores)):
        scores[row] += biases[row] + newness[row] * novelty


class Asked(NamedTuple):
    """Plain searches of a base, without selections or additions.

    Attributes:
        queries: the queries, float32 [S, D].
        novelties: novelty of each query's session, float32 [S]; see `Base`.
    """

    queries: np.ndarray
    novelties: np.ndarray


@dataclass(frozen=True)
class Found:
    """The best rows for one query.

    Attributes:
        rows: the rows, best first, lower rows first among ties, int64 [m].
        scores: their scores, float32 [m].
    """

    rows: np.ndarray
    scores: np.ndarray


class Candidates(Protocol):
    """All items that an exported model can recommend, ready to be searched."""

    def search(self, queries: np.ndarray, wishes: Sequence[Wish]) -> list[Found]:
        """Return the best rows for each query.

        score(row) = query . vector(row) + base(row) + lift(row) + additions, exact to rounding; never
        NO_ITEM, never a row without a candidate vector. An index may miss some of the best rows. It finds
        `k` rows if so many may be found, considers every row whose score something is added to, and its
        answer to a query does not depend on the other queries of the batch.

        Args:
            queries: the queries, float32 [B, D].
            wishes: a wish for each query.
        """

    def changed(self, base: Base, vectors: np.ndarray) -> Candidates:
        """Return candidates with another base, and with rows appended.

        Both can be searched, and share their large arrays.

        Args:
            base: new base, of R + appended rows.
            vectors: vectors of the appended rows, float32 [rows, D].
        """


class Index(Protocol):
    """A method of searching candidates: writes files at export, and opens them in the server.

    Attributes:
        meaning: a description of the method, for the reference.
        packages: distributions that `open` needs beyond those of every server.
    """

    meaning: str
    packages: tuple[str, ...]

    def is_worth_trying(self, n_rows: int, n_added: int) -> bool:
        """Tell whether `auto` may choose this index.

        Args:
            n_rows: number of rows of the catalogue.
            n_added: number of rows that a typical session adds something to.
        """

    def write(self, folder: Path, base: Base, asked: Asked) -> None:
        """Write the index's files to a version folder that already holds CANDIDATE_VECTORS [R, D].

        Args:
            folder: version folder of the second step.
            base: the base that most searches will have; searches with others must work, too.
            asked: a sample of typical searches.
        """

    def open(self, folder: Path) -> Candidates:
        """Open the files of `write`; the base is the model's biases."""


def find_best(scores: np.ndarray, selection: Selection) -> Found:
    """Return the best rows of a selection; overwrites `scores`, float32 [R]."""
    scores[selection.forbidden] = -np.inf
    if selection.allowed is not None:
        scores[~selection.allowed] = -np.inf
    if selection.only is not None:
        rows = np.unique(selection.only)
        return best_of_rows(rows, scores[rows], selection.k)
    rows = best_rows(scores, selection.k)
    return Found(rows, scores[rows])


def best_of_rows(rows: np.ndarray, scores: np.ndarray, k: int) -> Found:
    """Return the best of some distinct rows, int64 [m], by their scores, float32 [m]."""
    places = reaching(scores, k)
    rows, scores = rows[places], scores[places]
    best = np.lexsort([rows, -scores])[:k]
    return Found(rows[best], scores[best])
