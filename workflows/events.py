"""The interaction files that `m2trec data` writes: where they are, and which items they hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from m2trec_merlin.errors import ArtifactError

SPLITS = ("train", "valid", "test")


def find_parts(data: Path, split: str) -> list[Path]:
    """Return the part files of a split in order.

    Raises:
        ArtifactError: there are none.
    """
    folder = data / "interactions" / split
    parts = sorted(folder.glob("part-*.parquet"))
    if not parts:
        raise ArtifactError(f"{folder} holds no part-*.parquet: run `m2trec data` again")
    return parts


def count_items(parts: Iterable[Path]) -> pd.Series:
    """Return the number of events of each item, indexed by item id; one part is read at a time."""
    total = pd.Series(dtype="int64")
    for part in parts:
        counts = pc.value_counts(pq.read_table(part, columns=["item_id"]).column("item_id"))
        series = pd.Series(counts.field("counts").to_numpy(), index=counts.field("values").to_pandas())
        total = series if total.empty else total.add(series, fill_value=0).astype("int64")
    return total
