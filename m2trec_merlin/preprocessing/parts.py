"""The interaction files that `m2trec data` writes: where they are, and which items they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from m2trec_merlin.artifacts import reading
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.frames.pandas_frames import PandasFrames
from m2trec_merlin.ids import IdIndex
from m2trec_merlin.runs.folder import INTERACTIONS, PARTS


def find_parts(data: Path, split: str) -> list[Path]:
    """Return the part files of a split in order.

    Raises:
        ArtifactError: there are none.
    """
    folder = data / INTERACTIONS / split
    parts = sorted(folder.glob(PARTS))
    if not parts:
        raise ArtifactError(f"{folder} holds no {PARTS}: run `m2trec data` again")
    return parts


def count_events(parts: Iterable[Path], items: IdIndex) -> np.ndarray:
    """Return the number of events of each of `items`; one part is read at a time."""
    counts = np.zeros(len(items), dtype=np.int64)
    for part in parts:
        counts += count_ids(read_part(part, [ITEM_ID])[ITEM_ID], items)
    return counts


def count_ids(ids: pd.Series, items: IdIndex) -> np.ndarray:
    """Return how often each of `items` is among ids, int64 [items]; other ids are not counted."""
    # The first bin takes other ids.
    return np.bincount(items.find(ids) + 1, minlength=len(items) + 1)[1:]


def read_part(part: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read a part file; columns of strings become pandas categories, so that no string is made per event."""
    with reading(part, "data"):
        frame: pd.DataFrame = PandasFrames().read(part, columns, categories=True)
    return frame
