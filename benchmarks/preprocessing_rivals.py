"""The systems that `benchmarks/preprocessing.py` compares the workflows with: pandas, polars, `tokenizers`.

They are written as an expert in each library would: joins of whole frames, and no Python per row where the
library offers another way.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

EVENT_COLUMNS = ["session_id", "item_id", "position"]


def tokenize_plainly(tokenizer: Any, texts: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return ids and offsets of all texts, encoded in one call; a text without tokens becomes [1]."""
    encoded = tokenizer.encode_batch_fast(texts.fillna("").tolist(), add_special_tokens=False)
    ids = [encoding.ids or [1] for encoding in encoded]
    lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
    values = np.fromiter(chain.from_iterable(ids), dtype=np.int64, count=lengths.sum())
    return values, np.append(0, np.cumsum(lengths))


def categorify_pandas(values: pd.Series, vocabulary: dict[str, int]) -> np.ndarray:
    """Return the ids of values: 1 where missing, 2 where unknown, else that of the vocabulary."""
    text = values.astype("string").str.strip().replace("", pd.NA)
    ids = text.map(vocabulary).fillna(2).astype("int64")
    return ids.mask(text.isna(), 1).to_numpy()


def categorify_polars(values: pl.Series, vocabulary: dict[str, int]) -> np.ndarray:
    """Do the same as `categorify_pandas` in polars."""
    text = values.cast(pl.String).str.strip_chars().replace("", None)
    known = pl.Series(list(vocabulary), dtype=pl.String), pl.Series(list(vocabulary.values()), dtype=pl.Int64)
    ids = text.replace_strict(*known, default=2, return_dtype=pl.Int64)
    return (
        ids.to_frame("ids").select(pl.when(text.is_null()).then(1).otherwise(pl.col("ids"))).to_numpy()[:, 0]
    )


def sessions_pandas(
    events: pd.DataFrame, rows: pd.DataFrame, min_length: int, max_length: int
) -> pd.DataFrame:
    """Join, sort, group, filter and slice."""
    known = events.merge(rows, on="item_id", how="inner").sort_values(["session_id", "position"])
    sessions = known.groupby("session_id", sort=False)["row"].agg(list)
    sessions = sessions[sessions.map(len) >= min_length].map(lambda session: session[-max_length:])
    return sessions.reset_index()


def sessions_polars(
    events: pl.DataFrame, rows: pl.DataFrame, min_length: int, max_length: int
) -> pl.DataFrame:
    """Do the same in polars, with sessions in any order, which is the fastest."""
    known = events.join(rows, on="item_id", how="inner").sort("session_id", "position")
    sessions = known.group_by("session_id").agg(pl.col("row").tail(max_length), pl.len().alias("length"))
    return sessions.filter(pl.col("length") >= min_length).select("session_id", "row")


def write_sessions_pandas(parts: Sequence[Path], output: Path, *sessions: Any) -> None:
    """Read, transform and write each part file; `sessions` are rows and lengths."""
    for part in parts:
        events = pd.read_parquet(part, columns=EVENT_COLUMNS)
        sessions_pandas(events, *sessions).to_parquet(output / part.name, index=False)


def write_sessions_polars(parts: Sequence[Path], output: Path, *sessions: Any) -> None:
    """Do the same in polars, with the default compression of pyarrow and pandas."""
    for part in parts:
        events = pl.read_parquet(part, columns=EVENT_COLUMNS)
        sessions_polars(events, *sessions).write_parquet(output / part.name, compression="snappy")
