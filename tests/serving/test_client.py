from __future__ import annotations

import http.server
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.client import RecommendationClient, _id_and_attributes, _recommendations
from m2trec_merlin.serving.contract.about import About
from m2trec_merlin.serving.server.ports import Ports


def test_an_unreachable_server_is_explained() -> None:
    address = f"127.0.0.1:{Ports.free().grpc}"
    with RecommendationClient(address, timeout=5) as client, pytest.raises(ServerError) as error:
        client.recommend(["a"])
    assert f"no server answers at {address}" in str(error.value) and "m2trec serve" in str(error.value)


@pytest.mark.parametrize(
    "address",
    [
        *("nonsense", "", "localhost", ":8001", "localhost:grpc", "localhost:0", "localhost:99999"),
        *("::1:8001", "http://localhost:8001", "two words:8001", "dns:///localhost:8001", "localhost:8001/"),
    ],
)
def test_an_address_that_is_none_is_one_line(address: str) -> None:
    with pytest.raises(ServerError) as error:
        RecommendationClient(address)
    assert str(error.value) == (
        f"address '{address}': expected HOST:PORT of Triton's gRPC, as in 127.0.0.1:8001"
    )


@pytest.mark.parametrize("address", ["nowhere.invalid:8001", "[::1]:1", "käse.invalid:8001"])
def test_a_host_that_does_not_answer_is_one_line(address: str) -> None:
    assert_no_server_answers(address)


def test_a_server_of_another_kind_is_no_triton() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        assert_no_server_answers(f"127.0.0.1:{other.server_port}")
        other.shutdown()
    stranger = grpc.server(ThreadPoolExecutor(1))
    port = stranger.add_insecure_port("127.0.0.1:0")
    stranger.start()
    assert_no_server_answers(f"127.0.0.1:{port}")
    stranger.stop(None)


def assert_no_server_answers(address: str) -> None:
    with RecommendationClient(address, timeout=5) as client, pytest.raises(ServerError) as error:
        client.recommend(["a"])
    assert str(error.value) == (
        f"no server answers at {address}: start one with `m2trec serve`, or check that host and port are "
        "those of Triton's gRPC"
    )


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
        "about": np.array([b'{"request_id": "r-1", "model": "m", "catalogue": "0", "later": 1}'], object),
    }
    answer = _recommendations(outputs)
    assert answer.item_ids == ["a", "b"] and answer.titles == ["Tea", "Café"] and answer.scores == [2.0, 1.5]
    assert answer.categories == {"aisle": [("drinks", 0.75)]} and answer.warnings == []
    assert answer.about == About("r-1", "m", "0")
