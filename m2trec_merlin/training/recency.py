"""Draw late sessions more often than early ones, as `training.recency` asks for: what sells changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from m2trec_merlin.column_names import SESSION_ID, TIMESTAMP
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.preprocessing.parts import read_part, tell_times
from m2trec_merlin.sessions import count_sessions, read_ids

#: How often sessions are drawn relative to each other, float64 [sessions of a file] by name of the file.
Weights = dict[str, np.ndarray]


def recent_more_often(
    sessions: Sequence[Path], parts: Sequence[Path], recency: float, in_order: bool
) -> Weights:
    """Return weights exp(recency rank / S), the rank that of a session's last event, 0 for the first of S.

    Args:
        sessions: files of sessions, named as the parts that they were made of.
        parts: files of the events.
        recency: logarithm of how many times as often the last session is drawn as the first.
        in_order: whether sessions without times are in order of time.

    Raises:
        ArtifactError: neither times nor the order of the sessions tell which are late.
    """
    by_name = {part.name: part for part in parts}
    names, timed = [file.name for file in sessions], tell_times(parts)
    if not timed and not in_order:
        raise ArtifactError(
            f"training.recency: {recency:g} draws late sessions more often, but which are late is not known: "
            "events have no times (data.columns.order), and no column names the splits (data.split). Give "
            "them, or leave it out"
        )
    ends = [
        _ends(file, by_name[file.name]) if timed else np.zeros(count_sessions([file])) for file in sessions
    ]
    together = np.concatenate(ends)
    ranks = np.empty(len(together))
    ranks[np.argsort(together, kind="stable")] = np.arange(len(together))
    weights = np.split(np.exp(recency * ranks / len(together)), np.cumsum([len(each) for each in ends])[:-1])
    return dict(zip(names, weights, strict=True))


def draw(weights: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return as many sessions as there are, in random order, int64 [S].

    Each comes as often as its weight lets expect, rounded down or up by chance (systematic sampling).

    Args:
        weights: weight of each session, float64 [S].
        generator: source of chance.
    """
    count = len(weights)
    marks = (np.arange(count) + generator.random()) * (weights.sum() / count)
    # The last mark may exceed the last sum by a rounding error.
    return generator.permutation(np.minimum(np.searchsorted(weights.cumsum(), marks), count - 1))


def _ends(file: Path, part: Path) -> np.ndarray:
    """Return the time of the last event of each session of a file, datetime64 [S]."""
    events = read_part(part, [SESSION_ID, TIMESTAMP])
    last: pd.Series = events.groupby(SESSION_ID, sort=False, observed=True)[TIMESTAMP].max()
    last.index = last.index.astype(str)
    return last.reindex(read_ids(file).astype(str)).to_numpy()
