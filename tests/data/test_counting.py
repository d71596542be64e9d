from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from m2trec_merlin.config import Config
from m2trec_merlin.data import prepare_data
from m2trec_merlin.data.counting import check_data
from m2trec_merlin.errors import DataError
from tests.worlds.tables import MakeConfig


@pytest.mark.parametrize("data", [{}, {"split": {"kind": "hash"}, "cold_item_share": 0.3}])
def test_checking_counts_what_would_be_written(tmp_path: Path, data: dict) -> None:
    config = Config.model_validate(
        {
            "name": "synthetic",
            "work_dir": tmp_path / "run",
            "data": {"source": "synthetic", "options": {"n_sessions": 200, "n_items": 20}, **data},
            "attributes": [{"name": "title", "kind": "text"}],
        }
    )
    counted = check_data(config)
    assert not (tmp_path / "run").exists()
    manifest = json.loads((prepare_data(config) / "manifest.json").read_text())
    assert counted.as_dict() == manifest["counts"] and counted.data.notices == manifest["notices"]


@pytest.mark.parametrize(
    "change",
    [
        {"events": {"item_id": 99}},
        {"events": {"session_id": None}},
        {"items": {"price": "cheap"}},
        {"split": {"kind": "modulus", "modulus": 9, "test": [8], "valid": [7]}},  # after the splitting
    ],
    ids=str,
)
def test_checking_finds_what_the_verb_data_finds(
    make_config: MakeConfig, events: pd.DataFrame, items: pd.DataFrame, change: dict
) -> None:
    for table, name in ((events, "events"), (items, "items")):
        for column, value in change.get(name, {}).items():
            table[column] = table[column].astype(object)
            table.loc[1, column] = value
    split = {"split": change["split"]} if "split" in change else {}
    config = make_config(events, items, **split)
    messages = []
    for look in (check_data, prepare_data):
        with pytest.raises(DataError) as caught:
            look(config)
        assert look is prepare_data or not config.directory.exists()
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
