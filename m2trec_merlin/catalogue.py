"""The catalogue: one row per item, its attributes encoded by the items workflow.

Row numbers are pointers, never features. Row NO_ITEM (0) is reserved for padding and unknown items; items
start at row 1, those seen in training first, by falling number of training occurrences. N is the number of
items, so arrays over all rows have N + 1 entries.

On disk (folder `catalogue/`):

    items.parquet       item_id, train_count and known_count, recent_count and known_recent_count where times
                        are, @listed where dates of listing are, and one column per attribute; line i is
                        row i + 1
    display.parquet     item_id, title, and the raw columns by which results can be filtered; same order
    schema.json         kind, layout and size of each attribute, and whether any of them gives titles
    vocabularies/       text: NAME.json (HuggingFace tokenizer); categorical: NAME.parquet (id -> value)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from m2trec_merlin.artifacts import read_json, reading
from m2trec_merlin.column_names import (
    ITEM_ID,
    KNOWN_COUNT,
    KNOWN_RECENT_COUNT,
    LISTED,
    RECENT_COUNT,
    TRAIN_COUNT,
)
from m2trec_merlin.encoded import NO_ITEM, EncodedColumn, Field
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.ids import IdIndex

#: Files of a catalogue, and the folder of its vocabularies; see above.
ENCODED, DISPLAY, SCHEMA, VOCABULARIES = "items.parquet", "display.parquet", "schema.json", "vocabularies"


@dataclass(frozen=True)
class Catalogue:
    """All items, in row order.

    Attributes:
        item_ids: [N + 1] ids as in the source (int64 or str); entry NO_ITEM stands for no item.
        train_counts: int64 [N + 1], occurrences in training sessions; 0 for row NO_ITEM.
        attributes: columns of N + 1 rows by name, in the order of the configuration.
        directory: that it was read from, or None.
        titled: whether an attribute gives titles; else ids stand in their place.
        categories: attributes whose ids are values that a person can name; see `category_names`.
        recent_counts: int64 [N + 1], those of the last training events; None where time is not known.
        listed: bool [N + 1], which items were listed too late for training to see them sell; None where
            nobody knows since when they are listed.
        known_counts: int64 [N + 1], occurrences in training and validation sessions; None where an earlier
            version did not count them.
        known_recent_counts: int64 [N + 1], those of the last of these events; None where time is not known.
    """

    item_ids: np.ndarray
    train_counts: np.ndarray
    attributes: Mapping[str, EncodedColumn]
    directory: Path | None = None
    titled: bool = False
    categories: tuple[str, ...] = ()
    recent_counts: np.ndarray | None = None
    listed: np.ndarray | None = None
    known_counts: np.ndarray | None = None
    known_recent_counts: np.ndarray | None = None

    @classmethod
    def load(cls, directory: Path) -> Catalogue:
        """Read what the items workflow wrote.

        Raises:
            ArtifactError: files are missing or do not fit each other.
        """
        schema = read_json(directory / SCHEMA, "preprocess")
        path = directory / ENCODED
        if not path.is_file():
            raise ArtifactError(f"{path} is missing: run `m2trec preprocess` first")
        with reading(path, "preprocess"):
            table = pq.read_table(path)
        try:
            fields = [Field.from_json(each) for each in schema["attributes"]]
        except KeyError:
            raise ArtifactError(
                f"{directory} is of an earlier version: run `m2trec preprocess --force`"
            ) from None
        if TRAIN_COUNT not in table.column_names:
            raise ArtifactError(f"{path} lacks {TRAIN_COUNT}: run `m2trec preprocess --force`")
        missing = [field.name for field in fields if field.name not in table.column_names]
        if missing:
            raise ArtifactError(
                f"{path} lacks the attributes {missing} of {SCHEMA}: run `m2trec preprocess --force`"
            )
        attributes = {}
        for field in fields:
            try:
                column = EncodedColumn.from_arrow(field, table.column(field.name))
            except ValueError as error:
                raise ArtifactError(f"{path}: {error}: run `m2trec preprocess --force`") from None
            attributes[field.name] = EncodedColumn.join([EncodedColumn.no_item(field), column])
        ids = table.column(ITEM_ID).to_numpy()
        return cls(
            item_ids=np.concatenate([_no_id(ids), ids]),
            train_counts=_counts(table, TRAIN_COUNT),
            attributes=attributes,
            directory=directory,
            titled=schema["titled"],
            categories=tuple(f.name for f in fields if _vocabulary(directory, f.name).is_file()),
            recent_counts=_past(table, RECENT_COUNT),
            listed=_past(table, LISTED),
            known_counts=_past(table, KNOWN_COUNT),
            known_recent_counts=_past(table, KNOWN_RECENT_COUNT),
        )

    @property
    def n_rows(self) -> int:
        """N + 1: all items and row NO_ITEM."""
        return len(self.item_ids)

    @property
    def n_seen(self) -> int:
        """Items with at least one training occurrence; they are rows 1 to n_seen."""
        return int((self.train_counts > 0).sum())

    @property
    def newly_listed(self) -> np.ndarray:
        """`listed`; no item where that is not known."""
        return np.zeros(self.n_rows, bool) if self.listed is None else self.listed

    @cached_property
    def _index(self) -> IdIndex:
        return IdIndex(pd.Series(self.item_ids[1:]))

    def rows_of(self, item_ids: Sequence[object]) -> np.ndarray:
        """Return the row of each id, int64; NO_ITEM where the catalogue lacks it."""
        return self._index.find(pd.Series(list(item_ids), dtype=object)).astype(np.int64) + 1

    def rows_in(self, other: Catalogue) -> np.ndarray:
        """Return the row of each item in another catalogue, int64 [N + 1]; NO_ITEM where that lacks it."""
        return np.concatenate([[NO_ITEM], other.rows_of(self.item_ids[NO_ITEM + 1 :].tolist())])

    def display(self) -> pd.DataFrame:
        """Return what a person reads: item_id, title and raw attributes; line i is row i + 1."""
        if self.directory is None:
            raise ArtifactError("this catalogue was not read from a folder, so it has no display table")
        # Whole numbers with gaps must not become floats: above 2^53 they would change.
        path = self.directory / DISPLAY
        with reading(path, "preprocess"):
            return pq.read_table(path).to_pandas(integer_object_nulls=True)

    def category_names(self, attribute: str) -> list[str]:
        """Return the value behind each id of a categorical attribute; reserved ids have names in <>."""
        if self.directory is None:
            raise ArtifactError("this catalogue was not read from a folder, so it has no vocabularies")
        path = _vocabulary(self.directory, attribute)
        with reading(path, "preprocess"):
            table = pd.read_parquet(path)
        return [str(value) for value in table["value"]]


def _vocabulary(directory: Path, attribute: str) -> Path:
    return directory / VOCABULARIES / f"{attribute}.parquet"


def _past(table: pa.Table, name: str) -> np.ndarray | None:
    """Return a column as `_counts` does; None where there is none."""
    return _counts(table, name) if name in table.column_names else None


def _counts(table: pa.Table, name: str) -> np.ndarray:
    """Return a column of whole numbers or truth values, behind that of no item: 0, or False."""
    values = table.column(name).to_numpy()
    return np.concatenate([np.zeros(1, values.dtype), values])


def _no_id(ids: np.ndarray) -> np.ndarray:
    if np.issubdtype(ids.dtype, np.integer):
        return np.array([-1], dtype=ids.dtype)
    return np.array([""], dtype=object)
