"""The sessions known, beside a model's weights, at the time when sessions are scored.

A model is trained on training sessions, and its mixture is chosen on validation sessions. After that,
neighbours, lists, trends and the baselines, which learn and choose nothing, know both, as in a shop that goes
live. When validation sessions are scored, only training sessions are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.ids import id_hashes
from m2trec_merlin.manifests import require_manifest
from m2trec_merlin.neighbours.pasts import ItemPasts, trends_of
from m2trec_merlin.runs import HeldOut, Run
from m2trec_merlin.runs.settings import LONGEST_SESSION
from m2trec_merlin.sessions import Sessions, count_sessions, read_ids, session_files

#: Splits whose sessions are known before those of `test`, in order of time.
KNOWN_BEFORE_TEST = ("train", "valid")


@dataclass(frozen=True)
class Known:
    """Known sessions, and the counts of items in them.

    Attributes:
        sessions: known sessions, the most recent last.
        counts: occurrences of each catalogue row in the sessions, int64 [R].
        recent_counts: occurrences among the last events, int64 [R]; None if times are unknown.
    """

    sessions: Sessions
    counts: np.ndarray
    recent_counts: np.ndarray | None = None

    @classmethod
    def training(cls, catalogue: Catalogue, sessions: Sessions) -> Known:
        """Return sessions with the counts of the training sessions."""
        return cls(sessions, catalogue.train_counts, catalogue.recent_counts)

    @property
    def trends(self) -> np.ndarray | None:
        """Trends of the items, see `trends_of`."""
        return trends_of(self.counts, self.recent_counts)

    def pasts(self, catalogue: Catalogue) -> ItemPasts:
        """Return the pasts of items: rarity as in the model's training, and trends of the known sessions."""
        return ItemPasts.known(catalogue.train_counts, self.trends, catalogue.listed)

    def as_training_counts(self, catalogue: Catalogue) -> Catalogue:
        """Return the catalogue with the counts of known sessions in place of the training counts."""
        return replace(catalogue, train_counts=self.counts, recent_counts=self.recent_counts)


def known_before(run: Run, catalogue: Catalogue, split: HeldOut = "test") -> Known:
    """Return the sessions that are known before those of a split; a server knows those before `test`.

    Validation sessions are cut to their last events, to the length that training sessions were cut to.

    Args:
        run: preprocessed run.
        catalogue: catalogue of the run; if an earlier version made it, trends are those of training.
        split: the split to be scored.

    Raises:
        ArtifactError: `preprocess` has not run.
    """
    if split == "valid":
        return Known.training(catalogue, Sessions.load(run.sessions("train")))
    files = {each: session_files(run.sessions(each)) for each in KNOWN_BEFORE_TEST}
    sessions, n_trained = Sessions.read([*files["train"], *files["valid"]]), count_sessions(files["train"])
    taken = np.ones(len(sessions), bool)
    if run.config.data.split.is_nested:
        # Validation sessions are training sessions with more events.
        taken[:n_trained] = ~np.isin(_ids(files["train"]), _ids(files["valid"]))
    longest = require_manifest(run.preprocessed, "preprocess")["sessions"]["train"][LONGEST_SESSION]
    lengths = np.minimum(sessions.lengths, longest)[taken]
    known = sessions.cut(sessions.offsets[1:][taken] - lengths, lengths)
    if catalogue.known_counts is None:
        return Known.training(catalogue, known)
    return Known(known, catalogue.known_counts, catalogue.known_recent_counts)


def known_without(run: Run, catalogue: Catalogue, other: Run, split: HeldOut) -> Known:
    """Return the sessions that a server knows, without those of another run's split, by session id.

    The two runs are compared on that split. If any sessions are left out, trends are those of training. If
    sessions continue from split to split, the result is that of `known_before`.

    Args:
        run: the run that is served.
        catalogue: catalogue of the run.
        other: run whose sessions are to be scored.
        split: the split to be scored.

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
    """Return hashes of the session ids in files, uint64 [S]."""
    return np.concatenate([id_hashes(read_ids(file)) for file in files])
