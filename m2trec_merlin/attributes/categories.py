"""Categories as an NVTabular operator, for the kinds that have a vocabulary of values."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from nvtabular import ColumnSelector, Workflow
from nvtabular.ops import Categorify

from m2trec_merlin.artifacts import reading
from m2trec_merlin.attributes.operators import find_operator
from m2trec_merlin.columns import as_category
from m2trec_merlin.encoded import FIRST_VALUE, MISSING, OUT_OF_VOCABULARY
from m2trec_merlin.frames import Frame, frames_of
from m2trec_merlin.ids import IdIndex
from m2trec_merlin.merlin_adapter import complete_vocabulary

#: Names of the reserved ids 0, 1 and 2.
RESERVED = ("<padding>", "<missing>", "<other>")


class Categories(Categorify):
    """NVTabular's Categorify: 0 padding, 1 missing, 2 other, values from 3 by falling frequency.

    Upstream, a frame is merged with the vocabulary and sorted for every column; here its distinct values are
    looked up in an index that is made once. A list without values becomes [MISSING].
    """

    _indexes: dict[str, IdIndex] | None = None

    def fit_finalize(self, categories: dict[str, str]) -> None:
        """Take over the fitted vocabulary files, put in one order and made if they are absent."""
        super().fit_finalize(categories)
        self._indexes = None
        for name, path in self.categories.items():
            complete_vocabulary(path, name)

    def transform(self, col_selector: ColumnSelector, df: Frame) -> Frame:
        """Replace values, and the values of lists, by their ids."""
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
            # Vocabularies of earlier releases hold other spellings, some of them of one value: the most
            # frequent one is found, and no value that is asked for begins with a space.
            indexes[name] = IdIndex(spelled.mask(spelled.duplicated(), " " + values))
        return indexes[name]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_indexes": None}


def categorify(storage: Path, min_count: int) -> Categories:
    """Return the operator, which keeps its vocabularies in `storage` until the workflow is saved."""
    return Categories(freq_threshold=min_count, out_path=str(storage), dtype=np.int64)


def write_categories(workflow: Workflow, name: str, folder: Path) -> int:
    """Write NAME.parquet, the value behind each id; returns the size of the vocabulary."""
    values = [*RESERVED, *find_operator(workflow, name, Categories).values(name)]
    pq.write_table(pa.table({"value": pa.array(values, pa.string())}), folder / f"{name}.parquet")
    return len(values)
