"""What is known beside the weights of a model when sessions come: those that are over.

A model is trained on training sessions, and what it is mixed with is chosen on validation ones. Once that is
done, neighbours, lists and trends, which learn nothing and choose nothing, know both, as a shop that goes
live does; so do the baselines. Before validation sessions nobody knows more than training.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from m2trec_merlin.artifacts import reading
from m2trec_merlin.catalogue import ENCODED, Catalogue
from m2trec_merlin.column_names import KNOWN_COUNT, SESSION_ID
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.neighbours.pasts import ItemPasts, trends_of
from m2trec_merlin.runs import HeldOut, Run
from m2trec_merlin.sessions import Sessions, session_files

#: Splits whose sessions are over when those of `test` come, in their order.
_OVER = ("train", "valid")


@dataclass(frozen=True)
class Known:
    """Sessions that are over, and what they tell of items.

    Attributes:
        sessions: the most recent ones last.
        counts: int64 [R], occurrences of each catalogue row in them.
        recent_counts: int64 [R], those of the last events; None where time is not known.
    """

    sessions: Sessions
    counts: np.ndarray
    recent_counts: np.ndarray | None = None

    @classmethod
    def training(cls, catalogue: Catalogue, train: Sessions) -> Known:
        """Return what training sessions tell, and no more."""
        return cls(train, catalogue.train_counts, catalogue.recent_counts)

    @property
    def trends(self) -> np.ndarray | None:
        """See `trends_of`."""
        return trends_of(self.counts, self.recent_counts)

    def pasts(self, catalogue: Catalogue) -> ItemPasts:
        """Return the pasts of items: how rare they were to the model in training, and what sells of late."""
        return ItemPasts.known(catalogue.train_counts, self.trends, catalogue.listed)

    def told(self, catalogue: Catalogue) -> Catalogue:
        """Return a catalogue in which what is known is all that training told."""
        return replace(catalogue, train_counts=self.counts, recent_counts=self.recent_counts)


def known_before(run: Run, catalogue: Catalogue, split: HeldOut = "test") -> Known:
    """Return what is known when the sessions of a split come: to a server as before those of `test`.

    Args:
        run: preprocessed.
        catalogue: of the run.
        split: whose sessions come.

    Raises:
        ArtifactError: `preprocess` has not run, or that of a version that counted training events alone.
    """
    if split == "valid":
        return Known.training(catalogue, Sessions.load(run.sessions("train")))
    if catalogue.known_counts is None:
        raise ArtifactError(
            f"{run.catalogue / ENCODED} lacks {KNOWN_COUNT}: run `m2trec preprocess --force`; models stay as "
            "they are"
        )
    sessions = Sessions.read([file for each in _OVER for file in session_files(run.sessions(each))])
    if run.config.data.split.is_nested:
        # Sessions of validation are those of training, longer.
        train, valid = (_ids(run, each) for each in _OVER)
        goes_on = pc.is_in(train, value_set=valid).to_numpy()
        last = np.append(~goes_on, np.ones(len(valid), bool))
        sessions = sessions.take(np.flatnonzero(last))
    return Known(sessions, catalogue.known_counts, catalogue.known_recent_counts)


def _ids(run: Run, split: str) -> pa.ChunkedArray:
    tables = []
    for file in session_files(run.sessions(split)):
        with reading(file, "preprocess"):
            tables.append(pq.read_table(file, columns=[SESSION_ID]))
    return pa.concat_tables(tables).column(SESSION_ID)
