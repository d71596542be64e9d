from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.columns import is_list
from m2trec_merlin.contract.item_format import ItemFormat
from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.files.dialect import Dialect
from m2trec_merlin.readers.files.table_file import TableFile
from m2trec_merlin.serving.catalogue.tables import UNTIL, read_changes, read_ids, read_items

ATTRIBUTE_OF_IDS = {"name": "code", "kind": "text", "column": "sku"}
FORMAT = ItemFormat("sku", ({"name": "title", "kind": "text"},), None, "title", {})


@pytest.mark.parametrize(
    ("columns", "ids"),
    [
        ({"sku": ["A", "B"], "item_id": ["1", "2"]}, ["A", "B"]),
        ({"item_id": ["1", "2"], "sku": ["A", "B"]}, ["A", "B"]),
        ({"item_id": ["1", "2"], "ean": ["A", "B"]}, ["1", "2"]),
    ],
)
def test_ids_are_in_the_column_in_which_the_run_found_them(
    tmp_path: Path, columns: dict[str, list[str]], ids: list[str]
) -> None:
    table = tmp_path / "items.csv"
    pd.DataFrame({**columns, "title": ["red", "blue"]}).to_csv(table, index=False)
    given = read_items(table, FORMAT)
    assert given.ids == ids == read_ids(table, FORMAT)
    assert {item_id: json.loads(raw) for item_id, raw in given.items.items()} == {
        ids[0]: {"title": "red"},
        ids[1]: {"title": "blue"},
    }


def test_who_names_items_may_name_them_twice(tmp_path: Path) -> None:
    table = tmp_path / "recalled.csv"
    table.write_text("sku,order\nB,1\nA,1\nB,2\n12,3\n12.0,4\n")
    assert read_ids(table, replace(FORMAT, whole_ids=False)) == ["B", "A", "12", "12.0"]
    table.write_text("sku,order\n12,3\n7,3\n12.0,4\n")
    assert read_ids(table, replace(FORMAT, whole_ids=True)) == ["12", "7"]
    table.write_text("sku,order\nB,1\n,1\nB,2\n,2\n")
    with pytest.raises(DataError, match="column 'sku': is missing in 2 rows: row 2, row 4"):
        read_ids(table, FORMAT)
    table.write_text("sku,hidden\nB,true\nB,false\n")
    with pytest.raises(DataError, match="repeats the id of an earlier row"):
        read_changes(table, FORMAT)


def test_an_attribute_may_read_the_column_of_ids(tmp_path: Path) -> None:
    table, written = (
        tmp_path / "items.csv",
        replace(FORMAT, attributes=(*FORMAT.attributes, ATTRIBUTE_OF_IDS)),
    )
    table.write_text("sku,title\nA-1,red\n")
    given = read_items(table, written)
    assert given.ids == ["A-1"] and json.loads(given.items["A-1"]) == {"title": "red", "sku": "A-1"}
    table.write_text("sku,hidden\nA-1,yes\n")
    assert read_changes(table, written).availability["A-1"] == {"hidden": True}


def test_items_may_have_names_and_nothing_else(tmp_path: Path) -> None:
    table, by_name = tmp_path / "items.csv", replace(FORMAT, id_column="title")
    table.write_text("title\noat milk\n")
    given = read_items(table, by_name)
    assert given.items.keys() == {"oat milk"} and json.loads(given.items["oat milk"]) == {"title": "oat milk"}
    table.write_text("title,hidden\noat milk,yes\n")
    assert read_items(table, by_name).items.keys() == {"oat milk"}
    hidden = read_changes(table, by_name)
    assert not hidden.items and hidden.availability == {"oat milk": {"hidden": True}}


def test_a_column_of_the_run_that_is_called_hidden_hides_nothing_and_that_is_told(tmp_path: Path) -> None:
    own = {"name": "locked", "kind": "categorical", "column": "hidden"}
    table, written = tmp_path / "items.csv", replace(FORMAT, attributes=(*FORMAT.attributes, own))
    table.write_text("sku,hidden,available_until\nA,1,2030-01-01\n")
    given = read_changes(table, written)
    assert json.loads(given.items["A"]) == {"hidden": "1"} and given.availability["A"].keys() == {UNTIL}
    told = "hidden of this table describes items, as in the run's own, and says nothing of when"
    assert any(told in notice for notice in given.notices)
    table.write_text("sku\nA\n")
    with pytest.raises(DataError, match="those are title, hidden, available_from, available_until; there"):
        read_changes(table, written)


def test_whether_an_item_is_hidden_has_one_spelling(tmp_path: Path) -> None:
    """Programs that write whole numbers with gaps write 1.0, in CSV as in Parquet."""
    table, said = tmp_path / "items.csv", {"A": "1.0", "B": "", "C": "0.0", "D": " TRUE ", "E": "No"}
    table.write_text("sku,hidden\n" + "".join(f"{item},{text}\n" for item, text in said.items()))
    found = read_changes(table, FORMAT).availability
    hidden = {item: each.get("hidden") for item, each in found.items()}
    assert hidden == {"A": True, "B": None, "C": False, "D": True, "E": False}


def test_ids_with_white_space_are_told(tmp_path: Path) -> None:
    table = tmp_path / "items.csv"
    table.write_text("sku,title\n A,red\n")
    (notice,) = read_items(table, FORMAT).notices
    assert "ids such as ' A' have white space at an end" in notice


def test_what_is_told_of_the_table_of_a_run_is_told_of_new_items(tmp_path: Path) -> None:
    table, price = tmp_path / "items.csv", {"name": "price", "kind": "numeric"}
    written = replace(FORMAT, attributes=(*FORMAT.attributes, price))
    rows = [f"A{n},lamp {n},{n % 7 + 1}" for n in range(90)]
    table.write_text("\n".join(["sku,title,price", *rows]))
    assert not read_items(table, written).notices
    table.write_text("\n".join(["sku,title,price", *rows, "B,KÃ¼che grÃ¼n,999999", "C,nan,"]))
    told = read_items(table, written).notices
    assert [notice.partition(",")[0] for notice in told] == ["items.csv"] * len(told)
    for part in ("1 item has 'nan'", "letters that another encoding has damaged", "999999 (of 1) is"):
        assert any(part in notice for notice in told), told
    table.write_text("sku,title,price\nD,old lamp,\n")
    assert not read_items(table, written).notices, "a new item may lack what others have"


@pytest.mark.parametrize(("whole", "ids"), [(True, ["7", "2001"]), (False, ["7.0", "2001"])])
def test_ids_are_whole_numbers_where_those_of_the_run_are(
    tmp_path: Path, whole: bool, ids: list[str]
) -> None:
    table, written = tmp_path / "items.csv", replace(FORMAT, whole_ids=whole)
    table.write_text("sku,title\n7.0,red\n2001,blue\n")
    assert read_items(table, written).ids == ids == read_ids(table, written)
    assert list(read_items(table, written).items) == ids
    table.write_text("sku,title\n7.0,red\n7,blue\n")
    if whole:
        with pytest.raises(DataError, match="repeats the id of an earlier row"):
            read_items(table, written)


VALUES: dict[str, pa.Array] = {
    "float32": pa.array([7.1, None, 2.0], pa.float32()),
    "float16": pa.array(np.array([7.1, 0.5, 2.0], np.float16)),
    "decimal": pa.array([Decimal("7.10"), None, Decimal("2.00")]),
    "date": pa.array([1, None, 20_000], pa.date32()),
    "time": pa.array([1, None, 5], pa.timestamp("ms", "Europe/Berlin")),
    "truth": pa.array([True, None, False]),
    "whole": pa.array([2**60 + 1, None, 3]),
    "text": pa.array(["007", None, "1e5"]),
    "lists of float32": pa.array([[7.1, 2.0], None, []], pa.list_(pa.float32())),
    "lists of texts": pa.array([["a", "b"], None, []]),
}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_values_mean_the_same_as_where_the_run_read_them(tmp_path: Path, values: pa.Array) -> None:
    """As categories, which differ by the least digit."""
    attribute = {"name": "value", "kind": "multi_categorical" if is_list(values.type) else "categorical"}
    written = replace(FORMAT, attributes=(attribute,), title_column=None)
    table = tmp_path / "items.parquet"
    pq.write_table(pa.table({"sku": ["A", "B", "C"], "value": values}), table)
    given = [json.loads(raw).get("value") for raw in read_items(table, written).items.values()]
    kind = parse_attribute(**attribute)
    asked = pd.Series(given, dtype=object, name="value")
    known = kind.canonical(TableFile(table, Dialect()).read(["value"])["value"])
    assert kind.filter_values(asked).to_pylist() == kind.filter_values(known).to_pylist()


def test_columns_that_nobody_reads_are_told_but_no_row_numbers(tmp_path: Path) -> None:
    items = pd.DataFrame({"sku": ["A", "B"], "title": ["red", "blue"], "colour": ["r", "b"]}, index=[7, 3])
    items.to_parquet(tmp_path / "items.parquet")
    assert "__index_level_0__" in pq.read_schema(tmp_path / "items.parquet").names
    (notice,) = read_items(tmp_path / "items.parquet", FORMAT).notices
    assert notice.endswith("not read: colour")


def test_items_that_nothing_describes_are_told(tmp_path: Path) -> None:
    table = tmp_path / "items.csv"
    table.write_text("sku,title,hidden\nA,red,no\nB,,no\nC, ,no\n")
    (notice,) = read_items(table, FORMAT).notices
    assert "nothing describes 'B'" in notice and "'A'" not in notice


def test_one_title_in_brackets_is_no_list(tmp_path: Path) -> None:
    table = tmp_path / "items.csv"
    table.write_text("sku,title\nA,[Limited edition 2024]\n")
    assert json.loads(read_items(table, FORMAT).items["A"]) == {"title": "[Limited edition 2024]"}


def test_a_csv_none_of_whose_columns_is_known_is_told_which_are_wanted(tmp_path: Path) -> None:
    table = tmp_path / "items.csv"
    pd.DataFrame({"code": ["1"], "titel": ["x"]}).to_csv(table, index=False)
    with pytest.raises(DataError, match=r"no column 'sku'.*code, titel"):
        read_items(table, FORMAT)


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"sku;title\nA-1;red\n", 'separated by ";": save it with "," between them'),
        (b"sku,title\nA-1,gr\xfcn\n", "save it as UTF-8: b"),
    ],
)
def test_no_setting_is_hinted_at_that_no_configuration_can_change(
    tmp_path: Path, content: bytes, wanted: str
) -> None:
    table = tmp_path / "items.csv"
    table.write_bytes(content)
    with pytest.raises(DataError, match=wanted) as found:
        read_items(table, FORMAT)
    assert "data.options" not in str(found.value)


def test_an_update_may_have_some_columns_and_says_which_stay(tmp_path: Path) -> None:
    table = tmp_path / "items.csv"
    table.write_text("sku,price\nA-1,3\nA-2,\n")
    written = replace(FORMAT, attributes=(*FORMAT.attributes, {"name": "price", "kind": "numeric"}))
    given = read_changes(table, written)
    assert [json.loads(raw) for raw in given.items.values()] == [{"price": 3.0}, {"price": None}]
    assert given.notices == [f"{table}: gives no title, which stays so"]
    table.write_text("sku,price\nA-1,cheap\n")
    with pytest.raises(DataError, match="column 'price': is not a finite number"):
        read_changes(table, written)
    with pytest.raises(DataError) as found:
        read_items(table, written)
    assert len(found.value.problems) == 2 and "no column 'title'" in str(found.value), "of an added item"


def test_an_update_with_no_known_column_is_told_which_are_wanted(tmp_path: Path) -> None:
    table = tmp_path / "items.csv"
    table.write_text("sku,prize\nA-1,3\n")
    with pytest.raises(DataError) as found:
        read_changes(table, FORMAT)
    (problem,) = found.value.problems
    assert "holds no column that an update could take: those are title, hidden, available_from" in problem
    assert problem.endswith("there are sku, prize")


def test_ids_that_describe_items_too_are_those_that_the_run_knows(tmp_path: Path) -> None:
    table, written = tmp_path / "items.csv", replace(FORMAT, attributes=(ATTRIBUTE_OF_IDS,), whole_ids=True)
    table.write_text("sku\n12.0\n")
    assert json.loads(read_items(table, written).items["12"]) == {"sku": "12"}
