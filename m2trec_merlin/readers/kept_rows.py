"""Leave out events that are not to count, such as returned goods, as if the file did not hold them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field, field_validator, model_validator

from m2trec_merlin.columns import are_among, as_category, as_doubles, as_text, categories_of, count_texts
from m2trec_merlin.errors import DataError, name_first
from m2trec_merlin.readers.files.table_file import TableFile
from m2trec_merlin.readers.left_out import describe_left_out
from m2trec_merlin.readers.problems import ProblemLog, describe_missing_column
from m2trec_merlin.readers.rounded import Rounding
from m2trec_merlin.readers.source import Origin
from m2trec_merlin.sections import Name, Section, Values
from m2trec_merlin.spelling import doubts_of_unnamed

_Bound = Annotated[float, Field(ge=-1e15, le=1e15)]


class Condition(Section):
    """What a column must hold in the events that count: one of some values, or a number within bounds."""

    column: Name = Field(description="column of the interactions that tells")
    values: Values | None = Field(None, description="events with one of these count")
    at_least: _Bound | None = Field(None, description="events with no smaller number count")
    at_most: _Bound | None = Field(None, description="events with no greater number count")

    @field_validator("values")
    @classmethod
    def _values_are_values(cls, values: list[str] | None) -> list[str] | None:
        if values is not None and categories_of(values).null_count:
            raise ValueError("values holds an empty one; events without a value never count")
        return values

    @model_validator(mode="after")
    def _says_one_thing(self) -> Condition:
        bounds = [bound for bound in (self.at_least, self.at_most) if bound is not None]
        if (self.values is None) != bool(bounds):
            raise ValueError("give values, or else at_least, at_most or both")
        if bounds != sorted(bounds):
            raise ValueError(f"at_least {self.at_least} is above at_most {self.at_most}")
        return self

    def compare(self, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Tell which values are numbers within the bounds, and which are there but no numbers."""
        low = -np.inf if self.at_least is None else self.at_least
        high = np.inf if self.at_most is None else self.at_most
        numbers = as_doubles(values)
        are_there = as_text(values).is_valid().to_numpy(zero_copy_only=False)
        return (low <= numbers) & (numbers <= high), are_there & np.isnan(numbers)

    def __str__(self) -> str:
        if self.values is not None:
            return f"'{self.column}' is not {' or '.join(self.values)}"
        bounds = {"at least": self.at_least, "at most": self.at_most}
        said = " and ".join(f"{how} {bound:.15g}" for how, bound in bounds.items() if bound is not None)
        return f"'{self.column}' is not {said}"


class KeptRows:
    """The rows of a table of events for which all conditions hold.

    Args:
        file: the table.
        conditions: the conditions; none: all rows are kept.
    """

    def __init__(self, file: TableFile, conditions: Sequence[Condition]) -> None:
        self._file, self._conditions = file, conditions
        self._seen, self._left_out = 0, Counter[str]()
        #: Numbers of events by value, for each condition that names some.
        self._met = [Counter[str]() for _ in conditions]

    def blocks(
        self, columns: Sequence[str], single: Collection[str], exact: Mapping[str, Rounding]
    ) -> Iterator[pd.DataFrame]:
        """Yield the rows that are kept; see `TableFile.blocks`.

        Raises:
            DataError: a condition names a column that the file lacks, or, after the last block, needs numbers
                of values that are none, or names a value that no row has; and see `TableFile.blocks`.
        """
        if not self._conditions:
            yield from self._file.blocks(columns, single, exact)
            return
        own, available = list(dict.fromkeys(c.column for c in self._conditions)), self._file.columns()
        if absent := [name for name in own if name not in available]:
            problems = [describe_missing_column(name, available, "data.keep names") for name in absent]
            raise DataError(str(self._file.path), [f"{self._file.path}: {problem}" for problem in problems])
        log = ProblemLog(Origin(str(self._file.path), {}, self._file.locate))
        self._seen, self._left_out = 0, Counter()
        self._met = [Counter() for _ in self._conditions]
        names = list(dict.fromkeys([*columns, *own]))
        for block in self._file.blocks(names, [*single, *own], exact):
            self._seen += len(block)
            yield block.loc[self._are_kept(block, log), list(columns)]
        self._look_for_values(log)
        if problems := log.messages():
            raise DataError(str(self._file.path), problems)

    def _are_kept(self, block: pd.DataFrame, log: ProblemLog) -> np.ndarray:
        """Tell which rows are kept, bool [rows]; count the others, each for the first condition it fails."""
        kept, otherwise = np.ones(len(block), bool), np.ones(len(block), bool)
        unreadable = []
        for condition, met in zip(self._conditions, self._met, strict=True):
            values = block[condition.column]
            if condition.values is None:
                holds, wrong = condition.compare(values)
                unreadable.append((condition.column, values, wrong))
                otherwise &= holds | wrong
            else:
                found = as_category(values)
                holds = are_among(found, categories_of(condition.values))
                otherwise &= holds
                met.update(count_texts(found))
            self._left_out[str(condition)] += int((kept & ~holds).sum())
            kept &= holds
        for column, values, wrong in unreadable:
            # An event that another condition leaves out needs no number.
            what = "is no number, as at_least and at_most of data.keep need"
            log.add_rows(column, what, values, wrong & otherwise)
        return kept

    def _look_for_values(self, log: ProblemLog) -> None:
        if not self._seen:
            return
        for condition, met in zip(self._conditions, self._met, strict=True):
            named = condition.values or []
            pairs = zip(named, categories_of(named).to_pylist(), strict=True)
            if absent := [written for written, text in pairs if text not in met]:
                there = name_first([value for value, _ in met.most_common()])
                log.add(
                    f"column '{condition.column}' never holds {', '.join(absent)}, which data.keep names"
                    + (f"; most frequent are {there}" if there else "")
                )

    def notices(self) -> list[str]:
        """Return messages about the events left out, and about doubtful ones, after all rows were read."""
        reasons = {f"{why} (data.keep)": count for why, count in self._left_out.items()}
        found = describe_left_out(reasons, self._seen)
        for condition, met in zip(self._conditions, self._met, strict=True):
            named = categories_of(condition.values or []).to_pylist()
            found += doubts_of_unnamed(condition.column, met, named, "data.keep", "left out")
        return found
