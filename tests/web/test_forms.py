from __future__ import annotations

from dataclasses import replace

from m2trec_merlin.contract.version import RawAttribute
from m2trec_merlin.encoded import Field, Layout
from m2trec_merlin.library.local import LocalRecommender
from m2trec_merlin.web.forms import item_schema


def test_a_model_that_knows_ids_only_has_no_form(versions: dict[str, LocalRecommender]) -> None:
    assert item_schema(replace(versions["today"].version, attributes=())) is None


def test_a_column_that_serves_twice_is_one_field(versions: dict[str, LocalRecommender]) -> None:
    version = versions["today"].version
    settings = {"kind": "categorical", "column": "product_name"}
    again = RawAttribute(Field("name_again", Layout.IDS, 9), "product_name", settings)
    schema = item_schema(replace(version, attributes=(*version.attributes, again)))
    assert schema == item_schema(version)
    vector = schema["properties"]["image"]
    assert (vector["type"], vector["minItems"], vector["items"]) == (["array"], 3, {"type": "number"})
