"""Checkpoints: everything that a killed training needs to resume as if nothing had happened.

A checkpoint is a folder `step-NNNNNNNN` with `tensors.safetensors` (weights, optimiser state, state of the
random number generators) and `state.json`, which holds a digest of the former. It is renamed into place when
it is complete. The weights of the best epoch so far lie beside it, with a digest in `state.json`, too. Each
training (a model on certain data) has its own folder of checkpoints, so that none removes another's.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from m2trec_merlin.artifacts import atomic_directory, read_json, sha256
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.model.storage import weights_of
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.training.optimizer import Optimizers
from m2trec_merlin.training.processes import Processes

_KEEP = 2
#: Name of a checkpoint's folder, by step; the pattern that finds the folders; and names of the files in one.
_STEP, _STEPS = "step-{:08d}", "step-*"
_TENSORS, _STATE = "tensors.safetensors", "state.json"
#: Keys in _STATE of the digests of _TENSORS and of the weights of the best epoch.
_DIGEST, _BEST_DIGEST = "sha256", "best_sha256"
#: Names of best weights, by epoch, and the pattern that finds them.
_BEST, _BESTS = "best-{:04d}.safetensors", "best-*.safetensors"


@dataclass
class TrainingState:
    """The progress of a training.

    Attributes:
        epoch: number of finished epochs.
        step_in_epoch: number of finished steps in the current epoch.
        step: number of all finished steps.
        loss_sum: sum of the losses in the current epoch.
        best_epoch: epoch (from 1) with the best validation HIT@20, and among ties MRR@20; 0 if none yet.
        best_value: HIT@20 of the best epoch.
        history: one record per epoch.
    """

    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    best_epoch: int = 0
    best_value: float = -1.0
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one training.

    Attributes:
        folder: the folder that they are in.
        inputs: fingerprint of model and data; only the same training may resume from a checkpoint.
    """

    folder: Path
    inputs: str

    def save(
        self, model: nn.Module, optimizer: Optimizers, state: TrainingState, processes: Processes
    ) -> None:
        """Write a checkpoint and remove old ones; all processes of a training have to call it.

        The weights of the best epoch so far must be there, see `best_weights`.

        Args:
            model: the model, whose weights are saved.
            optimizer: optimisers, whose state is saved.
            state: progress of the training.
            processes: processes of the training; all their random number generators are saved, by the first
                one.
        """
        random = _random_states(model, processes)
        if not processes.is_first:
            return
        tensors = {f"model.{name}": weight for name, weight in weights_of(model).items()}
        tensors |= {f"optimizer.{name}": tensor for name, tensor in optimizer.state_tensors().items()}
        with atomic_directory(self.folder / _STEP.format(state.step)) as temporary:
            save_file(tensors | random, temporary / _TENSORS)
            digest = sha256(temporary / _TENSORS)
            content = {"inputs": self.inputs, _DIGEST: digest, "progress": asdict(state)}
            if state.best_epoch:
                content[_BEST_DIGEST] = sha256(self.best_weights(state.best_epoch))
            (temporary / _STATE).write_text(json.dumps(content, indent=2), encoding="utf-8")
        for old in self._all()[:-_KEEP]:
            shutil.rmtree(old, ignore_errors=True)
        # Training may also resume from the checkpoint before the newest.
        needed = {self.best_weights(epoch) for epoch in self._best_epochs()}
        for path in set(self.folder.glob(_BESTS)) - needed:
            path.unlink()

    def best_weights(self, epoch: int) -> Path:
        """Return the path of the weights of an epoch that was the best so far."""
        return self.folder / _BEST.format(epoch)

    def find(self, progress: Progress = SILENT) -> Path | None:
        """Return the newest readable checkpoint of this training, or None if there is no checkpoint.

        Args:
            progress: receives a line if newer checkpoints cannot be read.

        Raises:
            ArtifactError: there are damaged checkpoints, and none that can be resumed.
        """
        damaged: list[Path] = []
        for path in reversed(self._all()):
            try:
                content = read_json(path / _STATE, "train")
                broken = None if content.get(_DIGEST) == sha256(path / _TENSORS) else path
            except (ArtifactError, OSError):
                broken = path
            if broken is None and content.get("inputs") != self.inputs:
                continue
            if broken := broken or self._broken_best(content):
                damaged.append(broken)
                continue
            if damaged:
                progress.say(f"{_named(damaged)} cannot be read: going on from {path.name}, before it")
            return path
        if damaged:
            raise ArtifactError(
                f"{_named(damaged)} cannot be read, and there is no other checkpoint to go on from: "
                "run `m2trec train --restart`"
            )
        return None

    def _all(self) -> list[Path]:
        """Return all checkpoints in the folder, the newest last."""
        return sorted(self.folder.glob(_STEPS))

    def _broken_best(self, content: dict[str, Any]) -> Path | None:
        """Return the best weights that a checkpoint needs if they are missing or altered."""
        epoch = int(content["progress"]["best_epoch"])
        path = self.best_weights(epoch)
        # Checkpoints of earlier versions hold no digest of them.
        is_whole = not epoch or (path.is_file() and content.get(_BEST_DIGEST) in (None, sha256(path)))
        return None if is_whole else path

    def _best_epochs(self) -> set[int]:
        """Return the best epochs according to the checkpoints in the folder; 0 for one without any."""
        found = set()
        for path in self._all():
            # No training resumes from a checkpoint that cannot be read.
            with suppress(ArtifactError, KeyError):
                found.add(int(read_json(path / _STATE, "train")["progress"]["best_epoch"]))
        return found


def load_checkpoint(
    path: Path, model: nn.Module, optimizer: Optimizers, processes: Processes
) -> TrainingState:
    """Restore weights, optimisers and random number generators; returns the progress of the training."""
    tensors = load_file(path / _TENSORS)
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}, "random": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = tensor
    model.load_state_dict(parts["model"])
    optimizer.load_state_tensors(parts["optimizer"])
    torch.set_rng_state(parts["random"][f"cpu.{processes.rank}"])
    if (cuda := parts["random"].get(f"cuda.{processes.rank}")) is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(cuda)
    return TrainingState(**read_json(path / _STATE, "train")["progress"])


def _random_states(model: nn.Module, processes: Processes) -> dict[str, Tensor]:
    device = next(model.parameters()).device
    own = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        own["cuda"] = torch.cuda.get_rng_state()
    return {
        f"random.{name}.{rank}": of_rank.cpu()
        for name, state in own.items()
        for rank, of_rank in enumerate(processes.gather(state.to(device)))
    }


def _named(paths: list[Path]) -> str:
    return ", ".join(map(str, dict.fromkeys(paths)))
