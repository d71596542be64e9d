"""Parse times of events as UTC; each value is parsed by itself, independent of its neighbours and chunk."""

from __future__ import annotations

import datetime
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from m2trec_merlin.columns import as_text, to_arrow
from m2trec_merlin.readers.positions import parse_positions

#: Time formats that are counts since 1970, and the nanoseconds of each unit. Days may count from any day;
#: they are read as if it were the first of 1970.
UNIX_UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
DAYS = "days"
COUNTS = {**UNIX_UNITS, DAYS: 86_400 * 10**9}
ISO_8601 = "ISO8601"

#: The format that makes pandas read ISO 8601, and a pattern for the beginning of such texts. Before pandas 2
#: (Merlin's images), ISO 8601 is read without a format, but so are other notations that begin with a day and
#: counts of nanoseconds, which the pattern excludes.
_ISO_8601, _BEGINS = (
    (ISO_8601, r"\d") if int(pd.__version__.split(".")[0]) >= 2 else (None, r"\d{4}(?!\d{5})")
)

#: Dates after the readable years, which tables use for "no end".
_WITHOUT_END = r"^\s*(?:226[2-9]|22[7-9]\d|2[3-9]\d\d|[3-9]\d{3})-\d{2}-\d{2}(?:\D.*)?$"

_NO_TIME = np.iinfo(np.int64).min
#: Digits of each part of a time, in formats without separators.
_WIDTHS = {"Y": 4, "y": 2, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "j": 3}
_COMMA = r"(?<=:\d{2}),(?=\d)"
#: Names of time zones that can be read.
_UTC = r"(?<![A-Za-z])(?:UTC|GMT|Z)(?![A-Za-z])"
_ZONE = r"(?<=\d) ?(?:UTC|GMT|z)$| Z$"
#: The name of a zone after its offset, as Java writes it.
_NAMED_BESIDE_OFFSET = r"([Zz]|[+-]\d{2}:\d{2})\[[\w/+-]+\]$"
#: More characters than any time has; `_OFFSET` takes quadratic time, so it sees no longer texts.
_LONGEST_TIME = 50
#: A time of day with an offset from UTC.
_OFFSET = r"[Tt ].*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$"


def fault_of_format(time_format: str) -> str | None:
    """Return what is wrong with a time format, or None."""
    if time_format in (ISO_8601, *COUNTS):
        return None
    if "%" not in time_format:
        return f"expected {', '.join(COUNTS)}, {ISO_8601} or a strptime format, such as %d/%m/%Y %H:%M:%S"
    try:
        pd.to_datetime(pd.Series(["x"]), format=time_format, errors="coerce")
    except (ValueError, re.error) as error:
        return f"is no strptime format: {error}"
    parts = set(re.findall("%(.)", time_format))
    if "p" in parts and "I" not in parts:
        return "%p (AM or PM) counts beside %I alone: write %I for the hour"
    if "I" in parts and "p" not in parts:
        return (
            "%I is one of 12 hours, before or after noon: write %H if it is one of 24, or add %p (AM or PM)"
        )
    return None


def require_format(time_format: str) -> str:
    """Return the time format if times can be read with it.

    Raises:
        ValueError: they cannot; the message says why.
    """
    if fault := fault_of_format(time_format):
        raise ValueError(fault)
    return time_format


def parse_timestamps(values: pd.Series, time_format: str = ISO_8601) -> pd.Series:
    """Return times as naive UTC in microseconds, as canonical tables hold them; see `parse_instants`."""
    return to_microseconds(parse_instants(values, time_format))


def to_microseconds(instants: pd.Series) -> pd.Series:
    """Round nanoseconds to microseconds; nanoseconds computed from floats are inexact, so this rounds."""
    nanoseconds = instants.to_numpy().view(np.int64)
    microseconds = nanoseconds // 1000 + (nanoseconds % 1000 >= 500)
    microseconds[nanoseconds == _NO_TIME] = _NO_TIME
    return pd.Series(microseconds.view("datetime64[us]"), instants.index, name=instants.name)


def parse_instants(values: pd.Series, time_format: str = ISO_8601) -> pd.Series:
    """Return times as naive UTC in nanoseconds, the precision in which events are ordered.

    NaT where a value is missing, cannot be read, or is outside of the years 1678 to 2261.

    Args:
        values: dates, times, text, or counts since 1970. A time without an offset is UTC.
        time_format: "ISO8601", a strptime format, or one of `COUNTS`.
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        # pd.to_datetime would first look for repeated times, with a Python object for each.
        return _naive(values)
    found = np.full(len(values), np.datetime64("NaT", "ns"))
    is_time = _are_times(values)
    if is_time.any():
        found[is_time] = _naive(pd.to_datetime(values[is_time].astype(object), utc=True, errors="coerce"))
    rest = values[~is_time]
    if time_format in COUNTS:
        found[~is_time] = _from_counts(parse_positions(rest), COUNTS[time_format])
    else:
        found[~is_time] = _from_texts(rest, time_format)
    return pd.Series(found, values.index, name=values.name)


def without_end(values: pd.Series) -> np.ndarray:
    """Tell which values are dates of the years 2262 to 9999, which mean that there is no end, bool [n].

    Args:
        values: dates, times, or texts in ISO 8601.
    """
    return values.astype(str).str.contains(_WITHOUT_END).to_numpy(bool)


def have_offsets(texts: pd.Series) -> np.ndarray:
    """Tell which texts are times with an offset from UTC, bool [n]."""
    found: np.ndarray = texts.str.slice(-_LONGEST_TIME).str.contains(_OFFSET).to_numpy(bool)
    return found


def _from_texts(values: pd.Series, time_format: str) -> np.ndarray:
    """Parse texts, or numbers by their digits, as datetime64[ns]; white space at the ends is ignored."""
    texts = as_text(values).to_pandas() if pd.api.types.is_numeric_dtype(values) else _trimmed(values)
    groups = [np.ones(len(texts), bool)]
    if time_format == ISO_8601:
        written = texts.astype(str)
        if (named := written.str.contains("[", regex=False)).any():
            written = written.str.replace(_NAMED_BESIDE_OFFSET, r"\1", regex=True)
            texts = texts.where(~named, written)
        if (with_comma := written.str.contains(",", regex=False)).any():
            # ISO 8601 allows a decimal comma, which pandas cannot read.
            written = written.str.replace(_COMMA, ".", regex=True)
            texts = texts.where(~with_comma, written)
        if (with_zone := written.str.contains(_ZONE)).any():
            # BigQuery writes " UTC", and some programs a small z or a blank before Z.
            written = written.str.replace(_ZONE, "Z", regex=True)
            texts = texts.where(~with_zone, written)
        texts = texts.where(written.str.match(_BEGINS))  # "now" would be read as the present
        # pandas gives a time without an offset that of the time above it (pandas-dev/pandas#61389).
        has_offset = have_offsets(written)
        groups = [has_offset, ~has_offset]
    if re.fullmatch("(%[YymdHMSj])+", time_format.strip()):
        # Numbers have lost leading zeros: 1112024 is the 1st of November, and would be read as January.
        width = sum(_WIDTHS[part] for part in re.findall("%(.)", time_format))
        written = texts.astype(str)
        padded = written.str.zfill(width)
        texts = texts.where(~(written.str.isdecimal() & (written != padded)), padded)
    if "%Z" in time_format:
        # Other names of zones are ambiguous, and zones with summer time fail where an hour occurs twice.
        texts = texts.where(texts.astype(str).str.contains(_UTC))
    found = np.full(len(texts), np.datetime64("NaT", "ns"))
    read_by = _ISO_8601 if time_format == ISO_8601 else time_format.strip()
    for group in groups:
        if group.any():
            times = pd.to_datetime(texts[group], format=read_by, utc=True, errors="coerce")
            found[group] = _naive(times)
    return found


def _trimmed(values: pd.Series) -> pd.Series:
    """Strip white space from texts; other values stay as they are. Returns objects."""
    if pd.api.types.infer_dtype(values, skipna=True) == "string":
        held = to_arrow(values).cast(pa.string())
        trimmed = pc.utf8_trim_whitespace(held)
        # Columns rarely have such white space, and new objects cost more than this comparison.
        if not trimmed.equals(held):
            return trimmed.to_pandas().astype(object)
    return values.astype(object)


def _are_times(values: pd.Series) -> np.ndarray:
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind in ("string", "integer", "floating", "decimal", "empty"):
        return np.zeros(len(values), bool)
    return np.array([isinstance(value, datetime.date | np.datetime64) for value in values], bool)


def _naive(times: pd.Series) -> pd.Series:
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        # `times.dt` and the series reference each other, so chunks would pile up until garbage collection.
        times = pd.Series(pd.DatetimeIndex(times).tz_convert(None), times.index, name=times.name)
    in_range = (times >= pd.Timestamp.min) & (times <= pd.Timestamp.max)
    return times.where(in_range).astype("datetime64[ns]")


def _from_counts(counts: pd.Series, nanoseconds: int) -> np.ndarray:
    """Convert counts of a unit of `nanoseconds` to datetime64[ns]."""
    farthest = np.iinfo(np.int64).max // nanoseconds
    if counts.dtype == object:
        exact = [
            None if pd.isna(count) or abs(count) > farthest else round(count * nanoseconds)
            for count in counts
        ]
        found = np.array([_NO_TIME if time is None else time for time in exact], np.int64)
        return found.view("datetime64[ns]")
    known = counts.notna() & counts.between(-farthest, farthest)
    numbers = counts.where(known, 0).to_numpy(np.float64 if pd.api.types.is_float_dtype(counts) else np.int64)
    whole = (np.floor(numbers) if numbers.dtype.kind == "f" else numbers).astype(np.int64)
    found = whole * nanoseconds + np.rint((numbers - whole) * nanoseconds).astype(np.int64)
    found[~known.to_numpy(bool)] = _NO_TIME
    return found.view("datetime64[ns]")
