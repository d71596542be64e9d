"""The contract of every reader: whoever adds one gives it a line in EXAMPLES."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.column_names import ITEM_ID, SESSION_ID
from m2trec_merlin.readers import AnyData, DataSettings
from m2trec_merlin.readers.complete_journey import CompleteJourneyData
from m2trec_merlin.readers.diginetica import DigineticaData
from m2trec_merlin.readers.synthetic import SyntheticData
from m2trec_merlin.readers.tables import TablesData
from tests.worlds.tables import EVENTS, ITEMS


def synthetic(folder: Path, chunk: int) -> DataSettings:
    options = {"n_sessions": 20, "n_items": 30, "n_categories": 3}
    return SyntheticData(source="synthetic", options=options, chunk_sessions=chunk)


def complete_journey(folder: Path, chunk: int) -> DataSettings:
    return CompleteJourneyData(options={"households": 1}, chunk_sessions=chunk)


def tables(folder: Path, chunk: int) -> DataSettings:
    # Sessions lie scattered over the file.
    EVENTS.iloc[::2]._append(EVENTS.iloc[1::2]).to_csv(folder / "clicks.csv", index=False)
    ITEMS.to_csv(folder / "items.csv", index=False)
    return TablesData(
        source="tables",
        interactions=folder / "clicks.csv",
        items=folder / "items.csv",
        columns={"order": "position"},
        chunk_sessions=chunk,
    )


def one_table(folder: Path, chunk: int) -> DataSettings:
    EVENTS.merge(ITEMS).to_csv(folder / "purchases.csv", index=False)
    return TablesData(
        source="tables",
        interactions=folder / "purchases.csv",
        columns={"order": "position"},
        chunk_sessions=chunk,
    )


def diginetica(folder: Path, chunk: int) -> DataSettings:
    (folder / "train-item-views.csv").write_text(
        "sessionId;userId;itemId;timeframe;eventdate\n"
        "1;NA;10;1;2016-05-09\n2;NA;20;5;2016-05-09\n1;NA;20;2;2016-05-09\n2;NA;10;9;2016-05-09\n"
    )
    (folder / "products.csv").write_text("itemId;pricelog2;product.name.tokens\n10;8;1,2\n20;9;3\n")
    (folder / "product-categories.csv").write_text("itemId;categoryId\n10;7\n20;7\n")
    return DigineticaData(source="diginetica", folder=folder, chunk_sessions=chunk)


EXAMPLES: dict[str, Callable[[Path, int], DataSettings]] = {
    "synthetic": synthetic,
    "complete_journey": complete_journey,
    "tables": tables,
    "tables, one for both": one_table,
    "diginetica": diginetica,
}
SOURCES = [get_args(each.model_fields["source"].annotation)[0] for each in get_args(get_args(AnyData)[0])]


def test_every_reader_has_an_example():
    assert set(SOURCES) == {name.split(",")[0] for name in EXAMPLES}


def events_of(settings: DataSettings) -> pd.DataFrame:
    return pd.concat(list(settings.open(1).interactions()))


@pytest.mark.parametrize("name", EXAMPLES)
class TestContract:
    def test_events_come_again_in_the_same_order(self, name: str, tmp_path: Path):
        source = EXAMPLES[name](tmp_path, 3).open(1)
        pd.testing.assert_frame_equal(*(pd.concat(list(source.interactions())) for _ in range(2)))

    def test_the_size_of_chunks_changes_nothing(self, name: str, tmp_path: Path):
        few, many = (events_of(EXAMPLES[name](tmp_path, chunk)) for chunk in (1, 1000))
        pd.testing.assert_frame_equal(few.reset_index(drop=True), many.reset_index(drop=True))

    def test_sessions_are_whole_and_lie_side_by_side(self, name: str, tmp_path: Path):
        seen: set[object] = set()
        for chunk in EXAMPLES[name](tmp_path, 2).open(1).interactions():
            runs = chunk[SESSION_ID][chunk[SESSION_ID] != chunk[SESSION_ID].shift()].tolist()
            assert len(runs) == len(set(runs)) <= 2
            assert not seen & set(runs)
            seen |= set(runs)
        assert len(seen) > 1

    def test_every_item_of_a_session_is_among_the_items(self, name: str, tmp_path: Path):
        settings = EXAMPLES[name](tmp_path, 100)
        known = set(settings.open(1).items()[ITEM_ID].astype(str))
        assert set(events_of(settings)[ITEM_ID].astype(str)) <= known

    def test_items_come_with_their_ids_and_the_columns_asked_for(self, name: str, tmp_path: Path):
        items = EXAMPLES[name](tmp_path, 100).open(1).items(["title", "nowhere"])
        assert {ITEM_ID, "title"} <= set(items) and "nowhere" not in items

    def test_columns_are_those_that_its_origin_names(self, name: str, tmp_path: Path):
        source = EXAMPLES[name](tmp_path, 100).open(1)
        events = pd.concat(list(source.interactions()))
        assert set(source.interactions_origin.columns) <= set(events.columns)
        assert source.interactions_origin.locate(0).endswith("row 1")

    def test_equal_seeds_give_equal_data(self, name: str, tmp_path: Path):
        settings = EXAMPLES[name](tmp_path, 100)
        pd.testing.assert_frame_equal(settings.open(1).items(), settings.open(1).items())
        pd.testing.assert_frame_equal(events_of(settings), events_of(settings))
        assert settings.open(1).state() == settings.open(1).state()


@pytest.mark.parametrize("name", ["tables", "tables, one for both", "diginetica"])
def test_the_state_follows_the_files(name: str, tmp_path: Path):
    settings = EXAMPLES[name](tmp_path, 100)
    before = settings.open(1).state()
    file = next(tmp_path.glob("*.csv"))
    file.write_text(file.read_text() + "\n")
    assert settings.open(1).state() != before


def test_rows_are_named_as_they_stand_in_the_file(tmp_path: Path):
    events = events_of(tables(tmp_path, 100))
    in_file = pd.read_csv(tmp_path / "clicks.csv")
    ids = in_file["session_id"].to_numpy()[events.index.to_numpy(np.int64)]
    assert ids.astype(str).tolist() == events[SESSION_ID].astype(str).tolist()

    def test_the_state_of_equal_data_is_equal_and_json_keeps_it(self, name: str, tmp_path: Path):
        one, other = (EXAMPLES[name](tmp_path, chunk).open(1).state() for chunk in (1, 1000))
        assert one == other == json.loads(json.dumps(one))

    def test_the_state_of_data_that_are_not_there_raises_nothing(self, name: str, tmp_path: Path):
        settings = EXAMPLES[name](tmp_path, 3)
        there = settings.open(1).state()
        for file in tmp_path.iterdir():
            file.unlink()
        gone = settings.open(1).state()
        assert (gone != there) == bool(settings.paths)
