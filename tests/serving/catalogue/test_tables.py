from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from m2trec_merlin.serving.catalogue.tables import read_ids, read_items
from m2trec_merlin.serving.contract.item_format import ItemFormat

FORMAT = ItemFormat("sku", ({"name": "title", "kind": "text"},), None, "title", {})


@pytest.mark.parametrize(
    ("columns", "ids"),
    [
        ({"sku": ["A", "B"], "item_id": ["1", "2"]}, ["A", "B"]),
        ({"item_id": ["1", "2"], "sku": ["A", "B"]}, ["A", "B"]),
        ({"item_id": ["1", "2"], "ean": ["A", "B"]}, ["1", "2"]),
    ],
)
def test_ids_are_in_the_column_in_which_the_run_found_them(
    tmp_path: Path, columns: dict[str, list[str]], ids: list[str]
) -> None:
    table = tmp_path / "items.csv"
    pd.DataFrame({**columns, "title": ["red", "blue"]}).to_csv(table, index=False)
    given = read_items(table, FORMAT)
    assert given.ids == ids == read_ids(table, FORMAT)
    assert {item_id: json.loads(raw) for item_id, raw in given.items.items()} == {
        ids[0]: {"title": "red"},
        ids[1]: {"title": "blue"},
    }
