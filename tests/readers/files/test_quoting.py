from __future__ import annotations

import pytest

from m2trec_merlin.readers.files.quoting import RowCutter, StrayQuotesError

HEAD = "id,title,price\n1,lamp,2.5\n2,blue rug,13.5\n3,sofa,\n"


def cut(text: str, size: int = 1 << 20, separator: str = ",", quoting: bool = True) -> list[str]:
    data = text.encode()
    cutter = RowCutter(separator, text.partition("\n")[0].count(separator) + 1, quoting)
    pieces = [cutter.cut(data[start : start + size]) for start in range(0, len(data), size)]
    return [piece.decode() for piece in [*pieces, cutter.cut(b"", is_last=True)] if piece]


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("quoting", [True, False])
def test_pieces_are_whole_rows_and_together_the_text(size: int, quoting: bool) -> None:
    for text in (HEAD, HEAD.replace("\n", "\r\n"), HEAD.replace("\n", "\r"), HEAD.strip()):
        pieces = cut(text, size, quoting=quoting)
        assert "".join(pieces) == text
        assert all(piece.endswith(("\n", "\r")) for piece in pieces[:-1])


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    "rows",
    [
        '4,"5"" pipe, long",1\n',
        '4,"",1\n',
        '4,"""all""",1\n',
        '4,5" pipe,1\n5,7" pipe,2\n',
        '4,"first line\nsecond, with commas\n\nlast",1\n5,x,2\n',
        '4,"first line\r\nsecond",1\r\n',
        '"4","x","1"\n"5","y","2"\n',
        '4,x,"1"',
    ],
)
def test_quoted_fields_stay_whole(rows: str, size: int) -> None:
    pieces = cut(HEAD + rows, size)
    assert "".join(pieces) == HEAD + rows
    assert all(piece.count('"') % 2 == 0 or '" pipe' in piece for piece in pieces)


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ('4,"Moon" rug,1\n', 'line 5: a field goes on behind its closing mark: \'"Moon" rug,1'),
        ('4,"Moon rug,1\n5,x,2\n6,"Sun clock,3\n', "line 5: a field goes on behind its closing mark"),
        ('4,"5\\" pipe",1\n', "line 5: a field goes on behind its closing mark"),
        ('4,x,1\n5,"Moon rug,1\n6,x,2\n', "line 6: a field is never closed: '\"Moon rug,1'"),
        ('4,x,"1', "line 5: a field is never closed"),
        (
            '4,"Moon rug,1\n5,x,2\n6,12 inch 12",3\n',
            "line 5: a field takes 2 rows below with it: '\"Moon rug",
        ),
        ('4,"Moon rug,1\n6,12 inch 12",3\n7,x,5\n', "line 5: a field takes 1 row below with it"),
        ('4,"Moon rug,1\r\n6,12 inch 12",3\r\n7,x,5\r\n', "line 5: a field takes 1 row below with it"),
    ],
)
def test_marks_that_swallow_rows_are_found(rows: str, message: str, size: int) -> None:
    with pytest.raises(StrayQuotesError) as caught:
        cut(HEAD + rows, size)
    assert str(caught.value).startswith(message)
    assert "".join(cut(HEAD + rows, size, quoting=False)) == HEAD + rows


def test_any_separator_ends_a_field() -> None:
    text = HEAD.replace(",", "|") + '4|"Moon, rug"|1\n'
    assert cut(text, separator="|") == [text]
    with pytest.raises(StrayQuotesError, match="line 5: a field goes on"):
        cut(text.replace("rug", 'rug", x'), separator="|")


@pytest.mark.parametrize(
    "text",
    [
        # As many separators in each line as the table has, and yet no rows of it.
        'id,description\n1,nice\n2,"Nice lamp\nred, blue"\n3,fine\n',
        'name,description\nlamp,nice\nsofa,"Nice lamp\nred, blue"\nrug,fine\n',
        'id,title,price,description\n1,a,5.5,nice\n2,b,6.5,"Colours\nred, blue, green, white"\n',
        'id,title,price,description\n1,a,5.5,nice\n2,b,6.5,"Sizes\n12, 14, large, small"\n',
        'id,description\n1,"one\ntwo, three"\n2,"four\nfive, six"\n',
    ],
)
def test_descriptions_with_line_breaks_and_separators_are_no_rows(text: str) -> None:
    assert cut(text) == [text]


def test_a_mark_that_is_closed_megabytes_later_is_found_early() -> None:
    rows = "4,x,1\n" * 2_000_000
    with pytest.raises(StrayQuotesError, match="line 5: a field is never closed"):
        cut(f'{HEAD}4,"Moon rug,1\n{rows}5,12 inch 12",3\n')
