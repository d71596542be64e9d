from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pandas as pd
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from benchmarks.open_loop import ask, request
from benchmarks.serving import draw, raw_items, read_sessions
from m2trec_merlin.errors import ConfigError


class OneAtATime(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]  # no stubs
    """Answers at once, but for the first request, which takes half a second, and faulty ones."""

    def __init__(self) -> None:
        self.sessions: list[list[bytes]] = []

    def ModelInfer(self, message: Any, context: Any) -> Any:
        self.sessions.append(list(message.inputs[0].contents.bytes_contents))
        if len(self.sessions) == 1:
            time.sleep(0.5)
        if self.sessions[-1] == [b"faulty"]:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "faulty")
        return service_pb2.ModelInferResponse()


@pytest.fixture
def server() -> Iterator[tuple[OneAtATime, str]]:
    service = OneAtATime()
    server = grpc.server(ThreadPoolExecutor(1))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield service, f"127.0.0.1:{port}"
    server.stop(None)


def test_requests_wait_for_no_answer_and_are_charged_for_the_waiting(server: tuple[OneAtATime, str]) -> None:
    service, address = server
    requests = [request({"item_ids": [str(number)]}) for number in range(100)]
    measured = ask(address, requests, rate=200.0, seed=0)
    assert sorted(int(session[0]) for session in service.sessions) == list(range(100))
    # These were due while the first was answered; a client that waits for it would see one slow answer.
    assert (measured.seconds[:50] > 0.1).all() and measured.failed == 0


def test_refused_requests_are_counted_and_not_timed(server: tuple[OneAtATime, str]) -> None:
    requests = [request({"item_ids": [text]}) for text in ("a", "faulty", "b")]
    measured = ask(server[1], requests, rate=100.0, seed=0)
    assert measured.failed == 1 and len(measured.seconds) == 2


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "interactions" / "test"
    folder.mkdir(parents=True)
    events = {"session_id": [1, 1, 2, 3, 3, 3], "item_id": [5, 6, 5, 7, 6, 5], "position": [0, 1, 0, 0, 1, 2]}
    pd.DataFrame(events).to_parquet(folder / "part-00000.parquet", index=False)
    pd.DataFrame({"item_id": [5, 6, 7], "title": ["a", None, "c"]}).to_parquet(tmp_path / "items.parquet")
    return tmp_path


def test_sessions_lack_their_last_event(data: Path) -> None:
    assert read_sessions(data) == [["5"], ["7", "6"]]


def test_a_folder_without_sessions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no interactions/test: name the folder that `m2trec data`"):
        read_sessions(tmp_path)


def test_raw_items_stand_where_the_last_id_stood(data: Path) -> None:
    for message in draw([["5", "6"]], raw_items(data), 5, raw_share=1.0):
        tensors = {tensor.name: list(tensor.contents.bytes_contents) for tensor in message.inputs}
        assert tensors["item_ids"] == [b"5", b""]
        assert tensors["item_attributes"] == [b"", b'{"title": null}']
    known = draw([["5", "6"], ["7"]], {}, 200, raw_share=0.0)
    lengths = [message.inputs[0].shape[1] for message in known]
    assert 0.3 < np.mean(np.equal(lengths, 2)) < 0.7
