"""Since when items are listed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.column_names import LISTED
from m2trec_merlin.data.validation import validate
from tests.worlds.tables import MakeConfig, problems_of

#: Of the four items: a day, a moment of another zone, blank, nothing.
DATES = ["2020-03-01", "2020-03-02T01:00:00+01:00", " ", None]
READ = np.array(["2020-03-01", "2020-03-02", "NaT", "NaT"], "datetime64[us]")


@pytest.fixture
def timed(events: pd.DataFrame) -> pd.DataFrame:
    return events.assign(when=pd.Timestamp("2020-03-01") + pd.to_timedelta(events["position"], "h"))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_dates_are_kept_as_times(
    make_config: MakeConfig, timed: pd.DataFrame, items: pd.DataFrame, suffix: str
) -> None:
    items = items.assign(released=DATES)
    config = make_config(timed, items, suffix, columns={"order": "when"}, listed={"column": "released"})
    found = validate(config.open_source(), config).items
    np.testing.assert_array_equal(found[LISTED].to_numpy(), READ)
    assert found["price"].tolist()[:2] == [1.5, 2.0]


def test_a_column_may_be_an_attribute_as_well(
    make_config: MakeConfig, timed: pd.DataFrame, items: pd.DataFrame
) -> None:
    items = items.assign(price=[18_322, 18_323, None, 18_324])
    listed = {"column": "price", "time_format": "days"}
    config = make_config(timed, items, columns={"order": "when"}, listed=listed)
    found = validate(config.open_source(), config).items
    assert found["price"].tolist()[:2] == [18_322, 18_323]
    assert found[LISTED][0] == pd.Timestamp("2020-03-01") and found[LISTED].isna()[2]


def test_what_cannot_be_read_is_named(
    make_config: MakeConfig, timed: pd.DataFrame, items: pd.DataFrame
) -> None:
    items = items.assign(released=["2020-03-01", "spring", "31.12.2020", None])
    config = make_config(timed, items, columns={"order": "when"}, listed={"column": "released"})
    [problem] = problems_of(config)
    assert "items.csv, column 'released': cannot be read as a time (data.listed) in 2 rows" in problem
    assert "row 2 ('spring')" in problem and problem.endswith(
        "the years 1678 to 2261 can be read, and an empty field is no date"
    )
    config = make_config(timed, items, columns={"order": "when"}, listed={"column": "relaesed"})
    [problem] = problems_of(config)
    assert "no column 'relaesed', which data.listed names" in problem and "released" in problem


@pytest.mark.parametrize(("time_format", "is_odd"), [("ms", True), ("s", False), ("days", False)])
def test_dates_in_another_unit_are_told(
    make_config: MakeConfig, timed: pd.DataFrame, items: pd.DataFrame, time_format: str, is_odd: bool
) -> None:
    numbers = (
        [18_322, 18_323, None, 18_324] if time_format == "days" else [1_583_020_800, 1_583_107_200, None, 9e8]
    )
    listed = {"column": "released", "time_format": time_format}
    config = make_config(timed, items.assign(released=numbers), columns={"order": "when"}, listed=listed)
    notices = [each for each in validate(config.open_source(), config).notices if "released" in each]
    assert [f"is data.listed.time_format '{time_format}' right?" in each for each in notices] == [
        True
    ] * is_odd


def test_without_times_of_events_there_is_nothing_to_compare_with(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    config = make_config(events, items.assign(released=DATES), listed={"column": "released"})
    [problem] = problems_of(config)
    assert "data.listed is compared with the times of events, and there are none" in problem
