"""The NVTabular operator for kinds of attributes that have a vocabulary of values."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from nvtabular import ColumnSelector, Workflow
from nvtabular.ops import Categorify

from m2trec_merlin.artifacts import reading
from m2trec_merlin.attributes.fitting import FittedByParts, add_counts
from m2trec_merlin.attributes.operators import find_operator
from m2trec_merlin.columns import as_category
from m2trec_merlin.encoded import FIRST_VALUE, MISSING, OUT_OF_VOCABULARY
from m2trec_merlin.frames import Frame, frames_of
from m2trec_merlin.ids import IdIndex

#: Names of the reserved ids 0, 1 and 2.
RESERVED = ("<padding>", "<missing>", "<other>")


class Categories(FittedByParts, Categorify):
    """NVTabular's Categorify: replace values by ids, 0 padding, 1 missing, 2 other, from 3 by frequency.

    A list without values becomes [MISSING]. Upstream merges a frame with the vocabulary and sorts it for
    every column; here the distinct values are looked up in an index that is built once. Upstream writes no
    vocabulary file for a column without values, which `transform` then fails to open; and its order of
    equally frequent values depends on the processor.
    """

    _indexes: dict[str, IdIndex] | None = None
    #: Values of the earlier vocabularies that fitting extends, by column.
    _before: Mapping[str, Sequence[str]] = {}

    def fit_part(self, col_selector: ColumnSelector, df: Frame) -> dict[str, dict[str, int]]:
        """Count the values of each column in a part of the data."""
        frames = frames_of(df)
        return {name: frames.count_categories(df[name]) for name in col_selector.names}

    def join(self, parts: Sequence[Mapping[str, Mapping[str, int]]]) -> dict[str, Counter[str]]:
        """Add the counts up."""
        return add_counts(parts)

    def fit_finalize(self, categories: Mapping[str, Mapping[str, int]]) -> None:
        """Write the vocabularies: earlier values first, then new ones by falling frequency, ties by value."""
        self._indexes = None
        folder = Path(self.out_path) / "categories"
        folder.mkdir(parents=True, exist_ok=True)
        for name, counts in categories.items():
            path = folder / f"unique.{name}.parquet"
            _write_vocabulary(path, name, counts, self.freq_threshold, self._before.get(name, ()))
            self.categories[name] = str(path)

    def transform(self, col_selector: ColumnSelector, df: Frame) -> Frame:
        """Replace single values, or the values of lists, by their ids."""
        frames = frames_of(df)
        encoded = {name: frames.look_up(df[name], self._ids(name), MISSING) for name in col_selector.names}
        return frames.with_columns(df, encoded)

    def values(self, name: str) -> list[str]:
        """Return the values of a fitted vocabulary, in the order of their ids from FIRST_VALUE on."""
        return list(pd.read_parquet(self.categories[name])[name])

    def write_learned(self, column: str, folder: Path) -> None:
        """Write COLUMN.parquet, the vocabulary as NVTabular keeps it."""
        shutil.copyfile(self.categories[column], folder / f"{column}.parquet")

    def read_learned(self, column: str, folder: Path) -> None:
        """Read COLUMN.parquet; see `Learning`."""
        path = folder / f"{column}.parquet"
        with reading(path, "preprocess"):
            self.categories[column] = str(path)
            self._index(column)

    def start_from(self, column: str, folder: Path) -> None:
        """Have the values of COLUMN.parquet keep their ids; see `Learning`."""
        path = folder / f"{column}.parquet"
        with reading(path, "preprocess"):
            self._before = {**self._before, column: list(pd.read_parquet(path)[column])}

    def _ids(self, name: str) -> Callable[[pa.Array], np.ndarray]:
        def ids(distinct: pa.Array) -> np.ndarray:
            positions = self._index(name).find(distinct.to_pandas())
            known = positions + FIRST_VALUE
            return np.where(positions < 0, OUT_OF_VOCABULARY, known).astype(self.output_dtype)

        return ids

    def _index(self, name: str) -> IdIndex:
        indexes = self._indexes = self._indexes or {}
        if name not in indexes:
            values = pd.Series(self.values(name), dtype=object)
            spelled = as_category(values).to_pandas()
            # Vocabularies of earlier releases may hold several spellings of a value. The most frequent one
            # is found; a leading space hides the others, as no spelled value begins so.
            indexes[name] = IdIndex(spelled.mask(spelled.duplicated(), " " + values))
        return indexes[name]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_indexes": None}


def _write_vocabulary(
    path: Path, name: str, counts: Mapping[str, int], least: int, before: Sequence[str]
) -> None:
    """Write a vocabulary in NVTabular's format, where the index of a row is the id of its value."""
    known = set(before)
    new = sorted((-n, value) for value, n in counts.items() if n >= least and value not in known)
    values = [*before, *(value for _, value in new)]
    columns = {name: values, f"{name}_size": [counts.get(value, 0) for value in values]}
    table = pd.DataFrame(columns, index=pd.RangeIndex(FIRST_VALUE, FIRST_VALUE + len(values)))
    schema = pa.schema([(name, pa.string()), (f"{name}_size", pa.int64())])
    table.to_parquet(path, schema=schema, compression=None)


def categorify(storage: Path, min_count: int) -> Categories:
    """Create the operator; it keeps its vocabularies in `storage` until the workflow is saved."""
    return Categories(freq_threshold=min_count, out_path=str(storage), dtype=np.int64)


def write_categories(workflow: Workflow, name: str, folder: Path) -> int:
    """Write NAME.parquet, which holds the value of each id, and return the size of the vocabulary."""
    values = [*RESERVED, *find_operator(workflow, name, Categories).values(name)]
    pq.write_table(pa.table({"value": pa.array(values, pa.string())}), folder / f"{name}.parquet")
    return len(values)
