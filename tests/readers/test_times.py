from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.readers.times import parse_instants, parse_timestamps, without_end

EAST = datetime.timezone(datetime.timedelta(hours=2))


def test_pandas_gives_a_time_without_an_offset_that_of_the_one_above() -> None:
    """Upstream: pandas-dev/pandas#61389. Where this fails, `parse_instants` need not group texts."""
    texts = pd.Series(["2024-01-05T03:00-05:00", "2024-01-05T08:00"])
    wrong = pd.to_datetime(texts, format="ISO8601", utc=True)
    assert wrong[1] == pd.Timestamp("2024-01-05 13:00", tz="UTC")


@pytest.mark.parametrize(
    ("value", "time_format", "expected"),
    [
        ("2017-01-02", "ISO8601", "2017-01-02"),
        ("2017-01-02T03:04:05+01:00", "ISO8601", "2017-01-02 02:04:05"),
        ("2017-01-02 03:04:05,250", "ISO8601", "2017-01-02 03:04:05.250"),
        ("2017-01-02T03:04:05,25+01:00", "ISO8601", "2017-01-02 02:04:05.250"),
        ("2017-01-02, 03:04", "ISO8601", None),
        ("2017-01-02 03:04:05 UTC", "ISO8601", "2017-01-02 03:04:05"),
        ("2017-01-02 03:04:05.25 UTC", "ISO8601", "2017-01-02 03:04:05.250"),
        ("2017-01-02T03:04GMT", "ISO8601", "2017-01-02 03:04"),
        (" 2017-01-02 03:04:05 UTC\t", "ISO8601", "2017-01-02 03:04:05"),
        ("2017-01-02T03:04:05z", "ISO8601", "2017-01-02 03:04:05"),
        ("2017-01-02 03:04:05 CET", "ISO8601", None),
        ("2017-01-02T03:04:05+01:00[Europe/Berlin]", "ISO8601", "2017-01-02 02:04:05"),
        ("2017-01-02T03:04:05.5Z[UTC]", "ISO8601", "2017-01-02 03:04:05.500"),
        ("2017-01-02T03:04:05[Europe/Berlin]", "ISO8601", None),
        ("2017,01,02", "ISO8601", None),
        (datetime.date(2017, 1, 2), "ISO8601", "2017-01-02"),
        (pd.Timestamp("2017-01-02", tz="UTC"), "ISO8601", "2017-01-02"),
        ("02.01.2017", "%d.%m.%Y", "2017-01-02"),
        ("  02.01.2017", "%d.%m.%Y", "2017-01-02"),
        (" 02.01.2017", " %d.%m.%Y", "2017-01-02"),
        ("1483315200", "s", "2017-01-02"),
        (1483315200000, "ms", "2017-01-02"),
        ("365", "days", "1971-01-01"),
        (17168.5, "days", "2017-01-02 12:00"),
        ("2017-13-02", "ISO8601", None),
        ("yesterday", "s", None),
        (None, "ISO8601", None),
    ],
)
def test_timestamps(value: object, time_format: str, expected: str | None) -> None:
    parsed = parse_timestamps(pd.Series([value]), time_format)
    assert parsed.dtype == "datetime64[us]"
    assert parsed[0] == pd.Timestamp(expected) if expected else pd.isna(parsed[0])


def test_times_with_a_zone_become_utc() -> None:
    times = pd.Series(pd.to_datetime(["2024-06-01 12:00", None])).dt.tz_localize("Europe/Berlin")
    parsed = parse_timestamps(times)
    assert parsed.dtype == "datetime64[us]"
    assert parsed[0] == pd.Timestamp("2024-06-01 10:00") and pd.isna(parsed[1])


def test_one_bad_timestamp_does_not_spoil_the_others() -> None:
    parsed = parse_timestamps(pd.Series(["2017-01-01", "x", "2017-01-01 10:00:00"]))
    assert parsed.isna().tolist() == [False, True, False]


#: Values of one column, and each one's time by itself.
MIXED = [
    ("2024-01-05T03:01:00-05:00", "2024-01-05 08:01"),
    ("2024-01-05T08:02:00", "2024-01-05 08:02"),
    ("2024-01-05 08:03:00Z", "2024-01-05 08:03"),
    ("2024-01-05", "2024-01-05"),
    ("2024-01-05 10:04:00.5+02:00", "2024-01-05 08:04:00.5"),
    ("2024-01-05 08:05:00.123456789", "2024-01-05 08:05:00.123456789"),
    ("20240105T080600", "2024-01-05 08:06"),
    ("2024-01-05 10:07+0200", "2024-01-05 08:07"),
    ("2024-01-05T10:08+02", "2024-01-05 08:08"),
    ("1969-12-31 23:59:59.999999999", "1969-12-31 23:59:59.999999999"),
    (datetime.datetime(2024, 1, 5, 10, 9, tzinfo=EAST), "2024-01-05 08:09"),
    (datetime.datetime(2024, 1, 5, 8, 10), "2024-01-05 08:10"),
    (datetime.date(2024, 1, 5), "2024-01-05"),
    (pd.Timestamp("2024-01-05 08:11"), "2024-01-05 08:11"),
    (pd.Timestamp("2024-01-05 10:12", tz="Europe/Berlin"), "2024-01-05 09:12"),
    (np.datetime64("2024-01-05T08:13"), "2024-01-05 08:13"),
    ("1600-01-01", None),
    ("3000-01-01", None),
    (datetime.date(3000, 1, 1), None),
    (datetime.datetime(1600, 1, 1), None),
    *(("now", None), ("today", None), ("yesterday", None), ("", None), (None, None), (True, None)),
    *((1704441600, None), (b"2024-01-05", None), ([1], None), (datetime.time(8), None)),
]


@pytest.mark.parametrize("seed", range(5))
def test_each_time_is_read_by_itself_in_any_company(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(MIXED))
    # Row numbers may repeat where files are joined.
    values = pd.Series([MIXED[i][0] for i in order], index=order // 2, dtype=object)
    parsed = parse_instants(values)
    assert parsed.index.tolist() == values.index.tolist() and parsed.dtype == "datetime64[ns]"
    for i, time in zip(order, parsed, strict=True):
        expected = MIXED[i][1]
        assert pd.isna(time) if expected is None else time == pd.Timestamp(expected), MIXED[i]
    # The same values in other chunks are the same times.
    halves = [parse_instants(values[:7]), parse_instants(values[7:])]
    pd.testing.assert_series_equal(pd.concat(halves), parsed)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("write", [int, str, Decimal, np.int64, lambda n: f"{n}.0"])
def test_whole_unix_times_keep_every_digit(unit: str, write) -> None:
    count = pd.Timestamp("2024-01-05 08:01:02").value // pd.Timedelta(1, unit).value + 1
    for counts in ([count, count + 1, -count], [count + 1, count, 0]):
        values = pd.Series([write(n) for n in counts], dtype=object)
        expected = [n * pd.Timedelta(1, unit).value for n in counts]
        assert parse_instants(values, unit).to_numpy().view(np.int64).tolist() == expected
    typed = parse_instants(pd.Series([count, None], dtype="Int64"), unit)
    assert typed[0].value == count * pd.Timedelta(1, unit).value and pd.isna(typed[1])


def test_fractions_of_unix_times_are_those_that_are_written() -> None:
    texts = ["1433221332.117", "1433221332.1170001", "-0.5", "1433221332.117000002", "1433221332"]
    nanoseconds = [
        1433221332117000000,
        1433221332117000100,
        -500000000,
        1433221332117000002,
        1433221332000000000,
    ]
    assert parse_instants(pd.Series(texts), "s").to_numpy().view(np.int64).tolist() == nanoseconds
    alone = [parse_instants(pd.Series([text]), "s").to_numpy().view(np.int64)[0] for text in texts]
    # A short text goes through a float alone, which is a tenth of a microsecond off at most.
    assert np.abs(np.array(alone) - nanoseconds).max() < 150
    stored = parse_timestamps(pd.Series([1433221332.117, 1700000000.123456]), "s")
    assert stored.tolist() == [
        pd.Timestamp("2015-06-02 05:02:12.117"),
        pd.Timestamp("2023-11-14 22:13:20.123456"),
    ]


@pytest.mark.parametrize(
    "values", [[1e300, 1], ["9" * 30, "1"], [2**70, 1], pd.array([2**62, 1], dtype="Int64"), [-1e12, 1]]
)
def test_counts_beyond_all_years_are_no_times(values) -> None:
    assert parse_instants(pd.Series(values), "s").isna().tolist() == [True, False]


@pytest.mark.parametrize("kind", ["datetime64[s]", "datetime64[ms]", "datetime64[us]"])
def test_typed_times_beyond_nanoseconds_are_no_times(kind: str) -> None:
    times = pd.Series(np.array(["3000-01-01", "1600-01-01", "2024-01-05", "NaT"], kind))
    assert parse_instants(times).isna().tolist() == [True, True, False, True]
    assert parse_timestamps(times)[2] == pd.Timestamp("2024-01-05")


@pytest.mark.parametrize(
    ("value", "ends"),
    [
        ("9999-12-31", False),
        (" 9999-12-31T23:59:59Z ", False),
        (datetime.date(9999, 12, 31), False),
        (np.datetime64("2262-04-12", "us"), False),
        ("2261-12-31", True),
        ("9999-12-311", True),
        ("99999-12-31", True),
        ("soon", True),
        (None, True),
    ],
)
def test_dates_beyond_those_that_can_be_read_are_without_end(value: object, ends: bool) -> None:
    assert without_end(pd.Series([value])).tolist() == [not ends]


def test_durations_are_no_times() -> None:
    assert parse_instants(pd.Series([pd.Timedelta("1h")])).isna().all()


@pytest.mark.parametrize(
    ("texts", "time_format", "expected"),
    [
        (["05.01.2024 10:00+0200", "05.01.2024 08:00Z"], "%d.%m.%Y %H:%M%z", ["2024-01-05 08:00"] * 2),
        (["05.01.2024 08:00Z", "05.01.2024 10:00+0200"], "%d.%m.%Y %H:%M%z", ["2024-01-05 08:00"] * 2),
        ([20240105, 20240106], "%Y%m%d", ["2024-01-05", "2024-01-06"]),
        ([20240105.0, 20240106.0], "%Y%m%d", ["2024-01-05", "2024-01-06"]),
        ([1112024, 11112024], "%d%m%Y", ["2024-11-01", "2024-11-11"]),
        (["1112024", "01112024"], "%m%d%Y", ["2024-01-11", "2024-01-11"]),
        ([501240930.0], "%d%m%y%H%M", ["2024-01-05 09:30"]),
    ],
)
def test_other_formats(texts: list[object], time_format: str, expected: list[str]) -> None:
    assert parse_instants(pd.Series(texts), time_format).tolist() == [pd.Timestamp(t) for t in expected]


def test_columns_hold_the_nearest_microsecond() -> None:
    times = pd.Series(["2024-01-05 00:00:00.0000015", "2024-01-05 00:00:00.0000014", None])
    assert parse_timestamps(times).tolist()[:2] == [
        pd.Timestamp("2024-01-05 00:00:00.000002"),
        pd.Timestamp("2024-01-05 00:00:00.000001"),
    ]
    assert parse_timestamps(times).isna()[2]


def test_names_of_zones_that_may_mean_several_are_not_read() -> None:
    """CET has summer time to pandas, which fails where an hour comes twice."""
    written = pd.Series(["2024-10-27 02:05:53 CET", "2024-10-27 02:05:53 UTC", "2024-10-27 02:05:53 GMT"])
    found = parse_timestamps(written, "%Y-%m-%d %H:%M:%S %Z")
    assert found.isna().tolist() == [True, False, False]
    assert found[1] == found[2] == pd.Timestamp("2024-10-27 02:05:53")
