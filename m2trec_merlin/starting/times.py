"""How times are written: ISO 8601, counts since 1970, or one of the usual ways of writing dates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import pandas as pd

from m2trec_merlin.readers.times import DAYS, ISO_8601, UNIX_UNITS, parse_timestamps
from m2trec_merlin.shares import percent
from m2trec_merlin.starting.look import Column

#: What numbers have to be to pass for times: from 1990 to 2050, in seconds.
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
#: As C and Twitter write times.
_YEAR_LAST = ("%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S %z %Y", "%a %b %d %H:%M:%S %Z %Y")
#: An hour may be of one digit where it does not run into the minutes.
_HOUR = r"(?:\d{2}|\d(?=[:.]))"
_PARTS = {
    **{"%H": _HOUR, "%I": _HOUR},
    **{"%Y": r"\d{4}", "%d": r"\d{1,2}", "%m": r"\d{1,2}", "%f": r"\d{1,6}", "%p": "[AaPp][Mm]"},
    **{"%a": r"[^\W\d]{2,3}", "%b": r"[^\W\d]{3,4}", "%B": r"[^\W\d]+"},
    **{"%z": r"(?:Z|[+-]\d\d:?\d\d)", "%Z": "[A-Z]{3,4}"},
}
_CLOCK = r"(?i)\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[ap]m)?"
#: What is called like a day from any first one on.
_DAY = r"(?i)^(?!.*(since|ago|until|year|jahr|age(?![a-z]))).*(?<![a-z])(day|tag)(?![a-z])"
#: From the day 0 of spreadsheets.
_DAYS_TO_1970 = 25_569
#: Times as long as by another reading, in which times are hardly meant to be.
_MANY_TIMES = 10
#: Hours, weekdays and days of a month are fewer.
_MOST_OF_A_CALENDAR = 31
#: More days than from any first one that people count from.
_MOST_DAYS = 1_000_000
#: Values tried before a format is tried on all.
_PROBES = 20
#: Damaged values that a column of times may hold; the data step reports them.
_DAMAGED = 0.01
#: An hour, a day of the month: 08.
_PART_OF_A_TIME = r"\d{1,2}"
#: Share of values that are times where the others are hardly meant to be something else.
_MOSTLY = 0.3


@dataclass(frozen=True)
class Times:
    """A column of times.

    Attributes:
        column: its name.
        time_format: for `data.options`; None: none is needed.
        times: of the kept rows, datetime64; NaT where there is none.
        other_format: a format that reads all values, too, as other times.
    """

    column: str
    time_format: str | None
    times: pd.Series
    other_format: str | None = None

    @property
    def are_days(self) -> bool:
        """Whether times are dates only."""
        known = self.times.dropna()
        return bool((known == known.dt.normalize()).all())


def times_of(column: Column) -> Times | None:
    """Return the times that a column holds; None if it holds something else."""
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
    """Say that times of day stand in a column beside that of days; nothing if none does."""
    for column in columns if days.are_days else ():
        if column.share(_CLOCK) >= 1 - _DAMAGED and len(column.texts):
            return (
                f"'{column.name}' holds times of day, and '{days.column}' days: write both into one column, "
                "such as 2024-03-01 10:30:00, or events of a day are in no order"
            )
    return ""


def unread_times(columns: Iterable[Column]) -> Iterator[str]:
    """Say of columns that are called like times that they hold none that can be read."""
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
            elif units := _several_units(days):
                how = f"some count {' and some '.join(units)} since 1970: write all in one unit"
            elif days.max() > _MOST_DAYS:
                how = "write dates, or set data.options.time_format"
            elif column.whole_numbers is not None and column.distinct > _MOST_OF_A_CALENDAR:
                how = "write dates, or set data.options.time_format: days if they count days"
            else:
                continue
        yield f"'{column.name}' is called like a time, and {column.examples(1)} is not read as one: {how}"


def nearly_times(column: Column) -> str:
    """Say what keeps a column from being one of times, most of which can be read; nothing if it is none."""
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
    if column.numbers is None:
        return None
    return next((unit for unit, are_times in _in_units(column.numbers) if are_times.all()), None)


def _several_units(numbers: np.ndarray) -> list[str]:
    """Return the units of which each number is a time by one; nothing if one is none."""
    found = [(unit, are_times) for unit, are_times in _in_units(numbers) if are_times.any()]
    return [unit for unit, _ in found] if np.sum([are for _, are in found], axis=0).all() else []


def _in_units(numbers: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the units of Unix time, and which numbers are times in them."""
    for number, unit in enumerate(UNIX_UNITS):
        scale = 1000.0**number
        yield unit, (numbers >= _EARLIEST * scale) & (numbers <= _LATEST * scale)


def _counts_days(column: Column) -> bool:
    """Tell whether a column is called like a day, and holds so many that they are none of a month or a week.

    Days, and those since something, are spans. Those of spreadsheets are dates, and more.
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
    # Where days and months can be exchanged, a log is most likely in order of time, or at least short.
    best = max(read, key=lambda found: (_in_order(found.times), -_span(found.times)))
    others = [o.time_format for o in read if not o.times.equals(best.times) and not _is_far_fetched(o, best)]
    return Times(best.column, best.time_format, best.times, others[0] if others else None)


def _is_far_fetched(other: Times, best: Times) -> bool:
    """Tell whether another reading only takes days for years: one day of a month, over decades."""
    return "%y" in (other.time_format or "") and _span(other.times) > _MANY_TIMES * (_span(best.times) + 1)


def _formats_like(text: str) -> list[str]:
    """Return the formats that have the shape of a text."""
    found = []
    for date in _DATES:
        if (start := _shape(date).match(text)) is not None:
            found += [date + rest for rest in _AFTER_DATES if _shape(rest).fullmatch(text, start.end())]
    return found + [whole for whole in _YEAR_LAST if _shape(whole).fullmatch(text)]


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
    """Return the share of rows that are not earlier than the row before, in steps of a hundredth."""
    known = times.dropna().to_numpy()
    return round(float((known[1:] >= known[:-1]).mean()), 2) if len(known) > 1 else 1.0


def _span(times: pd.Series) -> float:
    return float((times.max() - times.min()) / pd.Timedelta("1 day"))
