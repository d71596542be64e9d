"""Ids that are hardly meant as they are written: nearly those of an item, or with what nobody sees."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

import pyarrow as pa
import pyarrow.compute as pc

_NUMBER = re.compile(r"([+-]?)0*([0-9]+)(?:\.0*)?")
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}([,.'\u00a0\u2009\u202f ])[0-9]{3}(?:\1[0-9]{3})*")
#: Of these the ways below change capital letters at most: nearly all ids of nearly all shops.
_PLAIN = re.compile(r"[A-Za-z1-9][A-Za-z0-9_-]*")
_UNSEEN = re.compile(r"[\u00ad\u200b-\u200f\u2060\ufeff]")
#: White space at an end, or the same characters as Arrow's expressions write them.
_ODD = r"^[\s\pZ]|[\s\pZ]$|[\x{ad}\x{200b}-\x{200f}\x{2060}\x{feff}]"

#: Ways to write an id that a person may take for the same, the least ones first.
_WAYS: dict[str, Callable[[str], str]] = {
    "white space at its ends": str.strip,
    "characters that nobody sees": lambda text: _UNSEEN.sub("", text).strip(),
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
    """Say by what the first of some unknown ids that nearly is a known one differs from it; else nothing.

    Args:
        unknown: a few ids.
        known: all that there are.
    """
    texts = [str(each) for each in unknown]
    if not texts:
        return ""
    written = {_write_all(text): text for text in map(str, known)}
    for text in texts:
        if (meant := written.get(_write_all(text))) is not None:
            ways = range(1, len(_WAYS) + 1)
            way = next(count for count in ways if _write(text, count) == _write(meant, count))
            return f"the items have {meant!r}, which differs from {text!r} by {list(_WAYS)[way - 1]}"
    return ""


def doubt_of(ids: Iterable[object]) -> str:
    """Say that some ids hold what nobody sees, with the first of them; nothing if none does."""
    texts = pa.array([each if isinstance(each, str) else None for each in ids], pa.string())
    odd = texts.filter(pc.fill_null(pc.match_substring_regex(texts, _ODD), False))
    if not len(odd):
        return ""
    return f"ids such as {odd[0].as_py()!r} have white space at an end or characters that nobody sees"


def doubt_of_items(ids: Iterable[object]) -> str:
    """Say the same of ids of items, which requests name."""
    odd = doubt_of(ids)
    return odd and f"{odd}, and requests must write them so"


def _write_all(text: str) -> str:
    return text.lower() if _PLAIN.fullmatch(text) else _write(text, len(_WAYS))


def _write(text: str, ways: int) -> str:
    for write in list(_WAYS.values())[:ways]:
        text = write(text)
    return text
