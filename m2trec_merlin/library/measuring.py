"""Evaluation of a run on sessions of your own, measured as by the verb `evaluate`."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from m2trec_merlin.arrays import offsets_of, places_in_lists
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.column_names import ITEM_ID, POSITION, SESSION_ID, TIMESTAMP
from m2trec_merlin.contract.names import ENSEMBLE
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.errors import ArtifactError, DataError, shorten
from m2trec_merlin.evaluation import ranking
from m2trec_merlin.evaluation.known import KNOWN_BEFORE_TEST, known_before
from m2trec_merlin.evaluation.measurements import Measurement, summarise
from m2trec_merlin.evaluation.promotion import open_run
from m2trec_merlin.evaluation.run import our_scorers
from m2trec_merlin.evaluation.served import as_served
from m2trec_merlin.ids import numbered
from m2trec_merlin.library.own_events import Tell, encode_events, lines_of, read_times, targets_of
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.readers.canonical import normalise_ids
from m2trec_merlin.readers.near_ids import explain_unknown
from m2trec_merlin.readers.positions import order_keys, parse_positions
from m2trec_merlin.runs import Run
from m2trec_merlin.sessions import Sessions, identify, identify_file, session_files


@runtime_checkable
class ForeignFrame(Protocol):
    """A frame of another library, such as pyarrow, polars or cuDF."""

    def to_pandas(self) -> pd.DataFrame:
        """Return it as a pandas frame."""


#: Number of unknown ids that are compared with the ids of the catalogue, to find misspellings.
_COMPARED = 5
#: Sessions as `evaluate` takes them.
Own = pd.DataFrame | ForeignFrame | Sequence[Sequence[Hashable]]


def evaluate(
    run: str | Path,
    sessions: Own,
    *,
    split: str = "own",
    progress: Progress = SILENT,
) -> list[Measurement]:
    """Measure what a run serves on sessions of your own.

    The next item after every prefix is ranked among all items; the run's settings of `evaluation` may limit
    the prefixes, and give cut-offs and intervals. Nothing is fitted on these sessions: the popularity of
    items, and which are rare, are known from the run's training sessions; neighbours, as in a server, also
    know the validation sessions. So sessions of training or validation are no test. Events of items that the
    catalogue lacks are reported as a warning and left out, as by a server; one that comes next is a miss.

    Args:
        run: the folder of a run or a link to it, or its configuration file; trained and exported.
        sessions: a frame with the columns session_id and item_id and one row per event, or a list of item ids
            for each session. Events of a frame are ordered by its column position or timestamp, if it has one
            (times as the run's interactions write them, as ISO 8601, or plain numbers), else by row.
            Attributes of events, and which events may be targets, are read from the columns that the run's
            interactions have for them.
        split: name of these sessions in the measurements.
        progress: listener for the progress.

    Returns:
        A measurement for each model, slice, metric and cut-off; `pandas.DataFrame` accepts the list. With
        a mixture (`serving.mixture`) there are two models: the model alone, and last the mixture as served.

    Raises:
        ArtifactError: there is no trained and exported model.
        ConfigError: the file is not a valid configuration.
        DataError: columns or values are missing or cannot be read, no session has a prefix with a next item,
            or no item is known.
    """
    run = Path(run)
    if (run / ENSEMBLE).is_dir():
        raise ArtifactError(
            f"{run} is an export alone: to evaluate takes the run, with its model and sessions"
        )
    opened = open_run(run, progress)
    catalogue = Catalogue.load(opened.catalogue)
    ignored: list[str] = []
    own = read_sessions(sessions, catalogue, opened, ignored.append)
    for what in ignored:
        warnings.warn(what, stacklevel=2)
    config = opened.config
    prefixes = ranking.scored_prefixes(own, config, config.evaluation.max_prefixes)
    known = known_before(opened, catalogue)
    measured: list[Measurement] = []
    for scorer in our_scorers(opened, catalogue, known, progress):
        outcome = ranking.evaluate(
            as_served(scorer, catalogue), prefixes, catalogue, config.evaluation, progress=progress
        )
        measured += summarise(
            outcome, catalogue, config.evaluation, data=config.name, split=split, seed=config.seed
        )
    return measured


def read_sessions(sessions: Own, catalogue: Catalogue, run: Run, tell: Tell) -> Sessions:
    """Return sessions as catalogue rows, ordered by their first row in the frame; see `evaluate`.

    Args:
        sessions: sessions as for `evaluate`.
        catalogue: the catalogue of the run.
        run: the run, which says what is read of events.
        tell: function that takes a message on what is ignored.

    Raises:
        DataError: see `evaluate`.
    """
    events = sessions if isinstance(sessions, pd.DataFrame) else _events(sessions)
    if missing := [column for column in (SESSION_ID, ITEM_ID) if column not in events]:
        raise DataError("sessions", [f"no column {column}: rename yours" for column in missing])
    if twice := list(dict.fromkeys(events.columns[events.columns.duplicated()])):
        raise DataError("sessions", [f"several columns are called {column}" for column in twice])
    objects = events[ITEM_ID] if events[ITEM_ID].dtype == object else ()
    # Such as mappings of attributes, which `recommend` takes.
    several = (each for each in objects if not isinstance(each, Hashable) or isinstance(each, tuple))
    if (one := next(several, None)) is not None:
        raise DataError("sessions", [f"an item is an id, not {_shown(one)}"])
    session_ids, item_ids = (normalise_ids(events[column]) for column in (SESSION_ID, ITEM_ID))
    both = {SESSION_ID: session_ids, ITEM_ID: item_ids}
    if gaps := [
        f"{column} is missing in {lines_of(i.isna())}" for column, i in both.items() if i.isna().any()
    ]:
        raise DataError("sessions", gaps)
    rows = catalogue.rows_of(item_ids.tolist())
    numbers, first = numbered(session_ids)
    # Rows of different sessions may be interleaved.
    times = read_times(events, run)
    order = np.lexsort([np.arange(len(events)), *_places(events, times), numbers])
    offsets = offsets_of(np.bincount(numbers, minlength=len(first)))
    rows, in_order = rows[order], events.iloc[order]
    positions = places_in_lists(np.diff(offsets))
    times = None if times is None else times.iloc[order]
    attributes = encode_events(in_order, times, positions, rows != NO_ITEM, run, tell)
    read = Sessions(rows, offsets, attributes, targets_of(in_order, run))
    if not read.n_prefixes:
        few = "two events" if read.is_target is None else "an event behind its first that may be a target"
        raise DataError("sessions", [f"none has {few}, so that nothing comes next"])
    if again := _known_again(session_ids.iloc[first], read, run):
        tell(
            f"{again:,} of {len(read):,} sessions are among those of training and validation, which what is "
            "served knows: on these it looks better than it is"
        )
    unknown = int((rows == NO_ITEM).sum())
    near = explain_unknown(
        in_order[ITEM_ID][rows == NO_ITEM].iloc[:_COMPARED], catalogue.item_ids[NO_ITEM + 1 :]
    )
    if unknown == len(rows):
        example = _shown(events[ITEM_ID].iloc[0]) + (f": {near}" if near else "")
        raise DataError("sessions", [f"the catalogue has none of their items, such as {example}"])
    if unknown:
        tell(
            f"{unknown:,} of {len(rows):,} events are of items that the catalogue lacks: where one comes "
            "next, that is a miss" + (f"; {near}" if near else "")
        )
    return read


def _known_again(names: pd.Series, sessions: Sessions, run: Run) -> int:
    """Return how many sessions are among those of training and validation, by their ids and items.

    Args:
        names: ids of the sessions.
        sessions: the sessions in rows of the run's catalogue.
        run: a preprocessed run.
    """
    there = sessions.keep(sessions.rows != NO_ITEM)
    left = np.flatnonzero(there.lengths)
    there, ids = there.take(left), names.astype(str).to_numpy(object)[left]
    files = [file for split in KNOWN_BEFORE_TEST for file in session_files(run.sessions(split))]
    known = np.concatenate([identify_file(file) for file in files])
    return int(np.isin(identify(ids, there.rows.astype(np.uint64), there.offsets), known).sum())


def _places(events: pd.DataFrame, times: pd.Series | None) -> list[np.ndarray]:
    """Return the sort key of events within a session; an empty list if the frame is in order already.

    Raises:
        DataError: a position or time is missing, or a position is not a number.
    """
    column = next((name for name in (POSITION, TIMESTAMP) if name in events), None)
    if column is None:
        return []
    by_time = times if column == TIMESTAMP else None
    places = parse_positions(events[column]) if by_time is None else by_time
    if places.isna().any():
        wanted = "a number" if by_time is None else "a time"
        where = lines_of(pd.Series(places.isna().to_numpy(), events.index))
        what = f"{column} is not {wanted} in {where}: mend it, or leave it out if the lines are in order"
        raise DataError("sessions", [what])
    return [order_keys(places) if by_time is None else by_time.to_numpy()]


def _events(sessions: ForeignFrame | Sequence[Sequence[Hashable]]) -> pd.DataFrame:
    if isinstance(sessions, ForeignFrame):
        return sessions.to_pandas()
    if isinstance(sessions, str) or not isinstance(sessions, Iterable):
        raise DataError("sessions", [f"expected a frame, or a list of sessions, found {_shown(sessions)}"])
    told: list[list[Hashable]] = []
    for session in sessions:
        # Sets have no order, and of a mapping only the keys would be read.
        if isinstance(session, str | bytes | set | frozenset | Mapping) or not isinstance(session, Iterable):
            raise DataError("sessions", [f"a session is a list of item ids, not {_shown(session)}"])
        told.append(list(session))
    lengths = np.array([len(session) for session in told], np.int64)
    items = pd.Series([item for session in told for item in session], dtype=object)
    return pd.DataFrame({SESSION_ID: np.repeat(np.arange(len(lengths)), lengths), ITEM_ID: items})


def _shown(value: object) -> str:
    return shorten(repr(value), 80)
