from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from m2trec_merlin.errors import DataError
from m2trec_merlin.serving.catalogue.tables import read_ids, read_items
from m2trec_merlin.serving.contract.item_format import ItemFormat

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


def test_an_attribute_may_read_the_column_of_ids(tmp_path: Path) -> None:
    table, written = (
        tmp_path / "items.csv",
        replace(FORMAT, attributes=(*FORMAT.attributes, ATTRIBUTE_OF_IDS)),
    )
    table.write_text("sku,title\nA-1,red\n")
    given = read_items(table, written)
    assert given.ids == ["A-1"] and json.loads(given.items["A-1"]) == {"title": "red", "sku": "A-1"}
    table.write_text("sku,hidden\nA-1,yes\n")
    assert read_items(table, written, may_lack_attributes=True).availability["A-1"].hidden


def test_ids_with_white_space_are_told(tmp_path: Path) -> None:
    table = tmp_path / "items.csv"
    table.write_text("sku,title\n A,red\n")
    (notice,) = read_items(table, FORMAT).notices
    assert "ids such as ' A' have white space at an end" in notice


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


def test_an_update_of_some_columns_is_told_that_it_needs_all(tmp_path: Path) -> None:
    table = tmp_path / "items.csv"
    table.write_text("sku,price\nA-1,3\n")
    written = replace(FORMAT, attributes=(*FORMAT.attributes, {"name": "price", "kind": "numeric"}))
    with pytest.raises(DataError) as found:
        read_items(table, written, may_lack_attributes=True)
    missing, needed = found.value.problems
    assert missing.startswith(f"{table}: no column 'title', which attribute 'title' reads")
    assert needed.startswith(f"{table}: gives only some of the attributes")
    assert needed.endswith(
        "give all columns, as data/items.parquet of the run has them, with the changes written in"
    )
    with pytest.raises(DataError) as found:
        read_items(table, written)
    assert found.value.problems == [missing]
