"""What is told of folders whose files cannot be read, or not alike."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.files.dialect import Dialect
from m2trec_merlin.readers.files.table_file import TableFile


def test_missing_file_and_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        TableFile(tmp_path / "nowhere.csv").columns()
    with pytest.raises(DataError, match=r"holds no \.parquet, \.csv or \.tsv file"):
        TableFile(tmp_path).columns()


def test_folder_reports_all_its_bad_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("x;y\n1;2\n")
    (tmp_path / "c.csv").write_text("")
    with pytest.raises(DataError) as caught:
        TableFile(tmp_path).columns()
    first, second = caught.value.problems
    assert "b.csv: its columns seem to be separated" in first and "c.csv" in second


@pytest.mark.parametrize(
    ("separator", "bad", "good", "told"),
    [
        (None, "b.csv", "a.csv", 'separated by ";": save it with "," between them'),
        (";", "a.csv", "b.csv", 'separated by ",": save it with ";" between them'),
        (",", "b.csv", "a.csv", 'separated by ";": save it with "," between them'),
    ],
)
def test_no_setting_is_advised_that_another_file_of_the_folder_contradicts(
    tmp_path: Path, separator: str | None, bad: str, good: str, told: str
) -> None:
    (tmp_path / "a.csv").write_text("id,title\n1,a\n")
    (tmp_path / "b.csv").write_text("id;title\n2;b\n")
    with pytest.raises(DataError) as caught:
        TableFile(tmp_path, Dialect(separator)).columns()
    alike = f"the files of a table must be written alike, and {good} is read as it is"
    assert caught.value.problems == [f"{tmp_path / bad}: its columns seem to be {told}; {alike}"]


def test_a_file_that_cannot_be_opened_beside_one_that_can_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,title\n1,a\n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"id,title\n2,b\n")[:-12])
    with pytest.raises(DataError, match=r"b\.csv\.gz: cannot be read as CSV: "):
        TableFile(tmp_path).columns()


def test_a_setting_is_advised_that_all_files_of_a_folder_ask_for(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("id;title\n1;a\n")
    pd.DataFrame({"id": ["2"], "title": ["b"]}).to_parquet(tmp_path / "c.parquet")
    with pytest.raises(DataError) as caught:
        TableFile(tmp_path).columns()
    told = 'its columns seem to be separated by ";": did you mean data.options.separator: ";"?'
    assert caught.value.problems == [f"{tmp_path / name}: {told}" for name in ("a.csv", "b.csv")]
    assert TableFile(tmp_path, Dialect(";")).read()["id"].tolist() == ["1", "1", "2"]
