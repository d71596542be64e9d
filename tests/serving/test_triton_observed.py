"""What the real Triton exposes and logs after known requests."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pyarrow.parquet as pq
import pytest
from tritonclient.grpc import service_pb2_grpc

from benchmarks.open_loop import request
from m2trec_merlin.serving.contract.metrics import METRICS
from m2trec_merlin.serving.server.ports import Ports
from tests.docker.observability import expressions, selectors
from tests.serving.exposed import Exposed
from tests.serving.server.stand_in import becomes_true
from tests.worlds.shop import N_ITEMS, Shop

pytestmark = pytest.mark.triton

SERVE = """
import sys
from pathlib import Path
from m2trec_merlin.config.serving import ShownLogConfig
from m2trec_merlin.progress import Lines
from m2trec_merlin.serving.server.instructions import Instructions
from m2trec_merlin.serving.server.keeping import serve
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer
instructions = Instructions("all", ShownLogConfig(folder=Path(sys.argv[2])))
server = TritonServer(Path(sys.argv[1]), Ports(*map(int, sys.argv[3:])), instructions=instructions)
serve(server, Lines(lambda line: print(line, flush=True)))
"""

ASKED = {
    "known": {"item_ids": ["sku-1", "sku-2"], "options": ["{}"]},
    "unknown": {"item_ids": ["nope", "sku-2"], "options": ["{}"]},
    "popular": {"item_ids": ["nope"], "options": ["{}"]},
    "refused": {"item_ids": ["sku-1"], "options": ['{"top_k": 0}']},
    "empty": {"item_ids": ["sku-1"], "options": ['{"filters": {"department": "no such"}}']},
    "raw": {"item_ids": [""], "item_attributes": ['{"product_name": "tea"}'], "options": ["{}"]},
}


@dataclass
class Observed:
    """A server that has answered all of `ASKED`.

    Attributes:
        metrics: address.
        lines: of JSON, by request id.
        log: folder of what was asked and shown.
        process: that serves.
    """

    metrics: str
    lines: dict[str, Any]
    log: Path
    process: subprocess.Popen[str]


@pytest.fixture(scope="module")
def observed(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    log = tmp_path_factory.mktemp("observed") / "the shop's lög"
    ports = Ports.free()
    numbers = [str(port) for port in (ports.http, ports.grpc, ports.metrics)]
    command = [sys.executable, "-c", SERVE, str(shop.repository), str(log), *numbers]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("Metrics "):
            assert process.poll() is None
        address = f"127.0.0.1:{ports.grpc}"
        with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
            infer = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer
            for name, tensors in ASKED.items():
                message = request(tensors)
                message.id = name
                future = infer.future(message, timeout=60)
                assert (future.exception() is not None) == (name == "refused")
        lines = [json.loads(process.stdout.readline()) for _ in ASKED]
        said = {line["request_id"]: line for line in lines}
        yield Observed(f"http://127.0.0.1:{ports.metrics}/metrics", said, log, process)
        process.terminate()


def test_metrics_have_the_values_of_known_requests(observed: Observed) -> None:
    def answered() -> float:
        return Exposed(observed.metrics).value("m2trec_requests_total", step="m2trec_predict")

    assert becomes_true(lambda: answered() == 5)
    exposed = Exposed(observed.metrics)
    first, second = "m2trec_preprocess", "m2trec_predict"
    assert exposed.value("m2trec_requests_total", step=first, outcome="answered") == 5
    assert exposed.value("m2trec_requests_total", step=first, outcome="refused") == 1
    assert exposed.value("m2trec_requests_total", step=second, outcome="refused") == 0
    assert exposed.value("m2trec_ids_total") == 2 + 2 + 1 + 1
    assert exposed.value("m2trec_unknown_ids_total") == 2
    assert exposed.value("m2trec_raw_items_total") == 1
    assert exposed.value("m2trec_fallback_answers_total") == 1
    assert exposed.value("m2trec_empty_answers_total") == 1
    assert exposed.value("m2trec_recommended_total") == 4 * 5
    assert exposed.value("m2trec_log_dropped_total") == 0
    assert exposed.value("m2trec_catalogue_info") == 1
    assert exposed.value("m2trec_catalogue_items") == N_ITEMS
    for step, requests in ((first, 6), (second, 5)):
        assert exposed.value("m2trec_step_seconds_count", step=step) == requests
        assert exposed.value("m2trec_step_seconds_bucket", step=step, le="+Inf") == requests
        assert 0 < exposed.value("m2trec_step_seconds_sum", step=step) < 60
    assert {name for metric in METRICS for name in metric.series} <= exposed.names


def test_each_request_leaves_a_line_with_its_id(observed: Observed) -> None:
    assert observed.lines.keys() == ASKED.keys()
    refused = observed.lines["refused"]
    assert (refused["event"], refused["step"]) == ("refused", "m2trec_preprocess")
    assert refused["error"].startswith("options.top_k: expected")
    answered = {name: line for name, line in observed.lines.items() if name != "refused"}
    assert {line["event"] for line in answered.values()} == {"answered"}
    assert {name: line["recommended"] for name, line in answered.items()} == {
        **dict.fromkeys(answered, 5),
        "empty": 0,
    }


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_alerts_and_board_read_what_is_exposed(where: str, expression: str, observed: Observed) -> None:
    exposed = Exposed(observed.metrics)
    for selector in selectors(expression):
        found = [value for name, labels, value in exposed.series if selector.selects(name, labels)]
        assert found, f"{where}: nothing is exposed as {selector}"


def test_what_was_asked_and_shown_is_on_disk_when_the_server_has_stopped(observed: Observed) -> None:
    # The last test here, since it ends the server.
    observed.process.terminate()
    assert observed.process.wait(60) == 0
    [file] = observed.log.iterdir()
    rows = {row["request_id"]: row for row in pq.read_table(file).to_pylist()}
    assert rows.keys() == ASKED.keys() - {"refused"}
    for name, row in rows.items():
        asked = ASKED[name]
        assert row["item_ids"] == asked["item_ids"] and row["options"] == asked["options"][0]
        assert row["item_attributes"] == asked.get("item_attributes", [])
        assert len(row["recommended_ids"]) == len(row["scores"]) == observed.lines[name]["recommended"]
        assert row["model"] == observed.lines[name]["model"]
