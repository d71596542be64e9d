"""Reports of a training and its results to a tracker, each once, even if a process is killed in between."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from m2trec_merlin.artifacts import MANIFEST, atomic_write, fingerprint, read_json
from m2trec_merlin.errors import TrackingError
from m2trec_merlin.progress import Progress
from m2trec_merlin.runs import HeldOut, Run
from m2trec_merlin.tracking.base import Beginning, Tracker
from m2trec_merlin.version import __version__

#: Entry of an epoch's record that is not a curve.
_NOT_A_CURVE = "epoch"


class Recording:
    """The record of a training in a tracker: begun by `train`, continued by `evaluate` and `export`.

    The identity of the record is kept beside the checkpoints of its training, so that a resumed training
    continues its record, and another training has one of its own.

    Args:
        tracker: the tracker.
        progress: listener for what could not be recorded; a training goes on even then.
    """

    def __init__(self, tracker: Tracker, progress: Progress) -> None:
        self.tracker, self.progress = tracker, progress
        self._path, self._kept = Path(), dict[str, Any]()

    def begin(self, run: Run, training: str) -> None:
        """Open the record of a training that starts or resumes.

        Args:
            run: run that the training belongs to.
            training: fingerprint of the training.

        Raises:
            TrackingError: the tracker cannot be reached; raised here, before any training is lost.
        """
        self._open(run, training)
        self.tracker.state("running")

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Report the metrics of an epoch, which are also in the history of the training."""
        self._try("train", lambda: self._curves(record))

    def stop(self) -> None:
        """Report that no epoch follows for now; if the training is complete, `trained` is called next."""
        self._try("train", lambda: self.tracker.state("killed"))

    def trained(self, run: Run) -> None:
        """Report a finished training: its history, and the description and manifest of the model."""
        files = {name: run.model / name for name in (MANIFEST, "model.json", run.history.name)}

        def hand_over() -> None:
            for record in read_json(run.history, "train"):
                self._curves(record)
            self.tracker.files({f"training/{name}": path for name, path in files.items()})
            self.tracker.state("finished")

        self._once(run, "train", run.model, hand_over)

    def evaluated(self, run: Run, split: HeldOut, metrics: Mapping[str, float]) -> None:
        """Report the evaluation on a split: metrics, tables and plots."""
        folder = run.evaluation_of(split)

        def hand_over() -> None:
            self.tracker.metrics({f"{split}/{name}": value for name, value in metrics.items()})
            self.tracker.files({folder.name: folder})

        command = "evaluate" if split == "test" else f"evaluate --split {split}"
        self._once(run, command, folder, hand_over)

    def exported(self, run: Run) -> None:
        """Report an export with its model repository."""
        manifest = run.step("export").manifest()
        facts = {name: str(manifest[name]) for name in ("items", "index")}

        def hand_over() -> None:
            self.tracker.model(run.triton, str(manifest["version"]), facts)

        self._once(run, "export", run.triton, hand_over)

    def _once(self, run: Run, command: str, folder: Path, hand_over: Callable[[], None]) -> None:
        """Report a folder unless that was done before, and note that it is done."""
        content = fingerprint(read_json(folder / MANIFEST))

        def open_and_hand_over() -> None:
            if not self._kept:
                manifest = run.step("train").manifest()
                self._open(run, manifest.get("training") or fingerprint(manifest["sha256"]))
            if self._kept["given"].get(command) != content:
                hand_over()
                self._keep(given={**self._kept["given"], command: content})

        self._try(command, open_and_hand_over)

    def _open(self, run: Run, training: str) -> None:
        self._path = run.checkpoints(training) / f"{self.tracker.name}.json"
        kept = read_json(self._path, "train") if self._path.is_file() else {}
        known = kept.get("identity") if kept.get("store") == self.tracker.store else None
        identity = self.tracker.open(known, _beginning(run, training))
        self._kept = kept if identity == known else {"given": {}}
        self._keep(identity=identity, store=self.tracker.store)

    def _keep(self, **facts: Any) -> None:
        self._kept |= facts
        self._path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(self._path, json.dumps(self._kept, indent=2))

    def _curves(self, record: Mapping[str, Any]) -> None:
        values = {f"epoch/{name}": value for name, value in record.items() if name != _NOT_A_CURVE}
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        self.tracker.metrics(finite, record["epoch"])

    def _try(self, command: str, hand_over: Callable[[], None]) -> None:
        try:
            hand_over()
        except TrackingError as error:
            self.progress.say(f"not recorded, `m2trec {command}` does it when it is run again: {error}")


def _beginning(run: Run, training: str) -> Beginning:
    config = run.config
    settings = config.model_dump(mode="json", exclude={"work_dir", "tracking"})
    for group in ("attributes", "event_attributes"):
        settings[group] = {each["name"]: each for each in settings[group]}
    title = config.name if run.model_directory == run.directory else f"{config.name}, {config.variant}"
    return Beginning(title, dict(flat(settings)), {"training": training, "m2trec-merlin": __version__})


def flat(settings: Mapping[str, Any], name: str = "") -> Iterator[tuple[str, str]]:
    """Yield settings by dotted name; lists of sections are numbered, other lists are single values."""
    for key, value in settings.items():
        here = f"{name}.{key}" if name else key
        if isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value):
            value = {str(number): entry for number, entry in enumerate(value)}
        if isinstance(value, Mapping):
            yield from flat(value, here)
        else:
            yield here, value if isinstance(value, str) else json.dumps(value)
