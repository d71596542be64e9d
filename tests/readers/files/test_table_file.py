from __future__ import annotations

import errno
import gzip
import os
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from m2trec_merlin.columns import as_category, as_doubles
from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.files.dialect import Dialect
from m2trec_merlin.readers.files.table_file import TableFile


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
    (tmp_path / "CAPITALS.CSV.GZ").write_bytes((tmp_path / "z.csv.gz").read_bytes())
    tables = [
        TableFile(tmp_path / "t.tsv"),
        TableFile(tmp_path / "s.csv", Dialect(";")),
        TableFile(tmp_path / "z.csv.gz"),
        TableFile(tmp_path / "CAPITALS.CSV.GZ"),
    ]
    assert [t.read().to_numpy().tolist() for t in tables] == [[["1", "2"]]] * 4


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
        ("a.csv", b"a,b\n1,2\n3\n", r"1 row does not have the 2 fields of the header: row 2 \(1\)"),
        ("a.csv.zip", b"x", "is an archive: unpack it first"),
        (
            "a.data",
            b"1::2",
            r"its name must end in \.parquet, \.csv or \.tsv .*: rename it, if it is such a table",
        ),
        ("a.xlsx", b"PK\x03\x04xx", "this is a workbook or a zip archive: save the table as CSV"),
        (
            "a.jsonl",
            b'{"session": 1, "events": []}\n',
            "this is JSON, an object a line: .* with a row for each event",
        ),
        (
            "a.json.gz",
            gzip.compress(b"{u'asin': '1'}\n", mtime=0),
            "this is text of Python, not JSON: .* ast.literal_eval",
        ),
        ("a.csv.gz", b"a,b\n1,2\n", r"is not compressed by gzip, as its name says: call it a\.csv$"),
        ("a.tsv.zst", b"a\tb\n", r"is not compressed by zstd, as its name says: call it a\.tsv$"),
    ],
)
def test_unreadable_files(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        TableFile(tmp_path / name).read()
    assert len(caught.value.problems) == 1
    assert str(tmp_path / name) in caught.value.problems[0]
    assert re.search(message, caught.value.problems[0])


def test_files_are_read_in_the_order_of_the_numbers_in_their_names(tmp_path: Path) -> None:
    names = ("month=2/part-2.csv", "month=2/part-10.csv", "month=010/part-1.csv", "month=11/a.csv")
    for name in reversed(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"a\n{name}\n")
    assert TableFile(tmp_path).read(["a"])["a"].tolist() == [*names]


def test_copies_that_programs_keep_aside_are_no_data(tmp_path: Path) -> None:
    for name in (
        "a.csv",
        ".ipynb_checkpoints/a-checkpoint.csv",
        "_temporary/0/a.csv",
        "day=1/b.csv",
        "._a.csv",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"a\n{name}\n")
    assert TableFile(tmp_path).read(["a"])["a"].tolist() == ["a.csv", "day=1/b.csv"]
    with pytest.raises(DataError, match=r"a\.csv: lacks the columns day of b\.csv"):
        TableFile(tmp_path).read(["day"])


def test_a_folder_below_a_hidden_one_is_read(tmp_path: Path) -> None:
    (tmp_path / ".data").mkdir()
    (tmp_path / ".data" / "a.csv").write_text("a\n1\n")
    assert TableFile(tmp_path / ".data").read()["a"].tolist() == ["1"]


def test_links_are_followed_and_no_folder_is_read_twice(tmp_path: Path) -> None:
    for folder, value in (("days", "1"), ("elsewhere", "2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.csv").write_text(f"a\n{value}\n")
    (tmp_path / "days" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "days" / "c").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "days" / "d").symlink_to(tmp_path / "days")
    (tmp_path / "elsewhere" / "b.csv").symlink_to(tmp_path / "elsewhere" / "a.csv")
    assert TableFile(tmp_path / "days").read()["a"].tolist() == ["1", "2", "2"]


def test_a_folder_that_cannot_be_read_is_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in ("DAY=1", "DAY=2"):
        (tmp_path / day).mkdir()
        (tmp_path / day / "a.csv").write_text("x\n1\n")
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("DAY=2"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match="DAY=2: cannot be read: Permission denied"):
        TableFile(tmp_path).columns()


def test_files_of_a_folder_that_are_not_read_are_told(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv.zip", "day=2/part-0", "_SUCCESS", ".a.csv.crc", ".git/config"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a\n1\n")
    table = TableFile(tmp_path)
    told = f"{tmp_path}: 2 files are no .parquet, .csv or .tsv files and were not read: "
    assert table.notices() == [told + "b.csv.zip, day=2/part-0"]
    assert len(table.read()) == 1 and TableFile(tmp_path / "a.csv").notices() == []


def test_a_note_beside_tables_is_no_part_of_them_and_told(tmp_path: Path) -> None:
    for name in ("a.csv", "day=2/b.tsv", "README.txt", "b.dat"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a\n1\n")
    (tmp_path / "notes.txt").symlink_to(tmp_path / "nowhere.txt")
    table = TableFile(tmp_path)
    assert table.read(["a"])["a"].tolist() == ["1", "1"]
    told = f"{tmp_path}: 3 files are no .parquet, .csv or .tsv files and were not read: "
    assert table.notices() == [told + "README.txt, b.dat, notes.txt"]


def test_files_of_any_text_are_a_table_where_there_are_no_others(tmp_path: Path) -> None:
    for name in ("b.dat", "a.txt", "notes.md"):
        (tmp_path / name).write_text(f"a\n{name}\n")
    assert TableFile(tmp_path).read()["a"].tolist() == ["a.txt", "b.dat"]


@pytest.mark.parametrize(
    ("sign", "name"),
    [
        ("_delta_log/0.json", "a Delta"),
        ("metadata/v1.metadata.json", "an Iceberg"),
        (".hoodie/hoodie.properties", "a Hudi"),
    ],
)
def test_tables_that_keep_earlier_versions_are_refused(tmp_path: Path, sign: str, name: str) -> None:
    (tmp_path / sign).parent.mkdir()
    (tmp_path / sign).write_text("{}")
    (tmp_path / "a.csv").write_text("x\n1\n")
    with pytest.raises(DataError, match=f"is {name} table, whose files hold deleted rows"):
        TableFile(tmp_path).columns()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("clicks-*.csv", "a pattern names no files: name their folder"),
        ("clicks.csv", "file or folder$"),
        ("s3://bucket/clicks.csv", "what lies at an address is not fetched"),
        ("${DATA}/clicks.csv", "variables are not replaced"),
    ],
)
def test_patterns_addresses_and_variables_are_no_files(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "clicks-1.csv").write_text("x\n1\n")
    with pytest.raises(DataError, match=told):
        TableFile(tmp_path / name).columns()


def test_a_file_of_a_folder_may_lack_only_what_nobody_reads(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("x\n3\n")
    (tmp_path / "c.csv").write_text("x,z\n5,6\n")
    table = TableFile(tmp_path)
    assert table.columns() == ["x", "y", "z"] and table.read(["x"])["x"].tolist() == ["1", "3", "5"]
    with pytest.raises(DataError) as caught:
        table.read(["x", "y"])
    first, second = caught.value.problems
    assert "b.csv: lacks the columns y of a.csv" in first and "c.csv: lacks the columns y of a.csv" in second


def test_a_column_that_stands_twice_is_refused_only_if_it_is_read(tmp_path: Path) -> None:
    arrays = [pa.array([1]), pa.array(["x"]), pa.array(["y"])]
    pq.write_table(pa.table(arrays, names=["id", "name", "name"]), tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("id,name,name\n1,x,y\n")
    for table in (TableFile(tmp_path / "t.parquet"), TableFile(tmp_path / "t.csv")):
        assert len(table.read(["id"])) == 1
        with pytest.raises(DataError, match="has 2 columns called 'name': give each its own name"):
            table.read(["id", "name"])


@pytest.mark.parametrize(
    ("index", "columns"),
    [
        (["id"], ["id", "name"]),
        (["id", "name"], ["id", "name"]),
        ([], ["id", "name"]),
    ],
)
def test_the_index_of_pandas_is_a_column_like_others(
    tmp_path: Path, index: list[str], columns: list[str]
) -> None:
    frame = pd.DataFrame({"id": [7, 5], "name": ["a", "b"]}, index=[3, 4])
    (frame.set_index(index) if index else frame).to_parquet(tmp_path / "t.parquet")
    read = TableFile(tmp_path / "t.parquet").read(columns)
    assert read["id"].tolist() == [7, 5] and read["name"].tolist() == ["a", "b"]
    assert read.index.tolist() == [0, 1]


def test_columns_of_structures_matter_only_where_they_are_read(tmp_path: Path) -> None:
    extra = pa.array([[("x", 1)]], pa.map_(pa.string(), pa.int64()))
    pq.write_table(pa.table({"id": [1], "extra": extra, "more": [{"x": 1}]}), tmp_path / "t.parquet")
    table = TableFile(tmp_path / "t.parquet")
    assert table.read(["id"])["id"].tolist() == [1]
    with pytest.raises(DataError) as caught:
        table.read(["id", "extra", "more"])
    first, second = caught.value.problems
    assert "column 'extra': holds map<string, int64" in first and "column 'more': holds struct" in second


def test_bytes_that_are_no_text_are_named_by_file_column_and_row(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [b"a"], "other": [b"\xff"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": [b"a", b"\xff"], "other": [b"\xff"] * 2}), tmp_path / "b.parquet")
    with pytest.raises(
        DataError, match=r"b\.parquet: column 'id' holds bytes that are not UTF-8 text in row 2"
    ):
        TableFile(tmp_path).read(["id"])
    (tmp_path / "t.csv").write_bytes("id,name,other\n1,a,ä\n2,ö,ä\n".encode("latin-1"))
    table = TableFile(tmp_path / "t.csv")
    assert table.read(["id"])["id"].tolist() == ["1", "2"]
    with pytest.raises(
        DataError, match=r"is not UTF-8 \(row 2, column 'name'\): .*options\.encoding: cp1252"
    ):
        table.read(["id", "name"])


def test_files_whose_types_do_not_go_together(tmp_path: Path) -> None:
    pq.write_table(pa.table({"tags": ["a"], "id": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"tags": [["a"]], "id": ["x"]}), tmp_path / "b.parquet")
    table = TableFile(tmp_path)
    assert table.read(["id"])["id"].tolist() == ["1", "x"]
    with pytest.raises(DataError, match=r"'tags': types do not go together: string in a\.parquet, list<"):
        table.read()


def test_damaged_names_of_columns_are_told(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    pd.DataFrame({"item_id": [1], "titleblatt": ["x"]}).to_parquet(path)
    path.write_bytes(path.read_bytes().replace(b"titleblatt", b"title\xb3latt"))
    with pytest.raises(
        DataError, match=r"items\.parquet: cannot be read as Parquet: .*can't decode byte 0xb3"
    ):
        TableFile(path).columns()


def test_a_decimal_of_parquet_beside_texts_with_decimal_commas_keeps_its_size(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('price\n"1.299,50"\n"3,5"\n')
    pd.DataFrame({"price": [1.299, 2.0]}).to_parquet(tmp_path / "b.parquet")
    price = TableFile(tmp_path).read()["price"]
    assert as_doubles(price, ",").tolist() == [1299.5, 3.5, 1.299, 2.0]
    assert as_category(price).to_pylist() == ["1.299,50", "3,5", "1.299", "2"]


def test_a_file_that_a_link_misses_is_no_less_than_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match=r"gone\.csv: is a link to .*nowhere\.csv, which is not there"):
        TableFile(tmp_path).read()


def test_text_that_is_called_parquet_is_told_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"begins otherwise; if it is text, its name must end in \.csv"):
        TableFile(tmp_path / "a.parquet").columns()


def test_a_folder_called_as_the_home_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell has replaced a `~` that means the home folder; Arrow would do so again."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for folder, column in (("home", "another"), ("~", "meant")):
        (tmp_path / folder).mkdir()
        pd.DataFrame({column: [1]}).to_parquet(tmp_path / folder / "t.parquet")
        (tmp_path / folder / "t.csv").write_text(f"{column}\n1\n")
    for file in ("t.parquet", "t.csv"):
        assert TableFile(Path("~", file)).read().columns.tolist() == ["meant"]
