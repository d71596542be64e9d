"""The seam between a session's query and the items that may answer it.

Shape legend: B queries, D model width, R catalogue rows (NO_ITEM among them), m found rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from m2trec_merlin.compiled import compiled
from m2trec_merlin.scores import NO_LIFT, Lift, best_rows, reaching

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
        lift: what the session adds by its neighbours.
    """

    additions: Sequence[Addition] = ()
    lift: Lift = NO_LIFT


@dataclass(frozen=True, eq=False)
class Base:
    """What is added to the scores of rows whatever is asked.

    Attributes:
        biases: float32 [R]; -inf for rows that are no candidates.
        newness: float32 [R], added times the novelty of a wish; None where no session has any.
    """

    biases: np.ndarray
    newness: np.ndarray | None = None

    def of(self, rows: np.ndarray | slice, novelty: np.float32) -> np.ndarray:
        """Return what is added to rows at a novelty, float32 [m]."""
        if self.newness is None:
            return self.biases[rows]
        added: np.ndarray = self.biases[rows] + self.newness[rows] * novelty
        return added

    def add_to(self, scores: np.ndarray, novelty: np.float32) -> None:
        """Add to the scores of the first rows what `of` returns, in place."""
        if self.newness is None:
            scores += self.biases[: len(scores)]
        else:
            _add(scores, self.biases, self.newness, novelty)


@compiled
def _add(scores: np.ndarray, biases: np.ndarray, newness: np.ndarray, novelty: np.float32) -> None:
    for row in range(len(scores)):
        scores[row] += biases[row] + newness[row] * novelty


class Asked(NamedTuple):
    """Searches for the best rows of a base, of which nothing else is wanted.

    Attributes:
        queries: float32 [S, D].
        novelties: float32 [S], see `Base`.
    """

    queries: np.ndarray
    novelties: np.ndarray


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

        score(row) = query . vector(row) + base(row) + change(row) + additions, exact to rounding; never
        NO_ITEM, never a row without a candidate vector. An index may miss rows that belong to the best. It
        finds `k` rows if so many may be found, considers every row that something is added to, and answers a
        query alike whatever else is asked with it.

        Args:
            queries: float32 [B, D].
            wishes: B of them.
        """

    def changed(self, base: Base, vectors: np.ndarray) -> Candidates:
        """Return these candidates on another base, and with more rows behind their own.

        Both go on searching, and share what is large.

        Args:
            base: of R + more rows.
            vectors: float32 [more rows, D].
        """


class Index(Protocol):
    """A way to search candidates: what the export writes for it, and how the server opens that.

    Attributes:
        meaning: how candidates are searched, for the reference.
        packages: what `open` needs beside what every server does, by the names of their distributions.
    """

    meaning: str
    packages: tuple[str, ...]

    def is_worth_trying(self, n_rows: int, n_added: int) -> bool:
        """Tell whether `auto` may choose it.

        Args:
            n_rows: of the catalogue.
            n_added: rows that most sessions add to, at least.
        """

    def write(self, folder: Path, base: Base, asked: Asked) -> None:
        """Write files of its own beside CANDIDATE_VECTORS [R, D] in a version folder.

        Args:
            folder: of a version of the second step.
            base: on which most searches will be; any other is found, too.
            asked: what most of them will be like.
        """

    def open(self, folder: Path) -> Candidates:
        """Open what `write` left in a folder, on the biases of the model alone."""


def find_best(scores: np.ndarray, selection: Selection) -> Found:
    """Return the best rows of a selection; writes into `scores`, float32 [R]."""
    scores[selection.forbidden] = -np.inf
    if selection.allowed is not None:
        scores[~selection.allowed] = -np.inf
    if selection.only is not None:
        rows = np.unique(selection.only)
        return best_of_rows(rows, scores[rows], selection.k)
    rows = best_rows(scores, selection.k)
    return Found(rows, scores[rows])


def best_of_rows(rows: np.ndarray, scores: np.ndarray, k: int) -> Found:
    """Return the best of some rows, int64 [m], each named once, by their scores, float32 [m]."""
    places = reaching(scores, k)
    rows, scores = rows[places], scores[places]
    best = np.lexsort([rows, -scores])[:k]
    return Found(rows[best], scores[best])
