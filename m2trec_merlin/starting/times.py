"""Recognise the format of times: ISO 8601, counts since 1970, or a usual notation of dates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import pandas as pd

from m2trec_merlin.data.time_checks import still_to_come
from m2trec_merlin.readers.times import DAYS, ISO_8601, UNIX_UNITS, parse_timestamps
from m2trec_merlin.shares import percent
from m2trec_merlin.starting.look import Column
from m2trec_merlin.starting.names import speaks_of

#: The range of numbers that may be times: from 1990 to 2050, in seconds.
_EARLIEST, _LATEST = 631_152_000, 2_524_608_000
_DATES = [
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y/%d/%m"),
    *(
        "%Y%m%d",
        "%d.%m.%y",
        "%d/%m/%y",
        "%d-%m-%y",
        "%m/%d/%y",
        "%m-%d-%y",
        "%y-%m-%d",
        "%y/%m/%d",
        "%y.%m.%d",
    ),
    *("%d %b %Y", "%d-%b-%Y", "%d/%b/%Y"),
    *("%b %d, %Y", "%B %d, %Y", "%d %B %Y", "%d-%b-%y", "%a %b %d %Y", "%a, %d %b %Y", "%Y-%m-%d"),
]
_CLOCKS = (
    *("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%H%M%S", "%H%M", "%H.%M.%S"),
)
_AFTER_DATES = ("", *map("".join, product((" ", "T", "", ", ", ":"), _CLOCKS, ("", " %z", "%z", " %Z"))))
#: Notations of C and Twitter, and digits that end with the hour, or begin with two of the year.
_WHOLE = (
    *("%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S %z %Y", "%a %b %d %H:%M:%S %Z %Y"),
    *("%Y%m%d%H", "%y%m%d%H%M"),
)
#: An hour may have one digit if a separator follows.
_HOUR = r"(?:\d{2}|\d(?=[:.]))"
_PARTS = {
    **{"%H": _HOUR, "%I": _HOUR},
    **{"%Y": r"\d{4}", "%d": r"\d{1,2}", "%m": r"\d{1,2}", "%f": r"\d{1,6}", "%p": "[AaPp][Mm]"},
    **{"%a": r"[^\W\d]{2,3}", "%b": r"[^\W\d]{3,4}", "%B": r"[^\W\d]+"},
    **{"%z": r"(?:Z|[+-]\d\d:?\d\d)", "%Z": "[A-Z]{3,4}"},
}
_CLOCK = r"(?i)\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[ap]m)?"
#: Names of columns that count days from any first day.
_DAY = r"(?i)^(?!.*(since|ago|until|year|jahr|age(?![a-z]))).*(?<![a-z])(day|tag)(?![a-z])"
#: Days from the day 0 of spreadsheets to 1970.
_DAYS_TO_1970 = 25_569
#: A reading whose time span is so many times longer than another reading's is far-fetched.
_MANY_TIMES = 10
#: There are at most so many hours, weekdays or days of a month.
_MOST_OF_A_CALENDAR = 31
#: Flags have at most so many values, and an hour has so many minutes.
_YES_OR_NO, _MINUTES = 2, 60
#: More days than anyone counts from a first day.
_MOST_DAYS = 1_000_000
#: Values tried before a format is tried on all values.
_PROBES = 20
#: Share of damaged values that a column of times may hold; the data step reports them.
_DAMAGED = 0.01
#: Sessions are split by more different times than these.
_SPLIT_BY = 20
#: Part of a time, such as an hour or a day of the month: 08.
_PART_OF_A_TIME = r"\d{1,2}"
#: Share of readable times above which the other values are probably damaged times.
_MOSTLY = 0.3


@dataclass(frozen=True, eq=False)
class Times:
    """A column of times.

    Attributes:
        column: name of the column.
        time_format: the setting `data.options.time_format`; None if none is needed.
        times: times of the kept rows, datetime64; NaT where there is none.
        other_format: another format that also reads all values, but as other times.
        rivals: names of other columns that may be meant instead.
    """

    column: str
    time_format: str | None
    times: pd.Series
    other_format: str | None = None
    rivals: tuple[str, ...] = ()

    @property
    def are_days(self) -> bool:
        """Whether all times are dates without a time of day."""
        known = self.times.dropna()
        return bool((known == known.dt.normalize()).all())

    @property
    def can_split(self) -> bool:
        """Whether there are enough different times to tell the last sessions from the first."""
        return bool(self.times.nunique() > _SPLIT_BY)

    @property
    def step(self) -> pd.Timedelta:
        """The longest time in whose multiples all times differ, such as an hour; a day if none differ."""
        known = self.times.dropna().astype("datetime64[us]").astype(np.int64)
        return pd.Timedelta(int(np.gcd.reduce(known - known.min())), "us") or pd.Timedelta("1 day")


def times_of(column: Column) -> Times | None:
    """Return the times that a column holds; None if it does not hold times."""
    if column.is_time and not column.is_moment:
        return None
    if column.is_time:
        times = pd.to_datetime(column.values, errors="coerce", utc=True).dt.tz_localize(None)
        return Times(column.name, None, times) if times.notna().any() else None
    if column.is_list or column.texts.empty:
        return None
    if (unit := _unix_unit(column)) is not None:
        return _read(column, unit)
    if _counts_days(column):
        return _read(column, DAYS)
    probes = column.texts.iloc[np.linspace(0, len(column.texts) - 1, _PROBES).astype(int)]
    if not probes.str.contains(r"\d").all():
        return None
    if column.whole_numbers is None and _are_read(probes, ISO_8601) and _are_read(column.texts, ISO_8601):
        return _read(column, ISO_8601)
    return _in_other_writing(column, probes)


def apart_from(days: Times, columns: Iterable[Column]) -> str:
    """Return a doubt if another column holds the times of day for a column of days; else ""."""
    found = [column.name for column in columns if _holds_clocks(column)] if days.are_days else []
    # An order's hour goes with its date, and not that of the delivery.
    named = [name for name in found if _first_word(name) == _first_word(days.column)] or found
    if not named:
        return ""
    return (
        f"'{named[0]}' holds times of day, and '{days.column}' days: write both into one column, "
        "such as 2024-03-01 10:30:00, or events of a day are in no order"
    )


def _first_word(name: str) -> str:
    return re.split(r"[\W_]|(?<=[a-z])(?=[A-Z])", name)[0].lower()


def _holds_clocks(column: Column) -> bool:
    """Tell whether a column holds times of day: with colons, or in digits under a name of such."""
    if column.share(_CLOCK) >= 1 - _DAMAGED and len(column.texts):
        return True
    if not speaks_of(column.name, "hour", "time") or speaks_of(column.name, "span"):
        return False
    if column.distinct <= _YES_OR_NO:
        return False
    # Whole numbers in a column with gaps are written as 12.0.
    texts = column.texts.str.removesuffix(".0")
    if speaks_of(column.name, "hour") and _are_read(texts, "%H"):
        return True
    # Small numbers may be spans of time; of greater ones, the last two digits go on to 99.
    return column.distinct > _MINUTES and any(_are_read(texts, digits) for digits in ("%H%M", "%H%M%S"))


def unread_times(columns: Iterable[Column]) -> Iterator[str]:
    """Yield a doubt for each of these columns, named like times, whose values cannot be read as times."""
    for column in columns:
        if column.is_list or column.is_time or column.texts.empty or column.share(r".*\d.*") < 1 - _DAMAGED:
            continue
        if column.share(_PART_OF_A_TIME) == 1:
            continue
        how = "data.options.time_format says how times are written"
        if (days := column.numbers) is not None:
            if (
                (days > _EARLIEST / 86_400 + _DAYS_TO_1970) & (days < _LATEST / 86_400 + _DAYS_TO_1970)
            ).all():
                how = "are these days since 1900, as spreadsheets count? Write dates"
            elif len(units := _units(days)) > 1:
                how = f"some count {' and some '.join(units)} since 1970: write all in one unit"
            elif days.max() > _MOST_DAYS:
                how = "write dates, or set data.options.time_format"
            elif column.whole_numbers is not None and column.distinct > _MOST_OF_A_CALENDAR:
                how = "write dates, or set data.options.time_format: days if they count days"
            else:
                continue
        yield f"'{column.name}' is called like a time, and {column.examples(1)} is not read as one: {how}"


def nearly_times(column: Column) -> str:
    """Return a doubt about a column of which many, but not all, values can be read as times; else ""."""
    if column.is_list or column.is_time or column.texts.empty or column.numbers is not None:
        return ""
    formats = (ISO_8601, *_formats_like(column.texts.iloc[0]))
    unread = min(
        (parse_timestamps(column.texts, each).isna() for each in formats), key=lambda each: each.mean()
    )
    if not _DAMAGED < unread.mean() < 1 - _MOSTLY:
        return ""
    example = column.texts[unread.to_numpy()].iloc[0]
    return f"'{column.name}' holds times, but {percent(unread.mean())} are written otherwise: {example!r}"


def _unix_unit(column: Column) -> str | None:
    """Return the unit of Unix time in which all numbers are times, not all of them still to come."""
    if column.numbers is None:
        return None
    units = (unit for unit, are_times in _in_units(column.numbers) if are_times.all())
    # 2024030110 is an hour of 2024, and no second of 2034.
    begun = still_to_come().value
    return next((unit for unit in units if column.numbers.min() * UNIX_UNITS[unit] <= begun), None)


def _units(numbers: pd.Series) -> list[str]:
    """Return the units of Unix time such that each number is a time in one of them; else an empty list."""
    found = [(unit, are_times) for unit, are_times in _in_units(numbers) if are_times.any()]
    return [unit for unit, _ in found] if np.sum([are for _, are in found], axis=0).all() else []


def _in_units(numbers: pd.Series) -> Iterator[tuple[str, pd.Series]]:
    """Yield each unit of Unix time, and a mask of the numbers that are times in it."""
    for number, unit in enumerate(UNIX_UNITS):
        scale = 1000.0**number
        yield unit, (numbers >= _EARLIEST * scale) & (numbers <= _LATEST * scale)


def _counts_days(column: Column) -> bool:
    """Tell whether a column counts days: it is named so, with more values than days of a month.

    Names such as "days since" mean time spans. Greater numbers are dates of spreadsheets.
    """
    days = column.whole_numbers
    return (
        days is not None
        and re.search(_DAY, column.name) is not None
        and column.distinct > _MOST_OF_A_CALENDAR
        and bool(((days >= 0) & (days < _DAYS_TO_1970)).all())
    )


def _in_other_writing(column: Column, probes: pd.Series) -> Times | None:
    fitting = [
        f for f in _formats_like(probes.iloc[0]) if _are_read(probes, f) and _are_read(column.texts, f)
    ]
    if not fitting:
        return None
    read = [_read(column, time_format) for time_format in fitting]
    # If day and month can be exchanged, prefer the reading that is in order of time, or else the shortest.
    best = max(read, key=lambda found: (_in_order(found.times), -_span(found.times)))
    others = [o.time_format for o in read if not o.times.equals(best.times) and not _is_far_fetched(o, best)]
    return Times(best.column, best.time_format, best.times, others[0] if others else None)


def _is_far_fetched(other: Times, best: Times) -> bool:
    """Tell whether another reading takes days for years, so that times spread over decades."""
    return "%y" in (other.time_format or "") and _span(other.times) > _MANY_TIMES * (_span(best.times) + 1)


def _formats_like(text: str) -> list[str]:
    """Return the formats whose pattern matches a text."""
    found = []
    for date in _DATES:
        if (start := _shape(date).match(text)) is not None:
            found += [date + rest for rest in _AFTER_DATES if _shape(rest).fullmatch(text, start.end())]
    return found + [whole for whole in _WHOLE if _shape(whole).fullmatch(text)]


@cache
def _shape(time_format: str) -> re.Pattern[str]:
    parts = re.split(r"(%[A-Za-z])", time_format)
    return re.compile(
        "".join(_PARTS.get(p, r"\d{2}") if p.startswith("%") else re.escape(p) for p in parts), re.ASCII
    )


def _are_read(texts: pd.Series, time_format: str) -> bool:
    return bool(parse_timestamps(texts, time_format).notna().mean() >= 1 - _DAMAGED)


def _read(column: Column, time_format: str) -> Times:
    times = parse_timestamps(column.values, time_format)
    return Times(column.name, None if time_format == ISO_8601 else time_format, times)


def _in_order(times: pd.Series) -> float:
    """Return the share of rows that are not earlier than the previous row, rounded to hundredths."""
    known = times.dropna().to_numpy()
    return round(float((known[1:] >= known[:-1]).mean()), 2) if len(known) > 1 else 1.0


def _span(times: pd.Series) -> float:
    return float((times.max() - times.min()) / pd.Timedelta("1 day"))
