"""`m2trec serve` with the real Triton: what happens to requests when processes end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from tritonclient.grpc import service_pb2_grpc

from benchmarks.open_loop import request
from m2trec_merlin.contract.names import PREPROCESS
from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.client import RecommendationClient
from m2trec_merlin.serving.server.draining import UnderWay
from m2trec_merlin.serving.server.instructions import UNDER_WAY
from m2trec_merlin.serving.server.ports import Ports
from tests.worlds.shop import Shop

pytestmark = pytest.mark.triton

SERVE = """
import sys
from pathlib import Path
from m2trec_merlin.progress import Lines
from m2trec_merlin.serving.server import process
from m2trec_merlin.serving.server.keeping import serve
from m2trec_merlin.serving.server.ports import Ports
# Workers look for modules where this process does.
sys.path.append(sys.argv[5])
ports = Ports(*map(int, sys.argv[2:5]))
lines = Lines(lambda line: print(line, flush=True))
serve(process.TritonServer(Path(sys.argv[1]), ports), lines, drain_seconds=60)
"""

#: A `sitecustomize` of the workers: without NVTabular, which is imported when there are raw attributes to
#: encode, the first step waits.
HOLD = """
import pathlib, sys, time
class Hold:
    def find_spec(self, name, path=None, target=None):
        while name == "nvtabular" and not pathlib.Path(__file__).with_name("go").exists():
            time.sleep(0.02)
sys.meta_path.insert(0, Hold())
"""


@dataclass(frozen=True)
class Served:
    process: subprocess.Popen[str]
    address: str
    metrics_address: str

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("Ready. "):
                return
        raise AssertionError("it ended without being ready")

    def under_way(self) -> UnderWay:
        [triton] = [each for each in self.family() if each.name() == "tritonserver"]
        return UnderWay(Path(triton.cwd()) / UNDER_WAY, self.metrics_address)

    def wait_until_came(self, requests: int) -> None:
        """Wait until so many requests are, or were, in the first step or its queue."""
        under_way, deadline = self.under_way(), time.monotonic() + 60
        # In this order: what leaves the queue in between is not counted twice.
        while under_way.total(PREPROCESS).taken + under_way.queued(PREPROCESS) < requests:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture
def served(shop: Shop, tmp_path: Path) -> Iterator[Served]:
    """A server whose workers look for modules in the folder of the test, too."""
    ports = Ports.free()
    numbers = [str(port) for port in (ports.http, ports.grpc, ports.metrics)]
    command = [sys.executable, "-c", SERVE, str(shop.repository), *numbers, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        running = Served(process, f"127.0.0.1:{ports.grpc}", f"http://127.0.0.1:{ports.metrics}/metrics")
        running.wait_until_ready()
        yield running
        process.terminate()


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """Raw items wait in the first step of the server until this file is there; to be named before it is."""
    (tmp_path / "sitecustomize.py").write_text(HOLD)
    return tmp_path / "go"


@contextmanager
def sent(served: Served, asked: dict[str, list[str]], times: int) -> Iterator[list[Any]]:
    """The same request so many times, none of which is waited for."""
    message = request(asked)
    with grpc.insecure_channel(served.address, [("grpc.enable_http_proxy", 0)]) as channel:
        infer = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer
        yield [infer.future(message, timeout=60) for _ in range(times)]


def test_a_killed_worker_is_replaced_and_a_stopped_server_answers_what_it_took(served: Served) -> None:
    with RecommendationClient(served.address, timeout=60) as client:
        before = client.recommend(["sku-1", "sku-2"])
        stubs = [process for process in served.family() if "python_backend_stub" in process.name()]
        assert len(stubs) == 2
        stubs[0].kill()
        served.wait_until_ready()
        assert client.recommend(["sku-1", "sku-2"]).item_ids == before.item_ids
        with pytest.raises(ServerError, match=r"options\.top_k"):
            client.recommend(["sku-1"], top_k=0)
    # One of them ended in the first step.
    assert served.under_way().count() == 0

    with sent(served, {"item_ids": ["sku-1", "sku-2"], "options": ["{}"]}, 100) as under_way:
        family = served.family()
        served.wait_until_came(102)
        served.process.send_signal(signal.SIGTERM)
        assert [len(each.result().outputs) > 0 for each in under_way] == [True] * 100
    assert served.process.wait(60) == 0
    assert psutil.wait_procs(family, 20)[1] == []
    with (
        RecommendationClient(served.address) as client,
        pytest.raises(ServerError, match="no server answers"),
    ):
        client.recommend(["sku-1"])


def test_what_is_in_the_first_step_is_answered_before_it_stops(held: Path, served: Served) -> None:
    """More than a batch, so that some of it is queued; Triton alone would refuse it at the second step."""
    raw = {"item_ids": [""], "item_attributes": ['{"product_name": "red apple"}'], "options": ["{}"]}
    with sent(served, raw, 100) as under_way:
        served.wait_until_came(100)
        assert not any(each.done() for each in under_way)
        served.process.send_signal(signal.SIGTERM)
        assert served.process.stdout is not None
        said = [next(line for line in served.process.stdout if line.startswith(("Stopping ", "Triton ")))]
        held.touch()
        assert [len(each.result().outputs) > 0 for each in under_way] == [True] * 100
    said += served.process.stdout.readlines()
    assert said[1:] == ["Triton has stopped.\n"] and served.process.wait(60) == 0
