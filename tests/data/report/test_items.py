from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.data.report.items import describe_items
from tests.worlds.raw_run import ATTRIBUTES

ITEMS = pd.DataFrame(
    {
        "item_id": ["i", "j", "k", "l", "m", "n"],
        "title": ["Red apple", "Red apple ", "Red apple", None, None, "Red wine by the glass, dry"],
        "maker": [7.0, 7.0, 8.0, None, None, 7.0],
        "tags": ["fruit|fresh", ["fruit", "fresh"], "fruit|fresh", "", None, "drink|red|dry"],
        "price": [1.0, 1.0, 1.0, None, None, 3.5],
        "picture": [[1.0, 0.0], np.array([1.0, 0.0]), [1.0, 0.0], None, None, [0.0, 1.0]],
    }
)
TRAINING_EVENTS = np.array([5, 0, 1, 2, 0, 0])


def test_items_are_equal_if_all_their_attributes_are() -> None:
    _, equal = describe_items(ITEMS, [parse_attribute(**a) for a in ATTRIBUTES], "title", TRAINING_EVENTS)
    # 'i' and 'j' differ in spaces and in how lists are written; 'l' and 'm' have nothing at all.
    assert (equal.items, equal.groups) == (4, 2)
    assert (equal.without_metadata, equal.without_metadata_events) == (2, 2)
    first, second = equal.largest
    assert (first.items, first.training_events, first.item_ids) == (2, 5, ["i", "j"])
    assert first.values == {"title": "Red apple", "brand": "7", "tags": "fruit, fresh", "price": "1"}
    assert (second.item_ids, second.titles, second.values) == (["l", "m"], [""], {})


def test_each_attribute_tells_apart() -> None:
    attributes = [parse_attribute(**a) for a in ATTRIBUTES]
    for attribute in attributes:
        alone = describe_items(ITEMS, [attribute], "title", TRAINING_EVENTS)[1]
        others = [a for a in attributes if a is not attribute]
        assert alone.items >= describe_items(ITEMS, attributes, "title", TRAINING_EVENTS)[1].items
        assert describe_items(ITEMS, others, "title", TRAINING_EVENTS)[1].items >= 4
    no_maker = [a for a in attributes if a.name != "brand"]
    assert describe_items(ITEMS, no_maker, "title", TRAINING_EVENTS)[1].largest[0].item_ids == ["i", "j", "k"]


def test_gaps_cardinality_and_values_of_each_attribute() -> None:
    described, _ = describe_items(ITEMS, [parse_attribute(**a) for a in ATTRIBUTES], "title", TRAINING_EVENTS)
    found = {a.name: a for a in described}
    assert [(a.missing, a.missing_events) for a in described] == [(2, 2)] * 5
    assert [a.distinct for a in described] == [2, 2, 2, 2, 2]
    title, brand, tags, price = (found[name].profile for name in ("title", "brand", "tags", "price"))
    assert title.frequent == [("Red apple", 3), ("Red wine by the glass, dry", 1)]
    assert (title.counted, title.lengths["0.5"], title.lengths["1"], title.too_long) == ("words", 2, 6, 1)
    assert brand.frequent == [("7", 3), ("8", 1)] and brand.too_long is None
    assert tags.frequent == [("fruit", 3), ("fresh", 3), ("drink", 1), ("red", 1), ("dry", 1)]
    assert (tags.counted, tags.lengths["1"], tags.too_long) == ("values", 3, 1)
    assert price.quantiles["0.5"] == 1 and price.quantiles["1"] == 3.5 and not price.frequent
    assert (found["brand"].column, found["brand"].kind, found["brand"].layout) == (
        "maker",
        "categorical",
        "ids",
    )


def test_an_item_that_names_a_value_twice_counts_once_for_it() -> None:
    items = ITEMS[:3].assign(tags=["red|red|dry", "dry|red", "red|red|dry"])
    attribute = parse_attribute(name="tags", kind="multi_categorical")
    [tags] = describe_items(items, [attribute], "title", np.zeros(3, dtype=np.int64))[0]
    assert tags.profile.frequent == [("red", 3), ("dry", 3)]
    assert tags.distinct == 2 and tags.profile.lengths["1"] == 3


@pytest.mark.parametrize("titles", [["red", "red", None], [True, True, None], [7, 7, None]], ids=str)
@pytest.mark.parametrize("dtype", [object, "category"])
def test_titles_of_any_type(titles: list, dtype: object) -> None:
    items = pd.DataFrame({"item_id": [1, 2, 3], "title": pd.Series(titles, dtype=dtype)})
    attribute = parse_attribute(name="title", kind="categorical")
    [group] = describe_items(items, [attribute], "title", np.zeros(3, dtype=np.int64))[1].largest
    assert (group.titles, group.item_ids) == ([str(titles[0])], ["1", "2"])


def test_a_column_without_any_value() -> None:
    attributes = [parse_attribute(**a) for a in ATTRIBUTES]
    described, equal = describe_items(ITEMS.iloc[3:5], attributes, "title", np.zeros(2, dtype=np.int64))
    assert [(a.missing, a.distinct) for a in described] == [(2, 0)] * 5
    assert (equal.items, equal.without_metadata) == (2, 2)
