from __future__ import annotations

import threading

import pytest

from m2trec_merlin.serving.runtime.background import Background, BoundedQueue


def test_work_is_done_again_and_again_and_a_last_time() -> None:
    done, thrice = [], threading.Event()

    def work() -> None:
        done.append(len(done))
        if len(done) == 3:
            thrice.set()

    background = Background(work, 0.001)
    assert thrice.wait(20)
    background.close()
    count = len(done)
    assert count >= 4
    patient = Background(work, 3600)
    patient.close()
    assert len(done) == count + 1


def test_what_is_done_at_last_is_done_once() -> None:
    done: list[str] = []
    Background(lambda: done.append("work"), 3600, lambda: done.append("last")).close()
    assert done == ["work", "last"]


def test_an_error_is_told_and_ends_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    again = threading.Event()
    calls = []

    def work() -> None:
        calls.append(1)
        if len(calls) > 1:
            again.set()
        raise OSError("disk full")

    background = Background(work, 0.001)
    assert again.wait(20)
    background.close()
    assert capfd.readouterr().err.startswith("m2trec-merlin: OSError: disk full\n")


def test_what_does_not_fit_is_dropped_and_counted() -> None:
    lost: list[int] = []
    waiting: BoundedQueue[int] = BoundedQueue(3, lost.append)
    waiting.put([1, 2])
    waiting.put([3, 4, 5])
    waiting.put([6])
    assert lost == [2, 1]
    assert waiting.take() == [1, 2, 3] and waiting.take() == []
    waiting.put([7])
    assert waiting.take() == [7] and lost == [2, 1]
