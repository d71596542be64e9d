from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.config import Config
from m2trec_merlin.data.validation import validate
from m2trec_merlin.readers import synthetic
from m2trec_merlin.readers.synthetic import Synthetic, SyntheticData


def _source(seed: int = 0, chunk_sessions: int = 10_000, **options: object) -> Synthetic:
    return SyntheticData(source="synthetic", options=options, chunk_sessions=chunk_sessions).open(seed)


def _events(source: Synthetic) -> pd.DataFrame:
    return pd.concat(source.interactions(), ignore_index=True)


def _with_category(source: Synthetic) -> pd.DataFrame:
    return _events(source).merge(source.items()[["item_id", "category"]], on="item_id").sort_values(
        ["session_id", "position"]
    )  # fmt: skip


def test_metadata_predicts_the_next_item() -> None:
    events = _with_category(_source(n_sessions=3000, stay=0.8, n_categories=5))
    before = events.groupby("session_id")["category"].shift()
    pairs = events[before.notna()].assign(before=before)
    assert np.isclose((pairs["category"] == pairs["before"]).mean(), 0.8, atol=0.02)
    # Whoever moves goes to one certain category: each has a single successor.
    moves = pairs[pairs["category"] != pairs["before"]]
    assert moves.groupby("before")["category"].nunique().tolist() == [1] * 5
    # Without the metadata, the previous item says far less: most pairs of items are rare.
    assert pairs["category"].value_counts(normalize=True).max() < 0.4


def test_items_tell_their_category_in_every_attribute() -> None:
    items = _source(n_items=60, n_categories=6).items()
    assert items["item_id"].is_unique and items["item_id"].tolist() == sorted(items["item_id"])
    assert items["category"].nunique() == 6
    for item in items.itertuples():
        assert item.title.endswith(f" {item.category}") and item.category in item.tags
    centres = items.groupby("category")["picture"].mean()
    nearest = [
        min(centres.index, key=lambda c: np.linalg.norm(picture - centres[c])) for picture in items["picture"]
    ]
    assert np.mean(nearest == items["category"]) > 0.9


def test_popularity_is_skewed_unless_asked_otherwise() -> None:
    def top_share(zipf: float) -> float:
        counts = _events(_source(n_sessions=2000, n_items=100, zipf=zipf))["item_id"].value_counts()
        return counts.head(10).sum() / counts.sum()

    assert top_share(1.2) > 3 * top_share(0.0)


@pytest.mark.parametrize("chunk_sessions", [1, 7, 1000])
def test_equal_seeds_give_equal_data_whatever_the_chunks(
    chunk_sessions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthetic, "_BLOCK", 20)  # several blocks
    reference = _source(n_sessions=50)
    source = _source(n_sessions=50, chunk_sessions=chunk_sessions)
    pd.testing.assert_frame_equal(_events(source), _events(reference))
    pd.testing.assert_frame_equal(source.items(), reference.items())
    assert all(c["session_id"].nunique() <= chunk_sessions for c in source.interactions())


def test_other_seeds_give_other_data() -> None:
    assert not _events(_source(seed=1)).equals(_events(_source(seed=2)))
    assert not _source(seed=1).items()["brand"].equals(_source(seed=2).items()["brand"])


def test_sizes_are_as_asked_for() -> None:
    source = _source(
        n_sessions=500, n_items=7, n_categories=30, n_attributes=2, picture_size=3, mean_length=4
    )
    events, items = _events(source), source.items()
    lengths = events.groupby("session_id").size()
    assert len(lengths) == 500 and lengths.min() >= 2 and np.isclose(lengths.mean(), 4, atol=0.3)
    assert len(items) == 7 and {"extra_0", "extra_1"} <= set(items) and len(items["picture"].iloc[0]) == 3
    assert events["item_id"].isin(items["item_id"]).all()


_SHOP = {
    "n_items": 3_000,
    "n_categories": 60,
    "category_levels": [3, 12],
    "n_brands": 40,
    "n_manufacturers": 15,
    "n_colors": 6,
    "title_words": 2,
    "title_vocabulary": 50,
    "tags": False,
    "picture_size": 0,
    "category_zipf": 1.0,
}


def test_a_shop_has_nested_categories_and_brands_of_one_manufacturer() -> None:
    items = _source(**_SHOP).items()
    assert list(items) == [
        "item_id", "title", "category", "brand", "price", "level_1", "level_2", "manufacturer", "color",
    ]  # fmt: skip
    sizes = items.nunique()
    assert sizes[["category", "level_1", "level_2", "brand", "manufacturer", "color"]].tolist() == [
        60, 3, 12, 40, 15, 6,
    ]  # fmt: skip
    for below, above in (("category", "level_2"), ("level_2", "level_1"), ("brand", "manufacturer")):
        assert items.groupby(below)[above].nunique().tolist() == [1] * sizes[below]
    assert items["title"].str.split().str.len().eq(5).all()
    colors = items["color"].value_counts(normalize=True).to_numpy()
    assert np.allclose(colors, 1 / np.arange(1, 7) / (1 / np.arange(1, 7)).sum(), atol=0.03)


def test_popularity_of_categories_falls_by_a_zipf_law() -> None:
    source = _source(n_sessions=20_000, stay=1.0, **_SHOP)
    shares = _with_category(source)["category"].value_counts(normalize=True).to_numpy()
    expected = 1 / np.arange(1, 61)
    assert np.allclose(shares, expected / expected.sum(), atol=0.01)


def test_a_shop_is_the_same_whatever_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "_BLOCK", 20)
    one, many = (_source(n_sessions=50, chunk_sessions=size, **_SHOP) for size in (1000, 7))
    pd.testing.assert_frame_equal(_events(one), _events(many))
    pd.testing.assert_frame_equal(one.items(), many.items())


def test_it_is_valid_for_attributes_of_every_kind() -> None:
    kinds = {"title": "text", "category": "categorical", "tags": "multi_categorical", "price": "numeric"}
    attributes = [{"name": name, "kind": kind} for name, kind in kinds.items()]
    config = Config.model_validate(
        {
            "name": "synthetic",
            "data": {"source": "synthetic", "options": {"n_sessions": 100}},
            "attributes": [*attributes, {"name": "picture", "kind": "vector", "size": 8}],
        }
    )
    data = validate(config.data.open(1), config)
    assert data.sessions == 100 and data.short_sessions == 0
