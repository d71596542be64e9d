from __future__ import annotations

import os
import re
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from m2trec_merlin.errors import DataError
from m2trec_merlin.readers.files.table_file import TableFile
from m2trec_merlin.readers.positions import parse_positions
from m2trec_merlin.readers.tables import TablesOptions
from tests.worlds.tables import MakeConfig


def _source(make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, **data: object):
    return make_config(events, items, **data).data.open(0)


def test_columns_are_renamed_to_the_canonical_ones(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    names = {"session_id": "order_no", "item_id": "sku", "order": "rank"}
    source = _source(
        make_config,
        events.rename(columns={"session_id": "order_no", "item_id": "sku", "position": "rank"}),
        items.rename(columns={"item_id": "sku"}),
        columns=names,
    )
    assert list(next(source.interactions())) == ["session_id", "item_id", "position"]
    assert source.items()["item_id"].tolist() == [10, 20, 30, 40]
    assert source.interactions_origin.column("position") == "rank"


def test_the_items_table_may_call_the_ids_otherwise(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    source = _source(
        make_config,
        events.rename(columns={"item_id": "product"}),
        items.rename(columns={"item_id": "sku"}),
        columns={"item_id": "product", "items_item_id": "sku", "order": "position"},
    )
    assert source.items()["item_id"].tolist() == [10, 20, 30, 40]
    assert next(source.interactions())["item_id"].tolist()[:3] == ["20", "10", "30"]
    assert source.items_origin.column("item_id") == "sku"
    assert source.interactions_origin.column("item_id") == "product"


def test_the_items_may_be_written_in_another_dialect(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    config = make_config(events, items, options={"items": {"separator": ";", "encoding": "cp1252"}})
    items = items.assign(title="Gefäß")
    items.to_csv(config.data.items, sep=";", encoding="cp1252", index=False)
    source = config.data.open(0)
    assert source.items()["title"].tolist() == ["Gefäß"] * 4
    assert len(pd.concat(source.interactions())) == len(events)
    items.to_csv(config.data.items, sep="|", encoding="cp1252", index=False)
    with pytest.raises(DataError, match=r"did you mean data\.options\.items\.separator"):
        config.data.open(0).items()


@pytest.mark.parametrize(
    ("values", "canonical"),
    [
        ([3, 2, 1], "position"),
        ([0.5, 0.1, 0.2], "position"),
        (["2020-01-01", "2020-01-02", "soon"], "timestamp"),
        ([1, "two", 3], "position"),
    ],
)
def test_order_is_a_position_or_a_timestamp(
    make_config: MakeConfig, items: pd.DataFrame, values: list[object], canonical: str
) -> None:
    events = pd.DataFrame({"session_id": 1, "item_id": [10, 20, 30], "when": values})
    source = _source(make_config, events, items, columns={"order": "when"})
    assert source.interactions_origin.columns[canonical] == "when"


def test_unix_time_is_named_by_an_option(make_config: MakeConfig, items: pd.DataFrame) -> None:
    events = pd.DataFrame({"session_id": 1, "item_id": [10, 20], "when": [1483315200, 1483315201]})
    source = _source(make_config, events, items, columns={"order": "when"}, options={"time_format": "s"})
    assert source.interactions_origin.columns["timestamp"] == "when" and source.time_format == "s"


def test_interleaved_sessions_are_gathered(make_config: MakeConfig, items: pd.DataFrame) -> None:
    events = pd.DataFrame({"session_id": [1, 2, 1, 2], "item_id": [10, 20, 30, 40]})
    (chunk,) = _source(make_config, events, items).interactions()
    assert chunk["item_id"].tolist() == ["10", "30", "20", "40"]
    assert chunk.index.tolist() == [0, 2, 1, 3]


def test_unknown_items_can_be_left_out(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    source = _source(make_config, events, items[:2], options={"drop_unknown_items": True})
    kept = pd.concat(source.interactions())
    assert kept["item_id"].isin(["10", "20"]).all() and len(kept) == 5
    assert source.notices == [
        "4 events left out: their items are not in items.csv, such as 30 (the items have 20)"
    ]


def test_what_is_left_out_is_told_apart(make_config: MakeConfig, items: pd.DataFrame) -> None:
    ids = ["010", None, "020", "7", None, "020"]
    source = _source(
        make_config,
        pd.DataFrame({"session_id": [1, 1, 2, 2, 3, 3], "item_id": ids}),
        items,
        options={"drop_unknown_items": True},
    )
    assert not list(source.interactions())
    assert source.notices == [
        "4 events left out: their items are not in items.csv, such as 010 "
        "(the items have '10', which differs from '010' by leading zeros or a fraction)",
        "2 events left out: they name no item",
    ]


def test_a_column_called_item_id_gives_way_to_the_named_one(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    source = _source(make_config, events, items.assign(sku=items["item_id"] + 1), columns={"item_id": "sku"})
    assert source.items()["item_id"].tolist() == [11, 21, 31, 41]


def test_unknown_options_are_refused(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    with pytest.raises(ValidationError) as caught:
        _source(make_config, events, items, options={"seperator": ";", "time_format": 3})
    assert "options.seperator" in str(caught.value) and "options.time_format" in str(caught.value)


@pytest.mark.parametrize(
    ("time_format", "fault"),
    [
        ("YYYY-MM-DD", "expected s, ms, us, ns, days, ISO8601 or a strptime format, such as %d/%m/%Y"),
        ("iso8601", "expected s, ms, us, ns, days, ISO8601"),
        ("%Y-%m-%d %Q", "is no strptime format: 'Q' is a bad directive"),
        ("%Y %Y", "is no strptime format: redefinition"),
        ("%Y-%", "is no strptime format: stray %"),
        ("%d/%m/%Y %H:%M %p", "%p (AM or PM) counts beside %I alone"),
        ("%d/%m/%Y %I:%M", "%I is one of 12 hours, before or after noon"),
    ],
)
def test_formats_that_read_no_time_are_mistakes(time_format: str, fault: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(fault)):
        TablesOptions(time_format=time_format)
    for good in ("%d.%m.%y %H:%M:%S.%f%z", "%m/%d/%Y %I:%M %p", "%Y%%p%H"):
        assert TablesOptions(time_format=good).time_format == good


def test_state_follows_the_files(make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame) -> None:
    config = make_config(events, items)
    before = config.data.open(0).state()
    assert config.data.items is not None
    Path(config.data.items).write_text("item_id\n1\n")
    after = config.data.open(0).state()
    assert before["interactions"] == after["interactions"] and before["items"] != after["items"]


def test_items_are_read_by_the_columns_that_are_needed(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    source = _source(
        make_config, events, items.rename(columns={"item_id": "sku"}), columns={"item_id": "sku"}
    )
    assert list(source.items()) == ["sku", "title", "category", "price", "item_id"]
    assert list(source.items(["title", "nowhere"])) == ["title", "item_id"]
    # The ids may be an attribute, too, as they stand in the file.
    read = source.items(["sku"])
    assert read["sku"].tolist() == ["10", "20", "30", "40"] and read["item_id"].tolist() == [10, 20, 30, 40]
    assert source.items_origin.available() == ["sku", "title", "category", "price"]


def test_an_attribute_cannot_read_a_column_whose_name_the_ids_take(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    source = _source(make_config, events, items.assign(sku=items["item_id"] + 1), columns={"item_id": "sku"})
    with pytest.raises(DataError, match="'item_id' stands for the ids, which are in 'sku'"):
        source.items(["item_id"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoding": "klingon"}, "Python knows no encoding 'klingon'"),
        ({"encoding": "base64"}, "Python knows no encoding 'base64'"),
        ({"separator": '"'}, "options.separator"),
        ({"separator": "§"}, "options.separator"),
        ({"separator": ", "}, "options.separator"),
    ],
)
def test_dialects_that_no_file_has_are_refused(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, options: dict[str, str], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        _source(make_config, events, items, options=options)


def test_options_describe_the_dialect_of_both_files(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    items["title"] = ['"Größe', '12"', "a", "b"]
    options = {"separator": ";", "encoding": "utf-16", "quoting": False}
    config = make_config(events, items, options=options)
    for path, table in ((config.data.interactions, events), (config.data.items, items)):
        lines = [";".join(table.columns), *(";".join(map(str, row)) for row in table.to_numpy())]
        Path(path).write_text("\n".join(lines), encoding="utf-16")
    source = config.data.open(0)
    assert source.items()["title"].tolist() == ['"Größe', '12"', "a", "b"]
    assert pd.concat(source.interactions())["item_id"].tolist()[:3] == ["20", "10", "30"]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2, 1], ["2", "x", "1"], ["1", "1", "1", "2", "2", "x"]),
        ([1, 2, 1], [2.0, None, 1.0], [1, 1, 1, 2, 2, None]),
        ([2**60 + 1, 2, 2], [2.0, 3.0, None], [2**60 + 1, 2, 2, 2, 3, None]),
        ([b"1", b"2", b"1"], [2, 1, 3], ["1", "1", "1", "2", "2", "3"]),
        ([7.0, None, 7.0], ["7", "x", "7"], ["7", "7", "7", "7", None, "x"]),
    ],
)
@pytest.mark.parametrize("chunk_sessions", [1, 1000])
def test_sessions_of_several_types_of_ids_come_together_whatever_the_size(
    make_config: MakeConfig,
    events: pd.DataFrame,
    items: pd.DataFrame,
    first: list[object],
    second: list[object],
    expected: list[object],
    chunk_sessions: int,
) -> None:
    config = make_config(events, items, "parquet", chunk_sessions=chunk_sessions)
    folder = Path(config.data.interactions)
    folder.unlink()
    folder.mkdir()
    # Events enough to go through temporary files where chunks are small.
    for name, ids in (("a", first), ("b", second)):
        part = pd.DataFrame({"session_id": ids * 20, "item_id": 10, "position": 1})
        part.to_parquet(folder / f"{name}.parquet", index=False)
    chunks = list(config.data.open(0).interactions())
    found = pd.concat(chunks)["session_id"]
    counted = [value for value in expected for _ in range(20)]
    assert [None if pd.isna(value) else value for value in found] == counted
    assert (len(chunks) > 2) == (chunk_sessions == 1)


@pytest.mark.parametrize("chunk_sessions", [1, 1000])
def test_whole_numbers_that_a_program_wrote_as_decimals_are_the_same_ids_in_csv(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, chunk_sessions: int
) -> None:
    config = make_config(events, items, chunk_sessions=chunk_sessions)
    folder = Path(config.data.interactions)
    folder.unlink()
    folder.mkdir()
    for name, ids in (("a", ["12", "1.00", "x.0"]), ("b", ["12.0", "", "1.0"])):
        lines = "".join(f"{session},10,1\n" for session in ids * 15)
        (folder / f"{name}.csv").write_text(f"session_id,item_id,position\n{lines}")
    found = pd.concat(config.data.open(0).interactions())["session_id"]
    assert found.value_counts().to_dict() == {"12": 30, "1.00": 15, "x.0": 15, "1": 15}


@pytest.mark.parametrize("chunk_sessions", [1, 1000])
def test_places_of_several_types_order_events_whatever_the_size(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, chunk_sessions: int
) -> None:
    config = make_config(events, items, "parquet", chunk_sessions=chunk_sessions)
    folder = Path(config.data.interactions)
    folder.unlink()
    folder.mkdir()
    for name, places in (("a", [10, 2]), ("b", [Decimal("9.5"), Decimal("100.25"), None])):
        part = pd.DataFrame({"session_id": 1, "item_id": 10, "position": places * 15})
        part.to_parquet(folder / f"{name}.parquet", index=False)
    found = pd.concat(config.data.open(0).interactions())["position"]
    expected = [10, 2] * 15 + [Decimal("9.5"), Decimal("100.25"), None] * 15
    assert [None if pd.isna(place) else place for place in parse_positions(found)] == expected


def test_state_follows_the_files_of_a_folder(tmp_path: Path) -> None:
    table = TableFile(tmp_path / "days")
    for name in ("a/part.csv", "b/part.csv"):
        (tmp_path / "days" / name).parent.mkdir(parents=True)
        (tmp_path / "days" / name).write_text("item_id\n1\n")
        os.utime(tmp_path / "days" / name, (0, 0))
    states = [table.state()]
    (tmp_path / "days" / "b").rename(tmp_path / "days" / "c")
    states.append(table.state())
    (tmp_path / "days" / "c" / "more.csv").write_text("item_id\n2\n")
    states.append(table.state())
    (tmp_path / "days" / "a" / "part.csv").unlink()
    states.append(table.state())
    assert all(earlier != later for earlier, later in pairwise(states))
    moved = (tmp_path / "days").rename(tmp_path / "moved")
    assert TableFile(moved).state() == states[-1], "where the folder is does not matter"


def test_settings_that_change_nothing_beside_the_others_are_told(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    def told(columns: dict[str, str], **options: object) -> list[str]:
        config = make_config(events, items, columns=columns, options=options)
        return config.data.without_effect()

    assert told({}) == []
    assert told({"order": "position", "split": "part"}) == [
        "data.columns.split changes nothing with data.split.kind 'modulus': set kind: column to split as the "
        "column 'part' says"
    ]
    assert told({}, time_format="ms") == [
        "data.options.time_format changes nothing without data.columns.order"
    ]


def test_how_text_is_written_is_told_where_there_is_none(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame
) -> None:
    def told(suffix: str, **options: object) -> list[str]:
        source = make_config(events, items, suffix, options=options).data.open(0)
        list(source.interactions())
        return source.notices

    what = "it says how text is written, and interactions.parquet and items.parquet is none"
    assert told("parquet", separator=";") == [f"data.options changes nothing: {what}"]
    assert told("parquet") == told("csv", quoting=False) == []


def test_a_source_is_called_by_its_files_wherever_one_stands(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(events, items)
    folder = config.data.interactions.parent / "clicks"
    folder.mkdir()
    config.data.interactions.rename(folder / "part-0.csv")
    monkeypatch.chdir(folder)
    here = config.data.model_copy(update={"interactions": Path()})
    assert here.open(0).name == "clicks and items.csv"
