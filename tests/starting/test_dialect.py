from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.files.dialect import Dialect
from m2trec_merlin.starting.dialect import Writing, writing_of
from m2trec_merlin.starting.look import look_at

ROWS = ["sku;name;price", *(f"A{i};Käse {i}, alt;{i},50" for i in range(30))]


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["items.csv", "items.csv.gz", "items.txt"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [";", "\t", "|", "^"])
def test_separator_and_encoding(tmp_path: Path, name: str, encoding: str, separator: str) -> None:
    text = "\n".join(ROWS).replace(";", separator)
    found = writing_of(write(tmp_path / name, text, encoding))
    assert found.dialect == Dialect(separator, encoding)
    assert bool(found.unsure) == (encoding == "cp1252")


@pytest.mark.parametrize(("name", "separator"), [("a.csv", ","), ("a.tsv", "\t"), ("a.txt", ",")])
def test_what_is_usual_needs_no_setting(tmp_path: Path, name: str, separator: str) -> None:
    text = "user,item\na,1\nb,2\n".replace(",", separator)
    assert writing_of(write(tmp_path / name, text)).dialect == Dialect()


def test_what_changes_nothing_follows_the_other_table(tmp_path: Path) -> None:
    plain = writing_of(write(tmp_path / "clicks.csv", "user;item\na;1\nb;2\n"))
    other = writing_of(write(tmp_path / "items.csv", 'item|name\n1|5" Käse\n2|"Brie\n3|y\n', "cp1252"))
    assert plain.beside(other) == Dialect(";", "cp1252", quoting=False)
    assert other.beside(plain) == other.dialect == Dialect("|", "cp1252", quoting=False)
    assert Writing(Dialect()).beside(other) == other.dialect


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_plain_ascii_follows_no_encoding_that_writes_it_otherwise(tmp_path: Path, encoding: str) -> None:
    plain = writing_of(write(tmp_path / "clicks.csv", "user;item\na;1\nb;2\n"))
    wide = writing_of(write(tmp_path / "wide.csv", "item|name\n1|x\n2|y\n", encoding))
    assert plain.beside(wide).encoding == "utf-8" and wide.beside(plain).encoding == encoding


def test_a_comma_inside_of_quotes_separates_nothing(tmp_path: Path) -> None:
    rows = "".join(f'{i};"a, b, c";"1,5"\n' for i in range(9))
    assert writing_of(write(tmp_path / "a.csv", "id;name;price\n" + rows)).dialect.separator == ";"


def test_an_umlaut_at_the_very_end_is_seen(tmp_path: Path) -> None:
    text = "a,b\n" + "x,y\n" * 600_000 + "ö,y\n"  # beyond the first block
    assert writing_of(write(tmp_path / "a.csv", text, "cp1252")).dialect.encoding == "cp1252"
    assert writing_of(write(tmp_path / "b.csv", text, "utf-8")).dialect.encoding == "utf-8"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("1,Größe\n2,schön\n3,Kü".encode()[:-1], "utf-8"),
        ("1,Küche\n2,schö".encode()[:-1], "utf-8"),
        ("\ufeff1,Küche\n2,schön\n".encode() + b"3,K\xfcche\n", "utf-8"),
        ("1,Küche\n2,schön\n3,Käse\n".encode("cp1252"), "cp1252"),
        ("1,Café “Noir”\n2,x\n".encode("cp1252"), "cp1252"),
        ("1,Küche\n".encode() + "2,schön\n3,Käse\n".encode("cp1252"), "cp1252"),
        ("1,Küche\n2,K\x81se\n".encode("latin-1"), "latin-1"),
    ],
    ids=["cut", "cut, small", "BOM", "cp1252", "cp1252, small", "mostly cp1252", "latin-1"],
)
def test_single_letters_do_not_decide_the_encoding(tmp_path: Path, data: bytes, encoding: str) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes(b"id,name\n" + data)
    assert writing_of(path).dialect.encoding == encoding


@pytest.mark.parametrize(
    ("text", "quoting"),
    [
        ('id,name\n1,"a, b"\n2,"say ""x"""\n', True),
        ('id,name\n1,17" screen\n2,"old\n3,y\n', False),
        ('id,name\n1,"a" wine\n2,x\n', False),
        ("id,name\n1,a\n", True),
        ('id;name\n1;"old\n2;x\n3;y, z\n', False),
        ('"id\n(#)",name\n1,a\n2,b\n', True),
        ('"id","name"\n"1","a 12\\" pipe"\n"2","b"\n', True),
        ('id,name\n1,"a 12\\" pipe"\n' + '2,"b"\n' * 20, True),
        ('id,name\n1,12" pipe\n2,x\n', True),
        ('id,name\n1,"Heroes"\n2,"Heroes" (live)\n3,"Low"\n', False),
    ],
)
def test_quotation_marks(tmp_path: Path, text: str, quoting: bool) -> None:
    assert writing_of(write(tmp_path / "a.csv", text)).dialect.quoting is quoting


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        ("word\nother\n", "no column separator found"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        writing_of(write(tmp_path / "a.csv", text))


@pytest.mark.parametrize(("head", "mark"), [("items\n", '"'), ("", "")], ids=["quoted", "plain"])
def test_a_basket_a_row_is_told(tmp_path: Path, head: str, mark: str) -> None:
    baskets = ["citrus fruit,margarine,ready soups", "whole milk", "yogurt,coffee", "curd,ham,tea,rum"]
    path = write(tmp_path / "baskets.csv", head + "".join(f"{mark}{basket}{mark}\n" for basket in baskets))
    with pytest.raises(DataError, match="a row seems to hold a whole session, such as 'citrus fruit,marg"):
        writing_of(path)


@pytest.mark.parametrize("mark", [",", ";", " ", "\t"])
@pytest.mark.parametrize("user", [True, False])
@pytest.mark.parametrize("head", ["", "items\n"])
def test_baskets_of_two_items_and_more_are_told(tmp_path: Path, mark: str, user: bool, head: str) -> None:
    """As benchmarks filter them, some with the user in front, as for LightGCN."""
    names = ["0", "1", "2", "3"] if mark == " " else ["milk", "rice", "rolls/buns", "whole tea"]
    baskets = [[names[(n + k) % 4] for k in range(2 + n % 3)] for n in range(40)]
    rows = [mark.join([str(100 + n), *basket] if user else basket) for n, basket in enumerate(baskets)]
    path = write(tmp_path / "baskets.txt", head + " \n".join(rows))
    with pytest.raises(DataError, match=r"a row seems to hold a whole session, .*: write a row for each"):
        writing_of(path)


@pytest.mark.parametrize("text", ["a lamp of wood\nlamp\na chair\n", "1 of 2\n2 of\n1 to 2 of 3\n"])
def test_sentences_are_no_baskets(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="no column separator found"):
        writing_of(write(tmp_path / "a.txt", text * 9))


def test_commas_that_nothing_quotes_are_no_baskets(tmp_path: Path) -> None:
    rows = ["id,name", *(f"{n},a lamp{', old' * (n % 4)}" for n in range(9))]
    with pytest.raises(DataError, match="do not have the 2 fields of the header"):
        writing_of(write(tmp_path / "items.csv", "\n".join(rows)))


def test_wide_characters_without_any_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is empty"):
        writing_of(write(tmp_path / "a.csv", "\n\n", "utf-16"))


def test_a_field_without_end(tmp_path: Path) -> None:
    found = writing_of(
        write(tmp_path / "a.csv", "id|name\n" + "".join(f"{i}|{'x' * 200_000}\n" for i in "123"))
    )
    assert found.dialect.separator == "|"


def test_files_of_a_folder_that_differ(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "a,b\n1,2\n")
    write(tmp_path / "b.csv", "a;b\n1;2\n")
    with pytest.raises(DataError, match="its files have different separators: ',', ';'"):
        writing_of(tmp_path)


@pytest.mark.parametrize("mark", ["::", "||"])
def test_several_characters_between_fields_are_told(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "movies.csv"
    rows = [
        ("MovieID", "Title", "Genres"),
        ("1", "Toy Story", "Animation|Comedy"),
        ("2", "Heat, The", "Crime"),
    ]
    path.write_text("\n".join(mark.join(row) for row in rows), encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(f"its fields have {mark!r} between them")):
        writing_of(path)


@pytest.mark.parametrize("mark", ["|", ";", "\t", "~"])
def test_an_empty_column_lies_between_two_separators(tmp_path: Path, mark: str) -> None:
    """As the second date of the films of MovieLens, which none has."""
    rows = [("id", "title", "", "url"), *((str(n), f"Film {n}, the", "", f"f{n}.org") for n in range(9))]
    path = tmp_path / "films.csv"
    path.write_text("\n".join(mark.join(row) for row in rows), encoding="utf-8")
    assert writing_of(path).dialect.separator == mark


def test_blanks_separate_where_nothing_else_does(tmp_path: Path) -> None:
    """As R's write.table writes them, which counts the rows, too, unless told otherwise."""
    rows = ['"sku" "name"', *(f'{n} "Blue rug {n}"' for n in range(20))]
    assert writing_of(write(tmp_path / "a.csv", "\n".join(rows))).dialect == Dialect(" ")
    named = ["", *(f'"{n}" ' for n in range(20))]
    with pytest.raises(DataError, match=r"row names of R \(col\.names=NA writes it\)"):
        text = "\n".join(map(str.__add__, named, rows))
        look_at(write(tmp_path / "b.csv", text), writing_of(tmp_path / "b.csv").dialect, 100)
    followed = write(tmp_path / "c.csv", '"" ' + text)
    assert list(look_at(followed, writing_of(followed).dialect, 100).columns) == ["sku", "name"]
    titles = ["product id;full name", *(f"p {n};blue rug {n}" for n in range(9))]
    assert writing_of(write(tmp_path / "d.csv", "\n".join(titles))).dialect == Dialect(";")
