"""What is waited for before a server is stopped, with counts that change at each look."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from m2trec_merlin.contract.names import PREDICT, PREPROCESS
from m2trec_merlin.contract.under_way import Counts
from m2trec_merlin.serving.server import draining
from m2trec_merlin.serving.server.draining import UnderWay, drain

GAUGE = """# HELP nv_inference_pending_request_count Instantaneous number of pending requests
# TYPE nv_inference_pending_request_count gauge
nv_inference_pending_request_count{model="m2trec",version="1"} 0
nv_inference_pending_request_count{model="m2trec_predict",version="1"} 4
nv_inference_pending_request_count{model="m2trec_preprocess",version="1"} 165
"""


@dataclass(frozen=True)
class Told(UnderWay):
    """What tests say instead of workers and Triton."""

    counts: dict[str, dict[str, Counts]] = field(default_factory=lambda: {PREPROCESS: {}, PREDICT: {}})
    queues: dict[str, int] = field(default_factory=dict)

    def workers(self, step: str) -> dict[str, Counts]:
        return dict(self.counts[step])

    def queued(self, step: str) -> int:
        return self.queues.get(step, 0)

    def say(self, worker: str, *counts: int) -> None:
        """The name of a worker is that of its step, and a letter."""
        self.counts[worker[:-2]][worker] = Counts(*counts)


A, B, C, D = (
    f"{step}.{letter}" for step, letters in ((PREPROCESS, "ab"), (PREDICT, "cd")) for letter in letters
)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.setattr(draining, "_SETTLED_SECONDS", 0.0)
    monkeypatch.setattr(draining, "_POLL_SECONDS", 0.001)
    monkeypatch.setattr(draining, "_BETWEEN_SECONDS", 0.1)
    return Told(Path(), "")


def drained(under_way: Told, *changes: Callable[[], None]) -> None:
    """Each change is made after a look; it is waited for all of them, and no longer."""
    left = list(changes)

    def go_on() -> bool:
        left.pop(0)()
        return False

    assert drain(under_way, 20, go_on) == 0
    assert left == []


def test_an_idle_server_is_not_waited_for(told: Told) -> None:
    drained(told)
    told.say(A, 9, 7, 2), told.say(C, 7, 6, 1)
    drained(told)


def test_what_the_first_step_has_is_waited_for_to_the_end(told: Told) -> None:
    told.say(A, 3, 0, 0), told.say(C, 0, 0, 0)
    drained(
        told,
        lambda: told.say(A, 3, 2, 1),
        lambda: told.say(C, 2, 0, 0),
        lambda: told.say(C, 2, 1, 1),
    )


def test_later_requests_do_not_stand_for_earlier_ones(told: Told) -> None:
    """Of two workers of a step, one may be ahead."""
    told.say(A, 3, 0, 0), told.say(B, 2, 2, 0), told.say(C, 2, 2, 0), told.say(D, 0, 0, 0)

    def late_ones() -> None:
        told.say(B, 50, 50, 0), told.say(C, 50, 50, 0)

    def more_late_ones() -> None:
        told.say(C, 90, 90, 0), told.say(D, 3, 0, 0), told.say(B, 90, 90, 0)

    drained(
        told,
        late_ones,
        lambda: told.say(A, 4, 3, 0),
        more_late_ones,
        lambda: told.say(D, 5, 3, 0),
    )


def test_what_is_queued_is_waited_for(told: Told) -> None:
    told.say(A, 1, 0, 0), told.say(C, 0, 0, 0)
    told.queues[PREPROCESS] = 2

    def taken() -> None:
        told.queues[PREPROCESS] = 0
        told.say(A, 3, 1, 0), told.say(C, 1, 1, 0)

    drained(told, lambda: None, taken, lambda: told.say(A, 3, 3, 0), lambda: told.say(C, 3, 3, 0))


def test_a_queue_that_others_fill_again_is_not_waited_for(told: Told) -> None:
    told.say(A, 1, 1, 0), told.say(C, 1, 1, 0)
    told.queues[PREPROCESS] = 2

    def taken() -> None:
        told.queues[PREPROCESS] = 7
        told.say(A, 3, 3, 0), told.say(C, 3, 3, 0)

    drained(told, taken)


def test_what_clients_gave_up_between_the_steps_is_not_waited_for(told: Told) -> None:
    """However many these were, and whatever comes meanwhile; but for what is queued, and taken."""
    told.say(A, 9000, 9000, 0), told.say(C, 7, 7, 0)
    told.queues[PREDICT] = 2
    began = time.monotonic()

    def go_on() -> bool:
        counts, waited = told.counts[PREDICT][C], time.monotonic() - began
        told.queues[PREDICT] = 3
        if waited > 0.2:
            told.say(C, counts.taken + 1, counts.answered, 0)
        if waited > 0.3:
            told.say(C, counts.taken + 1, counts.taken, 0)
        return False

    assert drain(told, 20, go_on) == 0
    assert 0.3 <= time.monotonic() - began < 10


@pytest.mark.parametrize("is_given_up", [False, True])
def test_the_wait_has_an_end_that_says_what_is_left(told: Told, is_given_up: bool) -> None:
    told.say(A, 7, 2, 1), told.say(C, 1, 1, 0)
    told.queues[PREPROCESS] = 3
    seconds = 60 if is_given_up else 0.2
    began = time.monotonic()
    assert drain(told, seconds, lambda: is_given_up) == 4 + 3
    assert (0 if is_given_up else 0.2) <= time.monotonic() - began < 10


@contextmanager
def answering(text: str) -> Iterator[str]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/metrics"
        server.shutdown()


def test_triton_says_what_is_queued(tmp_path: Path) -> None:
    with answering(GAUGE) as address:
        under_way = UnderWay(tmp_path, address)
        assert (under_way.queued(PREPROCESS), under_way.queued(PREDICT)) == (165, 4)
        assert under_way.count() == 165 + 4
    assert under_way.queued(PREPROCESS) == 0
