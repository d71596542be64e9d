"""Ids that no item has, but for the way in which they are written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

_NUMBER = re.compile(r"([+-]?)0*([0-9]+)(?:\.0*)?")

_UNSEEN = re.compile(r"[\u00ad\u200b-\u200f\u2060\ufeff]")

#: Ways to write an id that a person may take for the same, the least ones first.
_WAYS: dict[str, Callable[[str], str]] = {
    "white space at its ends": str.strip,
    "characters that nobody sees": lambda text: _UNSEEN.sub("", text).strip(),
    "the Unicode form of its letters": lambda text: unicodedata.normalize("NFKC", text),
    "leading zeros or a fraction": lambda text: (
        _NUMBER.sub(r"\1\2", text) if _NUMBER.fullmatch(text) else text
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
    written = {_write(str(each), len(_WAYS)): str(each) for each in known}
    for text in texts:
        if (meant := written.get(_write(text, len(_WAYS)))) is not None:
            ways = range(1, len(_WAYS) + 1)
            way = next(count for count in ways if _write(text, count) == _write(meant, count))
            return f"the items have {meant!r}, which differs from {text!r} by {list(_WAYS)[way - 1]}"
    return ""


def _write(text: str, ways: int) -> str:
    for write in list(_WAYS.values())[:ways]:
        text = write(text)
    return text
