"""What Parquet holds as bytes and a person knows as text."""

from __future__ import annotations

import datetime as dt
import struct
from pathlib import Path
from uuid import UUID

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.files.table_file import TableFile
from m2trec_merlin.readers.times import parse_instants

IDS = ["0f8fad5b-d9cb-469f-a165-70867728950e", None, "7c9e6679-7425-40de-944b-e07fc1f90ae7"]
BYTES = [None if each is None else UUID(each).bytes for each in IDS]


def written(path: Path) -> Path:
    pq.write_table(pa.table({"u": pa.array(BYTES, pa.binary(16)), "n": [1, 2, 3]}), path, store_schema=False)
    return path


def call_uuids(path: Path) -> None:
    """Let the footer call column `u` UUIDs, as other programs do, and this version of Arrow does not."""
    content = path.read_bytes()
    (length,) = struct.unpack("<i", content[-8:-4])
    data, footer = content[: -8 - length], content[-8 - length : -8]
    # Thrift's compact protocol: behind the name, field 4, comes field 10, a union whose field 14 is empty.
    name = b"\x18\x01u"
    assert name in footer
    footer = footer.replace(name, name + b"\x6c\xec\x00\x00", 1)
    path.write_bytes(data + footer + struct.pack("<i", len(footer)) + b"PAR1")


def test_uuids_are_the_usual_text(tmp_path: Path) -> None:
    path = written(tmp_path / "t.parquet")
    call_uuids(path)
    read = TableFile(path).read(["n", "u"], single=["u"])
    assert read["u"].tolist() == IDS and read["n"].tolist() == [1, 2, 3]


@pytest.mark.skipif(not hasattr(pa, "uuid"), reason="this Arrow has no type for UUIDs")
def test_uuids_of_arrow_are_the_usual_text(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"u": pa.array(BYTES, pa.uuid())}), path)
    assert TableFile(path).read()["u"].tolist() == IDS


def test_other_bytes_are_text_or_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column 'u' holds bytes that are not UTF-8 text in row 1"):
        TableFile(written(tmp_path / "t.parquet")).read()


def test_times_of_spark_beyond_64_bits_of_nanoseconds_are_none_of_another_year(tmp_path: Path) -> None:
    path, known = tmp_path / "t.parquet", dt.datetime(2024, 5, 6, 7, 8, 9, 123456)
    times = pa.array([dt.datetime(9999, 12, 31), known, dt.datetime(1, 1, 1), None], pa.timestamp("us"))
    pq.write_table(pa.table({"t": times}), path, use_deprecated_int96_timestamps=True)
    instants = parse_instants(TableFile(path).read()["t"])
    assert instants[1] == pd.Timestamp(known) and instants.isna().tolist() == [True, False, True, True]


def test_an_index_that_the_footer_alone_holds_is_a_column(tmp_path: Path) -> None:
    path, rows = tmp_path / "t.parquet", 70_000
    index = pd.RangeIndex(1000, 1000 + 2 * rows, 2, name="item_id")
    pd.DataFrame({"title": "a"}, index).to_parquet(path, row_group_size=30_000)
    assert TableFile(path).columns() == ["title", "item_id"]
    for columns in (["item_id"], ["item_id", "title"]):
        read = TableFile(path).read(columns, single=["item_id"])
        assert list(read) == columns and read["item_id"].tolist() == list(index)


def test_row_numbers_and_the_index_of_other_rows_are_no_column(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"title": ["a", "b"]}).to_parquet(path)
    assert TableFile(path).columns() == ["title"]
    part = pa.Table.from_pandas(pd.DataFrame({"title": ["a", "b"]}, pd.RangeIndex(2, name="item_id")))
    pq.write_table(part.slice(1), path)
    assert TableFile(path).columns() == ["title"]


@pytest.mark.parametrize(
    "said",
    ['{"index_columns": [{"k1nd": "range"}]}', '{"index_columns": [{"kind": "range"}]}', "{no JSON", "[1]"],
)
def test_a_damaged_description_of_the_index_is_told_as_damage(tmp_path: Path, said: str) -> None:
    table = pa.table({"item_id": [1, 2]}).replace_schema_metadata({"pandas": said})
    pq.write_table(table, tmp_path / "items.parquet")
    with pytest.raises(
        DataError, match=r"items\.parquet: cannot be read as Parquet: what pandas says of the"
    ):
        TableFile(tmp_path / "items.parquet").columns()
