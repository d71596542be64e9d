"""The start of a training: a new model or that of an earlier run, and the sessions to train on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from m2trec_merlin.catalogue import ENCODED, Catalogue
from m2trec_merlin.manifests import require_manifest
from m2trec_merlin.model.m2trec import M2TRec, build_model, fit_before_training
from m2trec_merlin.progress import Progress
from m2trec_merlin.runs import Run
from m2trec_merlin.runs.settings import LONGEST_SESSION
from m2trec_merlin.sessions import Sessions, event_fields, session_files
from m2trec_merlin.training.continuing import Continuation
from m2trec_merlin.training.hardware import frames_for
from m2trec_merlin.training.processes import Processes


@dataclass(frozen=True)
class TrainingStart:
    """A model to train, and its data.

    Attributes:
        model: the model to train.
        catalogue: catalogue of the model.
        sessions: folder of the training sessions.
        drawn: whether the sessions were drawn for this training, which continues from an earlier run.
        facts: entries for the manifest on the earlier run.
    """

    model: M2TRec
    catalogue: Catalogue
    sessions: Path
    drawn: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    def bring_to(self, device: torch.device, run: Run) -> None:
        """Fit the parts that are fitted before the first step, and move the model to the device."""
        fit_before_training(self.model, self.catalogue, lambda: Sessions.load(run.sessions("train")))
        if device.type == "cuda":
            self.model.body.inputs.catalogue.read(frames_for(device), run.catalogue / ENCODED)
        self.model.to(device)

    def forget_drawn(self) -> None:
        """Delete the sessions if they were drawn for this training."""
        if self.drawn:
            shutil.rmtree(self.sessions, ignore_errors=True)


def start_anew(run: Run, catalogue: Catalogue) -> TrainingStart:
    """Start with a new model and all training sessions of the run."""
    sessions = run.sessions("train")
    prepared = require_manifest(run.preprocessed, "preprocess")["sessions"]["train"]
    events = event_fields(session_files(sessions))
    model = build_model(run.config, catalogue, prepared[LONGEST_SESSION], events=events)
    return TrainingStart(model, catalogue, sessions)


def go_on(
    run: Run, earlier: Run, catalogue: Catalogue, training: str, processes: Processes, progress: Progress
) -> TrainingStart:
    """Start with the model of an earlier run, the sessions new to it, and a share of the others.

    Args:
        run: the run, preprocessed to start from the earlier one.
        earlier: the earlier run, trained.
        catalogue: catalogue of the run.
        training: fingerprint of the training, which seeds the draw.
        processes: processes of the training; the first one draws.
        progress: receives the numbers of drawn sessions.

    Raises:
        ArtifactError: see `Continuation`.
    """
    continuation = Continuation(run, earlier, catalogue)
    model, sessions, facts = continuation.build(), run.drawn_sessions(training), dict[str, Any]()
    if processes.is_first:
        share = run.config.training.continued.old_sessions
        drawn = continuation.write_sessions(sessions, share, int(training, 16))
        progress.say(f"from {earlier.model}: {drawn.new:,} new sessions, {drawn.old:,} known ones again")
        facts = {"earlier": str(earlier.model), "new_sessions": drawn.new, "old_sessions": drawn.old}
    processes.wait()
    return TrainingStart(model, catalogue, sessions, drawn=True, facts=facts)
