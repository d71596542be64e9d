"""How a category is written: one text for one value, whatever file or request it comes from.

A file has types or has none, and a program writes a year as 2024 or, next to a gap, as 2024.0. What counts as
one value is decided here, for each text by itself, and nowhere else:

- white space at the ends does not count, and a run of it is one space; letters are composed (Unicode NFC);
- marks of where a line may break and of the order of bytes, which nobody sees, do not count;
- a number is written without an exponent, without zeros behind its fraction and without a sign of 0: 12.50,
  12.5 and 1.25e1 are "12.5". Digits behind leading zeros or a plus are no number: "007" stays;
- true and false are written in small letters;
- a time of a day is written as UTC, a midnight as its date: 2024-01-05T00:00:00Z is "2024-01-05"; seconds of
  a time have no zeros behind their fraction: 10:30:00.000 is "10:30:00".

Ids of items and sessions are not categories, and stay as they are, but for whole numbers in a type of
fractions (`text_of_id`).
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from datetime import datetime, timedelta
from decimal import Decimal
from numbers import Integral, Real
from typing import TypeGuard

#: Numbers with more digits before the point, or so many zeros behind it, keep an exponent.
_LONGEST, _ZEROS = 21, 6

#: Soft hyphen, zero-width space, word joiner, byte order mark. Joiners of letters stay: they change words.
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))

_NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")
#: As tables hold numbers; and with points at thousands: 0.812 is none of these, but one of another writing.
_WRITTEN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WITH_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?:,[0-9]*)?(?:[eE][+-]?[0-9]+)?")
#: Also such as do not break a line, narrow ones among them.
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
    """Return an id as text: whole numbers without a fraction, whatever type holds them.

    Of whole numbers, tables with gaps make floats, and databases decimals. Floats of 2^63 and more tell no
    neighbouring numbers apart, and stay as they are written.
    """
    if not has_point(value) or has_fraction(value):
        return str(value)
    return str(int(value)) if isinstance(value, Decimal) or abs(value) < 2**63 else str(value)


def has_point(value: object) -> TypeGuard[float | Decimal]:
    """Tell whether a value is of a type of numbers that may have a fraction."""
    return isinstance(value, Decimal) or (isinstance(value, Real) and not isinstance(value, Integral))


def has_fraction(value: float | Decimal) -> bool:
    """Tell whether a number is not whole, as infinity and NaN are not."""
    if isinstance(value, Decimal):
        # The remainder of a decimal has no more digits than its context, which are fewer than Arrow's.
        return not value.is_finite() or value != value.to_integral_value()
    return value % 1 != 0


def json_number(value: Decimal) -> int | float | str:
    """Return a decimal as JSON has numbers; as text where it is none, or has more digits than a float."""
    if not value.is_finite():
        return str(value)
    if not has_fraction(value):
        return int(value)
    number = float(value)
    return number if Decimal(repr(number)) == value else str(value)


def spell(text: str) -> str:
    """Return the one text of the category that a text stands for; empty if it says nothing."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(_UNSEEN))
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
    """Return the text of the category that a JSON scalar stands for."""
    return spell(value if isinstance(value, str) else json.dumps(value))


def with_point(number: str) -> str:
    """Return a number with a decimal comma as Python writes it; in quotes if points part no thousands.

    Blanks may part them, too, as in 1 299,00.
    """
    if _WITH_BLANKS.fullmatch(number.strip()):
        number = _BLANK_AT_THOUSANDS.sub("", number)
    if "." in number and not _WITH_THOUSANDS.fullmatch(number.strip()):
        return f"'{number}'"
    return number.replace(".", "").replace(",", ".")


def number_in(text: str, decimal: str = ".") -> float | None:
    """Return the finite number that a text is; None if it is none. With "," points part thousands."""
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
