"""Item kNN: what stands in the same training sessions as the items of this one, a short list for each.

    likeness(i, j) = c(i, j) / (sqrt(c(i) c(j)) + shrinkage)
    score(j)       = sum over the session's items i of likeness(i, j) / (1 + d(i))

where c counts the training sessions that hold an item, or both, and d(i) is the number of steps from i to the
end of the session. Session kNN asks for whole sessions like this one, and hardly finds what sold in a handful
of them; an item's own list does.

Shape legend: R catalogue rows, L events of a session.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.neighbours.background import sessions_repeat_items
from m2trec_merlin.neighbours.incidence import held_by, lines_of, sums_of
from m2trec_merlin.neighbours.views import Said, SessionView, steps_back
from m2trec_merlin.sessions import Sessions

#: Events of a session that are counted, the last ones: the pairs of longer ones would take hours.
LONGEST = 200
#: Sessions that two items have to share, besides, before their likeness is believed; and the items that each
#: item's list keeps, the most like it. Chosen on validation (docs/quality-log.md).
SHRINKAGE, KEPT = 3.0, 100

#: Entries of the matrix of pairs that are made at a time, about.
_BLOCK = 4_000_000


def item_likeness(
    train: Sessions, n_rows: int, shrinkage: float, kept: int | None = None
) -> sparse.csr_matrix:
    """Return the likeness of items by the sessions that hold both, float32 [R, R] without a diagonal.

    Args:
        train: sessions to count.
        n_rows: R.
        shrinkage: of the likeness of rare pairs.
        kept: of each row, the greatest entries; default: all.
    """
    lengths = np.minimum(train.lengths, LONGEST)
    held = held_by(train.cut(train.offsets[1:] - lengths, lengths), n_rows)
    held_in = held.T.tocsr()
    root = np.sqrt(np.diff(held_in.indptr))
    work = np.cumsum(held_in @ np.diff(held.indptr))
    bounds = np.searchsorted(work, np.arange(_BLOCK, work[-1] + _BLOCK, _BLOCK)) + 1
    blocks, start = [], 0
    for stop in np.unique(np.minimum([*bounds, n_rows], n_rows)):
        pairs = (held_in[start:stop] @ held).tocoo()
        apart = pairs.row + start != pairs.col
        row, column, together = pairs.row[apart], pairs.col[apart], pairs.data[apart]
        likeness = (together / (root[row + start] * root[column] + shrinkage)).astype(np.float32)
        if kept is not None:
            row, column, likeness = _greatest(row, column, likeness, kept)
        blocks.append(sparse.csr_matrix((likeness, (row, column)), (stop - start, n_rows)))
        start = stop
    return sparse.vstack(blocks, "csr")


def _greatest(
    row: np.ndarray, column: np.ndarray, values: np.ndarray, kept: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the entries of each row with the greatest values; of equal ones those of lower columns."""
    order = np.lexsort([column, -values, row])
    starts = np.searchsorted(row[order], row[order])
    order = order[np.arange(len(order)) - starts < kept]
    return row[order], column[order], values[order]


class ItemLists(SessionView):
    """Scores what stands in the lists of a session's items, divided by the highest score.

    Args:
        catalogue: with the number of training occurrences of each item.
        train: decides whether a session's own items are recommended (`sessions_repeat_items`).
        likeness: where it is known already; default: the lists that `train` gives.
    """

    name = "item lists"
    candidates = "training items"
    group_of = None

    def __init__(
        self, catalogue: Catalogue, train: Sessions, likeness: sparse.csr_matrix | None = None
    ) -> None:
        self.repeats = sessions_repeat_items(train)
        self.likeness = (
            item_likeness(train, catalogue.n_rows, SHRINKAGE, KEPT) if likeness is None else likeness
        )
        self.usual = np.where(catalogue.train_counts > 0, 0, -np.inf).astype(np.float32)

    def say(self, session: np.ndarray) -> Said:
        """See `SessionView.say`."""
        rows, distances = steps_back(session)
        lists = self.likeness
        (listed, likeness), lengths = lines_of(lists, rows, lists.indices, lists.data)
        weights = likeness * np.repeat(1 / (1 + distances), lengths)
        found, sums = sums_of(listed, weights, len(self.usual))
        return Said(found, (sums / max(sums.max(initial=0), 1e-9)).astype(np.float32))
