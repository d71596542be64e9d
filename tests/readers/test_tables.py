from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from m2trec_merlin.readers.files import TableFile
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
    assert source.notices == ["4 events left out: their items are not in items.csv"]


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


def test_state_follows_the_files(make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame) -> None:
    config = make_config(events, items)
    before = config.data.open(0).state()
    assert config.data.items is not None
    Path(config.data.items).write_text("item_id\n1\n")
    after = config.data.open(0).state()
    assert before["interactions"] == after["interactions"] and before["items"] != after["items"]


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
