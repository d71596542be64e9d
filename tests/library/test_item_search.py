from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import m2trec_merlin as m2trec
from m2trec_merlin.errors import RefusedError
from m2trec_merlin.library.item_search import CatalogueItem
from m2trec_merlin.serving.catalogue.run import CatalogueVerbs
from tests.worlds.shop import N_ITEMS, Shop, raw_items


def ids(found: list[CatalogueItem]) -> list[str]:
    return [item.item_id for item in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # What occurs most in training comes first; "1" begins no id and is a word of titles.
        ("red", ["sku-0", "sku-4", "sku-8"]),
        ("RED  Bread", ["sku-4", "sku-16", "sku-28"]),
        ("bread 1", ["sku-1", "sku-16"]),
        ("ed", ["sku-0", "sku-4", "sku-8"]),
        ("appl green", ["sku-9", "sku-21"]),
        ("red bread mouse", []),
        # The id itself, then what begins like it.
        ("sku-2", ["sku-2", "sku-20", "sku-21"]),
        ("SKU-29", ["sku-29"]),
        ("", ["sku-0", "sku-1", "sku-2"]),
        ("  ", ["sku-0", "sku-1", "sku-2"]),
        ("-", []),
    ],
)
def test_items_are_found_by_words_and_ids(
    recommender: m2trec.LocalRecommender, text: str, expected: list[str]
) -> None:
    assert ids(recommender.search(text, top_k=3)) == expected


def test_items_are_described_in_their_order(recommender: m2trec.LocalRecommender) -> None:
    bread, nothing, also_nothing = recommender.describe(["sku-4", "bread", 4])
    assert nothing is None and also_nothing is None
    # 20 of 300 training events are of this item.
    values = {"department": ["bakery"], "tags": ["organic", "local"], "price": [5.0]}
    assert bread == CatalogueItem("sku-4", "red bread 4", values, pytest.approx(20 / 300), True)  # type: ignore[arg-type]
    assert recommender.describe([]) == []


def test_values_come_with_the_number_of_items_that_have_them(recommender: m2trec.LocalRecommender) -> None:
    assert recommender.values("department") == dict.fromkeys(["produce", "bakery", "dairy"], 10)
    assert list(recommender.values("tags").items()) == [("local", 16), ("organic", 15), ("sale", 7)]
    assert recommender.values("price") == {str(price): 1 for price in range(1, 31)}
    with pytest.raises(RefusedError, match="'colour': items are shown without; accepted: department, t"):
        recommender.values("colour")


def test_an_item_counts_once_for_a_value_that_it_says_twice(shop: Shop, tmp_path: Path) -> None:
    repository = Path(shutil.copytree(shop.repository, tmp_path / "triton"))
    recommender, verbs = m2trec.load(repository), CatalogueVerbs(repository)
    table = tmp_path / "items.parquet"
    raw_items().iloc[[4]].assign(item_id="new-1", tags="sale|sale|raw").to_parquet(table)
    verbs.add(table)
    assert recommender.values("tags") == {"local": 16, "organic": 15, "sale": 8, "raw": 1}
    [described] = recommender.describe(["new-1"])
    assert described is not None and described.values["tags"] == ["sale", "raw"]


def test_what_was_added_updated_removed_and_hidden_since_is_known(shop: Shop, tmp_path: Path) -> None:
    repository = Path(shutil.copytree(shop.repository, tmp_path / "triton"))
    recommender, verbs = m2trec.load(repository), CatalogueVerbs(repository)
    assert ids(recommender.search("red bread")) == ["sku-4", "sku-16", "sku-28"]
    row = raw_items().iloc[[4]]
    table = tmp_path / "items.parquet"
    both = pd.concat(
        [
            row.assign(item_id="new-1", product_name="Red CRÈME bread", department="bakery"),
            row.assign(item_id="sku-16", product_name="blue cheese", department="dairy"),
        ]
    )
    both.iloc[:1].to_parquet(table)
    verbs.add(table)
    both.iloc[1:].to_parquet(table)
    verbs.update(table)
    verbs.remove(["sku-28"])
    verbs.hide(["sku-4"])
    found = recommender.search("red bread")
    assert ids(found) == ["sku-4", "new-1"] and [item.available for item in found] == [False, True]
    assert ids(recommender.search("creme")) == ["new-1"]
    assert ids(recommender.search("cheese")) == ["sku-16"]
    assert recommender.values("department")["bakery"] == 9
    assert recommender.describe(["sku-28"]) == [None]
    assert len(recommender.search("", top_k=100)) == N_ITEMS


def test_a_request_of_somebody_else_is_checked_as_a_server_does(recommender: m2trec.LocalRecommender) -> None:
    asked = {"exclude_session_items": True, "top_k": 3, "filters": {"department": "dairy"}}
    answer = recommender.answer(["sku-2"], asked)
    assert answer.item_ids == recommender.recommend(["sku-2"], **asked).item_ids  # type: ignore[arg-type]
    with pytest.raises(RefusedError, match=r"^options\.exclude: expected a list of item ids, found"):
        recommender.answer(["sku-1"], {"exclude": "sku-1", "exclude_session_items": 3, "session": []})


@pytest.mark.parametrize(
    ("text", "top_k"),
    [(None, 5), (b"bread", 5), *(("bread", top_k) for top_k in (0, -1, 1.5, "3", None, True))],
)
def test_what_cannot_be_looked_for_is_refused(
    recommender: m2trec.LocalRecommender, text: Any, top_k: Any
) -> None:
    with pytest.raises(RefusedError, match=r"(text|top_k): expected a .*, found"):
        recommender.search(text, top_k)
