from __future__ import annotations

import json

import numpy as np
import pytest

from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.client import RecommendationClient, _id_and_attributes, _recommendations
from m2trec_merlin.serving.server.ports import Ports


def test_an_unreachable_server_is_explained() -> None:
    address = f"127.0.0.1:{Ports.free().grpc}"
    with RecommendationClient(address, timeout=5) as client, pytest.raises(ServerError) as error:
        client.recommend(["a"])
    assert f"no server answers at {address}" in str(error.value) and "m2trec serve" in str(error.value)


def test_items_are_ids_or_attributes_or_both() -> None:
    assert _id_and_attributes("a") == ("a", "")
    assert _id_and_attributes(17) == ("17", "")
    assert _id_and_attributes({"item_id": 17}) == ("17", "")
    item_id, attributes = _id_and_attributes({"item_id": "a", "price": 2.5})
    assert item_id == "a" and json.loads(attributes) == {"price": 2.5}
    assert _id_and_attributes({"title": "x"})[0] == ""


def test_attributes_may_come_out_of_a_table() -> None:
    _, attributes = _id_and_attributes(
        {"price": np.float32(2.5), "image": np.array([1, 2]), "n": np.int64(3)}
    )
    assert json.loads(attributes) == {"price": 2.5, "image": [1, 2], "n": 3}


def test_outputs_become_recommendations() -> None:
    outputs = {
        "recommended_ids": np.array([b"a", b"b"], object),
        "titles": np.array([b"Tea", "Café".encode()], object),
        "scores": np.array([2.0, 1.5], np.float32),
        "next_aisle": np.array([b"drinks"], object),
        "next_aisle_probabilities": np.array([0.75], np.float32),
        "warnings": np.array([], object),
    }
    answer = _recommendations(outputs)
    assert answer.item_ids == ["a", "b"] and answer.titles == ["Tea", "Café"] and answer.scores == [2.0, 1.5]
    assert answer.categories == {"aisle": [("drinks", 0.75)]} and answer.warnings == []
