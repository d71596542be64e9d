from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from m2trec_merlin.config import Config
from m2trec_merlin.data.preparation import prepare_data
from m2trec_merlin.data.validation import validate
from m2trec_merlin.errors import DataError

VIEWS = """sessionId;userId;itemId;timeframe;eventdate
1;NA;100;5000;2016-05-01
1;NA;200;1000;2016-05-01
2;7;100;0;2016-05-02
2;7;200;10;2016-05-02
2;7;300;20;2016-05-02
3;NA;200;0;2016-05-03
4;NA;100;0;2016-05-04
4;NA;100;9;2016-05-04
"""
PRODUCTS = """itemId;pricelog2;product.name.tokens
100;10;4875,776,56689
200;7;12
300;0;
400;3;1,2
"""
CATEGORIES = """itemId;categoryId
200;32
100;30
300;30
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "cup"
    folder.mkdir()
    (folder / "train-item-views.csv").write_text(VIEWS)
    (folder / "products.csv").write_text(PRODUCTS)
    (folder / "product-categories.csv").write_text(CATEGORIES)
    return folder


def _config(folder: Path, **options: object) -> Config:
    split = {"kind": "time", "test_share": 0.34, "valid_share": 0.33}
    return Config.model_validate(
        {
            "name": "cup",
            "work_dir": folder.parent / "run",
            "data": {"source": "diginetica", "folder": folder, "options": options, "split": split},
            "attributes": [
                {"name": "title", "kind": "multi_categorical", "separator": " "},
                {"name": "category", "kind": "categorical"},
                {"name": "price", "kind": "numeric"},
            ],
        }
    )


def test_official_files_become_the_two_tables(folder: Path) -> None:
    config = _config(folder)
    items = validate(config.data.open(0), config).items
    assert items["item_id"].tolist() == [100, 200, 300, 400]
    assert items["title"].fillna("-").tolist() == ["4875 776 56689", "12", "-", "1 2"]
    assert items["category"].fillna("-").tolist() == ["30", "32", "30", "-"]
    assert items["price"].tolist() == [10, 7, 0, 3]

    data = prepare_data(config) / "interactions"
    splits = {split: pd.read_parquet(data / split) for split in ("train", "valid", "test")}
    assert splits["train"]["item_id"].tolist() == [200, 100]  # timeframe orders, not the file
    assert splits["valid"]["item_id"].tolist() == [100, 200, 300]
    assert splits["test"]["item_id"].tolist() == [100, 100]  # the session of one view is gone
    assert splits["test"]["timestamp"].tolist() == [pd.Timestamp("2016-05-04")] * 2


def test_support_filter_of_sr_gnn(folder: Path) -> None:
    # Counted in sessions of two views or more: 100 four times, 200 twice (session 3 is too short), 300 once.
    config = _config(folder, min_item_count=2)
    source = config.data.open(0)
    assert source.items()["item_id"].tolist() == [100, 200]
    assert pd.concat(source.interactions())["item_id"].tolist() == [
        "100",
        "200",
        "100",
        "200",
        "200",
        "100",
        "100",
    ]
    assert source.notices == ["1 views left out: items seen fewer than 2 times (data.options.min_item_count)"]
    source = _config(folder, min_item_count=3).data.open(0)
    assert source.items()["item_id"].tolist() == [100]


def test_a_filter_that_leaves_nothing_is_no_empty_file(folder: Path) -> None:
    config = _config(folder, min_item_count=5)
    with pytest.raises(DataError) as caught:
        validate(config.data.open(0), config)
    first, second = caught.value.problems
    assert "products.csv: no item is left: items seen fewer than 5 times" in first
    assert "train-item-views.csv: no event is left; 8 views left out: items seen fewer than 5 times" in second


def test_all_problems_of_the_three_files_at_once(folder: Path) -> None:
    (folder / "products.csv").write_text(PRODUCTS.replace("pricelog2", "price"))
    (folder / "product-categories.csv").write_text(CATEGORIES + "100;31\n")
    (folder / "train-item-views.csv").write_text(VIEWS.replace("2016-05-02", "May 2nd"))
    config = _config(folder)
    with pytest.raises(DataError) as caught:
        validate(config.data.open(0), config)
    text = str(caught.value)
    assert "products.csv: no column 'pricelog2'; there are itemId, price, product.name.tokens" in text
    assert (
        "product-categories.csv, column 'itemId': repeats the id of an earlier row in 1 row: row 4 ('100')"
        in text
    )
    assert "column 'eventdate': is not a timestamp (ISO8601) in 3 rows: row 3 ('May 2nd')" in text


@pytest.mark.parametrize("min_item_count", [1, 2])
def test_missing_files_and_columns(folder: Path, min_item_count: int) -> None:
    config = _config(folder, min_item_count=min_item_count)
    (folder / "train-item-views.csv").write_text(VIEWS.replace("sessionId", "SessionID"))
    (folder / "products.csv").unlink()
    with pytest.raises(DataError) as caught:
        validate(config.data.open(0), config)
    first, second = caught.value.problems
    assert "products.csv: no such file" in first
    assert "no column 'sessionId'" in second and "did you mean 'SessionID'?" in second
    (folder / "train-item-views.csv").unlink()
    with pytest.raises(DataError, match=r"train-item-views\.csv: no such file"):
        validate(config.data.open(0), config)
