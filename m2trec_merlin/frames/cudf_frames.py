"""Frames of cuDF: work per row stays on the device, work per distinct value is done once on the host.

So categories are spelled, and words are cut into pieces, exactly as on a CPU, whatever cuDF knows of Unicode.
Only names of cuDF that both RAPIDS 23.02 and 25.12 have are used, except to build a column of lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa

from m2trec_merlin import arrays
from m2trec_merlin.arrays import Array
from m2trec_merlin.columns import as_category, as_doubles, as_text, fit_float32, list_offsets, vectors
from m2trec_merlin.frames.protocol import Column, EncodeTexts, Frame
from m2trec_merlin.ids import IdIndex


class CudfFrames:
    """An implementation of `Frames` on cuDF.

    Args:
        cudf: the module cuDF.
        xp: the module CuPy.
    """

    def __init__(self, cudf: ModuleType, xp: Any) -> None:
        self.cudf = cudf
        self.xp = xp

    def read(self, path: Path, columns: Sequence[str], categories: bool = False) -> Frame:
        """See `Frames.read`; strings are never held as categories."""
        return self.cudf.read_parquet(path, columns=list(columns))

    def read_values(self, path: Path, column: str) -> Array:
        """See `Frames.read_values`."""
        return self.cudf.read_parquet(str(path), columns=[column])[column].values

    def read_lists(self, path: Path, column: str) -> tuple[Array, Array]:
        """See `Frames.read_lists`."""
        entries, lengths = self._flat(self.cudf.read_parquet(str(path), columns=[column])[column])
        return entries.values, lengths

    def frame(self, columns: Mapping[str, Column]) -> Frame:
        """See `Frames.frame`."""
        return self.cudf.DataFrame(dict(columns))

    def with_columns(self, frame: Any, columns: Mapping[str, Column]) -> Frame:
        """See `Frames.with_columns`."""
        changed = frame.copy(deep=False)
        for name, column in columns.items():
            changed[name] = column
        return changed

    def keep(self, frame: Any, wanted: Array) -> Frame:
        """See `Frames.keep`."""
        return frame if bool(wanted.all()) else frame[self.cudf.Series(wanted)].reset_index(drop=True)

    def to_host(self, column: Any) -> pa.Array:
        """See `Frames.to_host`."""
        found = column if self._is_list(column) else column.nans_to_nulls()
        return found.to_arrow()

    def from_host(self, array: pa.Array) -> Column:
        """See `Frames.from_host`."""
        return self.cudf.Series.from_arrow(array)

    def floats(self, column: Any) -> Array:
        """See `Frames.floats`."""
        return column.astype("float64").to_cupy(na_value=float("nan"))

    def column(self, values: Array) -> Column:
        """See `Frames.column`."""
        return self.cudf.Series(values).nans_to_nulls()

    def categories(self, column: Column, name: str) -> Column:
        """See `Frames.categories`."""
        return self._once(column, lambda values: as_category(values.to_pandas().rename(name)))

    def split(self, column: Any, name: str, separator: str, longest: int, filler: str | None) -> Column:
        """See `Frames.split`; a value that is not text is one category."""
        if not self._is_list(column):
            column = self._texts(column, name).str.split(separator)
        entries, lengths = self._flat(column)
        values: Any = self.categories(entries, name)
        parents = arrays.repeat(self.xp.arange(len(lengths)), lengths, self.xp)
        known = values.notnull().values
        kept, counts = arrays.known_entries(known, parents, len(lengths), longest, self.xp)
        return self._filled(values.take(kept), counts, filler)

    def count_categories(self, column: Any) -> dict[str, int]:
        """See `Frames.count_categories`."""
        entries = column.list.leaves if self._is_list(column) else column
        codes, values = self._distinct(entries)
        return dict(zip(values.cast(pa.string()).to_pylist(), self._counts(codes, len(values)), strict=True))

    def numbers(self, column: Any, minimum: float | None, decimal: str = ".") -> Column:
        """See `Frames.numbers`."""
        if column.dtype.kind in "iu" or column.dtype == np.float64:
            found = self.floats(column)
        else:
            codes, distinct = self._distinct(column)
            found = self._at(as_doubles(distinct.to_pandas(), decimal), codes, np.nan)
        usable = fit_float32(found, self.xp)
        if minimum is not None:
            usable &= found >= minimum
        return self.column(self.xp.where(usable, found, self.xp.nan))

    def vectors(self, column: Any, name: str, size: int) -> Column:
        """See `Frames.vectors`; invalid columns are passed to the host, which raises the error."""
        if not self._is_list(column) or column.list.leaves.dtype.kind not in "iuf":
            return self.from_host(vectors(self.to_host(column).to_pandas().rename(name), size))
        entries, lengths = self._flat(column)
        known = column.notnull().values
        if bool((lengths[known] != size).any()):
            return self.from_host(vectors(self.to_host(column).to_pandas().rename(name), size))
        matrix = self.xp.zeros((len(column), size), np.float32)
        matrix[known] = self.floats(entries).astype(np.float32).reshape(-1, size)
        return self._matrix(self.xp.where(self.xp.isfinite(matrix), matrix, np.float32(0)))

    def vectors_of(
        self, column: Column, name: str, encode: Callable[[pa.Array], np.ndarray], size: int
    ) -> Column:
        """See `Frames.vectors_of`."""
        codes, values = self._distinct(column)
        distinct = as_text(values.to_pandas().rename(name)).dictionary_encode()
        found = np.zeros((len(distinct.dictionary) + 1, size), dtype=np.float32)
        if len(found) > 1:
            found[:-1] = encode(distinct.dictionary)
        index = distinct.indices.fill_null(-1).to_numpy()
        return self._matrix(self.xp.asarray(found)[self._at(index.astype(np.int64), codes, -1)])

    def look_up(self, column: Any, ids: Callable[[pa.Array], np.ndarray], missing: int) -> Column:
        """See `Frames.look_up`."""
        if not self._is_list(column):
            codes, values = self._distinct(column)
            return self.cudf.Series(self._at(ids(values.cast(pa.string())), codes, missing))
        entries, lengths = self._flat(column)
        codes, values = self._distinct(entries)
        parents = arrays.repeat(self.xp.arange(len(lengths)), lengths, self.xp)
        kept, counts = arrays.known_entries(codes >= 0, parents, len(lengths), xp=self.xp)
        found = self._at(ids(values.cast(pa.string())), codes[kept], missing)
        return self._filled(self.cudf.Series(found), counts, missing)

    def count_words(self, column: Column, name: str) -> dict[str, int]:
        """See `Frames.count_words`."""
        words, _ = self._words(column, name)
        codes, distinct = self._distinct(words)
        counts: Counter[str] = Counter()
        for word, count in zip(distinct.to_pylist(), self._counts(codes, len(distinct)), strict=True):
            # The device split only at the space U+0020.
            for part in word.split():
                counts[part] += count
        return dict(counts)

    def tokens(self, column: Column, name: str, encode: EncodeTexts, longest: int, missing: int) -> Column:
        """See `Frames.tokens`."""
        words, n_words = self._words(column, name)
        word, distinct = self._distinct(words)
        ids, starts, sizes = (self.xp.asarray(found) for found in encode(distinct.cast(pa.string())))
        kept, per_text = arrays.first_pieces(sizes[word], n_words, longest, self.xp)
        values = ids[arrays.ragged_positions(starts[word], kept, self.xp)]
        return self._filled(self.cudf.Series(values), per_text, missing)

    def find(self, column: Column, index: IdIndex) -> Array:
        """See `Frames.find`."""
        codes, values = self._distinct(column)
        return self._at(index.find(values.to_pandas()), codes, -1)

    def values_at(self, values: np.ndarray, positions: Array) -> Column:
        """See `Frames.values_at`."""
        return self.cudf.Series(self.xp.asarray(values)[positions])

    def number(self, column: Column) -> Column:
        """See `Frames.number`."""
        # Some releases of `factorize` number values by first mention, others in sorted order.
        return self.cudf.Series(arrays.number_by_first_mention(self._distinct(column)[0], self.xp))

    def group(self, frame: Any, keys: Sequence[str], order: Sequence[str], values: Sequence[str]) -> Frame:
        """See `Frames.group`; a frame that is in order is not sorted."""
        major, minor = (frame[name].values for name in order)
        if not arrays.is_in_order(major, minor):
            frame = frame.take(arrays.order_by(major, minor, self.xp))
            major = frame[order[0]].values
        starts = arrays.run_starts(major, self.xp)
        offsets = self.xp.concatenate([starts, self.xp.asarray([len(major)])])
        grouped = frame[list(keys)].take(starts).reset_index(drop=True)
        for value in values:
            grouped[f"{value}_list"] = self._lists(offsets, frame[value].reset_index(drop=True))
        grouped[f"{values[0]}_count"] = self.cudf.Series((offsets[1:] - offsets[:-1]).astype(np.int32))
        return grouped

    def last(self, column: Any, count: int) -> Column:
        """See `Frames.last`."""
        if isinstance(column.dtype.element_type, self.cudf.ListDtype):
            # `_flat` gives only the innermost values and the outer lengths, so lists of lists go by the host.
            lists = self.to_host(column)
            positions, kept = arrays.last_entries(lists.offsets.to_numpy(), count)
            entries = lists.values.take(pa.array(positions))
            return self.from_host(pa.ListArray.from_arrays(list_offsets(kept), entries))
        entries, lengths = self._flat(column)
        positions, kept = arrays.last_entries(arrays.offsets_of(lengths, self.xp), count, self.xp)
        return self._lists(arrays.offsets_of(kept, self.xp), entries.take(positions).reset_index(drop=True))

    def _is_list(self, column: Any) -> bool:
        return isinstance(column.dtype, self.cudf.ListDtype)

    def _is_text(self, column: Any) -> bool:
        return bool(self.cudf.api.types.is_string_dtype(column.dtype))

    def _distinct(self, column: Any) -> tuple[Array, pa.Array]:
        """Return the position of each row's value, -1 where missing, and the distinct values on the host."""
        codes, values = column.nans_to_nulls().factorize()
        return codes.astype(np.int64), values.to_arrow()

    def _at(self, values: np.ndarray, codes: Array, missing: float) -> Array:
        """Return the value at each code, and `missing` for code -1."""
        return self.xp.asarray(np.append(values, values.dtype.type(missing)))[codes]

    def _once(self, column: Column, function: Callable[[pa.Array], pa.Array]) -> Any:
        """Apply a function to each distinct value on the host; null where missing."""
        codes, values = self._distinct(column)
        found = function(values)
        table = self.from_host(pa.concat_arrays([found, pa.nulls(1, found.type)]))
        at: Any = self.xp.where(codes < 0, len(found), codes)
        return table.take(at).reset_index(drop=True)  # type: ignore[attr-defined]

    def _counts(self, codes: Array, size: int) -> list[int]:
        counts: list[int] = self.xp.asnumpy(self.xp.bincount(codes[codes >= 0], minlength=size)).tolist()
        return counts

    def _texts(self, column: Any, name: str) -> Any:
        if self._is_text(column):
            return column
        return self._once(column, lambda values: as_text(values.to_pandas().rename(name)))

    def _words(self, column: Any, name: str) -> tuple[Any, Array]:
        """Return the words between spaces, one text after another, and the number of words per text."""
        texts = self._texts(column, name).fillna("")
        return texts.str.tokenize(" "), texts.str.token_count(" ").values.astype(np.int64)

    def _flat(self, column: Any) -> tuple[Any, Array]:
        """Return the values of lists, one list after another, and their lengths."""
        return column.list.leaves, column.list.len().fillna(0).values.astype(np.int64)

    def _filled(self, entries: Any, lengths: Array, filler: Any) -> Column:
        """Return entries as lists of these lengths; an empty list becomes [filler]."""
        source, filled = arrays.filled_entries(lengths, self.xp)
        entries = entries.reset_index(drop=True)
        extra = self.from_host(pa.array([filler], pa.string() if self._is_text(entries) else None))
        extended = self.cudf.concat([entries, extra.astype(entries.dtype)], ignore_index=True)  # type: ignore[attr-defined]
        return self._lists(arrays.offsets_of(filled, self.xp), extended.take(source).reset_index(drop=True))

    def _matrix(self, matrix: Array) -> Column:
        """Return the rows of a matrix [n, size] as a column of lists."""
        rows, size = matrix.shape
        return self._lists(self.xp.arange(rows + 1) * size, self.cudf.Series(matrix.reshape(-1)))

    def _lists(self, offsets: Array, values: Any) -> Column:
        """Return a column of lists, cut from flat values at offsets [n + 1]."""
        size, begins = len(offsets) - 1, self.cudf.Series(offsets.astype(np.int32))
        if not hasattr(self.cudf.Series, "from_pylibcudf"):
            from cudf.core.column import as_column, build_column  # RAPIDS of 2023

            children = (as_column(begins), as_column(values))
            kind = self.cudf.ListDtype(values.dtype)
            return self.cudf.Series(build_column(None, size=size, dtype=kind, children=children))
        import pylibcudf as plc

        parts = [series.to_pylibcudf()[0] for series in (begins, values)]
        kind = plc.DataType(plc.TypeId.LIST)
        return self.cudf.Series.from_pylibcudf(plc.Column(kind, size, None, None, 0, 0, parts))
