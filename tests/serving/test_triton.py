"""End to end through the real Triton: answers over gRPC equal the model's."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest

import m2trec_merlin as m2trec
from m2trec_merlin.contract.checksums import require_sealed
from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.client import (
    AsyncRecommendationClient,
    RecommendationClient,
    Recommendations,
)
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer
from tests.serving.runtime.answering.test_recommending import NEW_BREAD, NEW_THING, SESSIONS
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
    assert len(answer.item_ids) == N_ITEMS
    # Some of the items are of categories that no item of training has.
    assert all("the model does not know" in warning for warning in answer.warnings)
    assert_equal(shop, answer, offline[number])


def test_concurrent_requests_of_all_kinds_get_their_own_answers(
    shop: Shop, client: RecommendationClient, offline: list[Any]
) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(client.recommend, SESSIONS * 6))
    for answer, expected in zip(answers, offline * 6, strict=True):
        assert len(answer.item_ids) == shop.config.serving.top_k
        assert_equal(shop, answer, expected)


def test_asyncio_gets_the_same_answers(
    shop: Shop, client: RecommendationClient, server: TritonServer, offline: list[Any]
) -> None:
    async def answered() -> list[Recommendations]:
        async with AsyncRecommendationClient(server.grpc_address, timeout=120) as many:
            return await asyncio.gather(*(many.recommend(session, N_ITEMS) for session in SESSIONS * 6))

    for answer, expected in zip(asyncio.run(answered()), offline * 6, strict=True):
        assert_equal(shop, answer, expected)


def test_a_client_that_went_away_harms_nobody(client: RecommendationClient, server: TritonServer) -> None:
    before = client.recommend(SESSIONS[0])

    async def leave() -> None:
        async with AsyncRecommendationClient(server.grpc_address) as many:
            under_way = [asyncio.create_task(many.recommend(session)) for session in SESSIONS * 20]
            await asyncio.sleep(0.02)
            for task in under_way:
                task.cancel()

    asyncio.run(leave())
    assert replace(client.recommend(SESSIONS[0]), about=before.about) == before


def test_in_process_everything_is_answered_alike(shop: Shop, client: RecommendationClient) -> None:
    local = m2trec.load(shop.config.directory)
    options: dict[str, Any] = {
        **{"top_k": 7, "exclude": ["sku-8"], "exclude_session_items": True, "popularity": 0.5},
        **{
            "filters": {"price": {"min": 3}},
            "new_item_boost": 1.0,
            "diversity": {"by": "tags", "weight": 1.0},
        },
    }
    for session in [*SESSIONS, ["sku-2", "what?"], []]:
        for said in ({}, options):
            remote = client.recommend(session, request_id="r", **said)
            assert local.recommend(session, request_id="r", **said) == remote


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


def test_a_list_is_ranked_and_explained(client: RecommendationClient) -> None:
    everything = client.recommend(SESSIONS[5], top_k=N_ITEMS)
    listed = ["sku-8", {"item_id": "mine", **NEW_BREAD}, "sku-29", "nope"]
    answer = client.recommend(SESSIONS[5], candidates=listed, explain=True)
    assert [i for i in answer.item_ids if i != "mine"] == [
        i for i in everything.item_ids if i in {"sku-8", "sku-29"}
    ]
    assert len(answer.item_ids) == len(answer.explanations) == 3 and "'nope'" in answer.warnings[-1]
    event = answer.explanations[0].event
    assert event is not None
    without = SESSIONS[5][:event] + SESSIONS[5][event + 1 :]
    after = client.recommend(without, candidates=listed)
    fallen = answer.scores[0] - after.scores[after.item_ids.index(answer.item_ids[0])]
    assert fallen == pytest.approx(answer.explanations[0].event_fall, abs=1e-3)


def test_unknown_and_empty_sessions_get_popular_items(client: RecommendationClient) -> None:
    unknown, empty = client.recommend(["nope"], top_k=3), client.recommend([], top_k=3)
    assert unknown.item_ids == empty.item_ids == ["sku-0", "sku-1", "sku-2"]
    assert "'nope'" in unknown.warnings[0] and "most frequent" in unknown.warnings[1]


def test_refused_requests_say_what_to_do(client: RecommendationClient) -> None:
    with pytest.raises(
        ServerError, match=r"refused the request: options\.top_k: .*from 1 to 10,000, found 0$"
    ):
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


def test_nothing_but_caches_of_code_is_written_into_the_repository(
    shop: Shop, client: RecommendationClient
) -> None:
    client.recommend(["sku-1", NEW_BREAD])
    for folder in (shop.repository, shop.preprocess, shop.predict):
        require_sealed(folder)


def test_the_id_that_triton_was_given_is_that_of_the_answer(server: TritonServer) -> None:
    ids = {"name": "item_ids", "datatype": "BYTES", "shape": [1, 1], "data": ["sku-1"]}
    url = f"{server.http_address}/v2/models/m2trec/infer"
    with urlopen(url, json.dumps({"id": "order-7", "inputs": [ids]}).encode(), timeout=30) as response:
        outputs = {output["name"]: output for output in json.load(response)["outputs"]}
    assert json.loads(outputs["about"]["data"][0])["request_id"] == "order-7"


#: Tensors that no step expects, by model.
STRANGE: list[tuple[str, list[dict[str, Any]]]] = [
    ("m2trec", [{"name": "item_ids", "datatype": "BYTES", "shape": [2, 1], "data": ["a", "b"]}]),
    ("m2trec", [{"name": "item_ids", "datatype": "BYTES", "shape": [1, 1, 1], "data": ["a"]}]),
    ("m2trec", [{"name": "item_ids", "datatype": "INT64", "shape": [1, 1], "data": [1]}]),
    ("m2trec", []),
    ("m2trec_preprocess", [{"name": "item_ids", "datatype": "BYTES", "shape": [2, 1], "data": ["a", "b"]}]),
    (
        "m2trec_predict",
        [
            {"name": "rows", "datatype": "INT64", "shape": [2, 1], "data": [1, 2]},
            {"name": "new_items", "datatype": "BYTES", "shape": [2, 1], "data": ["", ""]},
            {"name": "checked", "datatype": "BYTES", "shape": [2, 1], "data": ["{}", "{}"]},
        ],
    ),
    (
        "m2trec_predict",
        [
            {"name": "rows", "datatype": "INT64", "shape": [1, 1], "data": [99999]},
            {"name": "new_items", "datatype": "BYTES", "shape": [1, 1], "data": ["PK"]},
            {"name": "checked", "datatype": "BYTES", "shape": [1, 1], "data": ["[" * 5000]},
        ],
    ),
]


@pytest.mark.parametrize(("model", "inputs"), STRANGE)
def test_tensors_of_another_shape_or_type_are_the_fault_of_the_request(
    server: TritonServer, model: str, inputs: list[dict[str, Any]]
) -> None:
    url = f"{server.http_address}/v2/models/{model}/infer"
    with pytest.raises(HTTPError) as error:
        urlopen(url, json.dumps({"inputs": inputs}).encode(), timeout=30)
    assert error.value.code == 400 and "Traceback" not in error.value.read().decode()


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
    ours = f"m2trec_{os.getpid()}_*"
    before = set(Path("/dev/shm").glob(ours))
    repository = shutil.copytree(shop.repository, tmp_path / "triton")
    with (repository / "m2trec_preprocess" / "1" / "item_ids.parquet").open("ab") as file:
        file.write(b"?")
    with pytest.raises(ServerError, match=r"item_ids\.parquet changed since the export"):
        TritonServer(repository, Ports.free()).start()
    assert set(Path("/dev/shm").glob(ours)) <= before
