"""What is asked of a library of data frames: by our NVTabular operators, and to read what they wrote.

What is done for each row is the library's; what is done for each *distinct* value (spelling, look-ups,
tokenising) is done on the host, by functions that the operator passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from m2trec_merlin.arrays import Array
from m2trec_merlin.ids import IdIndex

#: Distinct texts to the ids of all of them one after another, where each one's begin, and how many they are.
EncodeTexts = Callable[[pa.Array], tuple[np.ndarray, np.ndarray, np.ndarray]]


class Column(Protocol):
    """A column of a frame; only functions of its library look inside."""

    def __len__(self) -> int:
        """Rows."""


class Frame(Protocol):
    """A frame of any library."""

    @property
    def columns(self) -> Iterable[str]:
        """Names of the columns."""

    def __len__(self) -> int:
        """Rows."""

    def __getitem__(self, name: str) -> Column:
        """Return a column."""


class Frames(Protocol):
    """What a library does; arrays are in its own memory, main memory or that of a GPU."""

    def read(self, path: Path, columns: Sequence[str], categories: bool = False) -> Frame:
        """Read columns of a Parquet file; strings may be held as categories where that is allowed."""

    def read_values(self, path: Path, column: str) -> Array:
        """Return the numbers in a column of a Parquet file, none of them missing, [n]."""

    def read_lists(self, path: Path, column: str) -> tuple[Array, Array]:
        """Return the numbers of all lists in a column of a Parquet file, and the lengths, int64 [n]."""

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
        """Return values of any type as texts of categories, null where missing; see `spelling`."""

    def split(self, column: Column, name: str, separator: str, longest: int, filler: str | None) -> Column:
        """Return lists of categories, [filler] where there is none, from lists or strings with separators."""

    def count_categories(self, column: Column) -> dict[str, int]:
        """Return how often each text occurs in a column of texts, or of lists of texts."""

    def numbers(self, column: Column, minimum: float | None, decimal: str = ".") -> Column:
        """Return float64 values, null where there is none of at least `minimum` that float32 holds.

        In texts, `decimal` begins the fraction.
        """

    def vectors(self, column: Column, name: str, size: int) -> Column:
        """Return lists of `size` float32 values, all zeros where missing, zero where not finite."""

    def vectors_of(
        self, column: Column, name: str, encode: Callable[[pa.Array], np.ndarray], size: int
    ) -> Column:
        """Return lists of `size` float32 values, zeros where missing; `encode` sees distinct texts only."""

    def look_up(self, column: Column, ids: Callable[[pa.Array], np.ndarray], missing: int) -> Column:
        """Return the id of each value, or of each value of lists; `ids` sees distinct values only."""

    def count_words(self, column: Column, name: str) -> dict[str, int]:
        """Return how often each word, by white space, occurs in the texts of a column."""

    def tokens(self, column: Column, name: str, encode: EncodeTexts, longest: int, missing: int) -> Column:
        """Return the first `longest` ids of each text, or [missing]; `encode` sees distinct words."""

    def find(self, column: Column, index: IdIndex) -> Array:
        """Return the position of each id in a list of ids, int64 [n]; -1 where it is not there."""

    def values_at(self, values: np.ndarray, positions: Array) -> Column:
        """Return the values of the host at positions that `find` returned, none of them -1."""

    def number(self, column: Column) -> Column:
        """Return 0, 1, 2, ... for values in the order in which they are first met, int64."""

    def group(self, frame: Frame, keys: Sequence[str], order: Sequence[str], values: Sequence[str]) -> Frame:
        """Sort by `order`, then make each run of its first column a line.

        The result has the keys, VALUE_list of each value (of lists, too), and VALUE_count of the first.
        """

    def last(self, column: Column, count: int) -> Column:
        """Return the last `count` values of each list."""
