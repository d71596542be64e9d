"""Read files of delimited text: header and rows, with helpful errors."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from m2trec_merlin.errors import DataError, shorten
from m2trec_merlin.readers.files.compressed import open_bytes
from m2trec_merlin.readers.files.dialect import Dialect, Utf8Watch, usual_separator, wide_encoding_of
from m2trec_merlin.readers.files.formats import is_binary, other_format
from m2trec_merlin.readers.files.quoting import RowCutter, StrayQuotesError
from m2trec_merlin.readers.problems import SHOWN
from m2trec_merlin.shares import counted

_OTHER_SEPARATORS = (";", "\t", "|", ",")
_CHUNK_BYTES = 1 << 22
#: Share of rows with another number of fields above which the first line is probably no header.
_NEARLY_ALL = 0.9


class DelimitedFile:
    """A file of delimited text. Values are unchanged bytes in UTF-8; an empty field is null.

    Args:
        path: path of the file, also with .gz, .bz2 or .zst.
        dialect: dialect of the text.

    Raises:
        DataError: the file has no header, or is not text of this dialect.

    Attributes:
        names: names in the header, including repeated ones.
    """

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self.path = path
        self._dialect = dialect
        self._separator = dialect.separator or usual_separator(path)
        self._encoding = codecs.lookup(dialect.encoding).name
        self._is_utf8 = self._encoding in ("utf-8", "utf-8-sig")
        self.names = self._read_header()

    def type_of(self, name: str) -> pa.DataType:
        """Return the type of a column."""
        return pa.binary()

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order.

        Args:
            names: names of the columns to read, each of which occurs once in the header.

        Raises:
            DataError: the file is not text of this dialect.
        """
        # Names may be empty or repeated, so columns are read by number, and the header as a row.
        keys = [str(number) for number in range(len(self.names))]
        wanted = [keys[self.names.index(name)] for name in names]
        converting = pa_csv.ConvertOptions(
            column_types={key: pa.binary() for key in wanted},
            include_columns=wanted,
            strings_can_be_null=True,
            null_values=[""],
        )
        bad = _BadRows()
        parsing = pa_csv.ParseOptions(
            delimiter=self._separator,
            quote_char='"' if self._dialect.quoting else False,
            newlines_in_values=self._dialect.quoting,
            invalid_row_handler=bad.note,
        )
        header = 1
        for piece in self._pieces():
            text = _readable(piece)
            # One block takes rows of any length; on one thread, bad rows have numbers.
            reading = pa_csv.ReadOptions(column_names=keys, block_size=len(text) + 1, use_threads=False)
            table = pa_csv.read_csv(pa.BufferReader(text), reading, parsing, converting)
            bad.end_of_piece(len(table))
            if text is not piece and not bad.count:
                table = pa_csv.read_csv(pa.BufferReader(piece), reading, parsing, converting)
            yield from table.slice(header).rename_columns(list(names)).to_batches()
            header = max(header - len(table), 0)
        if bad.count:
            raise self._problem(f"{bad.message(len(self.names))}; {self._advice_for(bad)}")

    def explain_bytes(self, row: int, name: str) -> str:
        """Return advice for a value that is not UTF-8."""
        return f"is not UTF-8 (row {row}, column '{name}'): {self._encoding_hint}"

    def _advice_for(self, bad: _BadRows) -> str:
        hint = "a field that holds the separator must stand in quotation marks"
        if not self._dialect.quoting:
            setting = self._dialect.hint("quoting", "false")
            hint = "no field may hold the separator" + (f", with {setting}" if setting else "")
        if self._has_single_quotes():
            return "single quotation marks (') hold no field together: write double ones"
        if len(self.names) > 1 and bad.are_nearly_all(len(self.names) + 1):
            return (
                f"does its header, {self._shown_header}, lack the name of a column, such as that of the "
                f"row names of R (col.names=NA writes it)? If not, {hint}"
            )
        if bad.are_nearly_all():
            return f"is its first line, {self._shown_header}, the header? Remove what stands above that"
        if bad.have_less_than(len(self.names)):
            return f"is {bad.first!r} a row? Complete those that are, and remove those that are not"
        return hint

    def _read_header(self) -> list[str]:
        with open_bytes(self.path) as stream:
            start = stream.read(_CHUNK_BYTES)
        self._refuse_other_formats(start)
        try:
            text = codecs.getincrementaldecoder(self._dialect.encoding)("replace").decode(start)
        except UnicodeError:  # UTF-16 without a byte order mark
            text = "\ufffd"
        names = self._first_row(text.removeprefix("\ufeff"))
        if not names:
            raise self._problem("the file is empty")
        no_header = f"its first line, {names[0]!r}, is no header: remove it"
        if re.match("(?i)sep=", names[0]):
            raise self._problem(no_header)
        if any("\ufffd" in name for name in names):
            raise self._problem(f"the header is not {self._dialect.encoding}: {self._encoding_hint}")
        others = [s for s in _OTHER_SEPARATORS if s != self._separator and all(s in name for name in names)]
        if others:
            other = json.dumps(max(others, key=names[0].count))
            hint = self._dialect.hint("separator", other)
            what = (
                f"did you mean {hint}?"
                if hint
                else f"save it with {json.dumps(self._separator)} between them"
            )
            raise self._problem(f"its columns seem to be separated by {other}: {what}")
        if len(names) == 1 and names[0].startswith("#"):
            raise self._problem(no_header)
        if len(names) == 1 and self._separator in names[0]:
            raise self._problem("each of its lines stands in quotation marks as a whole: remove these")
        return names

    @property
    def _shown_header(self) -> str:
        return repr(shorten(self._separator.join(self.names), 40))

    @property
    def _encoding_hint(self) -> str:
        if self._is_utf8 and self._is_likely_utf8():
            return (
                "other letters of the file are: mend those that are not, or drop them with "
                "`iconv -c -f utf-8 -t utf-8`"
            )
        hint = self._dialect.hint("encoding", "cp1252" if self._is_utf8 else "utf-8")
        return "save it as UTF-8" + (f", or name its own encoding, such as {hint}" if hint else "")

    def _is_likely_utf8(self) -> bool:
        with open_bytes(self.path) as file:
            return Utf8Watch.over(iter(partial(file.read, _CHUNK_BYTES), b"")).is_likely

    def _first_row(self, text: str) -> list[str]:
        try:
            rows = csv.reader(
                io.StringIO(text, newline=""),
                delimiter=self._separator,
                quoting=csv.QUOTE_MINIMAL if self._dialect.quoting else csv.QUOTE_NONE,
            )
            return next((row for row in rows if row), [])
        except csv.Error as error:
            raise self._problem(f"the header cannot be read: {error}") from None

    def _has_single_quotes(self) -> bool:
        """Tell whether a field of the first lines holds a separator within single quotation marks."""
        with open_bytes(self.path) as stream:
            text = stream.read(_CHUNK_BYTES).decode(self._dialect.encoding, "replace")
        mark = re.escape(self._separator)
        return bool(re.search(rf"(?m)(?:^|{mark})'[^'\n{mark}]+{mark}[^'\n]*'\s*(?:{mark}|$)", text))

    def _refuse_other_formats(self, start: bytes) -> None:
        if what := other_format(start) or (is_binary(start) if self._is_utf8 else ""):
            raise self._problem(f"this is {what}")
        if self._is_utf8:
            if encoding := wide_encoding_of(start):
                hint = self._dialect.hint("encoding", encoding)
                what = "save it as UTF-8" + (f", or set {hint}" if hint else "")
                raise self._problem(f"is not UTF-8 but {encoding[: len('utf-16')].upper()}: {what}")
        elif start.startswith(codecs.BOM_UTF8):
            raise self._utf8_after_all()

    def _pieces(self) -> Iterator[bytes]:
        """Yield the text in UTF-8, in pieces of whole rows."""
        cutter = RowCutter(self._separator, len(self.names), self._dialect.quoting)
        decoder = codecs.getincrementaldecoder(self._dialect.encoding)()
        chunk, mark, lines = b"-", codecs.BOM_UTF8, 0
        # UTF-16 and UTF-32, with zeros between letters, may be valid UTF-8.
        watch = None if self._encoding.startswith("utf") else Utf8Watch()
        try:
            with open_bytes(self.path) as file:
                while chunk:
                    chunk = file.read(_CHUNK_BYTES)
                    if watch:
                        watch.add(chunk)
                        if not chunk and watch.is_sure:
                            raise self._utf8_after_all()
                    # Bytes that are not UTF-8 are reported later, and only in columns that are read.
                    text = chunk if self._is_utf8 else decoder.decode(chunk, final=not chunk).encode()
                    text, mark, lines = text.removeprefix(mark), b"", lines + text.count(b"\n")
                    if piece := cutter.cut(text, is_last=not chunk):
                        yield piece
        except StrayQuotesError as error:
            hint = self._dialect.hint("quoting", "false")
            raise self._problem(
                f"a quotation mark opens no quoted field ({error}): "
                + (f"set {hint} if this file quotes nothing; if it does, " if hint else "")
                + 'write a mark inside a quoted field twice ("")'
            ) from None
        except UnicodeError as error:
            if isinstance(error, UnicodeDecodeError):
                lines += error.object[: error.start].count(b"\n")
            problem = f"is not {self._dialect.encoding} (line {lines + 1}): {self._encoding_hint}"
            raise self._problem(problem) from None

    def _utf8_after_all(self) -> DataError:
        hint = self._dialect.hint("encoding", "utf-8")
        what = f"is not {self._dialect.encoding} but UTF-8"
        return self._problem(what + (f": set {hint}" if hint else f": save it as {self._dialect.encoding}"))

    def _problem(self, what: str) -> DataError:
        return DataError(str(self.path), [f"{self.path}: {what}"])


def faults_beside(read: Path, path: Path, dialect: Dialect, faults: list[str]) -> list[str]:
    """Return the faults of a file without the advice to set what another file of its table contradicts.

    Args:
        read: the other file, which can be read in this dialect.
        path: the file that cannot.
        dialect: the dialect of both.
        faults: the faults of the file, were it the only one.
    """
    try:
        DelimitedFile(path, replace(dialect, options=None))
    except DataError as error:
        alike = f"; the files of a table must be written alike, and {read.name} is read as it is"
        return [fault if fault in faults else fault + alike for fault in error.problems]
    return faults


def _readable(piece: bytes) -> bytes:
    """Replace bytes that are not UTF-8, because Arrow cannot pass such rows to the handler of bad rows."""
    try:
        piece.decode()
    except UnicodeDecodeError:
        return piece.decode(errors="replace").encode()
    return piece


class _BadRows:
    """Counts rows that have more or fewer fields than the header.

    Attributes:
        count: number of the rows.
        first: beginning of the first one.
    """

    def __init__(self) -> None:
        self.count = 0
        self._of_length: Counter[int] = Counter()
        self._rows_before, self._count_before = 0, 0
        self._shown: list[str] = []
        self.first = ""

    def note(self, row: pa_csv.InvalidRow) -> str:
        """Count a bad row, and let Arrow continue."""
        self.first = self.first or shorten(row.text, 40)
        if self.count < SHOWN:
            self._shown.append(f"row {self._rows_before + row.number - 1} ({row.actual_columns})")
        self.count += 1
        self._of_length[row.actual_columns] += 1
        return "skip"

    def end_of_piece(self, good: int) -> None:
        """Add the number of good rows of a piece, as Arrow counts rows within a piece."""
        self._rows_before += good + self.count - self._count_before
        self._count_before = self.count

    def are_nearly_all(self, fields: int | None = None) -> bool:
        """Tell whether nearly all rows are bad, in that they have so many fields if a number is given."""
        count = self.count if fields is None else self._of_length[fields]
        return count > _NEARLY_ALL * self._rows_before

    def have_less_than(self, fields: int) -> bool:
        """Tell whether all bad rows lack fields, so that no field of theirs was cut at a separator."""
        return max(self._of_length) < fields

    def message(self, expected: int) -> str:
        """Return a message with the number of bad rows and the first ones."""
        rows = counted(self.count, "row does", "rows do") + f" not have the {expected} fields of"
        shown = ", ".join(self._shown) + (", ..." if self.count > SHOWN else "")
        return f"{rows} the header: {shown}"
