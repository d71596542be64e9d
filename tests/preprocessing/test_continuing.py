"""A run that starts from what an earlier one learned: what keeps its id, what comes behind, what moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.preprocessing.run import preprocess
from m2trec_merlin.runs import Run
from m2trec_merlin.workflows.items import encode_items
from m2trec_merlin.workflows.storage import load_workflow
from tests.told import Told
from tests.worlds.raw_run import ATTRIBUTES, ITEMS, SESSIONS, make_config, preprocessed, write_data

#: A new item of a new brand, whose title has letters that no title of the day before had.
NEW = pd.DataFrame(
    {
        "item_id": [15],
        "title": ["Zucchini juice"],
        "maker": [6.0],
        "tags": ["vegetable"],
        "price": [9.0],
        "picture": [[1.0, 1.0]],
    }
)
TODAY = {**SESSIONS, "train": {**SESSIONS["train"], "f": [15, 13], "g": [15, 10]}}


@pytest.fixture(scope="module")
def yesterday(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return preprocessed(tmp_path_factory.mktemp("yesterday"))


def begin(folder: Path, attributes: list[dict[str, Any]] | None = None, **data: Any) -> Config:
    """The next day, its data written."""
    write_data(folder, pd.concat([ITEMS, NEW], ignore_index=True), TODAY)
    return make_config(folder, attributes, **data)


@pytest.fixture(scope="module")
def today(yesterday: Config, tmp_path_factory: pytest.TempPathFactory) -> Config:
    config = begin(tmp_path_factory.mktemp("today"))
    preprocess(config, earlier=Run(yesterday))
    return config


def test_values_keep_their_ids_and_new_ones_come_behind(yesterday: Config, today: Config) -> None:
    before, now = (Catalogue.load(Run(config).catalogue) for config in (yesterday, today))
    # By falling frequency of today, 6 and 9 being new, 7 would stand behind them.
    assert before.category_names("brand")[3:] == ["7", "8"]
    assert now.category_names("brand")[3:] == ["7", "8", "6", "9"]
    assert before.category_names("tags")[3:] == ["drink", "fresh", "fruit"]
    assert now.category_names("tags")[3:] == ["drink", "fresh", "fruit", "vegetable"]


def test_known_words_keep_their_pieces_and_new_letters_get_some(yesterday: Config, today: Config) -> None:
    old, new = (load_workflow(Run(config).items_workflow) for config in (yesterday, today))
    known = encode_items(old, ITEMS[:3])["title"].tolist()
    assert [list(ids) for ids in encode_items(new, ITEMS[:3])["title"]] == [list(ids) for ids in known]
    [lost], [found] = encode_items(old, NEW)["title"], encode_items(new, NEW)["title"]
    assert 2 in lost and 2 not in found
    assert max(found) >= Catalogue.load(Run(yesterday).catalogue).attributes["title"].field.size


def test_statistics_move(yesterday: Config, today: Config) -> None:
    old, new = (
        encode_items(load_workflow(Run(c).items_workflow), ITEMS)["price"] for c in (yesterday, today)
    )
    assert abs(old[:3].mean()) < 1e-6 < 0.1 < abs(new[:3].mean())


def test_counts_decide_on_rows_anew(today: Config) -> None:
    catalogue = Catalogue.load(Run(today).catalogue)
    counted = dict(zip(catalogue.item_ids[1:].tolist(), catalogue.train_counts[1:].tolist(), strict=True))
    assert counted == {11: 2, 10: 2, 15: 2, 12: 1, 13: 1, 14: 0}
    assert np.all(np.diff(catalogue.train_counts[1:]) <= 0)


def test_a_current_result_is_kept_and_one_from_elsewhere_is_not(yesterday: Config, today: Config) -> None:
    told = Told()
    preprocess(today, earlier=Run(yesterday), progress=told)
    assert told.lines == [f"{Run(today).preprocessed} is up to date"]
    assert Run(today).step("preprocess").problem() is None


def test_sessions_are_cut_as_they_were(yesterday: Config, tmp_path: Path) -> None:
    longer = begin(tmp_path, max_session_length=3)
    with pytest.raises(ArtifactError, match=r"data.max_session_length is 3, and 2 in .*: configure the same"):
        preprocess(longer, earlier=Run(yesterday))
    as_the_data_suggest = begin(tmp_path, max_session_length=None)
    told = Told()
    folder = preprocess(as_the_data_suggest, earlier=Run(yesterday), progress=told)
    manifest = Run(as_the_data_suggest).step("preprocess").manifest()
    assert folder.is_dir() and manifest["sessions"]["train"]["max_session_length"] == 2
    assert "  11 % of the events were cut: sessions keep their last 2 (as in the earlier run)" in told.lines
    catalogue = Catalogue.load(folder / "catalogue")
    assert catalogue.train_counts.sum() == manifest["sessions"]["train"]["events"] == 8


def test_other_attributes_are_named(yesterday: Config, tmp_path: Path) -> None:
    other = [{**ATTRIBUTES[0], "max_tokens": 5}, {**ATTRIBUTES[1], "kind": "text"}]
    with pytest.raises(ArtifactError) as refused:
        preprocess(begin(tmp_path, other), earlier=Run(yesterday))
    assert "title.max_tokens: 4 there, 5 here" in str(refused.value)
    assert "brand.kind: categorical there, text here" in str(refused.value)
    assert not (tmp_path / "preprocessed").exists()


def test_a_run_is_no_start_for_itself(yesterday: Config) -> None:
    with pytest.raises(ArtifactError, match=r"is the run itself, .*: give this one a folder of its own"):
        preprocess(yesterday, earlier=Run(yesterday))


def test_a_damaged_vocabulary_is_named(yesterday: Config, tmp_path: Path) -> None:
    config = begin(tmp_path / "new")
    damaged = preprocessed(tmp_path / "old")
    (Run(damaged).items_workflow / "Categories" / "brand.parquet").write_bytes(b"PAR1")
    with pytest.raises(ArtifactError, match=r"brand.parquet is damaged"):
        preprocess(config, earlier=Run(damaged))
