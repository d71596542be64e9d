"""The dialect of delimited text: as configured, and as the name and first bytes of a file suggest."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import Field, field_validator

from m2trec_merlin.readers.files.compressed import suffix_of
from m2trec_merlin.sections import Section

SEPARATORS = {".csv": ",", ".txt": ",", ".dat": ",", ".tsv": "\t"}
#: The least byte that begins a letter of several bytes in UTF-8.
_FIRST_OF_LETTER = 0xC2


@dataclass(frozen=True)
class Dialect:
    """The dialect of a table's text files.

    Attributes:
        separator: character between fields; None for a comma, or a tab in `.tsv`.
        encoding: Python's name of the encoding.
        quoting: whether quotation marks enclose fields; else they are ordinary characters.
        options: section of the configuration that sets the dialect; None if it is fixed.
        alone: section that would set it for the items alone, where `options` sets it for both tables.
    """

    separator: str | None = None
    encoding: str = "utf-8"
    quoting: bool = True
    options: str | None = "data.options"
    alone: str | None = field(default=None, compare=False)

    @property
    def is_usual(self) -> bool:
        """Whether the dialect is the default."""
        return self == Dialect(options=self.options)

    def hint(self, name: str, value: str) -> str:
        """Return a setting in the notation of the configuration; empty if it cannot be set."""
        if self.options is None:
            return ""
        alone = f"{self.alone}.{name} for the items alone, or " if self.alone else ""
        return f"{alone}{self.options}.{name}: {value}"


class DialectOptions(Section):
    """How the CSV files of a table are written."""

    separator: str | None = Field(
        None,
        description="one character between CSV fields; default: comma, or tab in .tsv",
    )
    encoding: str = Field("utf-8", description="of CSV files, as Python calls it, such as cp1252 or utf-16")
    quoting: bool = Field(
        True, description="quotation marks hold a CSV field together; else they are characters like others"
    )

    def dialect(self, place: str, alone: str | None = None) -> Dialect:
        """Return the dialect; messages refer to its settings by `place`, this section, and by `alone`."""
        return Dialect(self.separator, self.encoding, self.quoting, place, alone)

    @field_validator("separator")
    @classmethod
    def _separates(cls, separator: str | None) -> str | None:
        if separator is not None and (len(separator) != 1 or not separator.isascii() or separator in '"\r\n'):
            raise ValueError(
                "expected one ASCII character that is no quotation mark and no end of line; a tab is written "
                'as "\\t", in double quotes'
            )
        return separator

    @field_validator("encoding")
    @classmethod
    def _python_knows_the_encoding(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
        except (LookupError, UnicodeError, ValueError):
            raise ValueError(f"Python knows no encoding '{encoding}'; cp1252 and utf-16 are common") from None
        return encoding


def usual_separator(path: Path) -> str:
    """Return the separator that the name of a file suggests."""
    return SEPARATORS.get(suffix_of(path), ",")


def wide_encoding_of(start: bytes) -> str | None:
    """Return the kind of UTF-16 or UTF-32 that a text begins like; None if neither."""
    # UTF-32 comes first, because its byte order mark begins like that of UTF-16.
    if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    line = start.partition(b"\n")[0]
    return "utf-16-be" if line.startswith(b"\0") else "utf-16-le" if b"\0" in line else None


class Utf8Watch:
    """Tells how much of a text is UTF-8, where single letters may be damaged.

    Encodings with one byte per letter can read anything, also UTF-8: "Größe" becomes "GrÃ¶ÃŸe". Few of their
    own letters are UTF-8 by chance: none in most languages, less than a quarter in all.
    """

    #: So many letters, and such a share of all that is not ASCII, are not UTF-8 by chance.
    _ENOUGH, _NEARLY_ALL = 3, 0.9

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._letters = self._wrong = 0

    @classmethod
    def over(cls, blocks: Iterable[bytes]) -> Utf8Watch:
        """Return what is to be told of a whole text, given its parts."""
        watch = cls()
        for block in blocks:
            watch.add(block)
        return watch

    def add(self, chunk: bytes) -> None:
        """Add a part of the text."""
        if chunk.isascii():
            return
        known = self._decoder.decode(chunk).encode()
        self._letters += int(np.count_nonzero(np.frombuffer(known, np.uint8) >= _FIRST_OF_LETTER))
        # A letter that the next part may complete counts as wrong until then.
        self._wrong += len(chunk) - len(known)

    @property
    def sees_ascii(self) -> bool:
        """Whether there are no letters beyond ASCII."""
        return not self._letters and not self._wrong

    @property
    def is_likely(self) -> bool:
        """Whether the text is rather UTF-8 than an encoding with one byte per letter."""
        return self._letters >= self._wrong

    @property
    def is_sure(self) -> bool:
        """Whether the text is certainly UTF-8, and no ASCII, a few damaged letters aside."""
        nearly_all = self._letters >= self._NEARLY_ALL * (self._letters + self._wrong)
        return nearly_all and self._letters >= self._ENOUGH
