"""What is wrong with a table, gathered until everything was looked at."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from m2trec_merlin.errors import shorten
from m2trec_merlin.readers.source import Origin

#: Rows named per problem; the rest are counted.
SHOWN = 5


@dataclass
class _Problem:
    hint: str
    count: int = 0
    rows: list[str] = field(default_factory=list)


class ProblemLog:
    """Collects problems of one table, over any number of chunks.

    The same problem in many rows is one entry: a count and the first offending rows.
    """

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self._general: list[str] = []
        self._of_rows: dict[tuple[str, str], _Problem] = {}

    def add(self, text: str) -> None:
        """Note a problem of the table as a whole, once."""
        line = f"{self.origin.label}: {text}"
        if line not in self._general:
            self._general.append(line)

    def add_rows(
        self, column: str, what: str, values: pd.Series, wrong: np.ndarray | pd.Series, hint: str = ""
    ) -> None:
        """Note a problem of some rows.

        Args:
            column: canonical or source name.
            what: the problem, as a statement about a value: "is missing", "is not a number".
            values: the column; its index holds row numbers of the source.
            wrong: bool, which rows have the problem.
            hint: what to do about it.
        """
        offending = values[np.asarray(wrong, dtype=bool)]
        if offending.empty:
            return
        problem = self._of_rows.setdefault((self.origin.column(column), what), _Problem(hint))
        problem.count += len(offending)
        for row, value in offending.iloc[: SHOWN - len(problem.rows)].items():
            problem.rows.append(self.origin.locate(int(str(row))) + _show(value))

    def messages(self) -> list[str]:
        """Return one line per problem, in the order in which they were met."""
        lines = list(self._general)
        for (column, what), problem in self._of_rows.items():
            count = f"{problem.count:,} row{'s' if problem.count != 1 else ''}"
            more = ", ..." if problem.count > len(problem.rows) else ""
            hint = f"; {problem.hint}" if problem.hint else ""
            rows = ", ".join(problem.rows)
            lines.append(f"{self.origin.label}, column '{column}': {what} in {count}: {rows}{more}{hint}")
        return lines


def describe_missing_column(column: str, available: Iterable[str], needed_for: str = "") -> str:
    """Say that a column is not there, which ones are, and which one was perhaps meant."""
    names = [str(name) for name in available]
    lowered = {name.strip().lower(): name for name in names}
    close = difflib.get_close_matches(column.strip().lower(), lowered, n=1)
    meant = f"; did you mean {lowered[close[0]]!r}?" if close else ""
    if not close and any(map(looks_like_a_value, names)):
        meant = "; is the first line a row? It must name the columns"
    purpose = f", which {needed_for}" if needed_for else ""
    # What nobody sees, such as blanks at the ends of a name, is seen in quotation marks.
    listed = ", ".join(n if n and n == n.strip() and n.isprintable() else repr(n) for n in names)
    return f"no column '{column}'{purpose}; there are {listed or 'none'}{meant}"


def looks_like_a_value(name: str) -> bool:
    """Tell whether what should be the name of a column is a number, a date or a time."""
    return re.fullmatch(r"-?\d+([.,:-]\d+)*", name.strip()) is not None


def _show(value: Any) -> str:
    if not isinstance(value, list | np.ndarray) and pd.isna(value):
        return ""
    return f" ({shorten(repr(value.item() if isinstance(value, np.generic) else value), 40)})"
