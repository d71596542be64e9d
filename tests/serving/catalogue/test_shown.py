"""What the server shows of items, and what it filters them by."""

from __future__ import annotations

import numpy as np
import pandas as pd

from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.serving.catalogue.shown import filter_attributes, shown_columns


def test_a_category_called_title_is_the_title_and_no_filter() -> None:
    attributes = [parse_attribute(name=name, kind="categorical") for name in ("title", "colour")]
    attributes.append(parse_attribute(name="story", kind="text"))
    values = {"title": pd.Series(["a", "b"]), "colour": pd.Series(["red", None])}
    table = shown_columns(attributes, ["1", "2"], ["Lamp", "Mug"], np.array([3, 0]), values)
    assert table.column_names == ["item_id", "title", "train_count", "colour"]
    assert table.column("title").to_pylist() == ["Lamp", "Mug"]
    assert [attribute.name for attribute in filter_attributes(attributes)] == ["colour"]


def test_an_item_has_each_of_its_values_once() -> None:
    attributes = [parse_attribute(name="tags", kind="multi_categorical")]
    values = {"tags": pd.Series(["red|big|red| RED ", None, ["1", 1, 2.0, "2"], "big"], dtype=object)}
    table = shown_columns(attributes, list("abcd"), list("ABCD"), np.zeros(4, np.int64), values)
    assert table.column("tags").to_pylist() == [["red", "big", "RED"], [], ["1", "2"], ["big"]]
