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
import numpy as np
import pyarrow.parquet as pq
import pytest
from tritonclient.grpc import service_pb2_grpc

from benchmarks.open_loop import request
from m2trec_merlin.contract.identity import export_version
from m2trec_merlin.contract.metrics import METRICS
from m2trec_merlin.serving.runtime.side_by_side import falls_within
from m2trec_merlin.serving.server.ports import Ports
from tests.docker.observability import expressions, selectors
from tests.serving.exposed import Exposed
from tests.serving.server.stand_in import becomes_true
from tests.worlds.shop import N_ITEMS, Shop, offline_scores

pytestmark = pytest.mark.triton

SERVE = """
import sys
from pathlib import Path
from m2trec_merlin.config.serving import ShownLogConfig
from m2trec_merlin.progress import Lines
from m2trec_merlin.serving.server.instructions import Beside, Instructions
from m2trec_merlin.serving.server.keeping import serve
from m2trec_merlin.serving.server.ports import Ports
from m2trec_merlin.serving.server.process import TritonServer
repository, beside, log = map(Path, sys.argv[1:4])
instructions = Instructions("all", ShownLogConfig(folder=log), Beside(beside, 0.5))
server = TritonServer(repository, Ports(*map(int, sys.argv[4:])), instructions=instructions)
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


#: To be answered by the one model or the other.
KEYED = {
    f"visitor-{n}": {"item_ids": ["sku-1"], "options": [json.dumps({"session_key": f"visitor-{n}"})]}
    for n in range(10)
}


@dataclass
class Observed:
    """A server that has answered all of `ASKED`, and then all of `KEYED`.

    Attributes:
        exposed: its metrics in between.
        afterwards: its metrics at last.
        lines: of JSON, by request id.
        scores: of the answers, by request id.
        log: folder of what was asked and shown.
        process: that serves.
    """

    exposed: Exposed
    afterwards: Exposed
    lines: dict[str, Any]
    scores: dict[str, list[float]]
    log: Path
    process: subprocess.Popen[str]


@pytest.fixture(scope="module")
def observed(shop: Shop, other_shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    log = tmp_path_factory.mktemp("observed") / "the shop's lög"
    ports = Ports.free()
    numbers = [str(port) for port in (ports.http, ports.grpc, ports.metrics)]
    folders = [str(folder) for folder in (shop.repository, other_shop.repository, log)]
    metrics = f"http://127.0.0.1:{ports.metrics}/metrics"

    def expose(in_steps: int) -> Exposed:
        assert becomes_true(lambda: Exposed(metrics).value("m2trec_requests_total") == in_steps)
        return Exposed(metrics)

    with subprocess.Popen(
        [sys.executable, "-c", SERVE, *folders, *numbers], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("Metrics "):
            assert process.poll() is None
        scores = ask(f"127.0.0.1:{ports.grpc}", ASKED)
        # The first step alone met the refused one.
        exposed = expose(2 * len(ASKED) - 1)
        scores |= ask(f"127.0.0.1:{ports.grpc}", KEYED)
        lines = [json.loads(process.stdout.readline()) for _ in (*ASKED, *KEYED)]
        said = {line["request_id"]: line for line in lines}
        afterwards = expose(2 * len(ASKED) - 1 + 2 * len(KEYED))
        yield Observed(exposed, afterwards, said, scores, log, process)
        process.terminate()


def ask(address: str, requests: dict[str, dict[str, list[str]]]) -> dict[str, list[float]]:
    """Send requests, each with its name as id; return the scores of the answers."""
    scores = {}
    with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
        infer = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer
        for name, tensors in requests.items():
            message = request(tensors)
            message.id = name
            future = infer.future(message, timeout=60)
            if name == "refused":
                assert future.exception().code() is grpc.StatusCode.INVALID_ARGUMENT
                continue
            answer = future.result()
            place = [output.name for output in answer.outputs].index("scores")
            scores[name] = np.frombuffer(answer.raw_output_contents[place], np.float32).tolist()
    return scores


def test_metrics_have_the_values_of_known_requests(observed: Observed, shop: Shop, other_shop: Shop) -> None:
    exposed = observed.exposed
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
    for each in (shop, other_shop):
        model = export_version(each.repository)
        assert exposed.value("m2trec_catalogue_info", model=model) == 1
        assert exposed.value("m2trec_catalogue_items", model=model) == N_ITEMS
    for step, requests in ((first, 6), (second, 5)):
        assert exposed.value("m2trec_step_seconds_count", step=step) == requests
        assert exposed.value("m2trec_step_seconds_bucket", step=step, le="+Inf") == requests
        assert 0 < exposed.value("m2trec_step_seconds_sum", step=step) < 60
    assert {name for metric in METRICS for name in metric.series} <= exposed.names


def test_each_request_leaves_a_line_with_its_id(observed: Observed) -> None:
    assert observed.lines.keys() == {*ASKED, *KEYED}
    refused = observed.lines["refused"]
    assert (refused["event"], refused["step"]) == ("refused", "m2trec_preprocess")
    assert refused["error"].startswith("options.top_k: expected")
    answered = {name: line for name, line in observed.lines.items() if name != "refused"}
    assert {line["event"] for line in answered.values()} == {"answered"}
    assert {name: line["recommended"] for name, line in answered.items()} == {
        name: len(scores) for name, scores in observed.scores.items()
    }


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_alerts_and_board_read_what_is_exposed(where: str, expression: str, observed: Observed) -> None:
    for selector in selectors(expression):
        found = [v for name, labels, v in observed.exposed.series if selector.selects(name, labels)]
        assert found, f"{where}: nothing is exposed as {selector}"


def test_sessions_are_shared_by_key_between_two_models(
    observed: Observed, shop: Shop, other_shop: Shop
) -> None:
    served = [shop, other_shop]
    best = [np.sort(offline_scores(each, ["sku-1"])[0])[:-6:-1] for each in served]
    places = {key: falls_within(key, 0.5) for key in KEYED}
    assert 0 < sum(places.values()) < len(KEYED)
    for key, place in places.items():
        np.testing.assert_allclose(observed.scores[key], best[place], atol=1e-4)
        assert observed.lines[key]["model"] == export_version(served[place].repository)
    labels = {"model": export_version(other_shop.repository), "step": "m2trec_predict", "outcome": "answered"}
    assert observed.exposed.value("m2trec_requests_total", **labels) == 0
    assert observed.afterwards.value("m2trec_requests_total", **labels) == sum(places.values())


def test_what_was_asked_and_shown_is_on_disk_when_the_server_has_stopped(observed: Observed) -> None:
    # The last test here, since it ends the server.
    observed.process.terminate()
    assert observed.process.wait(60) == 0
    files = sorted(observed.log.iterdir())
    assert len(files) == 2
    rows = {row["request_id"]: row for file in files for row in pq.read_table(file).to_pylist()}
    assert rows.keys() == observed.scores.keys()
    for name, row in rows.items():
        asked = {**ASKED, **KEYED}[name]
        assert row["item_ids"] == asked["item_ids"] and row["options"] == asked["options"][0]
        assert row["item_attributes"] == asked.get("item_attributes", [])
        assert row["scores"] == observed.scores[name] and len(row["recommended_ids"]) == len(row["scores"])
        assert row["model"] == observed.lines[name]["model"]
