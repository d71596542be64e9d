"""`m2trec serve` with the real Triton: what happens to requests when processes end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import psutil
import pytest
from tritonclient.grpc import service_pb2_grpc

from benchmarks.open_loop import request
from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.client import RecommendationClient
from m2trec_merlin.serving.server.ports import Ports
from tests.worlds.shop import Shop

pytestmark = pytest.mark.triton

SERVE = """
import sys
from pathlib import Path
from m2trec_merlin.progress import Lines
from m2trec_merlin.serving.server.keeping import serve
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer
ports = Ports(*map(int, sys.argv[2:]))
serve(TritonServer(Path(sys.argv[1]), ports), Lines(lambda line: print(line, flush=True)))
"""


@dataclass(frozen=True)
class Served:
    process: subprocess.Popen[str]
    address: str

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("Ready. "):
                return
        raise AssertionError("it ended without being ready")

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture
def served(shop: Shop) -> Iterator[Served]:
    ports = Ports.free()
    command = [sys.executable, "-c", SERVE, str(shop.repository)]
    numbers = [str(port) for port in (ports.http, ports.grpc, ports.metrics)]
    with subprocess.Popen([*command, *numbers], stdout=subprocess.PIPE, text=True) as process:
        running = Served(process, f"127.0.0.1:{ports.grpc}")
        running.wait_until_ready()
        yield running
        process.terminate()


def test_a_killed_worker_is_replaced_and_a_stopped_server_answers_what_it_took(served: Served) -> None:
    with RecommendationClient(served.address, timeout=60) as client:
        before = client.recommend(["sku-1", "sku-2"])
        stubs = [process for process in served.family() if "python_backend_stub" in process.name()]
        assert len(stubs) == 2
        stubs[0].kill()
        served.wait_until_ready()
        assert client.recommend(["sku-1", "sku-2"]).item_ids == before.item_ids

    message = request({"item_ids": ["sku-1", "sku-2"], "options": ["{}"]})
    with grpc.insecure_channel(served.address, [("grpc.enable_http_proxy", 0)]) as channel:
        infer = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer
        under_way = [infer.future(message, timeout=60) for _ in range(100)]
        family = served.family()
        time.sleep(0.1)  # until they have left this process
        served.process.send_signal(signal.SIGTERM)
        assert [len(each.result().outputs) > 0 for each in under_way] == [True] * 100
    assert served.process.wait(60) == 0
    assert psutil.wait_procs(family, 20)[1] == []
    with (
        RecommendationClient(served.address) as client,
        pytest.raises(ServerError, match="no server answers"),
    ):
        client.recommend(["sku-1"])
