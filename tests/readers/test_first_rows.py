"""Items that the rows of events describe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.files.table_file import TableFile
from m2trec_merlin.readers.first_rows import first_rows
from m2trec_merlin.readers.tables import TablesData

ROWS = """order,sku,name,price
1,07,tea,2.5
1,,nothing,9
2,08,mug,
2,07,tea (new),3
3,08,mug,4
3,09,pot,5
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ROWS)
    return path


def test_the_first_row_that_says_most_says_what_an_item_is(table: Path) -> None:
    found = first_rows(TableFile(table), "sku", ["price", "name"])
    assert list(found) == ["price", "name", "sku"] and found.index.tolist() == [0, 4, 5]
    assert found["name"].tolist() == ["tea", "mug", "pot"]
    assert found["price"].tolist() == ["2.5", "4", "5"], "of a later row, where the first one has none"


@pytest.mark.parametrize(
    ("names", "prices", "row"),
    [
        (["damaged", "tea", "tea", "tea (new)"], "0222", 1),
        (["damaged", "tea", "tea", "tea (new)"], "0123", 0),  # no value is in more than half of them
        (["damaged", "tea", "tea"], "022", 1),
        (["?", "mailout", "tea", "tea", "tea", "mug", "mug", "mug", "mug"], "002222222", 2),
        (["tea", "tea", "mug", "mug", "mug", "mug", "mug"], "2222222", 2),
        (["tea", "tea", "tea", "mug", "mug", "mug", "mug"], "2222222", 0),  # called otherwise only later
        (["tea", "tea", "tea"], "789", 0),  # a price that changes
        (["tea", "tea", "tea"], "788", 1),
        (["damaged", "", "tea", "tea"], "0222", 2),
        (["tea", "mug"], "23", 0),
    ],
)
def test_a_row_that_says_other_than_most_does_not_say_what_an_item_is(
    tmp_path: Path, names: list[str], prices: str, row: int
) -> None:
    table = tmp_path / "orders.csv"
    rows = pd.DataFrame({"sku": "7", "name": names, "price": list(prices)})
    others = pd.DataFrame({"sku": ["8", None], "name": ["damaged", "tea"], "price": ["3", "4"]})
    pd.concat([rows, others]).to_csv(table, index=False)
    found = first_rows(TableFile(table), "sku", ["name", "price"])
    assert found.index.tolist() == [row, len(rows)]
    assert found.iloc[0].tolist() == [names[row], prices[row], "7"]


def test_lists_of_rows_are_compared_too(tmp_path: Path) -> None:
    table = tmp_path / "orders.parquet"
    pd.DataFrame({"sku": [7, 7, 7], "tags": [[], ["red", "old"], ["red", "old"]]}).to_parquet(table)
    found = first_rows(TableFile(table), "sku", ["tags"])
    assert found["sku"].tolist() == [7] and list(found["tags"].iloc[0]) == ["red", "old"]


def test_an_item_of_several_files_is_one(tmp_path: Path) -> None:
    folder = tmp_path / "days"
    folder.mkdir()
    for day in "12":
        (folder / f"{day}.csv").write_text(f"sku,name\n7,day {day}\n{day},own\n")
    found = first_rows(TableFile(folder), "sku", ["name"])
    assert dict(zip(found["sku"], found["name"], strict=True)) == {"7": "day 1", "1": "own", "2": "own"}


@pytest.mark.parametrize("nothing", ["", "  ", None])
def test_blank_texts_say_nothing(tmp_path: Path, nothing: str | None) -> None:
    table = tmp_path / "orders.parquet"
    pd.DataFrame({"sku": [7, 8, 7, 8], "name": [nothing, "mug", "tea", "pot"]}).to_parquet(table)
    found = first_rows(TableFile(table), "sku", ["name"])
    assert dict(zip(found["sku"], found["name"], strict=True)) == {7: "tea", 8: "mug"}


def test_an_item_is_one_whether_a_file_writes_whole_numbers_or_decimals(tmp_path: Path) -> None:
    folder = tmp_path / "days"
    folder.mkdir()
    (folder / "1.csv").write_text("order,sku,name\n1,7,\n1,8,mug\n")
    (folder / "2.csv").write_text("order,sku,name\n2,7.0,tea\n2,8.0,pot\n2,9.0,jar\n")
    source = data(folder).open(1)
    found = source.items(["name"])
    assert dict(zip(found["item_id"], found["name"], strict=True)) == {7: "tea", 8: "mug", 9: "jar"}


def test_a_table_without_rows_has_no_items(table: Path) -> None:
    table.write_text("order,sku,name\n")
    assert first_rows(TableFile(table), "sku", ["name"]).empty


def test_numbers_of_types_are_ids_as_they_are(tmp_path: Path) -> None:
    pd.DataFrame({"sku": [7, 7, 8], "name": list("abc")}).to_parquet(tmp_path / "orders.parquet")
    assert first_rows(TableFile(tmp_path / "orders.parquet"), "sku", ["name"])["sku"].tolist() == [7, 8]


def data(table: Path, **settings: object) -> TablesData:
    columns = {"session_id": "order", "item_id": "sku"}
    return TablesData.model_validate(
        {"source": "tables", "interactions": table, "columns": columns, **settings}
    )


def test_a_source_without_items_says_where_it_looked(table: Path) -> None:
    source = data(table).open(1)
    assert source.name == "orders.csv"
    assert source.items_origin.label == f"{table} (no data.items is named)"
    assert source.items_origin.locate(5) == "row 6"
    assert source.items(["name"])["item_id"].tolist() == ["07", "08", "09"]


def test_ids_that_are_missing_may_be_left_out(table: Path) -> None:
    settings = data(table, options={"drop_unknown_items": True})
    assert settings.without_effect() == []
    source = settings.open(1)
    assert sum(map(len, source.interactions())) == 5
    assert source.notices == ["1 event left out: they name no item"]


def test_what_is_said_of_a_table_of_items_needs_one(table: Path) -> None:
    with pytest.raises(ValidationError, match=r"columns\.items_item_id: there is no table of the items"):
        data(table, columns={"session_id": "order", "item_id": "sku", "items_item_id": "id"})
    with pytest.raises(ValidationError, match=r"options\.items: there is no table of the items"):
        data(table, options={"items": {"separator": ";"}})


def test_another_column_must_not_be_called_as_ids_are(table: Path) -> None:
    table.write_text("order,sku,item_id\n1,07,a\n")
    with pytest.raises(DataError, match="call the other column otherwise"):
        data(table).open(1).items(["item_id"])


def test_items_of_many_blocks_are_those_of_one(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    rows = pd.DataFrame({"sku": random.integers(0, 30, 900), "name": random.choice(list("abc"), 900)})
    rows.loc[random.random(900) < 0.6, "name"] = None
    rows.loc[rows["sku"] < 5, "name"] = None
    for number in range(9):
        rows[number * 100 : number * 100 + 100].to_csv(table.parent / f"part-{number}.csv", index=False)
    table.unlink()
    whole = first_rows(TableFile(table.parent), "sku", ["name"])
    monkeypatch.setattr("m2trec_merlin.readers.first_rows._TOGETHER", 40)
    pd.testing.assert_frame_equal(first_rows(TableFile(table.parent), "sku", ["name"]), whole)
    expected = []
    for _, group in rows.groupby("sku"):
        said = group.dropna().iloc[:5]
        most = said["name"].value_counts().head(1)
        usual = said[said["name"].isin(most[most > len(said) / 2].index)]
        expected.append([*usual.index, *said.index, *group.index][0])
    assert whole.index.tolist() == sorted(expected)
