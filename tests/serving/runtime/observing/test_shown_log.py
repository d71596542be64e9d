from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from m2trec_merlin.contract.shown import SCHEMA
from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.runtime.observing import shown_log
from m2trec_merlin.serving.runtime.observing.shown_log import ShownLog, remember_asked


def texts(*entries: str) -> np.ndarray:
    return np.array([[entry.encode() for entry in entries]], dtype=object)


ASKED = {
    "item_ids": texts("sku-1", ""),
    "item_attributes": texts("", '{"t": "ü"}'),
    "event_attributes": texts('{"event": "view"}', ""),
    "options": texts("{}"),
}
HANDED_OVER = {"rows": np.array([[1, -1]]), "checked": texts('{"options": {"top_k": 2}, "notes": []}')}
SCORES = np.array([[0.5, -0.25]], np.float32)


def answer(request_id: str) -> dict[str, np.ndarray]:
    about = texts(json.dumps({"request_id": request_id, "model": "v1", "catalogue": "0"}))
    return {"recommended_ids": texts("sku-4", "sku-2"), "scores": SCORES, "about": about}


@pytest.fixture
def lost() -> list[int]:
    return []


@pytest.fixture
def log(tmp_path: Path, lost: list[int]) -> ShownLog:
    return ShownLog(tmp_path, 7, "v1", lost.append)


def put(log: ShownLog, *request_ids: str) -> None:
    requests = [remember_asked(ASKED, HANDED_OVER)] * len(request_ids)
    log.put(requests, [answer(request_id) for request_id in request_ids])


def rows(folder: Path) -> list[dict[str, Any]]:
    return [row for file in sorted(folder.glob("shown-*.parquet")) for row in pq.read_table(file).to_pylist()]


def test_the_second_step_still_finds_what_was_checked() -> None:
    remembered = remember_asked(ASKED, HANDED_OVER)
    assert remembered["rows"] is HANDED_OVER["rows"]
    said = json.loads(remembered["checked"].item())
    assert said["options"] == {"top_k": 2} and said["notes"] == []
    assert said["asked"]["item_ids"] == ["sku-1", ""]


def test_a_row_holds_what_was_asked_and_shown(log: ShownLog, tmp_path: Path) -> None:
    put(log, "a")
    log.put([HANDED_OVER, HANDED_OVER], [ServerError("refused"), answer("c")])
    log.write()
    assert rows(tmp_path) == []
    log.flush()
    first, second = rows(tmp_path)
    time = first.pop("time")
    assert time.tzinfo is not None and abs(time.timestamp() - tmp_path.stat().st_mtime) < 60
    assert first == {
        "request_id": "a",
        "model": "v1",
        "item_ids": ["sku-1", ""],
        "item_attributes": ["", '{"t": "ü"}'],
        "event_attributes": ['{"event": "view"}', ""],
        "options": "{}",
        "recommended_ids": ["sku-4", "sku-2"],
        "scores": [0.5, -0.25],
    }
    # Someone called the second step itself.
    assert (second["request_id"], second["item_ids"], second["options"]) == ("c", [], "")
    [file] = tmp_path.iterdir()
    assert pq.read_schema(file).equals(SCHEMA)


def test_files_are_written_when_they_are_large_or_old(
    log: ShownLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown_log, "_ROWS", 3)
    put(log, "a", "b")
    log.write()
    assert rows(tmp_path) == []
    put(log, "c")
    log.write()
    assert [row["request_id"] for row in rows(tmp_path)] == ["a", "b", "c"]
    put(log, "d")
    monkeypatch.setattr(shown_log, "_SECONDS", 0.0)
    log.write()
    assert [row["request_id"] for row in rows(tmp_path)] == ["a", "b", "c", "d"]
    log.flush()
    assert len(list(tmp_path.iterdir())) == 2


def test_logs_of_one_second_share_a_folder(tmp_path: Path, lost: list[int]) -> None:
    for model in ("v1", "v2"):
        log = ShownLog(tmp_path, 7, model, lost.append)
        put(log, "a")
        log.write()
        log.flush()
    assert sorted(row["model"] for row in rows(tmp_path)) == ["v1", "v2"]


def test_old_files_go_and_others_stay(log: ShownLog, tmp_path: Path) -> None:
    days_ago = {"shown-a.parquet": 8, "shown-b.parquet": 6, ".shown-c.parquet.tmp": 8, "mine.parquet": 8}
    now = tmp_path.stat().st_mtime
    for name, days in days_ago.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (now, now - days * 86_400))
    log.flush()
    assert {path.name for path in tmp_path.iterdir()} == {"shown-b.parquet", "mine.parquet"}


def test_old_files_go_before_others_are_written(
    log: ShownLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk would keep them for good."""
    old = tmp_path / "shown-old.parquet"
    old.touch()
    os.utime(old, (0, 0))

    def disk_is_full(*_: object, **__: object) -> None:
        assert not old.exists()
        raise OSError("no space left")

    monkeypatch.setattr(pq, "write_table", disk_is_full)
    put(log, "a")
    log.write()
    with pytest.raises(OSError, match="no space"):
        log.flush()


def test_what_is_not_ours_to_remove_keeps_nothing_from_being_written(log: ShownLog, tmp_path: Path) -> None:
    other = tmp_path / "shown-old.parquet"
    other.mkdir()
    os.utime(other, (0, 0))
    put(log, "a")
    log.write()
    log.flush()
    [written] = [path for path in tmp_path.iterdir() if path != other]
    assert pq.read_table(written).column("request_id").to_pylist() == ["a"]


def test_a_log_that_has_nothing_to_write_looks_at_its_folder_once_a_minute(
    log: ShownLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[None] = []
    monkeypatch.setattr(ShownLog, "_remove_old", lambda self: looks.append(None))
    monkeypatch.setattr(log, "_since", time.monotonic() - 1000)
    for _ in range(5):
        log.write()
    assert len(looks) == 1


def test_what_cannot_be_written_is_lost_and_counted(log: ShownLog, tmp_path: Path, lost: list[int]) -> None:
    put(log, "a", "b")
    log.write()
    tmp_path.rmdir()
    with pytest.raises(OSError):
        log.flush()
    assert lost == [2]
    tmp_path.mkdir()
    put(log, "c")
    log.write()
    log.flush()
    assert [row["request_id"] for row in rows(tmp_path)] == ["c"]


def test_what_cannot_be_encoded_is_lost_and_counted(log: ShownLog, tmp_path: Path, lost: list[int]) -> None:
    damaged = {**answer("b"), "scores": np.array([["high"]])}
    log.put([remember_asked(ASKED, HANDED_OVER)] * 2, [answer("a"), damaged])
    with pytest.raises(ValueError):
        log.write()
    assert lost == [2]
    put(log, "c")
    log.write()
    log.flush()
    assert [row["request_id"] for row in rows(tmp_path)] == ["c"]


def test_what_does_not_fit_in_memory_is_lost_and_counted(
    tmp_path: Path, lost: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown_log, "_MOST_WAITING", 2)
    log = ShownLog(tmp_path, 7, "v1", lost.append)
    put(log, "a", "b", "c")
    log.write()
    log.flush()
    assert lost == [1] and [row["request_id"] for row in rows(tmp_path)] == ["a", "b"]
