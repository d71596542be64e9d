"""What is known beside the weights of a model when sessions come: those that are over.

A model is trained on training sessions, and what it is mixed with is chosen on validation ones. Once that is
done, neighbours, lists and trends, which learn nothing and choose nothing, know both, as a shop that goes
live does; so do the baselines. Before validation sessions nobody knows more than training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.ids import id_hashes
from m2trec_merlin.neighbours.pasts import ItemPasts, trends_of
from m2trec_merlin.runs import HeldOut, Run
from m2trec_merlin.sessions import Sessions, count_sessions, read_ids, session_files

#: Splits whose sessions are over when those of `test` come, in their order.
KNOWN_BEFORE_TEST = ("train", "valid")


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
    def training(cls, catalogue: Catalogue, sessions: Sessions) -> Known:
        """Return sessions with what those of training tell of items."""
        return cls(sessions, catalogue.train_counts, catalogue.recent_counts)

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

    Of validation sessions the last events are known, no more than those of training keep.

    Args:
        run: preprocessed.
        catalogue: of the run; where a version that counted training events alone has made it, trends are of
            these.
        split: whose sessions come.

    Raises:
        ArtifactError: `preprocess` has not run.
    """
    if split == "valid":
        return Known.training(catalogue, Sessions.load(run.sessions("train")))
    files = {each: session_files(run.sessions(each)) for each in KNOWN_BEFORE_TEST}
    sessions, n_trained = Sessions.read([*files["train"], *files["valid"]]), count_sessions(files["train"])
    taken = np.ones(len(sessions), bool)
    if run.config.data.split.is_nested:
        # Sessions of validation are those of training, longer.
        taken[:n_trained] = ~np.isin(_ids(files["train"]), _ids(files["valid"]))
    lengths = np.minimum(sessions.lengths, sessions.lengths[:n_trained].max(initial=0))[taken]
    known = sessions.cut(sessions.offsets[1:][taken] - lengths, lengths)
    if catalogue.known_counts is None:
        return Known.training(catalogue, known)
    return Known(known, catalogue.known_counts, catalogue.known_recent_counts)


def known_but_for(run: Run, catalogue: Catalogue, other: Run, split: HeldOut = "test") -> Known:
    """Return what a server knows, less the sessions of a split of another run, by their ids.

    On these the two are compared. Where some are left out, trends are those of training; where sessions go on
    from split to split, all is.

    Args:
        run: that is served.
        catalogue: of the run.
        other: whose sessions come.
        split: which of them.

    Raises:
        ArtifactError: `preprocess` has not run.
    """
    if run.config.data.split.is_nested or other.config.data.split.is_nested:
        return known_before(run, catalogue, split)
    known = known_before(run, catalogue)
    ours = np.concatenate([_ids(session_files(run.sessions(each))) for each in KNOWN_BEFORE_TEST])
    theirs = np.isin(ours, _ids(session_files(other.sessions(split))))
    if not theirs.any():
        return known
    return Known.training(catalogue, known.sessions.take(np.flatnonzero(~theirs)))


def _ids(files: Sequence[Path]) -> np.ndarray:
    """Return hashes of the ids of sessions, uint64 [S]."""
    return np.concatenate([id_hashes(read_ids(file)) for file in files])
