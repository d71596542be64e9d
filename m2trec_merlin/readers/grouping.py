"""Gather the events of each session from anywhere in the source, in bounded memory.

Up to a limit, rows are grouped in memory. Beyond it they go through two rounds of temporary files: by a hash
of the session id, so that one file holds all events of a session; then by the row of the session's first
event, so that sessions are returned in the order in which they begin in the source. The result does not
depend on the limit. Memory holds one chunk or one hash file, about a 256th of the events.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather

from m2trec_merlin.arrays import run_starts
from m2trec_merlin.column_names import SESSION_ID
from m2trec_merlin.ids import numbered
from m2trec_merlin.readers.canonical import normalise_ids
from m2trec_merlin.spelling import text_of_id

_HASH_FILES = 256
#: Events assumed per session, to convert a number of sessions to a number of rows.
_EVENTS_PER_SESSION = 20
_ROW, _FIRST = "__row", "__first_row"


class GroupedSessions:
    """An iterable of chunks of whole sessions from rows in any order; the source is read only once.

    Args:
        read_rows: function that returns blocks of rows with a `session_id` column, indexed by row number.
        chunk_sessions: the most sessions per chunk; also bounds the rows held in memory.
    """

    def __init__(self, read_rows: Callable[[], Iterable[pd.DataFrame]], chunk_sessions: int) -> None:
        self._read_rows = read_rows
        self._chunk_sessions = chunk_sessions
        self._limit = chunk_sessions * _EVENTS_PER_SESSION
        self._grouped: pd.DataFrame | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __iter__(self) -> Iterator[pd.DataFrame]:
        if self._grouped is None and self._folder is None:
            self._gather()
        if self._grouped is not None:
            yield from cut_sessions(self._grouped, self._chunk_sessions)
        elif self._folder is not None:
            for part in sorted(Path(self._folder.name, "by_row").iterdir()):
                rows = _read_folder(part)
                yield from cut_sessions(_side_by_side(rows), self._chunk_sessions)

    def _gather(self) -> None:
        held: list[pd.DataFrame] = []
        flushed, folder = 0, None
        for block in self._read_rows():
            held.append(block)
            if sum(map(len, held)) > self._limit:
                folder = folder or tempfile.TemporaryDirectory(prefix="m2trec-sessions-")
                _flush(held, Path(folder.name), flushed)
                held, flushed = [], flushed + 1
        if folder is None:
            self._grouped = _side_by_side(_with_row(held)) if held else pd.DataFrame()
            return
        if held:
            _flush(held, Path(folder.name), flushed)
        self._sort_by_first_row(Path(folder.name))
        # Set last: if a row cannot be read, the next iteration starts again and raises the same error.
        self._folder = folder

    def _sort_by_first_row(self, folder: Path) -> None:
        for number, part in enumerate(sorted((folder / "by_hash").iterdir())):
            rows = _read_folder(part)
            first = rows.groupby(session_codes(rows), sort=False)[_ROW].transform("min")
            _scatter(rows, (first // max(self._limit, 1)).to_numpy(), folder / "by_row", number)
            for file in part.iterdir():
                file.unlink()


def _flush(blocks: list[pd.DataFrame], folder: Path, number: int) -> None:
    rows = _with_row(blocks)
    ids = normalise_ids(rows[SESSION_ID]).astype(str).to_numpy(object)
    bucket = (pd.util.hash_array(ids) % _HASH_FILES).astype(np.int64)
    _scatter(rows, bucket, folder / "by_hash", number)


def cut_sessions(events: pd.DataFrame, chunk_sessions: int) -> Iterator[pd.DataFrame]:
    """Cut a frame of whole sessions, each in adjacent rows, into frames of at most `chunk_sessions`."""
    if events.empty:
        return
    edges = [*run_starts(session_codes(events))[::chunk_sessions], len(events)]
    for start, end in pairwise(edges):
        yield events.iloc[start:end]


def session_codes(rows: pd.DataFrame) -> np.ndarray:
    """Return the number of each row's session, int64 [rows]; sessions count in the order of their first rows.

    Rows with a missing id are kept as a session, so that the validation reports them.
    """
    return numbered(normalise_ids(rows[SESSION_ID]))[0]


def _with_row(blocks: list[pd.DataFrame]) -> pd.DataFrame:
    rows = pd.concat(blocks)
    return rows.assign(**{_ROW: rows.index.to_numpy(np.int64)})


def _side_by_side(rows: pd.DataFrame) -> pd.DataFrame:
    first = rows.groupby(session_codes(rows), sort=False)[_ROW].transform("min")
    ordered = rows.assign(**{_FIRST: first}).sort_values([_FIRST, _ROW], kind="stable")
    return ordered.set_index(pd.Index(ordered[_ROW].to_numpy())).drop(columns=[_ROW, _FIRST])


def _scatter(rows: pd.DataFrame, part: np.ndarray, folder: Path, number: int) -> None:
    for value, group in rows.groupby(part, sort=False):
        target = folder / f"{int(str(value)):012d}"
        target.mkdir(parents=True, exist_ok=True)
        table = _to_arrow(group)
        feather.write_feather(table, str(target / f"{number:06d}.feather"))


def _to_arrow(rows: pd.DataFrame) -> pa.Table:
    try:
        return pa.Table.from_pandas(rows, preserve_index=False)
    except pa.ArrowException:
        return pa.Table.from_pandas(rows.apply(_of_one_type), preserve_index=False)


def _of_one_type(values: pd.Series) -> pd.Series:
    """Return values as texts, or lists of texts, if Arrow has no common type for them.

    This happens for whole numbers beside decimals; their texts mean the same.
    """
    try:
        pa.array(values, from_pandas=True)
    except pa.ArrowException:
        return values.map(_as_text, na_action="ignore")
    return values


def _as_text(value: Any) -> Any:
    if isinstance(value, list | np.ndarray):
        return [None if each is None else text_of_id(each) for each in value]
    return text_of_id(value)


def _read_folder(folder: Path) -> pd.DataFrame:
    parts = [pd.read_feather(file) for file in sorted(folder.glob("*.feather"))]
    # pandas would make floats of whole numbers beside floats, and different ones equal.
    mixed = [name for name in parts[0] if len({str(part[name].dtype) for part in parts}) > 1]
    return pd.concat([part.astype(dict.fromkeys(mixed, object)) for part in parts], ignore_index=True)
