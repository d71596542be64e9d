"""The view `by_metadata`: session kNN that identifies items by their metadata, not by their ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from m2trec_merlin.arrays import refine
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM, Layout
from m2trec_merlin.neighbours.repeats import sessions_repeat_items
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.neighbours.views import MixedView, ViewScores, Weight
from m2trec_merlin.sessions import Sessions

#: Name of the file in an exported version that tells which items have equal metadata.
SAME = "neighbour_same.npy"

#: Share of items with unique metadata from which on metadata identify items as well as ids do.
HARDLY_ANY_TWINS = 0.99


class MetadataKnn(MixedView):
    """Session kNN that treats items of equal metadata as the same item.

    An item that was listed anew under another id has the neighbours and the votes of the old one. If hardly
    any items share all of their metadata, it is the same as session kNN.

    Only the exclusion of a session's own items goes by ids: if sessions do not repeat ids, the session's own
    items are left out, but not their twins, since sessions without repeated ids may well hold twins.

    Args:
        same: the result of `first_of_equal_metadata`, int64 [R].
        occurrences: occurrences of each item in training, int64 [R].
        sessions: the sessions that can be neighbours, the most recent last.
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
        self.background = self._neighbours.background
        self.group_of: np.ndarray = group_of
        self.repeats = sessions_repeat_items(sessions)

    @classmethod
    def is_worth_trying(cls, catalogue: Catalogue) -> bool:
        """Tell whether enough items share their metadata with others."""
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

    def score_near(self, session: np.ndarray) -> ViewScores:
        """See `SessionView.score_near`; group 0 is that of NO_ITEM."""
        return self._neighbours.score_near(self.group_of[session])


def first_of_equal_metadata(catalogue: Catalogue) -> np.ndarray:
    """Return the first row with the same attributes for each row, int64 [R]; row NO_ITEM equals no other.

    Vectors are ignored, since vectors of the same text may differ in their last digits. Without any other
    attribute, no two rows are equal.
    """
    columns = [c for c in catalogue.attributes.values() if c.field.layout is not Layout.VECTORS]
    if not columns:
        return np.arange(catalogue.n_rows)
    groups = (np.arange(catalogue.n_rows) != NO_ITEM).astype(np.int64)
    for column in columns:
        groups = refine(groups, column.codes)
    _, first, group_of = np.unique(groups, return_index=True, return_inverse=True)
    return first[group_of]
