from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.config import TrainingConfig
from m2trec_merlin.data.validation import validate
from tests.worlds.tables import ATTRIBUTES, MakeConfig, problems_of


def test_only_the_first_offending_rows_are_shown_over_all_chunks(
    make_config: MakeConfig, items: pd.DataFrame
) -> None:
    events = pd.DataFrame({"session_id": [n // 2 for n in range(40)], "item_id": [10, 55] * 20})
    one, many = (
        problems_of(make_config(events, items, chunk_sessions=chunk_sessions)) for chunk_sessions in (1000, 1)
    )
    assert one == many
    (problem,) = one
    assert (
        "in 20 rows: row 2 ('55'), row 4 ('55'), row 6 ('55'), row 8 ('55'), row 10 ('55'), ...;" in problem
    )


def test_positions_must_be_numbers(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    events["position"] = ["1", "2", "third", "1", None, "1", "2", "3", "1"]
    (problem,) = problems_of(make_config(events, items))
    assert problem.endswith(
        "column 'position': is not a position (a number) in 2 rows: row 3 ('third'), row 5"
    )


def test_no_session_is_long_enough(make_config: MakeConfig, items: pd.DataFrame) -> None:
    events = pd.DataFrame({"session_id": [1, 2, 3], "item_id": [10, 20, 30]})
    (problem,) = problems_of(make_config(events, items))
    assert "no session is left: all 3 have fewer than 2 events (data.min_session_length)" in problem


def test_split_columns_are_checked(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    events["part"] = ["train", "train", "test", "test", "test", "dev", "dev", "dev", None]
    columns = {"order": "position", "split": "part"}
    first, second = problems_of(make_config(events, items, columns=columns, split={"kind": "column"}))
    assert "column 'part': is none of train, valid, test in 4 rows: row 6 ('dev')" in first
    assert "column 'part': is not the split of its session's first event in 1 row: row 3 ('test')" in second
    assert second.endswith("to hold out its last events, set data.split.kind: leave_one_out")


def test_splits_that_the_data_cannot_have(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    (problem,) = problems_of(make_config(events, items, split={"kind": "time"}))
    assert "split.kind 'time' needs a timestamp" in problem and "data.options.time_format" in problem
    recent = TrainingConfig(recency=1.0)
    (problem,) = problems_of(make_config(events, items).model_copy(update={"training": recent}))
    assert "training.recency needs a timestamp" in problem and problem.endswith("or leave it out")
    events["session_id"] = "s" + events["session_id"].astype(str)
    (problem,) = problems_of(make_config(events, items))
    assert "is not a whole number, as split.kind 'modulus' needs in 9 rows: row 1 ('s1')" in problem


def test_a_table_whose_rows_are_all_left_out_says_why(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    events["item_id"] = "0" + events["item_id"].astype(str)
    (problem,) = problems_of(make_config(events, items, options={"drop_unknown_items": True}))
    assert problem.endswith(
        "interactions.csv: no event is left; all 9 events left out: their items are not in items.csv, "
        "such as 020 (the items have '20', which differs from '020' by leading zeros or a fraction)"
    )
    events["item_id"] = None
    (problem,) = problems_of(make_config(events, items, options={"drop_unknown_items": True}))
    assert problem.endswith("interactions.csv: no event is left; all 9 events left out: they name no item")


def test_sessions_that_what_is_left_out_made_short_say_so(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    events.loc[1:, "item_id"] = 99
    (problem,) = problems_of(make_config(events, items, options={"drop_unknown_items": True}))
    assert "no session is left: all 1 have fewer than 2 events (data.min_session_length); 8 events" in problem


@pytest.mark.parametrize("column", ["session_id", "item_id", "position", "part"])
@pytest.mark.parametrize("value", [[1], {"x": 1}])
def test_lists_and_structures_are_neither_ids_nor_order_nor_split(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, column: str, value: Any
) -> None:
    events = events.assign(part="train").assign(**{column: [value] * len(events)})
    columns = {"order": "position", "split": "part"}
    config = make_config(events, items, "parquet", columns=columns, split={"kind": "column"})
    (problem,) = problems_of(config)
    assert f"interactions.parquet, column '{column}': holds " in problem
    assert problem.endswith("; expected numbers, text or times")


def test_numbers_that_name_no_split(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    events["part"] = pd.array([1, None, 2] * 3, dtype="Int64")
    columns = {"order": "position", "split": "part"}
    (problem,) = problems_of(make_config(events, items, "parquet", columns=columns, split={"kind": "column"}))
    assert "column 'part': is none of train, valid, test in 9 rows: row 1 (1), row 2, row 3 (2)" in problem
    assert problem.endswith("splits are called so, in small letters")


def test_ids_that_are_written_otherwise_in_the_other_table_are_named(
    make_config: MakeConfig, items: pd.DataFrame
) -> None:
    events = pd.DataFrame({"session_id": [1, 1], "item_id": ["10 ", "20"]})
    (problem,) = problems_of(make_config(events, items))
    near = "the items have '10', which differs from '10 ' by white space at its ends: write both alike"
    assert problem.endswith(f"in 1 row: row 1 ('10 '); {near}")


def test_ids_with_what_nobody_sees_are_told(make_config: MakeConfig) -> None:
    events = pd.DataFrame({"session_id": ["s1", "s1 "] * 2, "item_id": ["10 ", "x"] * 2})
    items = pd.DataFrame({"item_id": ["10 ", "x"], "title": "a", "category": "b", "price": 1})
    config = make_config(events, items, split={"kind": "hash"})
    notices = validate(config.data.open(0), config).notices
    assert [notice.partition(" have ")[0] for notice in notices] == [
        "items.csv, column 'item_id': ids such as '10 '",
        "column 'session_id': ids such as 's1 '",
    ]


def test_a_word_for_a_missing_session_is_told(make_config: MakeConfig, items: pd.DataFrame) -> None:
    ids = ["NULL", "NULL", "1", "1", "\\N", "\\N", "Nullable", "Nullable"]
    events = pd.DataFrame({"session_id": ids, "item_id": [10, 20] * 4})
    config = make_config(events, items, split={"kind": "hash"})
    data = validate(config.data.open(0), config)
    assert [notice.partition(",")[0] for notice in data.notices] == [
        "2 events have 'NULL' in column 'session_id'",
        "2 events have '\\N' in column 'session_id'",
    ]


@pytest.mark.parametrize(("word", "told"), [("nan", 1), ("(not set)", 1), ("naan", 0)])
def test_a_word_for_a_missing_item_is_told_once(make_config: MakeConfig, word: str, told: int) -> None:
    events = pd.DataFrame({"session_id": [1, 1, 2, 2], "item_id": ["10", word, word, "10"]})
    items = pd.DataFrame({"item_id": ["10", word], "title": "a", "category": "b", "price": 1})
    config = make_config(events, items, chunk_sessions=1)
    notices = validate(config.data.open(0), config).notices
    told_of = f"items.csv, column 'item_id': ids such as '{word}' are words for a missing value"
    assert [notice.partition(": are")[0] for notice in notices] == [told_of] * told


@pytest.mark.parametrize(("unit", "told"), [("s", 0), ("ms", 1), ("us", 1)])
def test_times_that_are_taken_for_another_unit_are_told(
    make_config: MakeConfig, items: pd.DataFrame, unit: str, told: int
) -> None:
    events = pd.DataFrame({"session_id": [1, 1], "item_id": [10, 20], "time": [1_709_280_000, 1_709_280_005]})
    config = make_config(events, items, columns={"order": "time"}, options={"time_format": unit})
    notices = validate(config.data.open(0), config).notices
    assert len(notices) == told and all(f"is time_format '{unit}' right?" in notice for notice in notices)


def test_times_without_a_year_are_told(make_config: MakeConfig, items: pd.DataFrame) -> None:
    events = pd.DataFrame(
        {"session_id": [1, 1], "item_id": [10, 20], "time": ["31.12. 23:59", "01.01. 00:01"]}
    )
    config = make_config(events, items, columns={"order": "time"}, options={"time_format": "%d.%m. %H:%M"})
    assert "the last one 1900-12-31 23:59:00" in validate(config.data.open(0), config).notices[0]


@pytest.mark.parametrize(
    ("times", "time_format", "told"),
    [
        ([1_709_280_000_000, 1_709_280_005], "ms", "1970-01-20 18:48:00.005000: are they in another unit?"),
        (["2024-03-01", "1900-01-01"], "ISO8601", "1900-01-01 00:00:00: do they stand for none?"),
        (["2024-03-01", "2199-12-31"], "ISO8601", "2199-12-31 00:00:00: do they stand for none?"),
        (["1984-03-01", "1985-12-31"], "ISO8601", ""),
        (["2198-03-01", "2199-12-31"], "ISO8601", "all times are still to come, the first one 2198-03-01"),
    ],
)
def test_single_times_at_which_nothing_happened_are_told(
    make_config: MakeConfig, items: pd.DataFrame, times: list, time_format: str, told: str
) -> None:
    events = pd.DataFrame({"session_id": [1, 1], "item_id": [10, 20], "time": times})
    config = make_config(events, items, columns={"order": "time"}, options={"time_format": time_format})
    odd = "" if told.startswith("all") else "1 of 2 times are before 1990 or still to come, such as "
    notices = validate(config.data.open(0), config).notices
    assert [notice.partition(" 00:00:00: are they right")[0] for notice in notices] == (
        [odd + told] if told else []
    )


@pytest.mark.parametrize(("days", "told"), [(7, []), (8, ["1 of 2 sessions last longer than 7 days"])])
@pytest.mark.parametrize("chunk_sessions", [1, 100])
def test_sessions_that_last_longer_than_a_visit_are_told(
    make_config: MakeConfig, items: pd.DataFrame, days: int, told: list[str], chunk_sessions: int
) -> None:
    times = pd.to_datetime(["2024-03-01", "2024-03-20", "2024-03-01", "2024-03-20"])
    times += pd.to_timedelta([days, 0, 0, 1], "D")
    events = pd.DataFrame({"session_id": [1, 2, 1, 2], "item_id": [10, 20, 10, 30], "time": times})
    config = make_config(events, items, columns={"order": "time"}, chunk_sessions=chunk_sessions)
    notices = validate(config.data.open(0), config).notices
    assert [notice.partition(":")[0] for notice in notices] == told


BACKWARDS = "the latest events come first in the file, and 40 of 80 have the time of another one"


@pytest.mark.parametrize(
    ("turned", "ties", "told"), [(True, True, [BACKWARDS]), (True, False, []), (False, True, [])]
)
@pytest.mark.parametrize("cut", [False, True])
def test_a_file_that_runs_backwards_is_told_where_it_orders_events(
    make_config: MakeConfig, items: pd.DataFrame, turned: bool, ties: bool, told: list[str], cut: bool
) -> None:
    times = pd.Timestamp("2024-03-01 09:30") + pd.to_timedelta(np.arange(80) // (2 if ties else 1), "h")
    table = pd.DataFrame({"session_id": np.arange(80) // 2, "item_id": [10, 20] * 40, "time": times})
    table = table.iloc[::-1] if turned else table
    by_user = {"sessions": {"user": "session_id", "gap": "2 h"}} if cut else {}
    config = make_config(table, items, columns={"order": "time"}, split={"kind": "hash"}, **by_user)
    notices = validate(config.data.open(0), config).notices
    assert [notice.partition(" in their session")[0] for notice in notices] == told


@pytest.mark.parametrize(
    ("days", "unit", "told"), [(4, "7min", ["4 of 40"]), (0, "7min", []), (4, "1h", []), (40, "7min", [])]
)
def test_days_among_times_are_told(
    make_config: MakeConfig, items: pd.DataFrame, days: int, unit: str, told: list[str]
) -> None:
    times = pd.Series(pd.date_range("2024-03-01 09:00", periods=40, freq=unit))
    times[:days] = times[:days].dt.normalize()
    table = pd.DataFrame({"session_id": np.arange(40) // 2, "item_id": [10, 20] * 20, "time": times})
    config = make_config(table, items, columns={"order": "time"}, split={"kind": "hash"})
    notices = validate(config.data.open(0), config).notices
    assert [notice.partition(" times are midnights")[0] for notice in notices] == told


def test_times_in_another_format_name_the_setting(make_config: MakeConfig, items: pd.DataFrame) -> None:
    events = pd.DataFrame({"session_id": [1, 1], "item_id": [10, 20], "time": ["13/01/2024", "14/01/2024"]})
    (problem,) = problems_of(make_config(events, items, columns={"order": "time"}))
    assert "data.options.time_format says how times are written" in problem


def test_a_header_between_the_rows_is_called_so(make_config: MakeConfig, items: pd.DataFrame) -> None:
    events = pd.DataFrame({"session_id": ["1", "1", "session_id"], "item_id": ["10", "20", "item_id"]})
    (problem,) = problems_of(make_config(events, items, split={"kind": "hash"}))
    assert problem.endswith("row 3 ('item_id'); the header stands between the rows: remove it there")
    texts = [attribute for attribute in ATTRIBUTES if attribute["name"] != "price"]
    twice = pd.concat([items.astype({"item_id": str}), pd.DataFrame([{c: c for c in items}])])
    found = problems_of(
        make_config(events, twice.drop(columns="price"), split={"kind": "hash"}, attributes=texts)
    )
    assert [problem.split(": ", 1)[1] for problem in found] == [
        f"is the name of its column in 1 row: row {row} ('item_id'); "
        "the header stands between the rows: remove it there"
        for row in (5, 3)
    ], "it is no item, although the events name it"


def test_a_time_that_is_missing_is_not_said_to_be_written_otherwise(
    make_config: MakeConfig, items: pd.DataFrame
) -> None:
    events = pd.DataFrame({"session_id": [1, 1], "item_id": [10, 20], "time": ["2024-01-01", None]})
    (problem,) = problems_of(make_config(events, items, columns={"order": "time"}))
    assert "column 'time': is missing in 1 row: row 2; each event needs one: where only the first" in problem


@pytest.mark.parametrize(("unit", "told"), [(None, "7 of 14 e"), ("s", "7 of 14 e"), ("D", "2 of 2 s")])
def test_what_is_there_twice_is_told(
    make_config: MakeConfig, items: pd.DataFrame, unit: str | None, told: str
) -> None:
    once = pd.DataFrame({"s": [1, 1, 1, 2, 2, 2, 2], "item_id": [10, 10, 20, 10, 20, 20, 30]})
    once["t"] = pd.Series([0, 0, 1, 0, 0, 0, 1] if unit == "D" else range(1, 8))
    if unit:
        once["t"] = pd.Timestamp("2024-03-01") + pd.to_timedelta(once["t"], unit)
    for events, notices in ((once, []), (pd.concat([once, once]), [told])):
        config = make_config(events, items, columns={"session_id": "s", "order": "t"})
        found = validate(config.data.open(0), config).notices
        assert [n[: len(told)] for n in found] == notices
        assert all(("with item, session and 't'" in n) is (unit != "D") for n in found)


@pytest.mark.parametrize(
    ("column", "unit", "rounded"),
    [("session_id", "ms", "1.70928E+12"), ("time", "ms", "1.70928E+12"), ("time", "s", "1.70928e+09")],
)
def test_what_a_program_rounded_is_refused(
    make_config: MakeConfig, items: pd.DataFrame, column: str, unit: str, rounded: str
) -> None:
    time = int(float(rounded))
    events = pd.DataFrame({"session_id": ["s1", "s1"], "item_id": [10, 20], "time": [time] * 2})
    events[column] = [rounded, rounded]
    options, by_hash = {"time_format": unit}, {"kind": "hash"}
    config = make_config(events, items, columns={"order": "time"}, options=options, split=by_hash)
    (problem,) = problems_of(config)
    assert f"column '{column}': may have lost digits in 2 rows: row 1 ('{rounded}')" in problem


def test_items_whose_ids_a_spreadsheet_rounded_are_refused(
    make_config: MakeConfig, items: pd.DataFrame
) -> None:
    items["item_id"] = ["4.00638E+12", "8.71142E+12", "5.00012E+12", "1"]
    events = pd.DataFrame({"session_id": [1, 1], "item_id": ["1", "1"]})
    (problem,) = problems_of(make_config(events, items))
    assert "column 'item_id': may have lost digits in 3 rows: row 1 ('4.00638E+12')" in problem


@pytest.mark.parametrize("chunk_sessions", [2, 100])
def test_ids_that_are_nearly_the_same_are_told_of_both_tables(
    make_config: MakeConfig, chunk_sessions: int
) -> None:
    events = pd.DataFrame({"session_id": ["s1", "S1"] * 2, "item_id": ["x", "X"] * 2})
    items = pd.DataFrame({"item_id": ["x", "X"], "title": "a", "category": "b", "price": 1})
    config = make_config(events, items, split={"kind": "hash"}, chunk_sessions=chunk_sessions)
    notices = validate(config.data.open(0), config).notices
    assert [notice.partition("; ")[0] for notice in notices] == [
        "items.csv, column 'item_id': 'x' and 'X' are two ids",
        "column 'session_id': 's1' and 'S1' are two ids",
    ]


@pytest.mark.parametrize("chunk_sessions", [1, 100])
def test_a_table_that_is_there_twice_is_told_without_an_order_too(
    make_config: MakeConfig, items: pd.DataFrame, chunk_sessions: int
) -> None:
    once = pd.DataFrame({"session_id": [1, 1, 2, 2, 2, 3, 4, 4], "item_id": [10, 20, 10, 10, 30, 40, 10, 10]})
    told = []
    for events in (once, pd.concat([once, once]), pd.concat([once, once, once[:2]])):
        config = make_config(events, items, chunk_sessions=chunk_sessions, columns={})
        told.append([n.partition(" events")[0] for n in validate(config.data.open(0), config).notices])
    # The third session has two events only, and the fourth one item.
    assert told == [[], ["2 of 3 sessions of 4"], ["1 of 3 sessions of 4"]]


def test_an_attribute_that_no_item_has_is_told(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    config = make_config(events, items.assign(category=None))
    assert validate(config.data.open(0), config).notices == [
        "items.csv, column 'category': holds no value for any item"
    ]


def test_ids_may_be_what_a_numbered_column_is_called(make_config: MakeConfig) -> None:
    events = pd.DataFrame({"0": [1, 1, 2], "1": [1, 2, 1]})
    items = pd.DataFrame({"1": [1, 2], "title": "a", "category": "b", "price": 1})
    config = make_config(events, items, columns={"session_id": "0", "item_id": "1"})
    assert validate(config.data.open(0), config).events == 2
