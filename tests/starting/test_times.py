from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.starting.look import Column
from m2trec_merlin.starting.times import apart_from, nearly_times, times_of, unread_times

MOMENTS = pd.date_range("2024-01-05 13:45:07", periods=400, freq="11h7min3s")


#: How times are written, and the format that reads them; none is needed for ISO 8601.
WRITINGS = {
    **dict.fromkeys(("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d", "%Y/%m/%d")),
    **{
        same: same
        for same in (
            *("%d.%m.%Y %H:%M:%S", "%d.%m.%Y", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p"),
            *("%d %b %Y %H:%M", "%b %d, %Y", "%d.%m.%y %H:%M", "%Y%m%d", "%Y%m%d%H%M%S"),
            *("%Y%m%d%H", "%y%m%d%H%M"),
            *("%d-%m-%y %H:%M", "%m-%d-%y %H:%M", "%y/%m/%d", "%y.%m.%d %H:%M:%S"),
        )
    },
    "%a, %d %b %Y %H:%M:%S GMT": "%a, %d %b %Y %H:%M:%S %Z",
    "%Y-%m-%d %H:%M:%S,000": None,
    "%d/%b/%Y:%H:%M:%S +0000": "%d/%b/%Y:%H:%M:%S %z",
    "%Y-%m-%d %H:%M:%S UTC": None,
    "%a %b %d %H:%M:%S %Y": "%a %b %d %H:%M:%S %Y",
    "%a %b %d %H:%M:%S +0000 %Y": "%a %b %d %H:%M:%S %z %Y",
}


@pytest.mark.parametrize(("written", "time_format"), WRITINGS.items())
def test_usual_writings_of_times(written: str, time_format: str | None) -> None:
    found = times_of(Column("t", pd.Series(MOMENTS.strftime(written))))
    assert found is not None and (found.time_format, found.other_format) == (time_format, None)
    expected = pd.to_datetime(MOMENTS.strftime(written), format=written, utc=True).tz_localize(None)
    assert (found.times.to_numpy() == expected.to_numpy()).all()


@pytest.mark.parametrize(
    "time_format",
    ["%m/%d/%Y %H:%M", "%m/%d/%y %H:%M", "%d.%m.%Y %H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %I:%M %p"],
)
def test_numbers_of_one_digit_may_stand_first(time_format: str) -> None:
    """As spreadsheets write days, months and hours."""
    moments = MOMENTS.floor("min") - pd.Timedelta(5, "h")
    written = pd.Series(moments.strftime(time_format)).str.replace(r"(?<!\d|:)0(?=\d)", "", regex=True)
    assert " 8:45" in written[0]
    found = times_of(Column("t", written))
    assert found is not None and (found.times.to_numpy() == moments.to_numpy()).all()


@pytest.mark.parametrize("text", ["2024-01-05 945", "20240105 94507"])
def test_hours_and_minutes_that_run_together_are_no_guess(text: str) -> None:
    assert times_of(Column("t", pd.Series([text] * 30))) is None


@pytest.mark.parametrize(("unit", "scale"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
@pytest.mark.parametrize("as_text", [True, False])
def test_counts_since_1970(unit: str, scale: int, as_text: bool) -> None:
    seconds = MOMENTS.astype("int64") // 10**9
    values = pd.Series(seconds * scale, dtype="Int64")
    found = times_of(Column("t", values.astype(str) if as_text else values))
    assert found is not None and found.time_format == unit
    assert (found.times.to_numpy() == MOMENTS.to_numpy()).all()


@pytest.mark.parametrize(
    ("name", "days", "are_days"),
    [
        ("DAY", range(1, 400), True),
        ("day_of_sale", range(0, 800, 7), True),
        ("Tag", range(1, 33), True),
        ("day", range(1, 32), False),
        ("birthday", range(1, 400), False),
        ("days", range(1, 400), False),
        ("day_of_year", range(1, 366), False),
        ("day_since_first", range(1, 400), False),
        ("day", range(45_000, 45_400), False),
        ("week", range(1, 400), False),
    ],
    ids=[
        "numbered",
        "gaps",
        "in German",
        "of a month",
        "another word",
        "a span",
        "of a year",
        "since a day",
        "of a spreadsheet",
        "weeks",
    ],
)
def test_days_that_are_counted(name: str, days: range, are_days: bool) -> None:
    found = times_of(Column(name, pd.Series([str(day) for day in days])))
    assert (found is not None and found.time_format == "days") == are_days
    if found is not None:
        assert found.are_days and found.times.diff().dropna().unique() == [pd.Timedelta(days.step, "D")]


@pytest.mark.parametrize("order", [1, -1])
def test_days_and_months_that_could_be_exchanged_are_told(order: int) -> None:
    early = pd.date_range("2024-01-01", "2024-01-12", freq="7h")[::order]
    for written, other in (("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"), ("%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M")):
        found = times_of(Column("t", pd.Series(early.strftime(written))))
        # Twelve days are likelier than twelve months.
        assert found is not None and found.time_format == written and found.other_format == other


def test_typed_times_need_no_format() -> None:
    for values in (pd.Series(MOMENTS), pd.Series(MOMENTS.tz_localize("Europe/Berlin"))):
        found = times_of(Column("t", values))
        assert found is not None and found.time_format is None
    dates = pd.Series([day.date() for day in MOMENTS], dtype=object)
    assert (found := times_of(Column("t", dates))) is not None and found.are_days


def test_durations_and_times_of_day_are_no_times() -> None:
    assert times_of(Column("t", pd.Series(pd.to_timedelta([1, 2], unit="h")))) is None
    assert times_of(Column("t", pd.Series([moment.time() for moment in MOMENTS]))) is None


@pytest.mark.parametrize(
    "values",
    [
        ["red", "blue"],
        ["1", "2", "3"],
        ["2019", "2020", "2021"],
        ["4006381333931", "0012345678905"],
        ["12.50", "3.99"],
        ["1.2.3", "4.5.6"],
        [None, None],
        ["12 oz", "3 lb"],
        ["A-2024-01", "B-2024-02"],
    ],
)
def test_what_is_no_time(values: list[str | None]) -> None:
    assert times_of(Column("t", pd.Series(values, dtype=object))) is None


def test_one_damaged_time_among_many_hides_nothing() -> None:
    values = pd.Series(MOMENTS.strftime("%d.%m.%Y %H:%M"))
    values[123] = "gestern"
    found = times_of(Column("t", values))
    assert found is not None and found.time_format == "%d.%m.%Y %H:%M"
    assert np.flatnonzero(found.times.isna()).tolist() == [123]


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ([], ""),
        (["01.03.2024"] * 10, "'at' holds times, but 50 % are written otherwise: '01.03.2024'"),
        (["soon"] * 40, ""),
    ],
)
def test_times_that_are_not_all_written_alike_are_told(others: list[str], told: str) -> None:
    values = pd.Series([f"2024-03-01 10:{minute:02d}" for minute in range(10)] + others)
    assert nearly_times(Column("at", values)) == told
    assert (times_of(Column("at", values)) is None) is bool(others)


@pytest.mark.parametrize(("unit", "scale"), [("s", 1), ("ms", 1000)])
def test_counts_that_are_all_still_to_come_are_no_times(unit: str, scale: int) -> None:
    hours = int(pd.Timestamp.now("UTC").timestamp()) + 3600 * np.arange(50)
    ahead = Column("time", pd.Series((hours + 30 * 86_400) * scale))
    assert times_of(ahead) is None
    assert "".join(unread_times([ahead])).endswith("write dates, or set data.options.time_format")
    # A few times may be wrong, which the data step tells.
    found = times_of(Column("time", pd.Series(hours * scale)))
    assert found is not None and found.time_format == unit


def test_numbers_are_no_times_in_another_writing() -> None:
    assert nearly_times(Column("day", pd.Series(["2024", "2025", "7", "12"] * 9))) == ""


@pytest.mark.parametrize("clock", ["10:30", "9:05:00.250", "10:30 PM"])
def test_times_of_day_beside_days_are_told(clock: str) -> None:
    days, moments = (
        times_of(Column("day", pd.Series([f"2024-03-0{n % 9 + 1}{rest}" for n in range(30)])))
        for rest in ("", " 10:30")
    )
    assert days is not None and moments is not None
    beside = [Column("n", pd.Series(["7"] * 30)), Column("clock", pd.Series([clock] * 30))]
    assert apart_from(days, beside).startswith("'clock' holds times of day, and 'day' days: write both into")
    assert apart_from(days, beside[:1]) == apart_from(moments, beside) == ""


#: Times of a day in digits, and as many numbers that are none.
HOURS = [n % 24 for n in range(400)]
MINUTES = [n * 7 % 24 * 100 + n * 11 % 60 for n in range(400)]


@pytest.mark.parametrize(
    ("name", "values", "are_clocks"),
    [
        ("hour", HOURS, True),
        ("order_hour_of_day", [f"{hour:02d}" for hour in HOURS], True),
        ("Uhrzeit", HOURS, True),
        ("Erfassungsstunde", [None if hour < 3 else hour for hour in HOURS], True),
        ("TRANS_TIME", MINUTES, True),
        ("time", [f"{minute:04d}" for minute in MINUTES], True),
        ("ERZET", [f"{minute:04d}59" for minute in MINUTES], True),
        ("saleTime", [f"{minute:04d}59" for minute in MINUTES], True),
        ("delivery_time", HOURS, False),
        ("hours", HOURS, False),
        ("hourly_rate", HOURS, False),
        ("hour", [hour + 7 for hour in HOURS], False),
        ("happy_hour", [0, 1] * 200, False),
        ("watch_time", range(400), False),
        ("prep_time", [n % 60 for n in range(400)], False),
        ("quantity", HOURS, False),
        ("time_to_ship_hr", HOURS, False),
        ("time_on_page", MINUTES, False),
        ("hour", [None] * 400, False),
    ],
)
def test_times_of_day_in_digits_beside_days_are_told(name: str, values: list[Any], are_clocks: bool) -> None:
    days = times_of(Column("day", pd.Series([f"2024-03-0{n % 9 + 1}" for n in range(400)])))
    assert days is not None
    told = apart_from(days, [Column(name, pd.Series(values))])
    assert told.startswith(f"'{name}' holds times of day, and 'day' days: ") if are_clocks else told == ""


def test_the_hour_of_the_same_event_goes_with_its_date() -> None:
    days = times_of(Column("order_date", pd.Series([f"2024-03-0{n % 9 + 1}" for n in range(400)])))
    assert days is not None
    hours = [Column(name, pd.Series(HOURS)) for name in ("delivery_hour", "orderHour")]
    assert apart_from(days, hours).startswith("'orderHour' holds times of day")
    assert apart_from(days, hours[:1]).startswith("'delivery_hour' holds times of day")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            ["45352.33", "45352.9"],
            "'at' is called like a time, and '45352.33' is not read as one: are these days",
        ),
        (
            ["Q1/2024", "Q2/2024"],
            "'at' is called like a time, and 'Q1/2024' is not read as one: data.options.",
        ),
        (
            [str(day) for day in [*range(1, 400), 1]],
            "'at' is called like a time, and '1' is not read as one: write dates, or set",
        ),
        ([f"{hour}" for hour in range(24)] * 9, ""),
        (["7", "12"], ""),
        (["08", "23"], ""),
        (["morning", "noon"], ""),
    ],
)
def test_columns_called_like_times_that_are_not_read_are_told(values: list[str], told: str) -> None:
    column = Column("at", pd.Series(values))
    assert times_of(column) is None
    said = "".join(unread_times([column]))
    assert said.startswith(told) and bool(said) is bool(told)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([1_711_643_016 + n for n in range(50)] + [1_711_643_016_000], "some count s and some ms since 1970"),
        ([20_240_301_032_399 + n for n in range(50)], "write dates, or set data.options.time_format"),
        ([100 + n for n in range(50)], "days if they count days"),
    ],
)
def test_what_is_advised_fits_the_size_of_the_numbers(values: list[int], what: str) -> None:
    (said,) = unread_times([Column("time", pd.Series(values))])
    assert said.endswith(what) or what in said
    assert ("days if they count days" in said) == (values[0] == 100)
