from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from m2trec_merlin.config import Config
from tests.worlds.tables import MakeConfig, problems_of


def _write(
    config: Config, interactions: str | bytes | None = None, items: str | bytes | None = None
) -> Config:
    for path, text in ((config.data.interactions, interactions), (config.data.items, items)):
        if text is not None:
            Path(path).write_bytes(text if isinstance(text, bytes) else text.encode())
    return config


@pytest.mark.parametrize(
    ("interactions", "items", "expected"),
    [
        ("", "item_id,title\n", ["items.csv: holds no rows", "interactions.csv: cannot be read as CSV"]),
        (None, "", ["items.csv: cannot be read as CSV: the file is empty", "interactions.csv: no such file"]),
        ("session_id,item_id\n", "item_id,title\n1,a\n", ["interactions.csv: holds no rows"]),
        ("session,item_id\n", None, ["items.csv: no such file", "no column 'session_id'"]),
    ],
)
def test_empty_and_missing_files(
    tmp_path: Path, interactions: str | None, items: str | None, expected: list[str]
) -> None:
    for name, content in (("interactions", interactions), ("items", items)):
        if content is not None:
            (tmp_path / f"{name}.csv").write_text(content)
    data = {
        "source": "tables",
        "interactions": tmp_path / "interactions.csv",
        "items": tmp_path / "items.csv",
    }
    config = Config.model_validate(
        {"name": "bad", "data": data, "attributes": [{"name": "title", "kind": "text"}]}
    )
    problems = problems_of(config)
    for text in expected:
        assert any(text in problem for problem in problems), (text, problems)
    assert len(problems) >= len(expected)


def test_of_a_table_without_rows_nothing_else_is_said(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text("session_id,item_id,time\n")
    (tmp_path / "items.csv").write_text("item_id,title\n1,a\n")
    tables = {"interactions": tmp_path / "interactions.csv", "items": tmp_path / "items.csv"}
    data = {"source": "tables", **tables, "columns": {"order": "time"}, "split": {"kind": "time"}}
    config = Config.model_validate(
        {"name": "bad", "data": data, "attributes": [{"name": "title", "kind": "text"}]}
    )
    [problem] = problems_of(config)
    assert problem.endswith("interactions.csv: holds no rows")


def test_a_table_with_rows_is_never_said_to_hold_none(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    config = make_config(events, items)
    clicks, described = Path(config.data.interactions).read_text(), Path(config.data.items).read_text()
    problems = problems_of(_write(config, clicks.upper(), described.upper()))
    assert len(problems) == 7 and not any("holds no rows" in problem for problem in problems)
    assert all("did you mean" in problem for problem in problems)


def test_a_table_without_a_header_is_said_to_have_none(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    config = make_config(events, items)
    described = Path(config.data.items).read_text().partition("\n")[2]
    problems = problems_of(_write(config, items=described))
    assert len(problems) == 4
    assert all(
        "there are 10, red apple, fruit, 1.5; is the first line a row? It must name the columns" in problem
        for problem in problems
    )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_messages_list_all_columns_of_the_file(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, suffix: str
) -> None:
    items.insert(0, "", 1)
    items.insert(1, "unread ", 1)
    config = make_config(events, items, suffix, columns={"item_id": "sku", "order": "position"})
    first, second = problems_of(config)
    assert "there are '', 'unread ', item_id, title, category, price" in first
    assert "there are session_id, item_id, position" in second


def test_a_wrong_dialect_is_one_problem_a_file(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    config = make_config(events, items)
    clicks, described = Path(config.data.interactions).read_text(), Path(config.data.items).read_text()
    first, second = problems_of(_write(config, clicks.replace(",", "\t"), described.replace(",", ";")))
    assert "items.csv: its columns seem to be separated" in first and 'options.separator: ";"?' in first
    assert "interactions.csv: its columns seem" in second and r'options.separator: "\t"?' in second
    (problem,) = problems_of(_write(config, clicks, described.replace("red", "röt").encode("cp1252")))
    assert "items.csv: is not UTF-8 (row 1, column 'title'): save it as UTF-8, or name its own" in problem
    (problem,) = problems_of(_write(config, clicks, described.replace("red apple", '"Star" apple')))
    assert "items.csv: a quotation mark opens no quoted field (line 2: " in problem


@pytest.mark.parametrize(
    ("events_mark", "items_mark", "options", "told"),
    [
        (",", ";", {}, 'data.options.items.separator for the items alone, or data.options.separator: ";"?'),
        (",", ";", {"separator": ";"}, 'data.options.separator: ","?'),
        (";", ",", {"separator": ";"}, "data.options.items.separator for the items alone, or data.options"),
        (",", ";", {"items": {"separator": "|"}}, 'data.options.items.separator: ";"?'),
    ],
)
def test_a_setting_that_serves_the_items_alone_is_named(
    make_config: MakeConfig,
    events: pd.DataFrame,
    items: pd.DataFrame,
    events_mark: str,
    items_mark: str,
    options: dict[str, object],
    told: str,
) -> None:
    config = make_config(events, items, options=options)
    texts = [Path(path).read_text() for path in (config.data.interactions, config.data.items)]
    marks = zip(texts, (events_mark, items_mark), strict=True)
    (problem,) = problems_of(_write(config, *(text.replace(",", mark) for text, mark in marks)))
    assert f"did you mean {told}" in problem


def test_blanks_between_columns_are_told_with_the_setting_that_reads_them(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    config = make_config(events, items)
    blank = "".join(f'"{a}" "{b}"\n' for a, b in zip(["item_id", *"12"], ["title", *"ab"], strict=True))
    told = '; are these several, with blanks between them? separator: " " reads them'
    assert told in "\n".join(problems_of(_write(config, items=blank)))
    commas = blank.replace(" ", ",").replace("title", "full name")
    assert told not in "\n".join(problems_of(_write(config, items=commas)))


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        (":", """; are these several, with ':' between them? separator: ":" reads them"""),
        ("^", """; are these several, with '^' between them? separator: "^" reads them"""),
        ("\x01", r"""; are these several, with '\x01' between them? separator: "\u0001" reads them"""),
        ("::", "; are these several, with '::' between them? write a tab in its place"),
    ],
)
def test_other_marks_between_columns_are_told_with_the_setting_that_reads_them(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, mark: str, told: str
) -> None:
    config = make_config(events, items)
    described = Path(config.data.items).read_text().replace(",", mark)
    problems = problems_of(_write(config, items=described))
    assert [problem.split(";")[2:] for problem in problems] == [told.split(";")[1:]] * len(problems)


def test_a_name_with_a_blank_at_its_end_is_meant_itself(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    problems = problems_of(_write(make_config(events, items), items="item_id \n1\n"))
    assert "did you mean 'item_id '?" in problems[0]
