"""Both clients against a stand-in for Triton; the real one is in tests/serving/test_triton.py."""

from __future__ import annotations

import asyncio
import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from m2trec_merlin.contract.about import About
from m2trec_merlin.errors import NoAnswerError, RefusedError, ServerError
from m2trec_merlin.serving.client import AsyncRecommendationClient, RecommendationClient, Recommendations, Tls
from tests.serving.certificates import Certificates
from tests.serving.client.stand_in import StandIn, serving

Recommend = Callable[..., Recommendations]


def ask(address: str, *arguments: Any, client: dict[str, Any] | None = None, **options: Any) -> Any:
    with RecommendationClient(address, **(client or {"timeout": 5})) as connected:
        return connected.recommend(*arguments, **options)


def ask_by_asyncio(
    address: str, *arguments: Any, client: dict[str, Any] | None = None, **options: Any
) -> Any:
    async def asked() -> Recommendations:
        async with AsyncRecommendationClient(address, **(client or {"timeout": 5})) as connected:
            return await connected.recommend(*arguments, **options)

    return asyncio.run(asked())


both = pytest.mark.parametrize("recommend", [ask, ask_by_asyncio])


@pytest.fixture
def triton() -> StandIn:
    return StandIn()


@pytest.fixture
def address(triton: StandIn) -> Iterator[str]:
    with serving(triton) as listening:
        yield listening


@both
def test_a_request_and_its_answer(triton: StandIn, address: str, recommend: Recommend) -> None:
    answer = recommend(address, ["x", {"title": "Tee"}], 2, filters={"brand": "b"}, new_option=1)
    assert answer == Recommendations(["a", "b"], ["Tea", "Café"], [2.0, 1.5], {}, [], About("r-1", "m", "0"))
    assert triton.asked[-1].model_name == "m2trec"
    assert triton.tensors["item_ids"] == [b"x", b""]
    assert triton.tensors["item_attributes"] == [b"", b'{"title": "Tee"}']
    options = {"top_k": 2, "filters": {"brand": "b"}, "new_option": 1}
    assert json.loads(triton.tensors["options"][0]) == options


@both
def test_what_no_server_took_is_sent_again(triton: StandIn, address: str, recommend: Recommend) -> None:
    triton.failures = [(grpc.StatusCode.UNAVAILABLE, "is stopping")] * 3
    assert recommend(address, ["x"]).item_ids == ["a", "b"] and len(triton.asked) == 4


@both
@pytest.mark.parametrize(("retry", "times"), [(True, 5), (False, 1)])
def test_so_often_and_no_more(
    triton: StandIn, address: str, recommend: Recommend, retry: bool, times: int
) -> None:
    triton.failures = [(grpc.StatusCode.UNAVAILABLE, "is stopping")] * 9
    with pytest.raises(ServerError, match=r"failed \(UNAVAILABLE\): is stopping"):
        recommend(address, ["x"], client={"timeout": 10, "retry": retry})
    assert len(triton.asked) == times


@both
@pytest.mark.parametrize("status", ["INVALID_ARGUMENT", "INTERNAL"])
def test_what_a_server_took_is_not_sent_again(
    triton: StandIn, address: str, recommend: Recommend, status: str
) -> None:
    triton.failures = [(grpc.StatusCode[status], "in ensemble 'm2trec', options.top_k: wrong")]
    with pytest.raises(ServerError, match=r"options\.top_k: wrong") as error:
        recommend(address, ["x"])
    assert len(triton.asked) == 1
    assert isinstance(error.value, RefusedError) == (status == "INVALID_ARGUMENT")


@both
def test_each_call_may_have_its_own_deadline(triton: StandIn, address: str, recommend: Recommend) -> None:
    triton.seconds = 1.0
    with pytest.raises(NoAnswerError, match=r"gave no answer within 0\.2 seconds"):
        recommend(address, ["x"], timeout=0.2)
    assert recommend(address, ["x"], timeout=4).item_ids == ["a", "b"]
    with pytest.raises(NoAnswerError, match=r"gave no answer within 0\.3 seconds"):
        recommend(address, ["x"], client={"timeout": 0.3})


def test_many_requests_are_under_way_in_one_thread(triton: StandIn, address: str) -> None:
    async def asked() -> list[Recommendations]:
        async with AsyncRecommendationClient(address) as client:
            return await asyncio.gather(*(client.recommend([f"{i}"]) for i in range(100)))

    assert len(asyncio.run(asked())) == len(triton.asked) == 100


def test_a_cancelled_call_leaves_the_client_usable(triton: StandIn, address: str) -> None:
    async def asked() -> Recommendations:
        async with AsyncRecommendationClient(address) as client:
            triton.seconds = 0.5
            under_way = asyncio.create_task(client.recommend(["x"]))
            await asyncio.sleep(0.1)
            under_way.cancel()
            with pytest.raises(asyncio.CancelledError):
                await under_way
            return await client.recommend(["y"])

    assert asyncio.run(asked()).item_ids == ["a", "b"]


@both
@pytest.mark.parametrize(
    "address",
    [
        *("nonsense", "", "localhost", ":8001", "localhost:grpc", "localhost:0", "localhost:99999"),
        *("::1:8001", "http://localhost:8001", "two words:8001", "dns:///localhost:8001", "localhost:8001/"),
    ],
)
def test_an_address_that_is_none_is_one_line(address: str, recommend: Recommend) -> None:
    with pytest.raises(ServerError) as error:
        recommend(address, ["x"])
    assert str(error.value) == (
        f"address '{address}': expected HOST:PORT of Triton's gRPC, as in 127.0.0.1:8001"
    )


@both
def test_an_unreachable_server_is_explained(recommend: Recommend) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        assert_no_server_answers(f"127.0.0.1:{unheard.getsockname()[1]}", recommend)


@both
@pytest.mark.parametrize("address", ["nowhere.invalid:8001", "[::1]:1", "käse.invalid:8001"])
def test_a_host_that_does_not_answer_is_one_line(address: str, recommend: Recommend) -> None:
    assert_no_server_answers(address, recommend)


@both
def test_a_server_of_another_kind_is_no_triton(recommend: Recommend) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        assert_no_server_answers(f"127.0.0.1:{other.server_port}", recommend)
        other.shutdown()
    stranger = grpc.server(ThreadPoolExecutor(1))
    port = stranger.add_insecure_port("127.0.0.1:0")
    stranger.start()
    assert_no_server_answers(f"127.0.0.1:{port}", recommend)
    stranger.stop(None)


def assert_no_server_answers(address: str, recommend: Recommend) -> None:
    with pytest.raises(NoAnswerError) as error:
        recommend(address, ["a"])
    assert str(error.value) == (
        f"no server answers at {address}: start one with `m2trec serve`, or check that host and port are "
        "those of Triton's gRPC"
    )


@both
def test_an_encrypted_connection(triton: StandIn, tmp_path: Path, recommend: Recommend) -> None:
    made = Certificates.make(tmp_path)
    pair = (tmp_path / "server.key").read_bytes(), (tmp_path / "server.pem").read_bytes()
    with serving(triton, credentials=grpc.ssl_server_credentials([pair])) as address:
        client = {"timeout": 5, "tls": made.client(None)}
        assert recommend(address, ["x"], client=client).item_ids == ["a", "b"]


@both
@pytest.mark.parametrize(
    ("tls", "message"),
    [
        (Tls(Path("no.pem")), r"TLS: no\.pem cannot be read: No such file or directory"),
        (Tls(key=Path("a.key")), "give both certificate and key of the client, or neither"),
    ],
)
def test_files_for_tls_that_are_not_there(recommend: Recommend, tls: Tls, message: str) -> None:
    with pytest.raises(ServerError, match=message):
        recommend("127.0.0.1:1", ["x"], client={"tls": tls})


@both
@pytest.mark.parametrize("timeout", [float("inf"), 1e12, 5])
def test_however_long_a_timeout_is_answers_are_taken(
    address: str, recommend: Recommend, timeout: float
) -> None:
    """gRPC takes a deadline beyond its clock for one in the past."""
    assert recommend(address, ["x"], client={"timeout": timeout}).item_ids == ["a", "b"]
    assert recommend(address, ["x"], timeout=timeout).item_ids == ["a", "b"]


@both
@pytest.mark.parametrize("timeout", [float("nan"), "3", 0, -1, True])
def test_a_timeout_that_is_none_is_refused(address: str, recommend: Recommend, timeout: Any) -> None:
    for arguments in ({"client": {"timeout": timeout}}, {"timeout": timeout}):
        with pytest.raises(RefusedError, match="timeout: expected a positive number of seconds, found"):
            recommend(address, ["x"], **arguments)


def test_a_closed_client_says_so(address: str) -> None:
    client = RecommendationClient(address)
    client.close()
    with pytest.raises(ServerError, match="is closed: make another one"):
        client.recommend(["x"])

    async def closed() -> None:
        client = AsyncRecommendationClient(address)
        await client.close()
        await client.recommend(["x"])

    with pytest.raises(ServerError, match="is closed: make another one"):
        asyncio.run(closed())
