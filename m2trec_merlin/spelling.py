"""The canonical spelling of categories: one text per value, whatever file or request the value comes from.

Some files have types and some have none, and a program may write a year as 2024 or, in a column with gaps, as
2024.0. Only this module decides which texts are the same value, looking at each text by itself:

- white space at the ends is removed, and a run of white space is one space; letters are composed (Unicode
  NFC);
- invisible marks, such as soft hyphens, byte order marks and marks of direction, are removed;
- a number has no exponent, no trailing zeros in its fraction, and 0 has no sign: 12.50, 12.5 and 1.25e1 are
  "12.5". Digits after leading zeros or a plus are not a number: "007" stays;
- true and false are written in small letters;
- a date with a time is written in UTC, midnight as the date alone: 2024-01-05T00:00:00Z is "2024-01-05";
  seconds have no trailing zeros in their fraction: 10:30:00.000 is "10:30:00".

Ids of items and sessions are not categories and stay as they are, except whole numbers that are held as
floats or decimals (`text_of_id`).
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from numbers import Integral, Real
from typing import TypeGuard

from m2trec_merlin.shares import counted

#: Numbers with more digits before the point, or at least this many zeros after it, keep an exponent.
_LONGEST, _ZEROS = 21, 6

#: Soft hyphen, zero-width space, word joiner, byte order mark, and marks of direction, which are copied with
#: a text from many programs: the inside of a class of regular expressions. Joiners of letters stay.
UNSEEN = "\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
_UNSEEN = re.compile(f"[{UNSEEN}]")

_NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")
#: Numbers as tables hold them, and numbers with points at thousands. 0.812 is not one of the latter: its
#: point must be a decimal point.
_WRITTEN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WITH_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?:,[0-9]*)?(?:[eE][+-]?[0-9]+)?")
#: Blanks at thousands, including no-break spaces and narrow ones.
_BLANK_AT_THOUSANDS = re.compile(r"(?<=[0-9])[ \u00a0\u202f](?=[0-9]{3})")
_WITH_BLANKS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:[ \u00a0\u202f][0-9]{3})+(?:,[0-9]*)?")
_WHOLE = re.compile(r"-?[1-9][0-9]*|0")
_SECONDS = re.compile(r"([0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]*?)0+")
_TIME = re.compile(
    r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.(?P<fraction>[0-9]+))?"
    r" ?(?P<offset>Z|[+-][0-9]{2}(?::?[0-9]{2})?)?",
    re.IGNORECASE,
)


def text_of_id(value: object) -> str:
    """Return an id as text; a whole number has no fraction, whatever type holds it.

    Tables with gaps turn whole numbers into floats, and databases turn them into decimals. Floats of 2^63 and
    more cannot tell neighbouring numbers apart, and stay as they are written.
    """
    if not has_point(value) or has_fraction(value):
        return str(value)
    return str(int(value)) if isinstance(value, Decimal) or abs(value) < 2**63 else str(value)


def has_point(value: object) -> TypeGuard[float | Decimal]:
    """Tell whether a value's type is numeric and can hold fractions."""
    return isinstance(value, Decimal) or (isinstance(value, Real) and not isinstance(value, Integral))


def has_fraction(value: float | Decimal) -> bool:
    """Tell whether a number is not whole; infinity and NaN are not whole."""
    if isinstance(value, Decimal):
        # `%` would be limited to the digits of the decimal context, which are fewer than Arrow's.
        return not value.is_finite() or value != value.to_integral_value()
    return value % 1 != 0


def json_number(value: Decimal) -> int | float | str:
    """Return a decimal as a JSON number, or as text if it is not finite or has more digits than a float."""
    if not value.is_finite():
        return str(value)
    if not has_fraction(value):
        return int(value)
    number = float(value)
    return number if Decimal(repr(number)) == value else str(value)


def spell(text: str) -> str:
    """Return the canonical spelling of a category; empty for a blank text."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", _UNSEEN.sub("", text))
    text = " ".join(text.split())
    if not text.isascii():
        return text
    if text.isalpha():
        return text.lower() if text.lower() in ("true", "false") else text
    if _NUMBER.fullmatch(text):
        return text if _WHOLE.fullmatch(text) else _spell_number(Decimal(text))
    if seconds := _SECONDS.fullmatch(text):
        return seconds[1].removesuffix(".")
    time = _TIME.fullmatch(text)
    return text if time is None else _spell_time(text, time)


def spell_json(value: str | float | bool) -> str:
    """Return the canonical spelling of a category that is given as a JSON scalar."""
    return spell(value if isinstance(value, str) else json.dumps(value))


def with_point(number: str) -> str:
    """Return a number with a decimal comma as Python writes it; in quotes if points are not at thousands.

    Blanks may separate thousands, too, as in 1 299,00.
    """
    if _WITH_BLANKS.fullmatch(number.strip()):
        number = _BLANK_AT_THOUSANDS.sub("", number)
    if "." in number and not _WITH_THOUSANDS.fullmatch(number.strip()):
        return f"'{number}'"
    return number.replace(".", "").replace(",", ".")


def number_in(text: str, decimal: str = ".") -> float | None:
    """Return the finite number that a text holds, or None; with decimal ",", points separate thousands."""
    written = (with_point(text) if decimal == "," else text).strip()
    number = float(written) if _WRITTEN.fullmatch(written) else math.inf
    return number if math.isfinite(number) else None


def _spell_number(number: Decimal) -> str:
    sign, figures, exponent = number.as_tuple()
    digits = "".join(map(str, figures)).lstrip("0")
    before = len(digits) + int(exponent)
    digits = digits.rstrip("0")
    if not digits:
        return "0"
    minus = "-" if sign else ""
    if not -_ZEROS < before <= _LONGEST:
        fraction = f".{digits[1:]}" if digits[1:] else ""
        return f"{minus}{digits[0]}{fraction}e{before - 1:+03d}"
    if before <= 0:
        return f"{minus}0.{'0' * -before}{digits}"
    fraction = f".{digits[before:]}" if digits[before:] else ""
    return f"{minus}{digits[:before].ljust(before, '0')}{fraction}"


def _spell_time(text: str, match: re.Match[str]) -> str:
    offset, fraction = match["offset"] or "Z", (match["fraction"] or "").rstrip("0")
    try:
        time = datetime.fromisoformat(match["time"])
        if offset.upper() != "Z":
            digits = offset[1:].replace(":", "").ljust(4, "0")
            shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
            time = time + shift if offset[0] == "-" else time - shift
    except (ValueError, OverflowError):
        return text
    if fraction:
        return f"{time:%Y-%m-%d %H:%M:%S}.{fraction}"
    return (
        f"{time:%Y-%m-%d}"
        if time == datetime(time.year, time.month, time.day)
        else f"{time:%Y-%m-%d %H:%M:%S}"
    )


def doubts_of_unnamed(
    column: str, met: Mapping[str, int], named: Collection[str], setting: str, so: str
) -> Iterator[str]:
    """Yield a warning for each category that differs by capitals alone from one that a setting names.

    Args:
        column: the column of events that holds the categories.
        met: numbers of events by category.
        named: the categories that the setting names.
        setting: full name of the setting.
        so: what an event is whose category the setting does not name.
    """
    folded = {value.casefold(): value for value in named}
    for value, count in met.items():
        if value not in named and (meant := folded.get(value.casefold())) is not None:
            yield (
                f"column '{column}': {counted(count, 'event has', 'events have')} '{value}', which is not "
                f"'{meant}' of {setting}, and so {so}: name both, or write them alike"
            )
