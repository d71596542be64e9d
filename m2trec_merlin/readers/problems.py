"""Collect all problems of a table, to report them together."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from m2trec_merlin.errors import shorten
from m2trec_merlin.readers.source import Origin
from m2trec_merlin.shares import counted

#: Rows shown per problem; the others are only counted.
SHOWN = 5


@dataclass
class _Problem:
    hint: str
    count: int = 0
    rows: list[str] = field(default_factory=list)


class ProblemLog:
    """A collector of the problems of one table, over any number of chunks.

    The same problem in many rows is one entry, with a count and the first rows.
    """

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self._general: list[str] = []
        self._of_rows: dict[tuple[str, str], _Problem] = {}

    def add(self, text: str) -> None:
        """Add a problem of the table as a whole, if it was not added before."""
        line = f"{self.origin.label}: {text}"
        if line not in self._general:
            self._general.append(line)

    def add_rows(
        self, column: str, what: str, values: pd.Series, wrong: np.ndarray | pd.Series, hint: str = ""
    ) -> None:
        """Add a problem of some rows.

        Args:
            column: the name of the column, canonical or in the source.
            what: the problem, as a statement about a value: "is missing", "is not a number".
            values: the column, indexed by the row numbers of the source.
            wrong: mask of the rows that have the problem, bool.
            hint: advice on how to fix it.
        """
        offending = values[np.asarray(wrong, dtype=bool)]
        if offending.empty:
            return
        problem = self._of_rows.setdefault((self.origin.column(column), what), _Problem(hint))
        problem.count += len(offending)
        for row, value in offending.iloc[: SHOWN - len(problem.rows)].items():
            problem.rows.append(self.origin.locate(int(str(row))) + _show(value))

    def messages(self) -> list[str]:
        """Return one line per problem, in the order in which they were found."""
        lines = list(self._general)
        for (column, what), problem in self._of_rows.items():
            count = counted(problem.count, "row")
            more = ", ..." if problem.count > len(problem.rows) else ""
            hint = f"; {problem.hint}" if problem.hint else ""
            rows = ", ".join(problem.rows)
            lines.append(f"{self.origin.label}, column '{column}': {what} in {count}: {rows}{more}{hint}")
        return lines


def describe_missing_column(column: str, available: Iterable[str], needed_for: str = "") -> str:
    """Return a message that a column is missing, which ones there are, and which one may be meant."""
    names = [str(name) for name in available]
    lowered = {name.strip().lower(): name for name in names}
    close = difflib.get_close_matches(column.strip().lower(), lowered, n=1)
    meant = ""
    if len(names) == 1 and (mark := _mark_in(names[0], column)):
        shown = "blanks" if mark == " " else repr(mark)
        reads = "write a tab in its place" if mark[1:] else f"separator: {json.dumps(mark)} reads them"
        meant = f"; are these several, with {shown} between them? {reads}"
    elif close:
        meant = f"; did you mean {lowered[close[0]]!r}?"
    elif any(map(looks_like_a_value, names)):
        meant = "; is the first line a row? It must name the columns"
    purpose = f", which {needed_for}" if needed_for else ""
    # Quotation marks make blanks at the ends of a name and unprintable characters visible.
    listed = ", ".join(n if n and n == n.strip() and n.isprintable() else repr(n) for n in names)
    return f"no column '{column}'{purpose}; there are {listed or 'none'}{meant}"


def _mark_in(line: str, column: str) -> str:
    """Return what parts the name of a column from others in a line, a blank in any other line, or ""."""
    found = re.search(rf"(?:^|\w(\W+)){re.escape(column)}(?:$|(\W+)\w)", line)
    beside = found and (found[1] or found[2] or "").replace('"', "")
    return beside or (" " if " " in line.strip() else "")


def looks_like_a_value(name: str) -> bool:
    """Tell whether the name of a column is a number, a date or a time."""
    return re.fullmatch(r"-?\d+([.,:-]\d+)*", name.strip()) is not None


def _show(value: Any) -> str:
    if not isinstance(value, list | np.ndarray) and pd.isna(value):
        return ""
    return f" ({shorten(repr(value.item() if isinstance(value, np.generic) else value), 40)})"
