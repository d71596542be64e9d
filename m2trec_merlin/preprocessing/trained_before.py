"""Keep what an earlier run was trained on from being a target in a run that starts from it.

The weights that training goes on from were fitted to sessions of the earlier run. Some of their events may be
held out today: `data.split` may be another one, and where last events are held out, a session that was too
short to be divided may have gone on since. Such events stay as context, but are no targets.

They are kept in a folder of their own, too, for the run that starts from this one: its weights will still
know them, although this run is not trained on them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from m2trec_merlin.arrays import places_in_lists
from m2trec_merlin.artifacts import reading
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.column_names import SESSION_ID
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.ids import id_hashes
from m2trec_merlin.preprocessing.continuing import EarlierRun
from m2trec_merlin.runs import RunFolder
from m2trec_merlin.runs.folder import PARTS, TRAINED_BEFORE
from m2trec_merlin.sessions import (
    IS_TARGET,
    Sessions,
    identify_beginnings,
    identify_file,
    read_ids,
    session_files,
)


def trained_sessions(run: RunFolder, row_of: np.ndarray) -> np.ndarray:
    """Return hashes of the sessions that a run's model was trained on, by itself or where it went on from.

    Args:
        run: the run, preprocessed.
        row_of: row in another run's catalogue for each row of this one's, int64 [R]; see `identify_file`.

    Returns:
        The distinct hashes, uint64.
    """
    before = sorted(run.sessions(TRAINED_BEFORE).glob(PARTS))
    hashes = [identify_file(file, row_of) for file in [*session_files(run.sessions("train")), *before]]
    return np.unique(np.concatenate(hashes))


def leave_out_trained(folder: Path, catalogue: Path, start: EarlierRun, is_nested: bool) -> dict[str, int]:
    """Mark held-out events that were trained on before as no targets, and keep them in `trained_before/`.

    Args:
        folder: folder of the sessions of all splits, which is changed.
        catalogue: folder of the catalogue that their rows belong to.
        start: the earlier run.
        is_nested: whether only the last events of sessions are held out.

    Returns:
        For each split with such events, the number of sessions that hold one.

    Raises:
        ArtifactError: no event of a split is left to be a target.
    """
    row_of = Catalogue.load(start.folder.catalogue).rows_in(Catalogue.load(catalogue))
    trained, found = trained_sessions(start.folder, row_of), dict[str, int]()
    to_the_end = np.empty(0, np.uint64)
    # Where splits are nested, a session of `valid` is one of `test` without its last event.
    for split in ("test", "valid"):
        counts, n_left = dict[Path, np.ndarray](), 0
        for file in session_files(folder / split):
            ids, sessions = read_ids(file), Sessions.read([file])
            count = _count_trained(ids, sessions, trained, start.longest)
            if is_nested:
                # Only the last event is held out.
                names = id_hashes(ids)
                whole = (count == sessions.lengths) | np.isin(names, to_the_end)
                to_the_end = np.append(to_the_end, names[whole])
                count = np.where(whole, sessions.lengths, 0)
            prefixes = sessions.prefixes()
            n_left += int((prefixes.length >= count[prefixes.session]).sum())
            counts[file] = count
        if not (n_trained := sum(np.count_nonzero(count) for count in counts.values())):
            continue
        if not n_left:
            raise ArtifactError(
                f"of the events that data.split holds out for {split}, none is a target that the model in "
                f"{start.folder.model} was not trained on: hold out what was held out there, or start anew "
                "without --from"
            )
        found[split] = n_trained
        (folder / TRAINED_BEFORE).mkdir(exist_ok=True)
        # All files of a split need the same columns.
        for file, count in counts.items():
            kept = folder / TRAINED_BEFORE / f"{file.stem}-{split}{file.suffix}"
            _part(file, count, np.minimum(count, start.longest), kept)
    return found


def _count_trained(ids: pd.Series, sessions: Sessions, trained: np.ndarray, longest: int) -> np.ndarray:
    """Return how many events each session has up to the last one that was trained on, int64 [S]."""
    names, rows = ids.astype(str).to_numpy(object), sessions.rows.astype(np.uint64)
    ends = np.flatnonzero(np.isin(identify_beginnings(names, rows, sessions.offsets, longest), trained))
    session = np.searchsorted(sessions.offsets, ends, side="right") - 1
    counts = np.zeros(len(sessions), np.int64)
    # NumPy keeps the last of several values written to the same index.
    counts[session] = ends + 1 - sessions.offsets[session]
    return counts


def _part(file: Path, counts: np.ndarray, lengths: np.ndarray, beginnings: Path) -> None:
    """Make the first events of sessions no targets, and write the last of these to a file of their own.

    Args:
        file: file of sessions, which is changed.
        counts: number of first events of each session, int64 [S].
        lengths: how many of these to write, int64 [S]; sessions without any are left out.
        beginnings: the file to write them to.
    """
    ids, sessions = read_ids(file), Sessions.read([file])
    place = places_in_lists(sessions.lengths)
    may_be = place >= np.repeat(counts, sessions.lengths)
    with reading(file, "preprocess"):
        table = pq.read_table(file)
    if sessions.is_target is not None:
        may_be &= sessions.is_target
        table = table.drop_columns(IS_TARGET)
    pq.write_table(table.append_column(IS_TARGET, _lists(may_be, sessions.offsets)), file)
    some = np.flatnonzero(lengths)
    kept = sessions.cut((sessions.offsets[:-1] + counts - lengths)[some], lengths[some])
    columns = {SESSION_ID: pa.array(ids.iloc[some]), "row": _lists(kept.rows, kept.offsets)}
    pq.write_table(pa.table(columns), beginnings)


def _lists(values: np.ndarray, offsets: np.ndarray) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values))
