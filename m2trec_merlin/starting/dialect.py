"""Guess the dialect of a table's text files: separator, encoding, and whether quotation marks quote."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pyarrow as pa

from m2trec_merlin.errors import DataError, shorten
from m2trec_merlin.readers.files.compressed import open_bytes
from m2trec_merlin.readers.files.dialect import Dialect, Utf8Watch, usual_separator, wide_encoding_of
from m2trec_merlin.readers.files.table_file import TableFile

_CANDIDATES = ",;\t|^~"
#: R's write.table separates by blanks. Texts hold them, too, so they count only where nothing else separates.
_BLANK = " "
#: Separators of several characters, which some exports use because fields may hold commas.
_LONG = ("::", "||", "@@", "\t\t", ";;", "~~", "$$", "|~|")
_BLOCK_BYTES = 1 << 20
_SAMPLE_LINES = 200
#: Share of rows that must have the most frequent number of fields, or quotation marks around one of them.
_MOST = 0.9
#: A field in quotation marks; a mark inside of it is written twice.
_IN_MARKS = re.compile(r'"[^"]*(?:""[^"]*)*"')


@dataclass(frozen=True)
class Writing:
    """The guessed dialect of a table.

    Attributes:
        dialect: the dialect; a separator of None is the usual one for the name of the file.
        open_to: settings that make no difference to this table, such as the encoding of plain ASCII, or the
            meaning of quotation marks if there are none.
        unsure: doubts for a person to check.
    """

    dialect: Dialect
    open_to: frozenset[str] = frozenset({"separator", "encoding", "quoting"})
    unsure: tuple[str, ...] = ()

    def beside(self, other: Writing) -> Dialect:
        """Return the dialect, with settings of another table's dialect where they make no difference."""
        both = {name: getattr(other.dialect, name) for name in self.open_to}
        if "encoding" in both and not _keeps_ascii(both["encoding"]):
            del both["encoding"]
        return replace(self.dialect, **both)


def _keeps_ascii(encoding: str) -> bool:
    """Tell whether an encoding has the bytes of ASCII for its letters, unlike UTF-16 and UTF-32."""
    return "a".encode(encoding) == b"a"


def writing_of(path: Path) -> Writing:
    """Guess the dialect of a table's files.

    Raises:
        DataError: a file is empty or is not delimited text, or two files have different dialects.
    """
    files = TableFile(path).text_files()
    if not files:
        return Writing(Dialect())
    heads = {file: next(_blocks(file), b"") for file in files}
    encodings = {file: _encoding(file, head) for file, head in heads.items()}
    named = [name for name in encodings.values() if name]
    encoding = _common(path, "encodings", named) or "utf-8"
    texts = {file: _decode(head, encoding) for file, head in heads.items()}
    if empty := [file for file, text in texts.items() if not text.strip()]:
        raise DataError(str(path), [f"{file}: the file is empty" for file in empty])
    separator = _common(path, "separators", [_separator(file, text) for file, text in texts.items()])
    is_usual = all(separator == usual_separator(file) for file in files)
    dialect = Dialect(None if is_usual else separator, encoding)
    quoted = any(_holds(file, b'"') for file in files)
    if quoted:
        quotes = any(_quotes(text, separator or usual_separator(file)) for file, text in texts.items())
        dialect = replace(dialect, quoting=quotes or _can_quote(path, dialect))
    open_to = {"encoding": not named, "quoting": not quoted}
    unsure = []
    if not encoding.startswith("utf"):
        words = dict.fromkeys(re.findall(r"\w+", " ".join(texts.values())))
        strange = ", ".join([word for word in words if not word.isascii()][:3])
        shown = f", as in {strange}" if strange else ""
        hint = "if that looks wrong, name another encoding below data.options"
        unsure.append(f"{path.name} is not UTF-8; {encoding} is a guess{shown}: {hint}")
    return Writing(dialect, frozenset(name for name, is_open in open_to.items() if is_open), tuple(unsure))


def _decode(head: bytes, encoding: str) -> str:
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    return text.removeprefix("\ufeff")


def _encoding(file: Path, head: bytes) -> str | None:
    if wide := wide_encoding_of(head):
        return wide
    watch = Utf8Watch.over(_blocks(file))
    if watch.sees_ascii:
        return None
    if watch.is_likely:
        return "utf-8"
    try:
        for block in _blocks(file):
            block.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _separator(file: Path, text: str) -> str:
    sampled = _first_lines(text)
    sample = "".join(line for line in sampled if len(line) < csv.field_size_limit())
    for mark in _LONG:
        if _separates(mark, [line for line in sampled if line.strip()]):
            what = f"its fields have {mark!r} between them; one character is read: write a tab in its place"
            raise DataError(str(file), [f"{file}: {what}, and the names of the columns in the first line"])
    tried = (
        _scores(file, sample, marks, csv.QUOTE_MINIMAL) or _scores(file, sample, marks, csv.QUOTE_NONE)
        for marks in (_CANDIDATES, _BLANK)
    )
    scores = next(filter(None, tried), {})
    if not scores:
        if problem := _sessions_in(sampled):
            raise DataError(str(file), [f"{file}: {problem}"])
        for _ in TableFile(file).blocks():
            pass  # raises a better error if the file is not text at all
        raise DataError(
            str(file),
            [
                f"{file}: no column separator found: tried {', '.join(map(repr, _CANDIDATES + _BLANK))}; "
                "a table needs a header and the same number of fields in each row"
            ],
        )
    return max(scores, key=lambda separator: scores[separator])


def _first_lines(text: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    # The last line of a long text may be incomplete.
    return lines[: min(_SAMPLE_LINES, max(len(lines) - 1, 2))]


def _separates(mark: str, lines: list[str]) -> bool:
    """Tell whether several characters part each line alike, and not one of them that parts it further.

    Where a column is empty, two separators stand side by side.
    """
    pairs = {line.count(mark) for line in lines}
    if len(pairs) != 1 or pairs == {0}:
        return False
    for one in set(mark).intersection(_CANDIDATES):
        singles = {line.count(one) for line in lines}
        if len(singles) == 1 and max(singles) > max(pairs) * mark.count(one):
            return False
    return True


def _sessions_in(lines: list[str]) -> str | None:
    """Say that rows seem to hold whole sessions: one value, or several, of ever other numbers."""
    rows = [text for line in lines if (text := line.strip().strip('"'))]
    mark = max(_CANDIDATES, key=lambda one: sum(one in row for row in rows))
    if not any(mark in row for row in rows):
        mark = _BLANK
    sessions = [[value.strip() for value in row.split(None if mark == _BLANK else mark)] for row in rows]
    several = sum(len(values) > 1 for values in sessions)
    if len({len(values) for values in sessions}) < 3 or several < len(rows) / 2:
        return None
    # Words with blanks between them are sentences, and a comma in each row may be that of a table's titles.
    are_parted = mark != _BLANK and (several < len(rows) or _are_in_no_column(sessions))
    unnamed = sessions[1:] if len(sessions[0]) == 1 else sessions
    if not are_parted and not all(re.search(r"\d", value) for values in unnamed for value in values):
        return None
    example = shorten(next(row for row, values in zip(rows, sessions, strict=True) if len(values) > 1), 60)
    return (
        f"a row seems to hold a whole session, such as {example!r}: write a row for each event, with the "
        "session beside it, and the names of the columns in the first line"
    )


def _are_in_no_column(rows: list[list[str]]) -> bool:
    """Tell whether values stand in ever other places, and some of the first row are no names of columns."""
    places: dict[str, set[int]] = defaultdict(set)
    for row in rows[1:]:
        for place, value in enumerate(row):
            places[value].add(place)
    # Of a table, the first or the second column lies before the texts with commas.
    moved = sum(any(len(places[value]) > 1 for value in row[:2]) for row in rows[1:])
    return any(value in places for value in rows[0]) and moved > len(rows) / 2


def _scores(file: Path, sample: str, marks: str, quoting: Literal[0, 3]) -> dict[str, tuple[bool, bool, int]]:
    """Return the marks that divide the rows of a sample equally, each with a score."""
    scores = {}
    for separator in marks:
        rows = csv.reader(io.StringIO(sample, newline=""), delimiter=separator, quoting=quoting)
        try:
            fields = [len(row) for row in rows if row]
        except csv.Error:  # a quoted field that does not end
            continue
        most, count = Counter(fields).most_common(1)[0]
        if most > 1 and count >= _MOST * len(fields) and fields[0] > 1:
            scores[separator] = (fields[0] == most, separator == usual_separator(file), most)
    return scores


def _quotes(text: str, separator: str) -> bool:
    """Tell whether a name, or nearly every value of a column, stands in quotation marks: then they quote."""
    rows = [line.rstrip("\r\n").split(separator) for line in _first_lines(text) if line.strip()]
    names, *rows = [row for row in rows if len(row) == len(rows[0])]
    marked = [sum(bool(_IN_MARKS.fullmatch(value)) for value in column) for column in zip(*rows, strict=True)]
    return any(map(_IN_MARKS.fullmatch, names)) or max(marked, default=0) > _MOST * len(rows)


def _can_quote(path: Path, dialect: Dialect) -> bool:
    """Tell whether the whole table can be read with marks that quote."""
    for quoting in (True, False):
        table = TableFile(path, replace(dialect, quoting=quoting))
        try:
            for _ in table.blocks(table.columns()[:1]):
                pass
        except DataError:
            continue
        return quoting
    return True  # neither way works: the reader will report why


def _common(path: Path, what: str, values: Sequence[str]) -> str | None:
    found = sorted(set(values))
    if len(found) > 1:
        problem = f"{path}: its files have different {what}: {', '.join(map(repr, found))}"
        raise DataError(str(path), [f"{problem}; save all of them alike"])
    return found[0] if found else None


def _holds(file: Path, mark: bytes) -> bool:
    return any(mark in block for block in _blocks(file))


def _blocks(file: Path) -> Iterator[bytes]:
    try:
        with open_bytes(file) as stream:
            while block := stream.read(_BLOCK_BYTES):
                yield block
    except (OSError, pa.ArrowException) as error:
        raise DataError(str(file), [f"{file}: cannot be read: {str(error).splitlines()[0]}"]) from None
