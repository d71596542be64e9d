from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.files.delimited import DelimitedFile
from m2trec_merlin.readers.files.dialect import Dialect

PLAIN = Dialect()
TEXT = "id,title\n1,Größe\n2,\n"


def read(folder: Path, content: str | bytes, dialect: Dialect = PLAIN, name: str = "t.csv") -> list[dict]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    file = DelimitedFile(path, dialect)
    columns = [name for name in file.names if file.names.count(name) == 1]
    return [row for batch in file.batches(columns) for row in batch.to_pylist()]


def problem(folder: Path, content: str | bytes, dialect: Dialect = PLAIN, name: str = "t.csv") -> str:
    with pytest.raises(DataError) as caught:
        read(folder, content, dialect, name)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{folder / name}: ")
    return problem.removeprefix(f"{folder / name}: ")


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        "\ufeff" + TEXT,
        "\n\n" + TEXT,
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n", "\r"),
        TEXT.strip(),
    ],
)
def test_values_are_bytes_of_utf8_and_empty_fields_are_null(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content) == [{"id": b"1", "title": "Größe".encode()}, {"id": b"2", "title": None}]


@pytest.mark.parametrize(
    "encoding", ["cp1252", "cp437", "mac-roman", "utf-16", "utf-16-le", "utf-16-be", "utf-8", "latin-1"]
)
def test_encodings(tmp_path: Path, encoding: str) -> None:
    rows = read(tmp_path, TEXT.encode(encoding), Dialect(encoding=encoding))
    assert rows[0] == {"id": b"1", "title": "Größe".encode()}


@pytest.mark.parametrize(
    ("content", "encoding", "message"),
    [
        (
            TEXT.encode("utf-16"),
            "utf-8",
            "is not UTF-8 but UTF-16: save it as UTF-8, or set data.options.encoding: utf-16",
        ),
        (
            TEXT.encode("utf-32"),
            "utf-8",
            "is not UTF-8 but UTF-32: save it as UTF-8, or set data.options.encoding: utf-32",
        ),
        (
            TEXT.encode("utf-16-le"),
            "utf-8",
            "is not UTF-8 but UTF-16: save it as UTF-8, or set data.options.encoding: utf-16-le",
        ),
        (
            TEXT.encode("utf-16-be"),
            "utf-8",
            "is not UTF-8 but UTF-16: save it as UTF-8, or set data.options.encoding: utf-16-be",
        ),
        (
            "id,größe\n1,2\n".encode("cp1252"),
            "utf-8",
            "the header is not utf-8: save it as UTF-8, or name its own encoding, such as "
            "data.options.encoding: cp1252",
        ),
        (
            "id,größe,gr\n1,Größe,2\n".encode().replace(b"gr\n", b"gr\xc3\n"),
            "utf-8",
            "the header is not utf-8: other letters of the file are: mend those that are not, or drop them",
        ),
        (b"id,title\n1,a\n2,\x81\n", "cp1252", "is not cp1252 (line 3): save it as UTF-8, or name its own"),
        (TEXT.encode("utf-16")[:-1], "utf-16", "is not utf-16 (line 3): save it as UTF-8"),
        (TEXT.encode(), "utf-16", "the header is not utf-16: save it as UTF-8"),
        ((TEXT + "3,Öl\n").encode(), "cp1252", "is not cp1252 but UTF-8: set data.options.encoding: utf-8"),
        ("id,название\n1,чай\n".encode(), "koi8-r", "is not koi8-r but UTF-8: set data.options.encoding"),
        (
            TEXT.encode() * 9 + b"3,Gr\xc3\n",
            "cp1252",
            "is not cp1252 but UTF-8: set data.options.encoding: utf-8",
        ),
        (TEXT.encode("utf-8-sig"), "latin-1", "is not latin-1 but UTF-8: set data.options.encoding: utf-8"),
    ],
)
def test_another_encoding_is_said(tmp_path: Path, content: bytes, encoding: str, message: str) -> None:
    assert problem(tmp_path, content, Dialect(encoding=encoding)).startswith(message)


def test_no_other_encoding_is_proposed_for_a_letter_that_a_short_field_cut(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("id,name\n1,größe\n2,Kü".encode()[:-1])
    told = DelimitedFile(tmp_path / "t.csv", PLAIN).explain_bytes(2, "name")
    assert told.startswith(
        "is not UTF-8 (row 2, column 'name'): other letters of the file are: mend those that"
    )
    assert "cp1252" not in told


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("การสั่งซื้อสินค้า รองเท้ากีฬา หม้อหุงข้าว", "tis-620"),
        ("红色连衣裙 女士手提包 运动鞋 联通", "gbk"),
        ("ｱｲｳｴｵ ﾊﾝﾄﾞﾊﾞｯｸﾞ 台所用品", "euc_jp"),
        ("Красное платье и ёлка", "cp866"),
        ("Größe Straße Äpfel", "mac-roman"),
    ],
)
def test_letters_that_are_utf8_by_chance_are_no_utf8(tmp_path: Path, text: str, encoding: str) -> None:
    rows = read(tmp_path, f"id,title\n1,{text}\n".encode(encoding), Dialect(encoding=encoding))
    assert rows == [{"id": b"1", "title": text.encode()}]


@pytest.mark.parametrize(
    ("content", "separator", "name", "other"),
    [
        ('id;title;price\n1;"a, b";2,5\n', None, "t.csv", '";"'),
        ("id\ttitle\n1\ta\n", None, "t.csv", r'"\t"'),
        ("id|title\n1|a\n", None, "t.csv", '"|"'),
        ("id,title\n1,a\n", None, "t.tsv", '","'),
        ("id,title\n1,a\n", ";", "t.csv", '","'),
        ("id;title, long;price\n1;2;3\n", None, "t.csv", '";"'),
        ('"id";"title"\n1;a\n', None, "t.csv", '";"'),
    ],
)
def test_another_separator_is_said_once(
    tmp_path: Path, content: str, separator: str | None, name: str, other: str
) -> None:
    message = f"its columns seem to be separated by {other}"
    said = problem(tmp_path, content, Dialect(separator), name)
    assert said == f"{message}: did you mean data.options.separator: {other}?"
    usual = r'"\t"' if name.endswith("tsv") else '","'
    own = '";"' if separator else usual
    fixed = problem(tmp_path, content, Dialect(separator, options=None), name)
    assert fixed == f"{message}: save it with {own} between them"


def test_dialects_hold_in_compressed_files(tmp_path: Path) -> None:
    content = gzip.compress("id;title\n1;Größe\n".encode("cp1252"))
    rows = read(tmp_path, content, Dialect(";", "cp1252"), "t.csv.gz")
    assert rows == [{"id": b"1", "title": "Größe".encode()}]
    assert "data.options.separator" in problem(tmp_path, content, name="t.csv.gz")
    assert problem(tmp_path, content) == "this is compressed: let its name end in .gz"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PAR1xxxx", "this is a Parquet file: let its name end in .parquet"),
        (b"PK\x03\x04xx", "this is a workbook or a zip archive: save the table as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "this is a workbook: save the table as CSV"),
        (b"sep=,\nid,title\n1,a\n", "its first line, 'sep=', is no header: remove it"),
        (b"# 2024\nid,title\n1,a\n", "its first line, '# 2024', is no header: remove it"),
        (b"BZh91AY", "this is compressed: let its name end in .bz2"),
        (
            b'[{"id": 1}]',
            "this is JSON: write it as CSV or Parquet, with a row for each event or each item; "
            "pandas.read_json reads it",
        ),
        (
            b'{"id": 1}\n{"id": 2}\n',
            "this is JSON, an object a line: write it as CSV or Parquet, with a row for each event or each "
            "item; pandas.read_json(..., lines=True) reads it",
        ),
        *(
            (
                content,
                "this is JSON: write it as CSV or Parquet, with a row for each event or each item; "
                "pandas.read_json reads it, with orient='index' if names stand before rows",
            )
            for content in (b'{\n  "0": {\n    "title": "tea"}}\n', b'{"4": [1, 2], "83": [' + b"4, " * 9999)
        ),
        (b"\xef\xbb\xbf<!DOCTYPE html>\n", "this is a web page or XML, not CSV"),
        (b"<table border=1><tr><th>id</th></tr>\n", "this is a web page or XML, not CSV"),
        (bytes(range(256)), "this is binary: save the table as CSV or Parquet"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "this is a pointer of Git LFS: fetch the file itself by `git lfs pull`",
        ),
        (b"\n\n", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
    ],
)
def test_files_that_are_no_table(tmp_path: Path, content: bytes, message: str) -> None:
    assert problem(tmp_path, content) == message


def test_rows_with_more_or_fewer_fields_are_counted_and_named(tmp_path: Path) -> None:
    content = "id,title\n1,a\n2,a, b\n3\n\n4,a\n" + "x\n" * 6
    start = (
        "8 rows do not have the 2 fields of the header: row 2 (3), row 3 (1), row 5 (1), row 6 (1), row 7 (1)"
    )
    quoted = "a field that holds the separator must stand in quotation marks"
    assert problem(tmp_path, content) == f"{start}, ...; {quoted}"
    unquoted = "no field may hold the separator, with data.options.quoting: false"
    assert problem(tmp_path, content, Dialect(quoting=False)) == f"{start}, ...; {unquoted}"


@pytest.mark.parametrize("line", ["(3 rows)", "# day 2", "3", "\x1a"])
def test_lines_that_lack_fields_are_shown(tmp_path: Path, line: str) -> None:
    start = "1 row does not have the 2 fields of the header: row 3 (1)"
    advice = f"is {line!r} a row? Complete those that are, and remove those that are not"
    assert problem(tmp_path, f"id,title\n1,a\n2,b\n{line}\n4,d\n") == f"{start}; {advice}"


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_rows_that_are_bad_and_no_utf8_are_counted_and_nothing_else_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = b"a,b\n1,2\n3,4,\xd7\n\xd7\n5,\xd7\n"
    assert "2 rows do not have the 2 fields of the header: row 2 (3), row 3 (1)" in problem(tmp_path, content)
    assert capsys.readouterr() == ("", "")


def test_rows_are_counted_over_all_pieces_of_a_file(tmp_path: Path) -> None:
    rows = "1," + "x" * 97 + "\n"
    content = "id,title\n" + rows * 50_000 + "2\n" + rows * 50_000 + "3\n"
    assert "2 rows do not have the 2 fields of the header: row 50001 (1), row 100002 (1);" in problem(
        tmp_path, content
    )


def test_quotation_marks_that_quote_nothing(tmp_path: Path) -> None:
    content = 'id,title\n7,x\n1,"Moon rug\n2,12 inch 12"\n3,"Star" lamp\n'
    assert problem(tmp_path, content) == (
        "a quotation mark opens no quoted field (line 3: a field takes 1 row below with it: '\"Moon rug'): "
        "set data.options.quoting: false if this file quotes nothing; "
        'if it does, write a mark inside a quoted field twice ("")'
    )
    titles = [row["title"] for row in read(tmp_path, content, Dialect(quoting=False))]
    assert titles == [b"x", b'"Moon rug', b'12 inch 12"', b'"Star" lamp']


def test_empty_and_repeated_names_do_not_matter_where_nobody_reads_them(tmp_path: Path) -> None:
    assert read(tmp_path, 'id,,"a\nb",,\n1,,x,y,\n') == [{"id": b"1", "a\nb": b"x"}]


def test_fields_and_rows_of_any_length(tmp_path: Path) -> None:
    long = "x" * 9_000_000
    assert read(tmp_path, f"id,title\n1,{long}\n2,y\n")[0]["title"] == long.encode()


def test_what_stands_above_the_header_is_to_be_removed(tmp_path: Path) -> None:
    content = b"Report: Orders\nFrom 2024-03-01\n\nsession,item\n" + b"s,i\n" * 40
    assert "is its first line, 'Report: Orders', the header? Remove what stands above that" in problem(
        tmp_path, content
    )


def test_a_header_without_a_name_for_row_names_is_asked_for_it(tmp_path: Path) -> None:
    """As R's write.table leaves it out."""
    rows = "".join(f'"{n}","s{n}","i","2024-03-01"\n' for n in range(1, 41))
    told = problem(tmp_path, '"session","item","time"\n' + rows)
    assert told.startswith("40 rows do not have the 3 fields of the header: row 1 (4), row 2 (4), ")
    assert told.endswith(
        "; does its header, 'session,item,time', lack the name of a column, such as that of the row names of "
        "R (col.names=NA writes it)? If not, a field that holds the separator must stand in quotation marks"
    )


def test_two_more_fields_than_in_the_header_are_no_row_names(tmp_path: Path) -> None:
    assert "row names" not in problem(tmp_path, "session,item\n" + "s,i,1,2\n" * 40)


def test_single_quotation_marks_around_separators_are_told(tmp_path: Path) -> None:
    content = b"id,title\n" + b"1,'lamp, red'\n" * 40
    assert "single quotation marks (') hold no field together: write double ones" in problem(
        tmp_path, content
    )


def test_lines_that_are_quoted_as_a_whole_are_told(tmp_path: Path) -> None:
    content = b'"session,item"\n"s,i"\n'
    assert "each of its lines stands in quotation marks as a whole: remove these" in problem(
        tmp_path, content
    )
