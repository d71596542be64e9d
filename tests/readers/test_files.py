from __future__ import annotations

import gzip
import re
from pathlib import Path

import pandas as pd
import pytest

from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.files import TableFile


def test_parquet_keeps_types_and_large_ids(tmp_path: Path) -> None:
    large = 2**60 + 1
    frame = pd.DataFrame({"id": pd.array([large, None], dtype="Int64"), "name": ["a", None]})
    frame.to_parquet(tmp_path / "t.parquet")
    table = TableFile(tmp_path / "t.parquet")
    read = table.read()
    assert table.is_typed and table.columns() == ["id", "name"]
    assert read["id"].iloc[0] == large and pd.isna(read["id"].iloc[1])


def test_csv_values_are_text_and_only_empty_fields_are_null(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('id,name\n007,"NA"\n,"two, words\nand a line"\n')
    read = TableFile(tmp_path / "t.csv").read()
    assert read["id"].iloc[0] == "007" and pd.isna(read["id"].iloc[1])
    assert read["name"].tolist() == ["NA", "two, words\nand a line"]


def test_separators_and_compression(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("a\tb\n1\t2\n")
    (tmp_path / "s.csv").write_text("a;b\n1;2\n")
    with gzip.open(tmp_path / "z.csv.gz", "wt") as file:
        file.write("a,b\n1,2\n")
    tables = [
        TableFile(tmp_path / "t.tsv"),
        TableFile(tmp_path / "s.csv", ";"),
        TableFile(tmp_path / "z.csv.gz"),
    ]
    assert [t.read().to_numpy().tolist() for t in tables] == [[["1", "2"]]] * 3


def test_folder_is_one_table_whose_rows_are_located_in_their_files(tmp_path: Path) -> None:
    for number, values in enumerate(([1, 2], [3, 4, 5])):
        pd.DataFrame({"a": values}).to_parquet(tmp_path / f"part-{number}.parquet")
    (tmp_path / "_SUCCESS").touch()
    table = TableFile(tmp_path)
    read = table.read()
    assert read["a"].tolist() == [1, 2, 3, 4, 5] and read.index.tolist() == [0, 1, 2, 3, 4]
    assert table.locate(1) == "part-0.parquet row 2"
    assert table.locate(3) == "part-1.parquet row 2"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "cannot be read as CSV: the file is empty"),
        ("a.parquet", b"", "cannot be read as Parquet: the file is empty"),
        ("a.parquet", b"not parquet at all", "cannot be read as Parquet"),
        # Arrow puts the row in between where it reads on one thread.
        (
            "a.csv",
            b"a,b\n1,2\n3\n",
            r"cannot be read as CSV: CSV parse error: (Row #3: )?Expected 2 columns, got 1",
        ),
        ("a.xlsx", b"x", r"expected a name that ends in \.parquet, \.csv or \.tsv"),
    ],
)
def test_unreadable_files(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        TableFile(tmp_path / name).read()
    assert len(caught.value.problems) == 1
    assert str(tmp_path / name) in caught.value.problems[0]
    assert re.search(message, caught.value.problems[0])


def test_missing_file_and_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        TableFile(tmp_path / "nowhere.csv").columns()
    with pytest.raises(DataError, match=r"holds no \.parquet, \.csv or \.tsv file"):
        TableFile(tmp_path).columns()


def test_folder_reports_all_its_bad_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("x\n1\n")
    (tmp_path / "c.csv").write_text("")
    with pytest.raises(DataError) as caught:
        TableFile(tmp_path).columns()
    first, second = caught.value.problems
    assert "b.csv: lacks the columns y of a.csv" in first and "c.csv" in second
