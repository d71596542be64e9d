"""What is handed to a tracker, when, and what becomes of it when the tracker fails."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from m2trec_merlin.config import Config
from m2trec_merlin.errors import TrackingError
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.runs import Run
from m2trec_merlin.tracking.base import Beginning, Status
from m2trec_merlin.tracking.recording import Recording, flat
from tests.told import Told


class Noted:
    """A tracker that notes what it is told, or fails."""

    name, store = "noted", "here"

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.parameters: dict[str, str] = {}
        self.fails = False

    def note(self, *told: Any) -> None:
        if self.fails:
            raise TrackingError("the store is away")
        self.told.append(told)

    def open(self, identity: str | None, beginning: Beginning) -> str:
        self.note("open", identity)
        self.parameters = dict(beginning.parameters)
        return identity or "first"

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        self.note("metrics", dict(values), step)

    def files(self, files: Mapping[str, Path]) -> None:
        self.note("files", sorted(files))

    def model(self, repository: Path, version: str, facts: Mapping[str, str]) -> None:
        self.note("model", version, dict(facts))

    def state(self, status: Status) -> None:
        self.note("state", status)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Trained and evaluated, as far as anyone can see."""
    attributes = [{"name": "title", "kind": "text"}]
    of_events = [{"name": "paid", "kind": "numeric"}]
    settings = {"name": "shop", "work_dir": tmp_path, "attributes": attributes, "event_attributes": of_events}
    run = Run(Config.model_validate(settings))
    for folder, step in ((run.model, "train"), (run.evaluation, "evaluate")):
        folder.mkdir(parents=True)
        write_manifest(folder, step, {}, training="abc")
    run.history.write_text('[{"epoch": 1, "loss": 2.5, "HIT@20": 0.25}, {"epoch": 2, "loss": NaN}]')
    return run


def test_a_training_is_opened_told_and_finished(run: Run) -> None:
    tracker = Noted()
    recording = Recording(tracker, Told())
    recording.begin(run, "abc")
    recording.epoch({"epoch": 1, "loss": 2.5})
    recording.stop()
    assert tracker.told == [
        ("open", None),
        ("state", "running"),
        ("metrics", {"epoch/loss": 2.5}, 1),
        ("state", "killed"),
    ]
    assert tracker.parameters["attributes.title.kind"] == "text"
    assert tracker.parameters["event_attributes.paid.kind"] == "numeric"
    tracker.told.clear()
    recording.trained(run)
    assert tracker.told == [
        ("metrics", {"epoch/loss": 2.5, "epoch/HIT@20": 0.25}, 1),
        ("metrics", {}, 2),
        ("files", ["training/history.json", "training/manifest.json", "training/model.json"]),
        ("state", "finished"),
    ]


def test_each_result_is_handed_over_once_and_again_when_it_changed(run: Run) -> None:
    tracker = Noted()
    for metrics in ({"ours/HIT@20/All": 0.5}, {"ours/HIT@20/All": 0.5}):
        Recording(tracker, Told()).evaluated(run, "test", metrics)
    given = [("metrics", {"test/ours/HIT@20/All": 0.5}, 0), ("files", ["evaluation"])]
    assert tracker.told == [("open", None), *given, ("open", "first")]
    write_manifest(run.evaluation, "evaluate", {"seed": 2})
    Recording(tracker, Told()).evaluated(run, "test", {"ours/HIT@20/All": 0.5})
    assert tracker.told[4:] == [("open", "first"), *given]


def test_another_training_and_another_store_have_records_of_their_own(run: Run) -> None:
    tracker = Noted()
    Recording(tracker, Told()).begin(run, "abc")
    Recording(tracker, Told()).begin(run, "def")
    tracker.store = "elsewhere"
    Recording(tracker, Told()).begin(run, "abc")
    assert [told for told in tracker.told if told[0] == "open"] == [("open", None)] * 3


def test_no_work_is_lost_for_a_tracker_that_fails_later_on(run: Run) -> None:
    folder = run.evaluation_of("valid")
    folder.mkdir()
    write_manifest(folder, "evaluate", {})
    tracker, told = Noted(), Told()
    recording = Recording(tracker, told)
    tracker.fails = True
    with pytest.raises(TrackingError, match="away"):
        recording.begin(run, "abc")
    recording.evaluated(run, "valid", {})
    assert told.lines == [
        "not recorded, `m2trec evaluate --split valid` does it when it is run again: the store is away"
    ]
    tracker.fails = False
    recording.evaluated(run, "valid", {})
    assert tracker.told[-1] == ("files", ["evaluation_valid"])


def test_settings_are_flat_by_dotted_names() -> None:
    settings = {"a": {"b": 1, "c": None}, "ks": [5, 10], "tasks": [{"of": "x"}], "name": "shop", "on": True}
    assert dict(flat(settings)) == {
        "a.b": "1",
        "a.c": "null",
        "ks": "[5, 10]",
        "tasks.0.of": "x",
        "name": "shop",
        "on": "true",
    }
