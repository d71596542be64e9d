"""Frames of pandas; columns are processed as Arrow arrays, without Python code per row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from m2trec_merlin import arrays
from m2trec_merlin.columns import (
    as_category,
    as_text,
    fill_empty,
    is_list,
    list_offsets,
    lists_of_size,
    numbers,
    split_values,
    to_arrow,
    vectors,
    without_nulls,
)
from m2trec_merlin.frames.protocol import Column, EncodeTexts, Frame
from m2trec_merlin.ids import IdIndex


class PandasFrames:
    """An implementation of `Frames` on pandas."""

    def read(self, path: Path, columns: Sequence[str], categories: bool = False) -> pd.DataFrame:
        """See `Frames.read`; strings held as categories are not created one by one."""
        schema = pq.read_schema(path)
        strings = [name for name in columns if schema.field(name).type in (pa.string(), pa.large_string())]
        table = pq.read_table(path, columns=list(columns), read_dictionary=strings if categories else [])
        # Otherwise integers with missing values become floats, and ids beyond 2^53 change.
        return table.to_pandas(integer_object_nulls=True, split_blocks=categories)

    def read_values(self, path: Path, column: str) -> np.ndarray:
        """See `Frames.read_values`."""
        return _own(pq.read_table(path, columns=[column]).column(column).to_numpy())

    def read_lists(self, path: Path, column: str) -> tuple[np.ndarray, np.ndarray]:
        """See `Frames.read_lists`."""
        lists = pq.read_table(path, columns=[column]).column(column).combine_chunks()
        lengths = lists.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
        return _own(lists.flatten().to_numpy()), lengths

    def frame(self, columns: Mapping[str, Column]) -> Frame:
        """See `Frames.frame`."""
        return pd.DataFrame({name: _series(column) for name, column in columns.items()}, copy=False)

    def with_columns(self, frame: Frame, columns: Mapping[str, Column]) -> Frame:
        """See `Frames.with_columns`."""
        changed = _frame(frame).copy(deep=False)
        for name, column in columns.items():
            changed[name] = _series(column).set_axis(changed.index)
        return changed

    def keep(self, frame: Frame, wanted: np.ndarray) -> Frame:
        """See `Frames.keep`."""
        return frame if wanted.all() else _frame(frame)[wanted].reset_index(drop=True)

    def to_host(self, column: Column) -> pa.Array:
        """See `Frames.to_host`."""
        return to_arrow(_series(column))

    def from_host(self, array: pa.Array) -> Column:
        """See `Frames.from_host`."""
        return array.to_pandas()

    def floats(self, column: Column) -> np.ndarray:
        """See `Frames.floats`."""
        return to_arrow(_series(column)).to_numpy(zero_copy_only=False).astype(np.float64)

    def column(self, values: np.ndarray) -> Column:
        """See `Frames.column`."""
        return pa.array(values, from_pandas=True).to_pandas()

    def categories(self, column: Column, name: str) -> Column:
        """See `Frames.categories`."""
        return as_category(_series(column).rename(name)).to_pandas()

    def split(self, column: Column, name: str, separator: str, longest: int, filler: str | None) -> Column:
        """See `Frames.split`."""
        lists = split_values(_series(column).rename(name), separator, longest)
        return fill_empty(lists, filler).to_pandas()

    def count_categories(self, column: Column) -> dict[str, int]:
        """See `Frames.count_categories`."""
        values = to_arrow(_series(column))
        counts = pc.value_counts((values.flatten() if is_list(values.type) else values).drop_null())
        names, sizes = counts.field("values").to_pylist(), counts.field("counts").to_pylist()
        return dict(zip(names, sizes, strict=True))

    def numbers(self, column: Column, minimum: float | None, decimal: str = ".") -> Column:
        """See `Frames.numbers`."""
        return numbers(_series(column), minimum, decimal).to_pandas()

    def vectors(self, column: Column, name: str, size: int) -> Column:
        """See `Frames.vectors`."""
        return vectors(_series(column).rename(name), size).to_pandas()

    def vectors_of(
        self, column: Column, name: str, encode: Callable[[pa.Array], np.ndarray], size: int
    ) -> Column:
        """See `Frames.vectors_of`."""
        distinct = pc.dictionary_encode(as_text(_series(column).rename(name)))
        found = np.zeros((len(distinct.dictionary) + 1, size), dtype=np.float32)
        if len(found) > 1:
            found[:-1] = encode(distinct.dictionary)
        return lists_of_size(found[pc.fill_null(distinct.indices, -1).to_numpy()]).to_pandas()

    def look_up(self, column: Column, ids: Callable[[pa.Array], np.ndarray], missing: int) -> Column:
        """See `Frames.look_up`."""
        return _look_up(to_arrow(_series(column)), ids, missing).to_pandas()

    def count_words(self, column: Column, name: str) -> dict[str, int]:
        """See `Frames.count_words`."""
        texts = as_text(_series(column).rename(name))
        counts = pc.value_counts(pc.utf8_split_whitespace(texts).flatten())
        words, occurrences = counts.field("values").to_pylist(), counts.field("counts").to_pylist()
        return dict(zip(words, occurrences, strict=True))

    def tokens(self, column: Column, name: str, encode: EncodeTexts, longest: int, missing: int) -> Column:
        """See `Frames.tokens`."""
        # Split only at the space U+0020; the tokenizer handles all other white space.
        words = pc.split_pattern(as_text(_series(column).rename(name)), " ")
        distinct = pc.dictionary_encode(words.flatten())
        ids, starts, sizes = encode(distinct.dictionary)
        word = distinct.indices.to_numpy(zero_copy_only=False)
        n_words = pc.fill_null(pc.list_value_length(words), 0).to_numpy(zero_copy_only=False)
        kept, per_text = arrays.first_pieces(sizes[word], n_words, longest)
        values = ids[arrays.ragged_positions(starts[word], kept)]
        lists = pa.ListArray.from_arrays(list_offsets(per_text), pa.array(values))
        return fill_empty(lists, missing).to_pandas()

    def find(self, column: Column, index: IdIndex) -> np.ndarray:
        """See `Frames.find`."""
        return index.find(_series(column))

    def values_at(self, values: np.ndarray, positions: np.ndarray) -> Column:
        """See `Frames.values_at`."""
        return pa.array(values[positions]).to_pandas()

    def number(self, column: Column) -> Column:
        """See `Frames.number`."""
        ids = _series(column)
        numbers = number_runs(ids)
        return pd.Series(ids.factorize()[0].astype(np.int64) if numbers is None else numbers)

    def group(self, frame: Frame, keys: Sequence[str], order: Sequence[str], values: Sequence[str]) -> Frame:
        """See `Frames.group`; a frame that is in order is not sorted."""
        events = _frame(frame)
        if not _is_in_order(events, order):
            events = events.sort_values(list(order), ignore_index=True)
        number = events[order[0]].to_numpy()
        starts = np.flatnonzero(np.diff(number, prepend=-1))
        offsets = np.append(starts, len(number))
        grouped = events[list(keys)].take(starts).reset_index(drop=True)
        for value in values:
            grouped[f"{value}_list"] = list_column(offsets, to_arrow(events[value]))
        grouped[f"{values[0]}_count"] = np.diff(offsets).astype(np.int32)
        return grouped

    def last(self, column: Column, count: int) -> Column:
        """See `Frames.last`."""
        lists = to_arrow(_series(column))
        positions, kept = arrays.last_entries(lists.offsets.to_numpy(), count)
        return pd.Series(list_column(arrays.offsets_of(kept), lists.values.take(pa.array(positions))))


def number_runs(ids: pd.Series) -> np.ndarray | None:
    """Number runs of equal ids 0, 1, 2, ...; None if an id has several runs or an id is null."""
    codes = ids.cat.codes if isinstance(ids.dtype, pd.CategoricalDtype) else ids
    values = codes.to_numpy()
    begins = np.append(True, values[1:] != values[:-1])[: len(values)]
    heads = ids[begins]
    if heads.hasnans or not heads.is_unique:
        return None
    return np.cumsum(begins) - 1


def list_column(offsets: np.ndarray, values: np.ndarray | pa.Array) -> pd.api.extensions.ExtensionArray:
    """Return lists as a pandas array backed by Arrow, without a Python object per list."""
    entries = values if isinstance(values, pa.Array) else pa.array(values)
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), entries)
    return pd.arrays.ArrowExtensionArray(lists)  # type: ignore[attr-defined]  # unknown to pandas-stubs


def _is_in_order(events: pd.DataFrame, order: Sequence[str]) -> bool:
    """Tell whether sorting by two columns would change nothing."""
    return arrays.is_in_order(*(events[name].to_numpy() for name in order))


def _look_up(values: pa.Array, ids: Callable[[pa.Array], np.ndarray], missing: int) -> pa.Array:
    if is_list(values.type):
        lists = without_nulls(values)
        found = pa.ListArray.from_arrays(lists.offsets, _look_up(lists.values, ids, missing))
        return fill_empty(found, missing)
    distinct = pc.dictionary_encode(values.cast(pa.string()))
    return pc.fill_null(pa.array(ids(distinct.dictionary)).take(distinct.indices), missing)


def _frame(frame: Frame) -> pd.DataFrame:
    assert isinstance(frame, pd.DataFrame)
    return frame


def _own(values: np.ndarray) -> np.ndarray:
    """Return writeable values, copied if need be: torch wants them, but arrays from Arrow are read-only."""
    return values if values.flags.writeable else values.copy()


def _series(column: Column) -> pd.Series:
    assert isinstance(column, pd.Series)
    return column
