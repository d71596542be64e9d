"""Find ids that are probably mistakes: almost equal to another id, of odd characters, or words for none."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.columns import are_missing_words
from m2trec_merlin.shares import counted
from m2trec_merlin.spelling import UNSEEN

_NUMBER = re.compile(r"([+-]?)0*([0-9]+)(?:\.0*)?")
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}([,.'\u00a0\u2009\u202f ])[0-9]{3}(?:\1[0-9]{3})*")
#: Ids in which the ways below change nothing but capital letters: nearly all ids of nearly all shops.
_PLAIN = re.compile(r"[A-Za-z1-9][A-Za-z0-9_-]*")
#: In ids, joiners of letters are mistakes, too.
_UNSEEN = re.compile(f"[{UNSEEN}\u200c\u200d]")
#: Share of ids above which almost equal ones are no coincidence.
_NOTABLE = 0.01
#: Rows that may be no items, such as a sum at the end, and the fewest ids needed to say so.
_FEW, _MANY = 1, 30
#: White space at an end, or the characters of `_UNSEEN`, in the syntax of Arrow's expressions.
_ODD = rf"^[\s\pZ]|[\s\pZ]$|{_UNSEEN.pattern}"
#: Texts in quotation marks, after one, or in a formula: exports protect 007 from spreadsheets like this.
_IN_MARKS = re.compile(r"""\A(?:=?(["'])(.*)\1|'(.*))\Z""", re.DOTALL)
_MARKED = r"""^=?".*"$|^'"""

#: Normalisations that a person may take to leave an id the same, the smallest changes first.
_WAYS: dict[str, Callable[[str], str]] = {
    "white space at its ends": str.strip,
    "characters that nobody sees": lambda text: _UNSEEN.sub("", text).strip(),
    "quotation marks": lambda text: _IN_MARKS.sub(r"\2\3", text),
    "the Unicode form of its letters": lambda text: unicodedata.normalize("NFKC", text),
    "leading zeros or a fraction": lambda text: (
        _NUMBER.sub(r"\1\2", text) if _NUMBER.fullmatch(text) else text
    ),
    "a plus or marks between thousands": lambda text: (
        re.sub(r"[^0-9-]", "", text) if _THOUSANDS.fullmatch(text) else re.sub(r"^\+(?=[0-9])", "", text)
    ),
    "small and capital letters": str.casefold,
}


def explain_unknown(unknown: Iterable[object], known: Iterable[object]) -> str:
    """Describe how the first unknown id that is almost a known one differs from it; empty if there is none.

    Args:
        unknown: a few unknown ids.
        known: all known ids.
    """
    texts = [str(each) for each in unknown]
    if not texts:
        return ""
    written = {_write_all(text): text for text in map(str, known)}
    for text in texts:
        if (meant := written.get(_write_all(text))) is not None:
            return f"the items have {meant!r}, which differs from {text!r} by {_way_between(text, meant)}"
    return ""


def doubt_of(ids: Iterable[object]) -> str:
    """Return a warning with an example if ids hold invisible characters or quotation marks, else ""."""
    return _doubt_of(_texts(ids))


def _texts(ids: Iterable[object]) -> pa.StringArray:
    return pa.array([each for each in ids if isinstance(each, str)], pa.string())


def _doubt_of(texts: pa.StringArray) -> str:
    for pattern, what in (
        (_ODD, "white space at an end or characters that nobody sees"),
        (_MARKED, "quotation marks that belong to them"),
    ):
        odd = texts.filter(pc.match_substring_regex(texts, pattern))
        if len(odd):
            return f"ids such as {odd[0].as_py()!r} have {what}"
    return ""


def doubt_of_items(ids: Iterable[object]) -> str:
    """Return the warning of `doubt_of` for ids of items, or one about rows that are probably no items."""
    texts = _texts(ids)
    if odd := _doubt_of(texts):
        return f"{odd}, and requests must write them so"
    words = texts.filter(pa.array(are_missing_words(texts, are_ids=True)))
    if len(words):
        return f"ids such as {words[0].as_py()!r} are words for a missing value: are these rows items?"
    names = texts.filter(pc.invert(pc.match_substring_regex(texts, r"^[+-]?\d+(\.\d*)?$")))
    if not 0 < len(names) <= _NOTABLE * len(texts) + _FEW or len(texts) < _MANY:
        return ""
    others = f"{len(texts) - len(names):,} other ids are"
    return f"ids such as {names[0].as_py()!r} are no numbers, as {others}: are these rows items?"


class MissingWords:
    """Count, chunk by chunk, the events whose id in a column is a word for a missing value."""

    def __init__(self) -> None:
        self._events: Counter[str] = Counter()

    def add(self, ids: pd.Series) -> None:
        """Add the ids of a chunk of events, normalised by `normalise_ids`."""
        if ids.dtype != object:
            return
        counted = pc.value_counts(pa.array(ids, pa.string(), from_pandas=True))
        are_words = are_missing_words(counted.field("values"), are_ids=True)
        for entry in counted.filter(pa.array(are_words)).to_pylist():
            # The ids of sessions cut from users are USER@START.
            self._events[entry["values"].split("@")[0]] += entry["counts"]

    def doubts(self, column: str) -> Iterator[str]:
        """Yield a warning for each word.

        Args:
            column: the name of the column in the source.
        """
        for word, count in self._events.items():
            events = counted(count, "event has", "events have")
            yield (
                f"{events} '{word}' in column '{column}', which is taken for a name: leave it empty where "
                "there is no value"
            )


class AlikeIds:
    """Count, chunk by chunk, the ids of a column that are almost equal to another one.

    Differences in white space, invisible characters and quotation marks are left to `doubt_of`.
    """

    def __init__(self) -> None:
        self._ids = self._alike = 0
        self._example: tuple[str, str] | None = None

    def add(self, ids: Iterable[object]) -> None:
        """Add a chunk of distinct ids, which are compared with each other."""
        texts = _texts(ids)
        self._ids += len(texts)
        folded = pc.utf8_lower(pc.utf8_normalize(texts, "NFKC"))
        folded = pc.replace_substring_regex(folded, r"^(-?)0*([0-9]+)(\.0*)?$", r"\1\2")
        table = pa.table({"text": texts, "folded": folded}).to_pandas()
        alike = table[table.duplicated("folded")]
        self._alike += len(alike)
        if self._example is None and len(alike):
            one = alike.iloc[0]
            self._example = table["text"][table["folded"] == one["folded"]].iloc[0], one["text"]

    def doubt(self) -> str:
        """Return a warning with an example if many ids are almost equal to another one, else ""."""
        if self._example is None or self._alike <= _NOTABLE * self._ids:
            return ""
        one, other = self._example
        return (
            f"{one!r} and {other!r} are two ids; {self._alike:,} of {self._ids:,} differ from another one by "
            f"{_way_between(one, other)} alone: write those alike that are one"
        )


def _way_between(one: str, other: str) -> str:
    ways = (way for n, way in enumerate(_WAYS, 1) if _write(one, n) == _write(other, n))
    return next(ways, "the form of their letters")


def _write_all(text: str) -> str:
    return text.lower() if _PLAIN.fullmatch(text) else _write(text, len(_WAYS))


def _write(text: str, ways: int) -> str:
    for write in list(_WAYS.values())[:ways]:
        text = write(text)
    return text
