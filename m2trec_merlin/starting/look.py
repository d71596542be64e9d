"""A bounded look at a table: all rows are counted, and columns are described by a sample of kept rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from m2trec_merlin.columns import as_text, is_list, to_arrow
from m2trec_merlin.errors import DamagedTextError, DataError, shorten
from m2trec_merlin.readers.canonical import digits_to_integers, normalise_ids
from m2trec_merlin.readers.files.dialect import Dialect
from m2trec_merlin.readers.files.table_file import TableFile
from m2trec_merlin.sections import LONGEST_NAME

#: A code: no blanks, and at least one digit.
CODE = r"(?=.*\d)[\x21-\x7e]+"
_LEADING_ZERO = r"-?0\d+"


class Column:
    """A column of a table, described by the kept rows.

    Args:
        name: name of the column in the file.
        values: the unchanged values of the kept rows, indexed by row number.
        first: number of consecutive rows kept from the start of the table; None for all.
    """

    def __init__(self, name: str, values: pd.Series, first: int | None = None) -> None:
        self.name, self.values, self._first = name, values, first

    @cached_property
    def is_list(self) -> bool:
        """Whether values are lists."""
        return self._type is not None and is_list(self._type)

    @cached_property
    def is_time(self) -> bool:
        """Whether values are typed dates, times of day, durations and the like."""
        return not self.is_list and self._type is not None and pa.types.is_temporal(self._type)

    @property
    def is_moment(self) -> bool:
        """Whether values are typed dates, with or without a time of day."""
        kind = self._type
        return kind is not None and (pa.types.is_timestamp(kind) or pa.types.is_date(kind))

    @cached_property
    def _type(self) -> pa.DataType | None:
        """The Arrow type of the values; None if they have several types, for instance from several files."""
        try:
            return to_arrow(self.values).type
        except pa.ArrowException:
            return None

    @cached_property
    def texts(self) -> pd.Series:
        """The known values as the product writes them as text; a list is one text."""
        if self.is_list:
            return self.values.dropna().map(lambda value: str(list(value)))
        return as_text(self.values).to_pandas().set_axis(self.values.index).dropna()

    @property
    def head(self) -> pd.Series:
        """The values of consecutive rows from the start of the table; only these show how values repeat."""
        return self.values.iloc[: self._first]

    @cached_property
    def head_texts(self) -> pd.Series:
        """The known values of these rows as text."""
        return self.texts[self.texts.index.isin(self.head.index)]

    @cached_property
    def gaps(self) -> float:
        """The share of rows without a value."""
        known = self.values.notna().sum() if self.is_list else len(self.texts)
        return float(1 - known / max(len(self.values), 1))

    @cached_property
    def counts(self) -> pd.Series:
        """The count of each value, the most frequent first."""
        return self.texts.value_counts()

    @property
    def distinct(self) -> int:
        """The number of distinct values."""
        return len(self.counts)

    @property
    def is_unique(self) -> bool:
        """Whether nearly every value occurs only once."""
        return self.distinct > 1 and self.distinct >= 0.98 * len(self.texts)

    @cached_property
    def numbers(self) -> pd.Series | None:
        """The known values as float64; None if any is no finite number, or is a code such as 007."""
        if self.is_list or self.is_time or self.texts.empty:
            return None
        found = pd.to_numeric(self.texts, errors="coerce").astype(np.float64)
        if not np.isfinite(found).all() or pd.api.types.is_bool_dtype(self.values):
            return None
        return None if self.texts.str.fullmatch(_LEADING_ZERO).any() else found

    @property
    def whole_numbers(self) -> pd.Series | None:
        """The numbers, if all are whole; else None."""
        return None if self.numbers is None or (self.numbers % 1).any() else self.numbers

    @cached_property
    def words(self) -> float:
        """The mean number of words of a value."""
        return float(self.texts.str.split().str.len().mean()) if len(self.texts) else 0.0

    def share(self, pattern: str) -> float:
        """Return the share of known values that match a pattern from end to end."""
        return float(self.texts.str.fullmatch(pattern).mean()) if len(self.texts) else 0.0

    @property
    def are_codes(self) -> bool:
        """Whether values look like codes: no blanks, and digits among them."""
        return self.share(CODE) > 0.9

    def examples(self, count: int) -> str:
        """Return the most frequent values as text for a message."""
        return ", ".join(repr(shorten(t, 24)) for t in self.counts.index[:count])


@dataclass
class Look:
    """The result of looking at a table.

    Attributes:
        path: path of the file or folder.
        file: reader of the whole table.
        rows: number of all rows.
        first: number of consecutive rows kept from the start of the table.
        columns: the readable columns, by name.
        unreadable: reasons why columns cannot be read, by name.
    """

    path: Path
    file: TableFile
    rows: int
    first: int
    columns: dict[str, Column]
    unreadable: dict[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """The number of kept rows."""
        return len(next(iter(self.columns.values())).values)

    def ids(self, name: str) -> pd.Series:
        """Read all values of a column as ids of items, as the reader does."""
        ids = normalise_ids(self.file.read([name])[name])
        return ids if self.file.is_typed else digits_to_integers(ids)

    def describe(self) -> str:
        """Return a description of how many rows were kept."""
        if self.kept == self.rows:
            return f"{self.path.name}: all {self.rows:,} rows"
        spread = self.kept - self.first
        return (
            f"{self.path.name}: {self.kept:,} of {self.rows:,} rows, the first {self.first:,} and {spread:,} "
            "spread over the others"
        )


def look_at(path: Path, dialect: Dialect, limit: int) -> Look:
    """Read a table once, and keep at most about `limit` of its rows.

    Raises:
        DataError: no column can be read, text is damaged, or there are no rows.
    """
    file = TableFile(path, dialect)
    readable, unreadable = _readable(file)
    kept, rows, first = _rows_of(file, readable, limit)
    if not rows:
        raise DataError(str(path), [f"{path}: holds no rows"])
    columns = {name: Column(name, kept[name], first) for name in readable}
    return Look(path, file, rows, first, columns, unreadable)


def _readable(file: TableFile) -> tuple[list[str], dict[str, str]]:
    """Return the columns that can be read, and the reasons for those that cannot."""
    names = file.columns()
    if problem := file.mixture():
        raise DataError(str(file.path), [problem])
    unreadable: dict[str, str] = {}
    for name in names:
        if not 0 < len(name) <= LONGEST_NAME:
            what = f"has a name of more than {LONGEST_NAME} letters: rename it to use it"
            unreadable[name] = what if name else "has no name"
            continue
        try:
            next(iter(file.blocks([name])), None)
        except DamagedTextError:
            raise
        except DataError as error:
            unreadable[name] = error.problems[0]
    if len(unreadable) == len(names):
        raise DataError(str(file.path), list(dict.fromkeys(unreadable.values())))
    return [name for name in names if name not in unreadable], unreadable


def _rows_of(file: TableFile, names: list[str], limit: int) -> tuple[pd.DataFrame, int, int]:
    """Return the kept rows, the number of all rows, and the number of rows kept from the start."""
    head: list[pd.DataFrame] = []
    spread: list[pd.DataFrame] = []
    stride, rows, first = 1, 0, 0
    for block in file.blocks(names):
        begin = block.iloc[: max(limit // 2 - first, 0)]
        first += len(begin)
        head.append(begin)
        rows += len(block)
        rest = block.iloc[len(begin) :]
        spread.append(rest[rest.index % stride == 0])
        while sum(map(len, spread)) > limit - limit // 2:
            stride *= 2
            spread = [part[part.index % stride == 0] for part in spread]
    kept = [part for part in [*head, *spread] if len(part)]
    return pd.concat(kept) if kept else pd.DataFrame(columns=names), rows, first
