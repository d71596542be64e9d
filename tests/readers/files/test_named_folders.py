"""Columns that the names of folders say, beside those of the files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from m2trec_merlin.readers.files.table_file import TableFile


def table(folder: Path, name: str, values: list[object], file: str = "a.parquet") -> TableFile:
    (folder / name).mkdir()
    frame = pd.DataFrame({name.split("=")[0]: values, "n": range(len(values))})
    write = frame.to_csv if file.endswith(".csv") else frame.to_parquet
    write(folder / name / file, index=False)
    return TableFile(folder)


def test_folders_that_are_named_by_a_value_are_columns(tmp_path: Path) -> None:
    """As Hive, Spark and `to_parquet(partition_cols=...)` write them."""
    frame = pd.DataFrame(
        {"n": range(4), "day": ["2024-03-01", None, "2024-03-01", "a/b"], "shop": [1, 1, 2, 2]}
    )
    frame.to_parquet(tmp_path / "parquet", partition_cols=["day", "shop"])
    read = TableFile(tmp_path / "parquet").read(["day", "n", "shop"]).sort_values("n")
    assert read["day"].where(read["day"].notna(), None).tolist() == frame["day"].tolist()
    assert (read["n"].tolist(), read["shop"].tolist()) == ([0, 1, 2, 3], ["1", "1", "2", "2"])
    (tmp_path / "csv" / "day=2024-03-01").mkdir(parents=True)
    (tmp_path / "csv" / "day=2024-03-01" / "part.csv").write_text("n,m\n7,8\n")
    for columns in (["day"], ["day", "m"], None):
        read = TableFile(tmp_path / "csv").read(columns)
        assert read.to_dict("records") == [
            {k: v for k, v in {"n": "7", "m": "8", "day": "2024-03-01"}.items() if k in read}
        ]
    # What a file says itself counts.
    (tmp_path / "csv" / "day=2024-03-01" / "part.csv").write_text("n,day\n7,today\n")
    assert TableFile(tmp_path / "csv").read()["day"].tolist() == ["today"]


def test_a_folder_is_a_column_of_its_files(tmp_path: Path) -> None:
    for name in ("event=buy", "event=__HIVE_DEFAULT_PARTITION__", "event=add%20to"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.csv").write_text("n\n1\n")
    assert TableFile(tmp_path).read()["event"].tolist() == [None, "add to", "buy"]


@pytest.mark.parametrize("file", ["a.parquet", "a.csv"])
def test_what_a_file_says_otherwise_than_its_folder_is_told(tmp_path: Path, file: str) -> None:
    found = table(tmp_path, "event=buy", ["buy", "view", None], file)
    assert found.read()["event"].tolist() == ["buy", "view", None]
    [told] = found.notices()
    assert told.endswith(
        f"{file}: its folder says event=buy, and its own column 'event', which counts, holds 'view': "
        "leave one of them out"
    )


@pytest.mark.parametrize(
    ("file", "name", "values"),
    [
        *(
            (file, name, values)
            for file in ("a.parquet", "a.csv")
            for name, values in (
                ("event=buy", ["buy", None]),
                ("month=01", [1, 1]),
                ("day=2024-03-01", ["2024-03-01 10:30:00"]),
            )
        ),
        ("a.parquet", "tags=a", [["b", "c"]]),
    ],
)
def test_what_says_the_same_is_not_told(tmp_path: Path, file: str, name: str, values: list[object]) -> None:
    found = table(tmp_path, name, values, file)
    found.read()
    assert found.notices() == []
