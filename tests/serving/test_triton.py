"""End to end through the real Triton: answers over gRPC equal the model's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest

from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.client import RecommendationClient, Recommendations
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer
from tests.serving.runtime.test_recommending import NEW_BREAD, NEW_THING, SESSIONS
from tests.worlds.shop import N_ITEMS, Shop, offline_scores

pytestmark = pytest.mark.triton


@pytest.fixture(scope="module")
def server(shop: Shop) -> Iterator[TritonServer]:
    with TritonServer(shop.repository, Ports.free()) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: TritonServer) -> Iterator[RecommendationClient]:
    with RecommendationClient(server.grpc_address, timeout=120) as connected:
        yield connected


@pytest.fixture(scope="module")
def offline(shop: Shop) -> list[tuple[np.ndarray, np.ndarray]]:
    return [offline_scores(shop, session) for session in SESSIONS]


def assert_equal(shop: Shop, answer: Recommendations, offline: tuple[np.ndarray, np.ndarray]) -> None:
    scores, departments = offline
    rows = shop.catalogue.rows_of(answer.item_ids)
    np.testing.assert_allclose(answer.scores, scores[rows], atol=1e-4)
    np.testing.assert_allclose(answer.scores, -np.sort(-scores)[: len(rows)], atol=1e-4)
    shares = [share for _, share in answer.categories["department"]]
    np.testing.assert_allclose(shares, -np.sort(-departments)[:2], atol=1e-5)


@pytest.mark.parametrize("number", range(len(SESSIONS)))
def test_answers_equal_the_model(
    shop: Shop, client: RecommendationClient, offline: list[Any], number: int
) -> None:
    answer = client.recommend(SESSIONS[number], top_k=N_ITEMS)
    assert len(answer.item_ids) == N_ITEMS and answer.warnings == []
    assert_equal(shop, answer, offline[number])


def test_concurrent_requests_of_all_kinds_get_their_own_answers(
    shop: Shop, client: RecommendationClient, offline: list[Any]
) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(client.recommend, SESSIONS * 6))
    for answer, expected in zip(answers, offline * 6, strict=True):
        assert len(answer.item_ids) == shop.config.serving.top_k
        assert_equal(shop, answer, expected)


def test_options_reach_the_model(client: RecommendationClient) -> None:
    answer = client.recommend(
        ["sku-2", "sku-5"],
        exclude=["sku-8"],
        exclude_session_items=True,
        filters={"department": "dairy", "price": {"max": 15}},
        top_k=4,
    )
    assert set(answer.item_ids) == {"sku-11", "sku-14"}
    assert answer.warnings == ["only 2 items may be recommended; 4 were asked for"]


def test_unknown_and_empty_sessions_get_popular_items(client: RecommendationClient) -> None:
    unknown, empty = client.recommend(["nope"], top_k=3), client.recommend([], top_k=3)
    assert unknown.item_ids == empty.item_ids == ["sku-0", "sku-1", "sku-2"]
    assert "'nope'" in unknown.warnings[0] and "most frequent" in unknown.warnings[1]


def test_refused_requests_say_what_to_do(client: RecommendationClient) -> None:
    with pytest.raises(ServerError, match=r"refused the request: options\.top_k: .*at least 1, found 0$"):
        client.recommend(["sku-1"], top_k=0)
    with pytest.raises(ServerError, match=r"options\.filters\.colour: no such column; accepted: department"):
        client.recommend(["sku-1"], filters={"colour": "red"})
    with pytest.raises(ServerError, match=r"item_attributes\[1\]: holds none of the attributes"):
        client.recommend(["sku-1", {"color": "red"}])
    with pytest.raises(ServerError, match="item_attributes: attribute 'image'"):
        client.recommend([{**NEW_THING, "image": [1.0]}, NEW_BREAD])


def test_requests_with_few_tensors_by_rest(server: TritonServer) -> None:
    body = {
        "inputs": [{"name": "item_ids", "datatype": "BYTES", "shape": [1, 2], "data": ["sku-1", "sku-2"]}]
    }
    url = f"{server.http_address}/v2/models/m2trec/infer"
    with urlopen(url, json.dumps(body).encode(), timeout=30) as response:
        outputs = {output["name"]: output for output in json.load(response)["outputs"]}
    assert outputs["recommended_ids"]["shape"] == [1, 5]
    assert outputs["next_department"]["shape"] == [1, 2]


def test_an_id_that_is_no_text_fails_nothing(server: TritonServer) -> None:
    inputs = b'[{"name": "item_ids", "datatype": "BYTES", "shape": [1, 1], "data": ["sku-1"]}]'
    url = f"{server.http_address}/v2/models/m2trec/infer"
    with urlopen(url, b'{"id": "\xff\xfe", "inputs": ' + inputs + b"}", timeout=30) as response:
        assert response.status == 200


def test_each_step_has_its_own_metrics(server: TritonServer) -> None:
    with urlopen(server.metrics_address, timeout=30) as response:
        metrics = response.read().decode()
    for model in ("m2trec", "m2trec_preprocess", "m2trec_predict"):
        assert f'nv_inference_request_success{{model="{model}"' in metrics


def test_an_altered_repository_is_refused_and_nothing_is_left_behind(shop: Shop, tmp_path: Path) -> None:
    before = set(Path("/dev/shm").iterdir())
    repository = shutil.copytree(shop.repository, tmp_path / "triton")
    with (repository / "m2trec_preprocess" / "1" / "item_ids.parquet").open("ab") as file:
        file.write(b"?")
    with pytest.raises(ServerError, match=r"item_ids\.parquet changed since the export"):
        TritonServer(repository, Ports.free()).start()
    assert set(Path("/dev/shm").iterdir()) <= before
