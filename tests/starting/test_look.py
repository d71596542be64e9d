from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.files.dialect import Dialect
from m2trec_merlin.starting.look import Column, look_at


def test_all_rows_are_counted_and_kept_ones_come_from_everywhere(tmp_path: Path) -> None:
    pd.DataFrame({"a": range(300_000), "b": "some text that makes rows long"}).to_csv(
        tmp_path / "a.csv", index=False
    )
    look = look_at(tmp_path / "a.csv", Dialect(), 1000)
    kept = look.columns["a"].values.astype(int)
    assert look.rows == 300_000 and look.first == 500 and 700 < look.kept <= 1000
    assert kept.iloc[:500].tolist() == list(range(500))
    assert (kept.to_numpy() == kept.index.to_numpy()).all()
    later = kept.iloc[500:]
    assert later.is_monotonic_increasing and later.max() > 290_000 and later.diff().max() < 2000
    assert f"{look.kept:,} of 300,000 rows" in look.describe()


def test_a_small_table_is_kept_whole(tmp_path: Path) -> None:
    pd.DataFrame({"a": range(7)}).assign(b=1).to_parquet(tmp_path / "a.parquet")
    look = look_at(tmp_path / "a.parquet", Dialect(), 14)
    assert (look.rows, look.kept, look.first) == (7, 7, 7) and look.describe() == "a.parquet: all 7 rows"


def test_what_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,x,x,\n1,2,3,\n")
    look = look_at(tmp_path / "a.csv", Dialect(), 10)
    assert list(look.columns) == ["id"] and look.unreadable[""] == "has no name"
    assert "2 columns called 'x'" in look.unreadable["x"]


def test_text_that_is_damaged_is_to_be_mended_and_bytes_of_parquet_are_set_aside(tmp_path: Path) -> None:
    pd.DataFrame({"id": [1], "picture": [b"\xff"]}).to_parquet(tmp_path / "a.parquet")
    assert list(look_at(tmp_path / "a.parquet", Dialect(), 10).columns) == ["id"]
    (tmp_path / "a.csv").write_bytes("id,name\n1,Größe\n2,K".encode() + b"\xc3\n3,x\n")
    with pytest.raises(DataError, match=r"is not UTF-8 \(row 2, column 'name'\)"):
        look_at(tmp_path / "a.csv", Dialect(), 10)


@pytest.mark.parametrize(
    ("text", "message"), [("a,b\n", "holds no rows"), ("a,b\n1,2\n3\n", "do(es)? not have the 2 fields")]
)
def test_tables_without_rows_and_with_damaged_ones(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        look_at(tmp_path / "a.csv", Dialect(), 10)


def test_what_a_column_says() -> None:
    column = Column("a", pd.Series(["x", " ", None, "y z", "x"]))
    assert (column.distinct, column.gaps, column.words) == (2, 0.4, pytest.approx(4 / 3))
    assert column.numbers is None and not column.is_unique and column.examples(3) == "'x', 'y z'"


@pytest.mark.parametrize("mixed", [["a", 2.5], [Decimal("1.5"), 2.5], ["a", ["b"]]])
def test_values_of_several_types_are_neither_times_nor_lists(mixed: list[object]) -> None:
    column = Column("a", pd.Series(mixed, dtype=object))
    assert not column.is_time and not column.is_moment and not column.is_list


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["1", "2.5", None], [1, 2.5]),
        ([1, 2], [1, 2]),
        (["007", "8"], None),
        ([True, False], None),
        (["1", "inf"], None),
        (["0", "0.5"], [0, 0.5]),
    ],
)
def test_numbers(values: list[object], numbers: list[float] | None) -> None:
    found = Column("a", pd.Series(values)).numbers
    assert (None if found is None else found.tolist()) == numbers


def test_a_folder_of_several_tables_is_told(tmp_path: Path) -> None:
    for name, columns in {"aisles": ["aisle_id", "aisle"], "orders": ["order_id", "user_id"]}.items():
        pd.DataFrame([[1, 2]], columns=columns).to_csv(tmp_path / f"{name}.csv", index=False)
    with pytest.raises(DataError) as caught:
        look_at(tmp_path, Dialect(), 10)
    (problem,) = caught.value.problems
    assert "orders.csv has order_id, user_id" in problem and "aisles.csv has aisle_id, aisle" in problem
    assert "its files are several tables" in problem
