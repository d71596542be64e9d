"""Warnings of an answer: as many and as long as a person reads, whatever a request holds."""

from __future__ import annotations

import json
from collections.abc import Sequence

from m2trec_merlin.errors import name_first, shorten

#: Warnings about the items of a session; letters shown of a value.
_MOST_NOTES, _MOST_LETTERS = 20, 40
#: Letters of an error that names all that is wrong with a request.
LONGEST_MESSAGE = 1000


def bounded(notes: Sequence[str]) -> list[str]:
    """Return the first warnings, and how many more there are."""
    more = len(notes) - _MOST_NOTES
    return list(notes) if more <= 0 else [*notes[:_MOST_NOTES], f"and {more:,} more warnings of this kind"]


def show(value: object) -> str:
    """Return a value as a warning names it: text in quotation marks, anything else as JSON."""
    text = cut(value if isinstance(value, str) else json.dumps(value, default=str))
    return f"'{text}'" if isinstance(value, str) else text


def cut(text: str) -> str:
    """Return as much of a text as a message shows."""
    return shorten(text, _MOST_LETTERS)


def name_some(values: Sequence[object]) -> str:
    """Return the first values, and how many more there are."""
    return name_first(values, show)
