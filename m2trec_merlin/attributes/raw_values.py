"""What raw columns of any kind may hold that is wrong, or hardly meant.

These are lists and objects, as such or written as text, words for a missing value, HTML (which counts as
words), damaged and escaped letters, and quotation marks around values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.columns import are_missing_words, to_arrow
from m2trec_merlin.errors import shorten
from m2trec_merlin.shares import counted

#: Advice on lists and on objects that are written as text.
_ON_LISTS = "use Parquet, which has lists, or kind multi_categorical with texts like red|cheap"
_ON_OBJECTS = "give each of its properties a column"
# Brackets that hold nothing or quoted values, as Python, JSON and NumPy write lists; a blank text, or
# anything in brackets; brackets with several things inside.
_QUOTED_LIST = r"""(?s)^\s*[\[({]\s*(['"].*['"]\s*,?\s*)?[\])}]\s*$"""
_BRACKETS = r"(?s)^\s*([\[{].*[\]}]\s*)?$"
# Names with values, as Python and JSON write objects.
_OBJECT = r"""(?s)^\s*\{\s*("[^"]*"|'[^']*')\s*:.*\}\s*$"""
_SEVERAL = r"(?s)^\s*[\[{].*\S[,\s].*\S.*[\]}]\s*$"
#: Entities and tags of HTML.
_ENTITY = r"&(?:[a-z]{2,8}|#\d{1,5}|#x[0-9a-f]{1,5});"
_MARKUP = rf"(?i){_ENTITY}|</?(?:p|br|b|i|u|em|h\d|ul|li|div|span|strong)\b[^<>]*>"
#: Letters damaged by a wrong encoding: several in place of one ("KÃ¼che"), or a replacement mark.
_OF_ONE = r"[\x{80}-\x{bf}\x{152}-\x{192}\x{2c6}\x{2dc}\x{2013}-\x{203a}\x{20ac}\x{2122}]"
_LOST = (
    rf"\x{{fffd}}|[\x{{c2}}\x{{c3}}]{_OF_ONE}|\x{{e2}}\x{{20ac}}{_OF_ONE}"
    # A question mark may stand for each byte of some letters.
    r"|^[^/=&]*\p{L}\?{1,4}\p{Ll}[^/=&]*$"
)
#: Letters as JSON and addresses write them: \u00f6 and, outside of addresses, %C3%B6.
_ESCAPED = r"(?i)\\u[0-9a-f]{4}|^[^/=&]*%[c-f][0-9a-f]%[89ab][0-9a-f][^/=&]*$"
#: Control characters that no text has, where another encoding has letters and marks.
_CONTROLS = r"[\x{80}-\x{9f}]"
_IN_MARKS = r"""(?s)^=?".*"$|^'.*'$"""
#: What values hardly mean to hold, by the share of them from which on it is told.
_DOUBTFUL = (
    (_MARKUP, 0.01, "marks of web pages, which count as words: write {} without"),
    (_LOST, 0.01, "letters that another encoding has damaged, such as {}: export them as UTF-8"),
    (_ESCAPED, 0.01, "letters as JSON or addresses write them, such as {}: write the letters themselves"),
    (
        _CONTROLS,
        0.01,
        "control characters, such as {}: letters of another encoding, such as cp1252, were read as latin-1: "
        "set that encoding if this is the file's, or else export them as UTF-8",
    ),
    (_IN_MARKS, 0.5, "quotation marks around their values, and as part of them, such as {}: leave them out"),
)


@dataclass(frozen=True)
class Fault:
    """What is wrong with some values of a column.

    Attributes:
        what: the fault, as a statement about a value: "is not a number".
        values: the column or a part of it, indexed by row number.
        wrong: a mask of the `values` that have the fault, bool.
        hint: advice on how to fix it.
    """

    what: str
    values: pd.Series
    wrong: np.ndarray
    hint: str = ""


class WrittenFault(Fault):
    """Lists or objects that are written as text."""

    @classmethod
    def of(cls, values: pd.Series, wrong: np.ndarray) -> WrittenFault:
        """Return the fault of a column, given which of its values are written so."""
        what, hint = name_written(values[wrong])
        return cls(f"is {'an' if what == 'object' else 'a'} {what} written as text", values, wrong, hint)


def doubts_of_texts(values: pd.Series, compared: pa.Array, of: str) -> Iterator[str]:
    """Yield warnings about known values that are valid, but probably not intended.

    Args:
        values: the known values of a column.
        compared: what is compared of each value, flat; of other types than texts, only lists are told.
        of: the noun for what a value belongs to, "item" or "event".
    """

    def of_them(count: int, has: str = "holds", have: str = "hold") -> str:
        return counted(count, f"{of} {has}", f"{of}s {have}")

    written = written_lists(values)
    if written.any():
        example = repr(shorten(values[written].iloc[0], 60))
        what = name_written(values[written])[0]
        yield f"{of_them(written.sum())} {what}s written as text, read as they stand, such as {example}"
    if not pa.types.is_string(compared.type):
        return
    met = pc.value_counts(compared)
    for entry in met.filter(pa.array(are_missing_words(met.field("values")))).to_pylist():
        yield (
            f"{of_them(entry['counts'], 'has', 'have')} '{entry['values']}', which is taken for a value: "
            "leave it empty where there is none"
        )
    for pattern, most, what in _DOUBTFUL:
        held = met.filter(pc.fill_null(pc.match_substring_regex(met.field("values"), pattern), False))
        if (count := pc.sum(held.field("counts")).as_py() or 0) > most * len(values):
            example = repr(shorten(held.field("values")[0].as_py(), 60))
            yield f"{of_them(count)} {what.format(example)}"


def are_lists(values: pd.Series) -> np.ndarray:
    """Tell which values are lists."""
    return _are(values, lambda value: isinstance(value, list | tuple | np.ndarray))


def are_objects(values: pd.Series, within_lists: bool = False) -> np.ndarray:
    """Tell which values are JSON objects; within lists, also lists that hold objects or lists."""

    def is_object(value: object) -> bool:
        if within_lists and isinstance(value, list | tuple | np.ndarray):
            return any(isinstance(each, dict | list | tuple | np.ndarray) for each in value)
        return isinstance(value, dict)

    return _are(values, is_object)


def _are(values: pd.Series, is_one: Callable[[object], bool]) -> np.ndarray:
    """Apply a test to each value; skip columns that do not hold Python objects of mixed types."""
    if values.dtype != object or not pd.api.types.infer_dtype(values, skipna=False).startswith("mixed"):
        return np.zeros(len(values), dtype=bool)
    return values.map(is_one).to_numpy(bool)


def quoted_lists(values: pd.Series) -> np.ndarray:
    """Tell which texts are certainly lists as programs write them, such as "['new', 'hot']"."""
    return next(_matches(values, _QUOTED_LIST))


def written_lists(values: pd.Series) -> np.ndarray:
    """Tell which texts of a column are lists as programs write them.

    '[new, hot]' may be a name, so it counts only if all of several values look like this.
    """
    quoted, bracketed, several = _matches(values, _QUOTED_LIST, _BRACKETS, _SEVERAL)
    is_column_of_lists = len(values) > 1 and (quoted | bracketed).all() and (quoted | several).any()
    return np.ones(len(values), dtype=bool) if is_column_of_lists else quoted


def name_written(texts: pd.Series) -> tuple[str, str]:
    """Return whether texts are lists or objects as programs write them, "list" or "object", and advice."""
    hold_objects = next(_matches(texts, _OBJECT)).all()
    return ("object", _ON_OBJECTS) if hold_objects else ("list", _ON_LISTS)


def _matches(values: pd.Series, *patterns: str) -> Iterator[np.ndarray]:
    """Yield for each pattern which texts match it, bool; none in columns that hold anything but texts."""
    are_texts = values.dtype == object and pd.api.types.infer_dtype(values, skipna=False) == "string"
    texts = to_arrow(values) if are_texts else None
    for pattern in patterns:
        if texts is None:
            yield np.zeros(len(values), dtype=bool)
        else:
            yield pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
