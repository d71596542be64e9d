"""The catalogue: one row per item, with the attributes that the items workflow encoded.

Row numbers are pointers, never features. Row NO_ITEM (0) is reserved for padding and unknown items; items
start at row 1, those seen in training first, by falling number of training occurrences. N is the number of
items, so arrays over all rows have N + 1 entries.

On disk (folder `catalogue/`):

    items.parquet       item_id, train_count and known_count; recent_count and known_recent_count if times are
                        known; @listed if dates of listing are known; and one column per attribute; line i is
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

#: Names of a catalogue's files, and of the folder of its vocabularies; see above.
ENCODED, DISPLAY, SCHEMA, VOCABULARIES = "items.parquet", "display.parquet", "schema.json", "vocabularies"


@dataclass(frozen=True)
class Catalogue:
    """All items, in row order.

    Attributes:
        item_ids: ids as in the source (int64 or str), [N + 1]; entry NO_ITEM stands for no item.
        train_counts: occurrences in training sessions as they are cut, int64 [N + 1]; 0 for row NO_ITEM.
        attributes: encoded columns of N + 1 rows, by name, in the order of the configuration.
        directory: the folder that the catalogue was read from, or None.
        titled: whether an attribute gives titles; if not, ids are shown instead.
        categories: names of the categorical attributes; see `category_names`.
        recent_counts: occurrences among the last training events, int64 [N + 1]; None if times are unknown.
        listed: which items were listed too late for training to see them sell, bool [N + 1]; None if dates
            of listing are unknown.
        known_counts: occurrences in training and validation sessions, int64 [N + 1]; None in catalogues of
            an earlier version.
        known_recent_counts: occurrences among the last events of training and validation, int64 [N + 1];
            None if times are unknown.
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
        """Read the catalogue in a folder.

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
        """Number of rows, N + 1: all items and row NO_ITEM."""
        return len(self.item_ids)

    @property
    def n_seen(self) -> int:
        """Number of items with at least one training occurrence; they are rows 1 to n_seen."""
        return int((self.train_counts > 0).sum())

    @property
    def newly_listed(self) -> np.ndarray:
        """Which items are newly listed, bool [N + 1]: `listed`, or none if dates of listing are unknown."""
        return np.zeros(self.n_rows, bool) if self.listed is None else self.listed

    @cached_property
    def _index(self) -> IdIndex:
        return IdIndex(pd.Series(self.item_ids[1:]))

    def rows_of(self, item_ids: Sequence[object]) -> np.ndarray:
        """Return the row of each id, int64; NO_ITEM for ids that the catalogue lacks."""
        return self._index.find(pd.Series(list(item_ids), dtype=object)).astype(np.int64) + 1

    def rows_in(self, other: Catalogue) -> np.ndarray:
        """Return each item's row in another catalogue, int64 [N + 1]; NO_ITEM for items that it lacks."""
        return np.concatenate([[NO_ITEM], other.rows_of(self.item_ids[NO_ITEM + 1 :].tolist())])

    def display(self) -> pd.DataFrame:
        """Return the table for people to read: item_id, title and raw attributes; line i is row i + 1."""
        if self.directory is None:
            raise ArtifactError("this catalogue was not read from a folder, so it has no display table")
        # Whole numbers with gaps must not become floats: above 2^53 they would change.
        path = self.directory / DISPLAY
        with reading(path, "preprocess"):
            return pq.read_table(path).to_pandas(integer_object_nulls=True)

    def category_names(self, attribute: str) -> list[str]:
        """Return the value of each id of a categorical attribute; reserved ids have names in <>."""
        if self.directory is None:
            raise ArtifactError("this catalogue was not read from a folder, so it has no vocabularies")
        path = _vocabulary(self.directory, attribute)
        with reading(path, "preprocess"):
            table = pd.read_parquet(path)
        return [str(value) for value in table["value"]]


def _vocabulary(directory: Path, attribute: str) -> Path:
    return directory / VOCABULARIES / f"{attribute}.parquet"


def _past(table: pa.Table, name: str) -> np.ndarray | None:
    """Return a column as `_counts` does; None if the table lacks it."""
    return _counts(table, name) if name in table.column_names else None


def _counts(table: pa.Table, name: str) -> np.ndarray:
    """Return a column of whole numbers or truth values, preceded by 0 or False for row NO_ITEM."""
    values = table.column(name).to_numpy()
    return np.concatenate([np.zeros(1, values.dtype), values])


def _no_id(ids: np.ndarray) -> np.ndarray:
    if np.issubdtype(ids.dtype, np.integer):
        return np.array([-1], dtype=ids.dtype)
    return np.array([""], dtype=object)
