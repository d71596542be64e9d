from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.data.validation import check_items, validate
from m2trec_merlin.readers import Origin
from m2trec_merlin.readers.problems import ProblemLog
from tests.worlds.tables import ATTRIBUTES, MakeConfig, problems_of


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_valid_tables_are_counted(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, suffix: str
) -> None:
    config = make_config(events, items, suffix)
    data = validate(config.data.open(0), config)
    assert (data.sessions, data.events, data.short_sessions) == (3, 8, 1)
    assert data.items["item_id"].tolist() == [10, 20, 30, 40] and data.items["price"].dtype == "float64"


def test_everything_at_once(make_config: MakeConfig) -> None:
    items = pd.DataFrame({"item_id": [10, 20, 20, None], "title": "x", "price": [1, 2, "cheap", 4]})
    events = pd.DataFrame(
        {
            "session_id": ["a", "a", None, "b", "b"],
            "item_id": [10, 99, 20, None, 98],
            "when": ["2020-01-01", "2020-01-02", "2020-01-02", "soon", "2020-02-30"],
        }
    )
    config = make_config(events, items, columns={"order": "when"}, split={"kind": "hash"})
    text = "\n".join(problems_of(config))
    folder = config.data.items.parent if config.data.items else Path()
    where_items, where = f"{folder / 'items.csv'}", f"{folder / 'interactions.csv'}"
    assert (
        f"{where_items}: no column 'category', which attribute 'category' reads; "
        "there are item_id, title, price" in text
    )
    assert f"{where_items}, column 'item_id': is missing in 1 row: row 4" in text
    assert f"{where_items}, column 'item_id': repeats the id of an earlier row in 1 row: row 3 (" in text
    assert (
        f"{where_items}, column 'price': is not a finite number (attribute 'price') in 1 row: row 3 ('cheap')"
        in text
    )
    assert f"{where}, column 'session_id': is missing in 1 row: row 3" in text
    left_out = "leave these events out with data.options.drop_unknown_items: true"
    assert f"{where}, column 'item_id': is missing in 1 row: row 4; {left_out}" in text
    assert (
        f"{where}, column 'item_id': names an item that has no row in {where_items} in 2 rows: "
        "row 2 ('99.0'), row 5 ('98.0'); add the items, or leave these events out "
        "with data.options.drop_unknown_items: true" in text
    )
    assert (
        f"{where}, column 'when': is not a timestamp (ISO8601) in 2 rows: "
        "row 4 ('soon'), row 5 ('2020-02-30')" in text
    )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_wrong_column_names_do_not_hide_otherproblems_of(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, suffix: str
) -> None:
    events.loc[2, "item_id"] = 77
    config = make_config(
        events.rename(columns={"session_id": "Session_Id", "position": "rank"}),
        items.rename(columns={"title": "tilte"}),
        suffix,
        columns={"order": "position"},
    )
    text = "\n".join(problems_of(config))
    assert "no column 'title', which attribute 'title' reads; there are item_id, tilte" in text
    assert "did you mean 'tilte'?" in text
    assert "no column 'session_id', which data.columns" in text and "did you mean 'Session_Id'?" in text
    assert "no column 'position'" in text and "there are Session_Id, item_id, rank" in text
    assert "in 1 row: row 3" in text


def test_missing_item_id_columns(make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame) -> None:
    config = make_config(events, items, columns={"item_id": "sku", "order": "position"})
    problems = problems_of(config)
    assert len(problems) == 2 and all("no column 'sku'" in p and "item_id" in p for p in problems)


def test_ids_that_a_decimal_cannot_hold_are_refused(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    for largest, refused in ((2.0**53 - 1, False), (2.0**53, True), (2.0**63, True)):
        events["session_id"] = [largest, *range(1, len(events))]
        problems = problems_of(make_config(events, items, "parquet", chunk_sessions=1))
        told = f"column 'session_id': may have lost digits in 1 row: row 1 ({largest})"
        assert any(told in problem for problem in problems) == refused, problems


@pytest.mark.parametrize(
    ("attribute", "values", "message"),
    [
        (
            {"kind": "vector", "size": 2},
            [[1, 2], [1], None, [0, 0]],
            "is not of length 2 (attribute 'a') in 1",
        ),
        (
            {"kind": "vector", "size": 1},
            ["x", "y", "z", "w"],
            "is not a list of numbers (attribute 'a') in 4",
        ),
        (
            {"kind": "vector", "size": 1},
            [[1], [float("nan")], [2], [3]],
            "not finite numbers (attribute 'a') in 1",
        ),
        (
            {"kind": "text"},
            [["a"], None, ["b"], None],
            "is a list, not a single value (attribute 'a') in 2 rows",
        ),
        (
            {"kind": "numeric"},
            ["1", "2", "x", None],
            "is not a finite number (attribute 'a') in 1 row: row 3 ('x')",
        ),
        (
            {"kind": "numeric"},
            ["1", "12,50", "x", None],
            "(attribute 'a') in 2 rows: row 2 ('12,50'), row 3 ('x'); decimal: ',' reads commas",
        ),
        (
            {"kind": "numeric"},
            ["899", "1,299", "2,450.00", None],
            "in 2 rows: row 2 ('1,299'), row 3 ('2,450.00'); write thousands without commas",
        ),
        (
            {"kind": "numeric"},
            ["899", "1,299", "2,45", None],
            "in 2 rows: row 2 ('1,299'), row 3 ('2,45'); decimal: ',' reads commas",
        ),
        (
            {"kind": "numeric"},
            [1.0, float("inf"), 2.0, None],
            "is not a finite number (attribute 'a') in 1 row",
        ),
        (
            {"kind": "numeric"},
            [1.5, 1.797e308, None, -1e39],
            "is beyond the numbers of float32 (3.4e38) (attribute 'a') in 2 rows: row 2 (1.797e+308), row 4",
        ),
        (
            {"kind": "numeric"},
            pd.to_datetime(["2024-01-02", None, None, "2024-01-03"]),
            "in 2 rows: row 1 (Timestamp('2024-01-02 00:00:00')), row 4 (Timestamp(",
        ),
        (
            {"kind": "numeric"},
            pd.to_timedelta([1, None, None, 2], unit="h"),
            "column 'a': holds duration[",
        ),
        (
            {"kind": "vector", "size": 2},
            [[1.0, 1e39], [1.0, 2.0], None, None],
            "not finite numbers (attribute 'a') in 1 row: row 1",
        ),
        ({"kind": "numeric"}, [[1], [2], None, None], "is a list, not a number (attribute 'a') in 2 rows"),
    ],
)
def test_values_suit_the_kind_of_the_attribute(
    make_config: MakeConfig, events: pd.DataFrame, attribute: dict[str, Any], values: list[Any], message: str
) -> None:
    items = pd.DataFrame({"item_id": [10, 20, 30, 40], "a": values})
    config = make_config(events, items, "parquet", attributes=[{"name": "a", **attribute}])
    (problem,) = problems_of(config)
    assert message in problem


def test_results_must_not_lie_among_the_data(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, tmp_path: Path
) -> None:
    config = make_config(events, items)
    (tmp_path / "shop").mkdir()
    table = config.data.interactions.rename(tmp_path / "shop" / "clicks.csv")
    data = config.data.model_copy(update={"interactions": table.parent})
    (problem,) = problems_of(
        config.model_copy(update={"data": data, "work_dir": table.parent / "runs" / "shop"})
    )
    assert "would be read as interactions the next time: set work_dir" in problem
    for elsewhere in ("shopping", "shop/_runs"):  # which is passed over
        validate(data.open(0), config.model_copy(update={"data": data, "work_dir": tmp_path / elsewhere}))


def test_the_title_column_must_exist(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    config = make_config(events, items)
    config = config.model_copy(
        update={"serving": config.serving.model_copy(update={"title_column": "titel"})}
    )
    (problem,) = problems_of(config)
    assert "no column 'titel', which serving.title_column names" in problem and "mean 'title'" in problem


def test_a_list_is_no_title() -> None:
    items = pd.DataFrame({"item_id": [1, 2, 3], "picture": [[0.5, 1.0], None, np.array([1.0, 2.0])]})
    log = ProblemLog(Origin("items.parquet", {}))
    check_items(items, log, [], "picture")
    assert log.messages() == [
        "items.parquet, column 'picture': is a list, and so no title (serving.title_column) in 2 rows: "
        "row 1 ([0.5, 1.0]), row 3 (array([1., 2.]))"
    ]


def test_fractional_ids_are_refused(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    items["item_id"] = items["item_id"].astype(float)
    items.loc[1, "item_id"] = 20.5
    problems = problems_of(make_config(events, items, "parquet"))
    assert any("column 'item_id': is no whole number in 1 row: row 2 (20.5)" in p for p in problems)


@pytest.mark.parametrize(
    ("attribute", "values", "message"),
    [
        (
            {"kind": "vector", "size": 2},
            [[1, 2], ["x", 2], (3, 4), np.array([1.0, np.inf])],
            "not finite numbers (attribute 'a') in 2 rows: row 2 (['x', 2])",
        ),
        (
            {"kind": "vector", "size": 2},
            [[True, False], ["1", "2.5"], [pd.Timestamp("2024-01-01")] * 2, [1, 2]],
            "not finite numbers (attribute 'a') in 2 rows: row 1 ([True, False]), row 3",
        ),
        (
            {"kind": "vector", "size": 2},
            [[1, 2], "x", [None, 2], [1, 2]],
            "not finite numbers (attribute 'a') in 1 row: row 3",
        ),
        (
            {"kind": "vector", "size": 2},
            [[1, 2], [1, 2, np.nan], None, []],
            "is not of length 2 (attribute 'a') in 2 rows: row 2 (3), row 4 (0)",
        ),
        (
            {"kind": "categorical"},
            ["x", 5, ["b"], (1,)],
            "is a list, not a single value (attribute 'a') in 2 rows: row 3",
        ),
    ],
)
def test_columns_of_several_types_are_looked_at_value_by_value(
    attribute: dict, values: list, message: str
) -> None:
    log = ProblemLog(Origin("items", {}))
    items = pd.DataFrame({"item_id": range(4), "a": pd.Series(values, dtype=object)})
    check_items(items, log, [parse_attribute(name="a", **attribute)])
    assert any(message in problem for problem in log.messages()), log.messages()


def test_columns_that_nobody_reads_do_not_matter(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    config = make_config(events, items, "parquet")
    plain = validate(config.data.open(0), config).items
    table = pa.Table.from_pandas(items.set_index("item_id"))
    table = table.append_column("map", pa.array([[("a", 1)]] * 4, pa.map_(pa.string(), pa.int64())))
    table = table.append_column("bytes", pa.array([b"\xff"] * 4)).append_column("map", pa.nulls(4))
    pq.write_table(table, config.data.items)
    pd.testing.assert_frame_equal(validate(config.data.open(0), config).items, plain)


def test_bytes_are_texts_in_every_column(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    events["split"] = ["train"] * 5 + ["test"] * 4
    as_bytes = [
        table.assign(**{name: table[name].astype(str).str.encode("utf-8") for name in names})
        for table, names in (
            (events, ["session_id", "item_id", "split"]),
            (items, ["item_id", "title", "category"]),
        )
    ]
    settings: dict[str, Any] = {
        "columns": {"order": "position", "split": "split"},
        "split": {"kind": "column"},
    }
    config = make_config(*as_bytes, "parquet", **settings)
    data = validate(config.data.open(0), config)
    assert data.items["item_id"].tolist() == ["10", "20", "30", "40"]
    assert data.items["title"].tolist() == items["title"].tolist() and data.sessions == 3


@pytest.mark.parametrize(
    ("kind", "values", "wrong"),
    [
        ("multi_categorical", ["['red', 'cheap']", "[]", None, "red"], 2),
        ("multi_categorical", ['["red"]', "red|cheap", None, "[sale]"], 1),
        ("multi_categorical", ["[1 2]", "[3]", "", "[]"], 4),
        ("multi_categorical", ["[red, cheap]", "[red]", None, None], 2),
        ("multi_categorical", ["{red,cheap}", "{red}", None, "{}"], 3),
        ("multi_categorical", ["('red',)", "x", "y", "z"], 1),
        ("multi_categorical", ["[sale]", "[new]", "[sale]|[new]", None], 0),
        ("multi_categorical", ["(red, cheap)", "[new, hot]", "red", None], 0),
        ("categorical", ["['red']", "['red', 'cheap']", "[]", None], 3),
        ("categorical", ["['red']", "red", "[]", None], 0),
        ("text", ['["red wine", "dry"]', "[]", None, None], 2),
        ("text", ["[Live] at home", "['Til now']", "home", None], 0),
        ("sentence", ["['a']", "['b']", "['c']", "['d']"], 4),
    ],
)
def test_lists_that_are_written_as_text_are_refused(kind: str, values: list[Any], wrong: int) -> None:
    log = ProblemLog(Origin("items", {}))
    items = pd.DataFrame({"item_id": range(4), "a": pd.Series(values, dtype=object)})
    check_items(items, log, [parse_attribute(name="a", kind=kind)])
    text = "".join(log.messages())
    assert (f"is a list written as text (attribute 'a') in {wrong} row" in text) == bool(wrong), text
    assert ("use Parquet, which has lists, or kind multi_categorical" in text) == bool(wrong)


def test_words_for_a_missing_value_of_an_attribute_are_told(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    items["category"], items["title"] = ["NULL", "null", "NULL", None], ["Nan bread", "nan", "", "None"]
    attributes = [*ATTRIBUTES, {"name": "again", "kind": "multi_categorical", "column": "category"}]
    config = make_config(events, items, attributes=attributes)
    notices = validate(config.data.open(0), config).notices
    assert [notice.partition(", which")[0] for notice in notices] == [
        f"items.csv, column '{column}': {items_have} '{word}'"
        for items_have, word, column in (
            ("1 item has", "nan", "title"), ("1 item has", "None", "title"),
            ("2 items have", "NULL", "category"), ("1 item has", "null", "category"),
        )
    ]  # fmt: skip
