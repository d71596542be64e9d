"""How good a run is on sessions of one's own: read in rows of its catalogue, measured as `evaluate` does."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.errors import ArtifactError, DataError, shorten
from m2trec_merlin.evaluation.measurements import Measurement, summarise
from m2trec_merlin.evaluation.promotion import open_run
from m2trec_merlin.evaluation.ranking import evaluate as rank
from m2trec_merlin.evaluation.ranking import prefixes_of, sample_prefixes
from m2trec_merlin.evaluation.run import our_scorers
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.serving.contract.names import ENSEMBLE
from m2trec_merlin.sessions import Sessions

_SESSION, _ITEM = "session_id", "item_id"


@runtime_checkable
class Table(Protocol):
    """A frame of another library: pyarrow, polars, cuDF."""

    def to_pandas(self) -> pd.DataFrame:
        """Return the frame that pandas has of it."""


#: Of `evaluate`.
Own = pd.DataFrame | Table | Sequence[Sequence[Hashable]]


def evaluate(
    run: str | Path,
    sessions: Own,
    *,
    split: str = "own",
    progress: Progress = SILENT,
) -> list[Measurement]:
    """Measure what a run serves on sessions of one's own.

    Every beginning of a session is scored, or what the run's settings of `evaluation` say (`prefixes`, most
    prefixes, cut-offs, intervals), and what comes next is looked for among all items. Nothing is fitted on
    these sessions: how popular an item is, and which items are rare, is known from the run's training
    sessions. Events of items that its catalogue lacks are told in a warning; where one comes next, that is a
    miss.

    Args:
        run: folder of a run or a link to it, or its configuration file; trained and exported.
        sessions: a frame with the columns session_id and item_id, a line an event, those of a session in
            order; or a list of item ids for each session.
        split: what the measurements call these sessions.
        progress: is told how far scoring is.

    Returns:
        A row for each model, slice, metric and cut-off, `pandas.DataFrame` takes them as they are. With
        a mixture (`serving.mixture`) there are two models: alone, and last as served.

    Raises:
        ArtifactError: there is no trained and exported model.
        ConfigError: the file is no configuration.
        DataError: columns or values are missing, no session has two events, or no item is known.
    """
    run = Path(run)
    if (run / ENSEMBLE).is_dir():
        raise ArtifactError(
            f"{run} is an export alone: to evaluate takes the run, with its model and training sessions"
        )
    opened = open_run(run, progress)
    catalogue = Catalogue.load(opened.catalogue)
    own = read_sessions(sessions, catalogue)
    config = opened.config
    prefixes = sample_prefixes(
        prefixes_of(own, config.evaluation), config.evaluation.max_prefixes, config.seed
    )
    train = Sessions.load(opened.sessions("train"))
    measured: list[Measurement] = []
    for scorer in our_scorers(opened, catalogue, train, progress):
        outcome = rank(scorer, prefixes, catalogue, config.evaluation, progress=progress)
        measured += summarise(
            outcome, catalogue, config.evaluation, data=config.name, split=split, seed=config.seed
        )
    return measured


def read_sessions(sessions: Own, catalogue: Catalogue) -> Sessions:
    """Return sessions in rows of a catalogue, in the order in which they begin; see `evaluate`.

    Raises:
        DataError: see `evaluate`.
    """
    events = sessions if isinstance(sessions, pd.DataFrame) else _events(sessions)
    if missing := [column for column in (_SESSION, _ITEM) if column not in events]:
        raise DataError("sessions", [f"no column {column}: rename yours" for column in missing])
    if gaps := [column for column in (_SESSION, _ITEM) if events[column].isna().any()]:
        raise DataError("sessions", [f"{column} is missing in some lines" for column in gaps])
    rows = catalogue.rows_of(events[_ITEM].tolist())
    numbers, ids = pd.factorize(events[_SESSION])
    # A stable sort keeps the order of events, and sessions may lie among each other.
    order = np.argsort(numbers, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=len(ids)))]).astype(np.int64)
    read = Sessions(rows[order], offsets)
    if not read.n_prefixes:
        raise DataError("sessions", ["none has two events, so that nothing comes next"])
    unknown = int((rows == NO_ITEM).sum())
    if unknown == len(rows):
        example = shorten(repr(events[_ITEM].iloc[0]), 80)
        raise DataError("sessions", [f"the catalogue has none of their items, such as {example}"])
    if unknown:
        warnings.warn(
            f"{unknown:,} of {len(rows):,} events are of items that the catalogue lacks: where one comes "
            "next, that is a miss",
            stacklevel=3,
        )
    return read


def _events(sessions: Table | Sequence[Sequence[Hashable]]) -> pd.DataFrame:
    if isinstance(sessions, Table):
        return sessions.to_pandas()
    if any(isinstance(session, str) for session in sessions):
        raise DataError("sessions", ["a session is a list of item ids, not a text"])
    lengths = np.array([len(session) for session in sessions], np.int64)
    items = pd.Series([item for session in sessions for item in session], dtype=object)
    return pd.DataFrame({_SESSION: np.repeat(np.arange(len(lengths)), lengths), _ITEM: items})
