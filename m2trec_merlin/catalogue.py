"""The catalogue: one row per item, its attributes encoded by the items workflow.

Row numbers are pointers, never features. Row 0 is reserved for padding and unknown items; items start
at row 1, those seen in training first, by falling number of training occurrences.

On disk (folder `catalogue/`):

    items.parquet       item_id, train_count, and one column per attribute; line i is row i + 1
    display.parquet     item_id, title, and the raw columns by which results can be filtered; same order
    schema.json         kind and vocabulary size of each attribute
    vocabularies/       text: NAME.json (HuggingFace tokenizer); categorical: NAME.parquet (id -> value)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from m2trec_merlin.artifacts import read_json
from m2trec_merlin.errors import ArtifactError

#: Ids that every token and category vocabulary reserves, as NVTabular's Categorify does.
PADDING, MISSING, OUT_OF_VOCABULARY, FIRST_VALUE = 0, 1, 2, 3

LIST_KINDS = ("text", "multi_categorical")


@dataclass(frozen=True)
class AttributeColumn:
    """One attribute of all catalogue rows, row 0 included.

    Attributes:
        name: of the attribute.
        kind: text, categorical, multi_categorical, numeric or vector.
        vocabulary_size: number of ids, the reserved ones included; 0 for numeric and vector.
        values: text and multi_categorical: int64 [V] flat ids; categorical: int64 [N + 1];
            numeric: float32 [N + 1]; vector: float32 [N + 1, size].
        offsets: int64 [N + 2] for the two list kinds, else None. No row is empty.
    """

    name: str
    kind: str
    vocabulary_size: int
    values: np.ndarray
    offsets: np.ndarray | None = None


@dataclass(frozen=True)
class Catalogue:
    """All items, in row order.

    Attributes:
        item_ids: [N + 1] ids as in the source (int64 or str); entry 0 stands for no item.
        train_counts: int64 [N + 1], occurrences in training sessions; 0 for row 0.
        attributes: by name, in the order of the configuration.
    """

    item_ids: np.ndarray
    train_counts: np.ndarray
    attributes: dict[str, AttributeColumn]
    directory: Path | None = None

    @classmethod
    def load(cls, directory: Path) -> Catalogue:
        """Read what the items workflow wrote.

        Raises:
            ArtifactError: files are missing or do not fit each other.
        """
        schema = read_json(directory / "schema.json")
        path = directory / "items.parquet"
        if not path.is_file():
            raise ArtifactError(f"{path} is missing: run `m2trec preprocess` first")
        table = pq.read_table(path)
        missing = [a["name"] for a in schema["attributes"] if a["name"] not in table.column_names]
        if missing:
            raise ArtifactError(f"{path} lacks the attributes {missing} that schema.json lists")
        ids = table.column("item_id").to_numpy()
        counts = table.column("train_count").to_numpy().astype(np.int64)
        attributes = {a["name"]: _read_attribute(a, table.column(a["name"])) for a in schema["attributes"]}
        return cls(
            item_ids=np.concatenate([_no_item(ids), ids]),
            train_counts=np.concatenate([[0], counts]),
            attributes=attributes,
            directory=directory,
        )

    @property
    def n_rows(self) -> int:
        """N + 1: all items and the padding row."""
        return len(self.item_ids)

    @property
    def n_seen(self) -> int:
        """Items with at least one training occurrence; they are rows 1 to n_seen."""
        return int((self.train_counts > 0).sum())

    @cached_property
    def _row_of(self) -> pd.Index:
        return pd.Index(self.item_ids[1:].astype(str))

    def rows_of(self, item_ids: Sequence[Any]) -> np.ndarray:
        """Return the row of each id (compared as text), int64; 0 where the catalogue has no such item."""
        return self._row_of.get_indexer([str(i) for i in item_ids]).astype(np.int64) + 1

    def display(self) -> pd.DataFrame:
        """Return what a person reads: item_id, title and raw attributes; line i is row i + 1."""
        if self.directory is None:
            raise ArtifactError("this catalogue was not read from a folder, so it has no display table")
        return pd.read_parquet(self.directory / "display.parquet")

    def category_names(self, attribute: str) -> list[str]:
        """Return the value behind each id of a categorical attribute; reserved ids have names in <>."""
        if self.directory is None:
            raise ArtifactError("this catalogue was not read from a folder, so it has no vocabularies")
        table = pd.read_parquet(self.directory / "vocabularies" / f"{attribute}.parquet")
        return [str(value) for value in table["value"]]


def _no_item(ids: np.ndarray) -> np.ndarray:
    return (
        np.array([-1], dtype=ids.dtype)
        if np.issubdtype(ids.dtype, np.integer)
        else np.array([""], dtype=object)
    )


def _read_attribute(schema: dict[str, Any], column: pa.ChunkedArray) -> AttributeColumn:
    name, kind, size = schema["name"], schema["kind"], int(schema.get("vocabulary_size", 0))
    if kind in LIST_KINDS:
        array = column.combine_chunks()
        values = array.flatten().to_numpy().astype(np.int64)
        lengths = array.value_lengths().to_numpy().astype(np.int64)
        if not len(lengths) or lengths.min() < 1:
            raise ArtifactError(f"attribute '{name}' has an empty list in the catalogue: preprocess again")
        offsets = np.concatenate([[0, 1], 1 + np.cumsum(lengths)]).astype(np.int64)
        return AttributeColumn(name, kind, size, np.concatenate([[MISSING], values]), offsets)
    if kind == "categorical":
        return AttributeColumn(
            name, kind, size, np.concatenate([[MISSING], column.to_numpy()]).astype(np.int64)
        )
    if kind == "numeric":
        return AttributeColumn(name, kind, 0, np.concatenate([[0.0], column.to_numpy()]).astype(np.float32))
    flat = column.combine_chunks().flatten().to_numpy().astype(np.float32).reshape(len(column), -1)
    return AttributeColumn(name, kind, 0, np.concatenate([np.zeros((1, flat.shape[1]), np.float32), flat]))
