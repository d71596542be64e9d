"""The view `beside`: a short list per item of the items that stand near it in known sessions.

    likeness(i, j) = sum over their events in one session of 1 / (steps between them)
                     / (sqrt(n(i) n(j)) + 3)
    score(j)       = sum over the session's items i of likeness(i, j) / (1 + d(i))

where n counts the known events of an item, and d(i) is the number of steps from i to the end of the
session. Session kNN looks for whole sessions like the current one and hardly finds items that sold in just a
handful of sessions; the lists do.

Shape legend: R catalogue rows, L events of a session, E events.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import sparse

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.neighbours.incidence import SparseLines
from m2trec_merlin.neighbours.repeats import sessions_repeat_items
from m2trec_merlin.neighbours.views import MixedView, ViewScores, Weight, steps_back
from m2trec_merlin.sessions import Sessions

#: Maximum steps between events that count as near; the term added to the product of roots, which lowers the
#: likeness of rare pairs; and the length of a list. Chosen on validation (docs/quality-log.md).
STEPS, SHRINKAGE, KEPT = 10, 3.0, 100

#: Name of the file of lists in an exported version.
LISTS = "neighbour_lists.npz"

#: Approximate number of events processed together.
_BLOCK = 1_000_000


def lists_of(sessions: Sessions, n_rows: int, kept: int = KEPT) -> sparse.csr_matrix:
    """Return each item's greatest likenesses to other items, float32 [R, R].

    Args:
        sessions: known sessions.
        n_rows: R.
        kept: maximum number of entries per row.
    """
    rows, offsets = sessions.rows, sessions.offsets
    first, last = (np.repeat(ends, sessions.lengths) for ends in (offsets[:-1], offsets[1:]))
    counts = np.bincount(rows, minlength=n_rows)
    root, events = np.sqrt(counts), np.argsort(rows, kind="stable")
    ends = np.cumsum(counts)
    # A block holds all events of its items, so that no line is split between two blocks.
    wanted = np.searchsorted(ends, np.arange(_BLOCK, len(rows) + _BLOCK, _BLOCK)) + 1
    blocks, start = [], NO_ITEM + 1
    for stop in np.unique(np.clip([*wanted, n_rows], start, n_rows)):
        own = events[ends[start - 1] : ends[stop - 1]]
        near = sparse.csr_matrix((stop - start, n_rows), dtype=np.float32)
        for steps in (*range(-STEPS, 0), *range(1, STEPS + 1)):
            other = own + steps
            within = (other >= first[own]) & (other < last[own])
            one, two = rows[own[within]], rows[other[within]]
            differ = (one != two) & (two != NO_ITEM)
            weights = np.full(int(differ.sum()), 1 / abs(steps), np.float32)
            near += sparse.csr_matrix((weights, (one[differ] - start, two[differ])), near.shape)
        pairs = near.tocoo()
        likeness = pairs.data / (root[pairs.row + start] * root[pairs.col] + SHRINKAGE).astype(np.float32)
        blocks.append(_greatest(pairs.row, pairs.col, likeness, kept, near.shape))
        start = int(stop)
    return sparse.vstack([sparse.csr_matrix((NO_ITEM + 1, n_rows), dtype=np.float32), *blocks], "csr")


def _greatest(
    row: np.ndarray, column: np.ndarray, values: np.ndarray, kept: int, shape: tuple[int, int]
) -> sparse.csr_matrix:
    """Return a matrix of the greatest entries of each row; lower columns win ties."""
    order = np.lexsort([column, -values, row])
    starts = np.searchsorted(row[order], row[order])
    order = order[np.arange(len(order)) - starts < kept]
    return sparse.csr_matrix((values[order], (row[order], column[order])), shape)


class ItemLists(MixedView):
    """Scores the items in the lists of a session's items; scores are divided by the highest.

    Args:
        lists: the result of `lists_of` for known sessions.
        occurrences: occurrences of each item in training, int64 [R].
        sessions: the sessions that decide whether a session's own items are recommended
            (`sessions_repeat_items`).
    """

    name = "item lists"
    candidates = "items of known sessions"
    group_of = None
    weight = Weight("beside", 0.25, 0.5, "items that stand beside the session's own in known sessions")
    rare_weight = Weight(
        "rare_beside", 0.0, 0.6, "the same, of items without history; half of it at 5 occurrences"
    )
    guess = (1.0, 1.0)
    settings = (STEPS, SHRINKAGE, KEPT)

    def __init__(self, lists: sparse.csr_matrix, occurrences: np.ndarray, sessions: Sessions) -> None:
        self.repeats = sessions_repeat_items(sessions)
        self.lists = SparseLines(lists)
        self.background = np.where(occurrences > 0, 0, -np.inf).astype(np.float32)

    @classmethod
    def fit(cls, catalogue: Catalogue, sessions: Sessions) -> ItemLists:
        """See `MixedView.fit`."""
        return cls(lists_of(sessions, catalogue.n_rows), catalogue.train_counts, sessions)

    @classmethod
    def write(cls, folder: Path, catalogue: Catalogue, sessions: Sessions) -> None:
        """See `MixedView.write`."""
        sparse.save_npz(folder / LISTS, lists_of(sessions, catalogue.n_rows))

    @classmethod
    def read(cls, folder: Path, occurrences: np.ndarray, sessions: Sessions) -> ItemLists:
        """See `MixedView.read`."""
        return cls(sparse.load_npz(folder / LISTS), occurrences, sessions)

    def score_near(self, session: np.ndarray) -> ViewScores:
        """See `SessionView.score_near`."""
        rows, distances = steps_back(session)
        found, sums = self.lists.sums(rows, 1 / (1 + distances))
        return ViewScores(found, (sums / max(sums.max(initial=0), 1e-9)).astype(np.float32))
