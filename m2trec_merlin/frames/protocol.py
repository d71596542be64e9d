"""The functions that our NVTabular operators, and readers of their output, need of a data frame library.

The library does the work per row. Work per *distinct* value (spelling, look-ups, tokenising) is done on the
host, by functions that the operator passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from m2trec_merlin.arrays import Array
from m2trec_merlin.ids import IdIndex

#: Encodes distinct texts: returns the ids of all texts one after another, and where those of each text start
#: and how many they are.
EncodeTexts = Callable[[pa.Array], tuple[np.ndarray, np.ndarray, np.ndarray]]


class Column(Protocol):
    """A column of a frame; only the functions of its library look inside."""

    def __len__(self) -> int:
        """Return the number of rows."""


class Frame(Protocol):
    """A frame of any library."""

    @property
    def columns(self) -> Iterable[str]:
        """Names of the columns."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def __getitem__(self, name: str) -> Column:
        """Return a column."""


class Frames(Protocol):
    """The functions of a data frame library; arrays are in the library's memory, on the host or a GPU."""

    def read(self, path: Path, columns: Sequence[str], categories: bool = False) -> Frame:
        """Read columns of a Parquet file; with `categories`, strings may be held as categories."""

    def read_values(self, path: Path, column: str) -> Array:
        """Return a column of a Parquet file of numbers without missing values, [n]."""

    def read_lists(self, path: Path, column: str) -> tuple[Array, Array]:
        """Read a column of lists of numbers: return all numbers, and the lengths of the lists, int64 [n]."""

    def frame(self, columns: Mapping[str, Column]) -> Frame:
        """Return a frame of these columns."""

    def with_columns(self, frame: Frame, columns: Mapping[str, Column]) -> Frame:
        """Return the frame with some columns added or replaced; the others are shared, not copied."""

    def keep(self, frame: Frame, wanted: Array) -> Frame:
        """Return the rows where `wanted`, bool [n], is true."""

    def to_host(self, column: Column) -> pa.Array:
        """Return a column as an Arrow array in main memory; NaN and None are null."""

    def from_host(self, array: pa.Array) -> Column:
        """Return an Arrow array as a column of this library."""

    def floats(self, column: Column) -> Array:
        """Return a column of numbers as an array of this library, float64; NaN where missing."""

    def column(self, values: Array) -> Column:
        """Return an array of this library as a column; null where it is NaN."""

    def categories(self, column: Column, name: str) -> Column:
        """Return values of any type spelled as categories (see `spelling`), null where missing."""

    def split(self, column: Column, name: str, separator: str, longest: int, filler: str | None) -> Column:
        """Return lists of categories from lists or separated strings, [filler] where there are none.

        A list keeps its first `longest` categories.
        """

    def count_categories(self, column: Column) -> dict[str, int]:
        """Return how often each text occurs in a column of texts, or of lists of texts."""

    def numbers(self, column: Column, minimum: float | None, decimal: str = ".") -> Column:
        """Return float64 values; null where missing, below `minimum` or beyond float32.

        In texts, `decimal` is the decimal mark.
        """

    def vectors(self, column: Column, name: str, size: int) -> Column:
        """Return lists of `size` float32 values, all zeros where missing, zero where not finite."""

    def vectors_of(
        self, column: Column, name: str, encode: Callable[[pa.Array], np.ndarray], size: int
    ) -> Column:
        """Encode texts as lists of `size` float32 values, zeros where missing.

        `encode` is given distinct texts only, and returns an array [texts, size].
        """

    def look_up(self, column: Column, ids: Callable[[pa.Array], np.ndarray], missing: int) -> Column:
        """Return the id of each value, or of each value of lists; `missing` where there is no value.

        `ids` is given distinct values only.
        """

    def count_words(self, column: Column, name: str) -> dict[str, int]:
        """Return how often each word occurs in a column of texts; white space separates words."""

    def tokens(self, column: Column, name: str, encode: EncodeTexts, longest: int, missing: int) -> Column:
        """Return the first `longest` token ids of each text, [missing] if there are none.

        `encode` is given distinct words only.
        """

    def find(self, column: Column, index: IdIndex) -> Array:
        """Return the position of each id in an index, int64 [n]; -1 if it is not there."""

    def values_at(self, values: np.ndarray, positions: Array) -> Column:
        """Return the host's values at positions from `find`, none of which may be -1."""

    def number(self, column: Column) -> Column:
        """Number the distinct values 0, 1, 2, ... by first mention, int64."""

    def group(self, frame: Frame, keys: Sequence[str], order: Sequence[str], values: Sequence[str]) -> Frame:
        """Sort by the two columns of `order`, then make each run of the first one a row.

        The result has the columns `keys`, VALUE_list for each of `values` (which may be lists, too), and
        VALUE_count for the first of them.
        """

    def last(self, column: Column, count: int) -> Column:
        """Return the last `count` values of each list."""
