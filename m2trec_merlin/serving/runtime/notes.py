"""Warnings of an answer, limited in number and length whatever a request holds."""

from __future__ import annotations

import json
from collections.abc import Sequence

from m2trec_merlin.errors import name_first, shorten

#: Most warnings about the items of a session; most letters of a value in a message.
_MOST_NOTES, _MOST_LETTERS = 20, 40
#: Most letters of an error that names all faults of a request.
LONGEST_MESSAGE = 1000


def bounded(notes: Sequence[str]) -> list[str]:
    """Return the first warnings, and a last one that counts the rest."""
    more = len(notes) - _MOST_NOTES
    return list(notes) if more <= 0 else [*notes[:_MOST_NOTES], f"and {more:,} more warnings of this kind"]


def show(value: object) -> str:
    """Return a value for a message: text in quotation marks, anything else as JSON."""
    text = cut(value if isinstance(value, str) else json.dumps(value, default=str))
    return f"'{text}'" if isinstance(value, str) else text


def cut(text: str) -> str:
    """Return a text shortened for a message."""
    return shorten(text, _MOST_LETTERS)


def name_some(values: Sequence[object]) -> str:
    """Return a list of the first values for a message, and how many more there are."""
    return name_first(values, show)
