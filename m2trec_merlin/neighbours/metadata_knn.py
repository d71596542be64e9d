"""Session kNN that knows items by their metadata, not by their ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import Layout
from m2trec_merlin.neighbours.repeats import sessions_repeat_items
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.neighbours.views import MixedView, Said, Weight
from m2trec_merlin.sessions import Sessions

#: Of an exported version: which metadata are equal.
SAME = "neighbour_same.npy"

#: Share of items without a twin in all metadata from which on metadata are as good as ids.
HARDLY_ANY_TWINS = 0.99


class MetadataKnn(MixedView):
    """Session kNN to which items of equal metadata are one and the same.

    An item that was listed anew under another id has the neighbours and the votes of the old one. Where
    hardly two items share all of their metadata, it is session kNN in all but name.

    Ids decide one thing: where sessions do not repeat them, a session's own are left out, and their twins
    are not. Hence this is asked of ids: sessions that repeat none may well hold twins.

    Args:
        same: which items are the same, int64 [R]: `first_of_equal_metadata`.
        occurrences: of each item in training, int64 [R].
        sessions: the sessions that can be neighbours, the most recent ones last.
    """

    name = "metadata kNN"
    candidates = "items with the metadata of those of known sessions"
    weight = Weight("by_metadata", 0.0, 0.5, "likewise, to which items of equal metadata are the same")
    guess = (4.0, 0.0)

    def __init__(self, same: np.ndarray, occurrences: np.ndarray, sessions: Sessions) -> None:
        _, group_of = np.unique(same, return_inverse=True)
        occurred = np.bincount(group_of, occurrences).astype(np.int64)
        of_groups = Sessions(group_of[sessions.rows], sessions.offsets)
        self._neighbours = SessionKnn(occurred, of_groups, repeats=True)
        self.usual = self._neighbours.usual
        self.group_of: np.ndarray = group_of
        self.repeats = sessions_repeat_items(sessions)

    @classmethod
    def is_worth_trying(cls, catalogue: Catalogue) -> bool:
        """Tell whether items of equal metadata are no exception."""
        same = first_of_equal_metadata(catalogue)
        return float((np.bincount(same)[same] == 1).mean()) < HARDLY_ANY_TWINS

    @classmethod
    def fit(cls, catalogue: Catalogue, sessions: Sessions) -> MetadataKnn:
        """See `MixedView.fit`."""
        return cls(first_of_equal_metadata(catalogue), catalogue.train_counts, sessions)

    @classmethod
    def write(cls, folder: Path, catalogue: Catalogue, sessions: Sessions) -> None:
        """See `MixedView.write`."""
        np.save(folder / SAME, first_of_equal_metadata(catalogue))

    @classmethod
    def read(cls, folder: Path, occurrences: np.ndarray, sessions: Sessions) -> MetadataKnn:
        """See `MixedView.read`."""
        return cls(np.load(folder / SAME), occurrences, sessions)

    def say(self, session: np.ndarray) -> Said:
        """See `SessionView.say`; the first group is that of NO_ITEM."""
        return self._neighbours.say(self.group_of[session])


def first_of_equal_metadata(catalogue: Catalogue) -> np.ndarray:
    """Return for each row the first row with the same attributes, int64 [R]; NO_ITEM is like no other.

    Vectors are left out: they differ in the last digits where they were made of the same text. Where there is
    nothing else, no row is like another.
    """
    first: dict[tuple[bytes, ...], int] = {}
    columns = [c for c in catalogue.attributes.values() if c.field.layout is not Layout.VECTORS]
    if not columns:
        return np.arange(catalogue.n_rows)
    same = np.zeros(catalogue.n_rows, np.int64)
    for row in range(1, catalogue.n_rows):
        key = tuple(column.of(row).tobytes() for column in columns)
        same[row] = first.setdefault(key, row)
    return same
