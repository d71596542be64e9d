"""Cut the text of a table into pieces of whole rows, and find quotation marks that swallow rows.

Parsers silently take any text between two marks for one field, however many rows it holds. Three signs show
that a mark opens no quoted field: the field continues after its closing mark, the closing mark is missing, or
the lines in between look like rows of the table. A description with line breaks shows none of these signs.
"""

from __future__ import annotations

import re

import numpy as np

from m2trec_merlin.errors import shorten
from m2trec_merlin.shares import counted

#: A longer quoted field, in bytes, is a mistake.
_LONGEST_FIELD = 1 << 22
_SAMPLE_BYTES, _SAMPLE_LINES = 1 << 18, 1000
#: The most shapes of a regular column: ids, numbers or dates, but not titles.
_REGULAR_SHAPES = 4


class StrayQuotesError(ValueError):
    """A quotation mark opens no quoted field; the message says where."""


class RowCutter:
    """Cuts the bytes of a file, given in chunks, into pieces that end where a row ends.

    Args:
        separator: separator of fields, one byte.
        fields: number of columns.
        quoting: whether quotation marks enclose fields, which may hold line breaks.
    """

    def __init__(self, separator: str, fields: int, quoting: bool) -> None:
        self._separator = separator.encode()
        self._fields = fields
        self._quoting = quoting
        ends = rb"\r\n" + re.escape(self._separator)
        self._ends = np.isin(np.arange(256), [*b'\r\n"', *self._separator])
        self._quoted = re.compile(
            rb'(?:\A|(?<=[%s]))"(?P<body>[^"]*(?:""[^"]*)*)(?:"(?P<after>[^%s]?)|\Z)' % (ends, ends)
        )
        self._head = b""
        self._rest = b""
        self._lines = 0

    def cut(self, chunk: bytes, is_last: bool = False) -> bytes:
        """Return the rows that are complete with this chunk.

        Raises:
            StrayQuotesError: a quotation mark opens no quoted field.
        """
        text = self._rest + chunk
        self._head += chunk[: _SAMPLE_BYTES - len(self._head)]
        end = self._end_of_rows(text, is_last) if self._quoting and b'"' in text else _last_line(text)
        end = len(text) if is_last else end
        self._lines += _count_lines(text[:end])
        self._rest = text[end:]
        return text[:end]

    def _end_of_rows(self, text: bytes, is_last: bool) -> int:
        last = _last_line(text)
        if self._is_orderly(text + b"\n" if is_last else text[:last]):
            return last
        row, behind = 0, 0
        for field in self._quoted.finditer(text):
            row = max(row, _last_line(text, behind, field.start()))
            behind = field.end()
            if field["after"]:
                shown = _show(text[field.start() : field.end() + 20])
                raise self._fault(text, field, f"a field goes on behind its closing mark: {shown}")
            if field["after"] is None and (is_last or len(field["body"]) > _LONGEST_FIELD):
                raise self._fault(text, field, f"a field is never closed: {_show(field[0])}")
            # A closing mark at the end of the text may be the first of two, which stand for one mark.
            if not is_last and field.end() >= last:
                return row
            if b"\n" in field["body"] and self._holds_rows(text, field):
                rows = field["body"].count(b"\n")
                what = f"a field takes {counted(rows, 'row')} below with it: {_show(field[0])}"
                raise self._fault(text, field, what)
        return last

    def _is_orderly(self, lines: bytes) -> bool:
        """Tell whether every mark in whole lines is at the beginning or end of a field within one line.

        This is so in most files, and this check is ten times as fast as one field by field.
        """
        text = np.frombuffer(lines, np.uint8)
        marks = np.flatnonzero(text == ord('"'))
        if len(marks) % 2:
            return False
        # Two adjacent marks, a closing and an opening one, stand for one mark inside a field.
        opening, closing = marks[::2], marks[1::2]
        breaks = np.flatnonzero(text == ord("\n"))
        alone = np.array_equal(np.searchsorted(breaks, opening), np.searchsorted(breaks, closing))
        before, behind = text[opening - 1][opening > 0], text[closing + 1]
        return alone and bool(self._ends[before].all() and self._ends[behind].all())

    def _holds_rows(self, text: bytes, field: re.Match[bytes]) -> bool:
        """Tell whether each line of the field is a row, with cells like those of other rows."""
        start, end = _last_line(text, 0, field.start()), text.find(b"\n", field.end())
        lines = text[start : end if end >= 0 else len(text)].splitlines()
        rows = [line.split(self._separator) for line in lines]
        if any(len(row) != self._fields for row in rows):
            return False
        opening = text.count(self._separator, start, field.start())
        closing = text.count(self._separator, _last_line(text, 0, field.end()), field.end())
        shapes = self._regular_shapes()
        swallowed = [(0, column) for column in range(opening + 1, self._fields)]
        swallowed += [(row, column) for row in range(1, len(rows)) for column in range(self._fields)]
        looks = [
            (_shape(rows[row][column]), shapes[column])
            for row, column in swallowed
            if column in shapes and (row, column) != (len(rows) - 1, closing)
        ]
        return all(shape in seen for shape, seen in looks) and any(b"9" in shape for shape, _ in looks)

    def _regular_shapes(self) -> dict[int, set[bytes]]:
        """Return the shapes of each regular column in the first rows without quotation marks."""
        lines = self._quoted.sub(b'"', self._head).splitlines()[1:_SAMPLE_LINES]
        rows = [line.split(self._separator) for line in lines if b'"' not in line]
        columns = zip(*(row for row in rows if len(row) == self._fields), strict=True)
        shapes = {number: {_shape(cell) for cell in column} for number, column in enumerate(columns)}
        return {number: seen for number, seen in shapes.items() if len(seen) <= _REGULAR_SHAPES}

    def _fault(self, text: bytes, field: re.Match[bytes], what: str) -> StrayQuotesError:
        line = self._lines + _count_lines(text[: field.start()]) + 1
        return StrayQuotesError(f"line {line}: {what}")


def _shape(cell: bytes) -> bytes:
    """Replace numbers by 9 and words by a: 'SKU-104' and 'KU-7' both become 'a-9'."""
    return re.sub(rb"[A-Za-z\x80-\xff]+", b"a", re.sub(rb"[0-9]+(\.[0-9]+)?", b"9", cell))


def _last_line(text: bytes, start: int = 0, stop: int | None = None) -> int:
    """Return where the last line that begins within a part of the text begins; 0 if none does."""
    return max(text.rfind(b"\n", start, stop), text.rfind(b"\r", start, stop)) + 1


def _count_lines(text: bytes) -> int:
    return text.count(b"\n") or text.count(b"\r")


def _show(text: bytes) -> str:
    return repr(shorten(text.split(b"\n")[0].decode(errors="replace"), 40))
