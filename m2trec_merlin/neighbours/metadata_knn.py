"""Session kNN that knows items by their metadata, not by their ids."""

from __future__ import annotations

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import Layout
from m2trec_merlin.neighbours.background import sessions_repeat_items
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.neighbours.views import Said, SessionView
from m2trec_merlin.sessions import Sessions


class MetadataKnn(SessionView):
    """Session kNN to which items of equal metadata are one and the same.

    An item that was listed anew under another id has the neighbours and the votes of the old one. Where
    hardly two items share all of their metadata, it is session kNN in all but name.

    Ids decide one thing: where sessions do not repeat them, a session's own are left out, and their twins
    are not. Hence this is asked of ids: sessions that repeat none may well hold twins.

    Args:
        catalogue: encoded attributes say which items are the same.
        train: the sessions that can be neighbours, the most recent ones last.
        same: where that is known already: `first_of_equal_metadata` of the catalogue.
    """

    name = "metadata kNN"
    candidates = "items with the metadata of training items"

    def __init__(self, catalogue: Catalogue, train: Sessions, same: np.ndarray | None = None) -> None:
        same = first_of_equal_metadata(catalogue) if same is None else same
        first, group_of = np.unique(same, return_inverse=True)
        counts = np.bincount(group_of, catalogue.train_counts).astype(np.int64)
        merged, sessions = Catalogue(first, counts, {}), Sessions(group_of[train.rows], train.offsets)
        self._neighbours, self._group_of = SessionKnn(merged, sessions, repeats=True), group_of
        self.usual, self.group_of = self._neighbours.usual, group_of
        self.repeats = sessions_repeat_items(train)

    def say(self, session: np.ndarray) -> Said:
        """See `SessionView.say`; the first group is that of NO_ITEM."""
        return self._neighbours.say(self._group_of[session])


def first_of_equal_metadata(catalogue: Catalogue) -> np.ndarray:
    """Return for each row the first row with the same attributes, int64 [R]; NO_ITEM is like no other.

    Vectors are left out: they differ in the last digits where they were made of the same text.
    """
    first: dict[tuple[bytes, ...], int] = {}
    columns = [c for c in catalogue.attributes.values() if c.field.layout is not Layout.VECTORS]
    same = np.zeros(catalogue.n_rows, np.int64)
    for row in range(1, catalogue.n_rows):
        key = tuple(column.of(row).tobytes() for column in columns)
        same[row] = first.setdefault(key, row)
    return same
