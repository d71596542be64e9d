from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from m2trec_merlin.artifacts import fingerprint
from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.contract.version import Description
from m2trec_merlin.manifests import require_manifest
from m2trec_merlin.runs import Run
from m2trec_merlin.serving.export.description import describe
from tests.worlds.shop import Shop, build_shop, shop_config


def test_a_model_of_ids_has_no_new_items(tmp_path: Path) -> None:
    config, catalogue, model = build_shop(tmp_path, inputs=["item_id"])
    assert describe(Run(config), model, catalogue, {}).attributes == ()


def test_attributes_that_the_model_does_not_read_are_not_asked_for(shop: Shop) -> None:
    config = shop_config(shop.config.directory, inputs=["image", "title"])
    found = [
        (a.field.name, a.column) for a in describe(Run(config), shop.model, shop.catalogue, {}).attributes
    ]
    assert found == [("image", "image"), ("title", "product_name")]


def test_raw_values_are_read_as_configured_when_something_is_said_of_them(shop: Shop) -> None:
    tags = parse_attribute(name="tags", kind="multi_categorical", separator=";")
    config = shop.config.model_copy(
        update={"attributes": [tags if a.name == "tags" else a for a in shop.config.attributes]}
    )
    described = describe(Run(config), shop.model, shop.catalogue, {}).attributes
    [found] = [parse_attribute(name="tags", **a.settings) for a in described if a.field.name == "tags"]
    assert found.filter_values(pd.Series(["a|b;c"])).to_pylist() == [["a|b", "c"]]


def test_both_steps_read_the_same_description(shop: Shop) -> None:
    version = Description.open(shop.predict)
    trained = fingerprint(require_manifest(shop.config.directory / "model", "train")["sha256"])
    described = describe(Run(shop.config), shop.model, shop.catalogue, {})
    expected = replace(described, index="quantised", model=trained)
    assert Description.open(shop.preprocess) == version == expected
    assert version.filters == {"department": "", "tags": "", "price": "."}
    assert version.defaults == {"top_k": 5, "new_item_boost": 0.0}
    assert [field.name for field in version.fields] == list(shop.catalogue.attributes)
