"""The real Triton behind TLS: who is let in, and what is never open."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from urllib.request import urlopen

import grpc
import psutil
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc
from typer.testing import CliRunner

from benchmarks.open_loop import request
from m2trec_merlin.cli.app import app
from m2trec_merlin.errors import NoAnswerError, RefusedError
from m2trec_merlin.serving.client import AsyncRecommendationClient, RecommendationClient, Tls
from m2trec_merlin.serving.server.grpc_endpoint import GrpcEndpoint
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer
from tests.serving.certificates import Certificates
from tests.worlds.shop import Shop

pytestmark = pytest.mark.triton


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("my Käse's certificates"))


@pytest.fixture(scope="module")
def server(shop: Shop, certificates: Certificates) -> Iterator[TritonServer]:
    door = GrpcEndpoint("0.0.0.0", certificates.server(mutual=True))
    with TritonServer(shop.repository, Ports.free(), door=door) as running:
        yield running


def test_who_shows_a_certificate_is_answered(server: TritonServer, certificates: Certificates) -> None:
    with RecommendationClient(server.grpc_address, tls=certificates.client("client")) as client:
        assert len(client.recommend(["sku-1"], top_k=3).item_ids) == 3
        with pytest.raises(RefusedError, match=r"options\.top_k"):
            client.recommend(["sku-1"], top_k=0)


async def ask(address: str, tls: Tls | None) -> int:
    async with AsyncRecommendationClient(address, timeout=20, tls=tls) as client:
        return len((await client.recommend(["sku-1"], top_k=3)).item_ids)


def test_the_same_by_asyncio(server: TritonServer, certificates: Certificates) -> None:
    assert asyncio.run(ask(server.grpc_address, certificates.client("client"))) == 3


def test_the_command_line_shows_one(server: TritonServer, certificates: Certificates) -> None:
    files = {"--ca": "ca.pem", "--certificate": "client.pem", "--key": "client.key"}
    options = [text for flag, name in files.items() for text in (flag, str(certificates.folder / name))]
    done = CliRunner().invoke(app, ["recommend", "sku-1", "--address", server.grpc_address, *options])
    assert done.exit_code == 0 and "Recommended next" in done.output


@pytest.mark.parametrize("name", [None, "stranger"])
def test_who_shows_none_or_a_stranger_s_is_not(
    server: TritonServer, certificates: Certificates, name: str | None
) -> None:
    with (
        RecommendationClient(server.grpc_address, 10, tls=certificates.client(name)) as client,
        pytest.raises(NoAnswerError, match="either side trusts the other's certificate"),
    ):
        client.recommend(["sku-1"])


@pytest.mark.parametrize("tls", [None, Tls()])
def test_who_does_not_encrypt_or_trusts_nobody_is_not(server: TritonServer, tls: Tls | None) -> None:
    with (
        RecommendationClient(server.grpc_address, 10, tls=tls) as client,
        pytest.raises(NoAnswerError, match="no server answers"),
    ):
        client.recommend(["sku-1"])


def test_only_grpc_is_open_to_others(server: TritonServer) -> None:
    assert server._process is not None
    heard = {
        (each.laddr.port, each.laddr.ip)
        for each in psutil.Process(server._process.pid).net_connections()
        if each.status == psutil.CONN_LISTEN
    }
    ports = server.ports
    loopback = {(ports.http, "127.0.0.1"), (ports.metrics, "127.0.0.1")}
    # gRPC takes all interfaces of IPv6 along.
    assert heard in ({(ports.grpc, "0.0.0.0"), *loopback}, {(ports.grpc, "::"), *loopback})
    with urlopen(f"{server.http_address}/v2/health/ready", timeout=10) as answer:
        assert answer.status == 200


def test_the_contract_as_its_page_tells_it(server: TritonServer, certificates: Certificates) -> None:
    message = request({"item_ids": ["sku-1", "sku-2"], "options": ["{}"]})
    message.id = "mine"
    with grpc.secure_channel(server.grpc_address, certificates.client("client").credentials()) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        answer = stub.ModelInfer(message, timeout=60)
        assert answer.id == "mine" and len(answer.raw_output_contents) == len(answer.outputs)
        for tensor in message.inputs:
            tensor.ClearField("contents")
        for texts in (["sku-1", "sku-2"], ["{}"]):
            parts = [len(text).to_bytes(4, "little") + text.encode() for text in texts]
            message.raw_input_contents.append(b"".join(parts))
        assert stub.ModelInfer(message, timeout=60).raw_output_contents == answer.raw_output_contents
        assert stub.ModelReady(service_pb2.ModelReadyRequest(name="m2trec"), timeout=60).ready
        assert stub.ServerLive(service_pb2.ServerLiveRequest(), timeout=60).live
        message.model_name = "other"
        with pytest.raises(grpc.RpcError) as error:
            stub.ModelInfer(message, timeout=60)
        assert error.value.code() is grpc.StatusCode.NOT_FOUND
