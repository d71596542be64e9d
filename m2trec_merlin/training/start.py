"""What a training starts with: a new model, or what an earlier run learned, and sessions."""

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
from m2trec_merlin.preprocessing.starting import LONGEST_SESSION
from m2trec_merlin.progress import Progress
from m2trec_merlin.runs import Run
from m2trec_merlin.sessions import event_fields, session_files
from m2trec_merlin.training.continuing import Continuation
from m2trec_merlin.training.hardware import frames_for
from m2trec_merlin.training.processes import Processes


@dataclass(frozen=True)
class TrainingStart:
    """What is trained, and on what.

    Attributes:
        model: to train.
        catalogue: its items.
        sessions: folder of the training sessions.
        drawn: whether these were drawn for this training alone, which goes on from an earlier run.
        facts: what the manifest says of the earlier run.
    """

    model: M2TRec
    catalogue: Catalogue
    sessions: Path
    drawn: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    def bring_to(self, device: torch.device, run: Run) -> None:
        """Fit what is fitted before the first step, and bring the model to the device that trains it."""
        fit_before_training(self.model, self.catalogue)
        if device.type == "cuda":
            self.model.body.inputs.catalogue.read(frames_for(device), run.catalogue / ENCODED)
        self.model.to(device)

    def forget_drawn(self) -> None:
        """Delete sessions that were drawn for this training."""
        if self.drawn:
            shutil.rmtree(self.sessions, ignore_errors=True)


def start_anew(run: Run, catalogue: Catalogue) -> TrainingStart:
    """Return a new model, and all training sessions of the run."""
    sessions = run.sessions("train")
    prepared = require_manifest(run.preprocessed, "preprocess")["sessions"]["train"]
    events = event_fields(session_files(sessions))
    model = build_model(run.config, catalogue, prepared[LONGEST_SESSION], events=events)
    return TrainingStart(model, catalogue, sessions)


def go_on(
    run: Run, earlier: Run, catalogue: Catalogue, training: str, processes: Processes, progress: Progress
) -> TrainingStart:
    """Return what an earlier run learned, and the sessions that are new to it with a share of the others.

    Args:
        run: preprocessed, starting from the earlier one.
        earlier: trained.
        catalogue: of the run.
        training: fingerprint of the training, which seeds the draw.
        processes: the first one draws.
        progress: is told how many sessions were drawn.

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
