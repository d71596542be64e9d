"""Checkpoints: everything that a killed training needs to go on as if nothing had happened.

A checkpoint is a folder `step-NNNNNNNN` with `tensors.safetensors` (weights, optimiser state, state of
the random number generators) and `state.json`, which holds a digest of these. It is renamed into place when
it is complete. Each training (what is trained on what) has a folder of its own for its checkpoints, so that
none removes another's.
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
from m2trec_merlin.training.processes import ALONE, Processes

_KEEP = 2
#: Of the folder of a checkpoint, by its step; what finds them; and of the files in it.
_STEP, _STEPS = "step-{:08d}", "step-*"
_TENSORS, _STATE = "tensors.safetensors", "state.json"
#: In the latter, of the former.
_DIGEST = "sha256"


@dataclass
class TrainingState:
    """How far training has come.

    Attributes:
        epoch: finished epochs.
        step_in_epoch: finished steps of the epoch after them.
        step: all finished steps.
        loss_sum: of the steps of the current epoch.
        best_epoch: epoch (from 1) of the best validation HIT@20, at equal ones of MRR@20; 0 before the first.
        best_value: that HIT@20.
        history: one record an epoch.
    """

    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    best_epoch: int = 0
    best_value: float = -1.0
    history: list[dict[str, Any]] = field(default_factory=list)


def save_checkpoint(
    folder: Path,
    model: nn.Module,
    optimizer: Optimizers,
    state: TrainingState,
    inputs: str,
    processes: Processes = ALONE,
) -> Path:
    """Write a checkpoint and remove old ones; all processes of a training have to call it.

    Args:
        folder: of the checkpoints of this training.
        model: its weights are kept.
        optimizer: its state is kept.
        state: where training stands.
        inputs: fingerprint of what is trained on what; only the same training may resume from here.
        processes: the state of each one's random number generators is kept; the first one writes.
    """
    target = folder / _STEP.format(state.step)
    random = _random_states(model, processes)
    if not processes.is_first:
        return target
    tensors = {f"model.{name}": weight for name, weight in weights_of(model).items()}
    tensors |= {f"optimizer.{name}": tensor for name, tensor in optimizer.state_tensors().items()}
    with atomic_directory(target) as temporary:
        save_file(tensors | random, temporary / _TENSORS)
        digest = sha256(temporary / _TENSORS)
        content = {"inputs": inputs, _DIGEST: digest, "progress": asdict(state)}
        (temporary / _STATE).write_text(json.dumps(content, indent=2), encoding="utf-8")
    for old in sorted(folder.glob(_STEPS))[:-_KEEP]:
        shutil.rmtree(old, ignore_errors=True)
    return target


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


def find_checkpoint(folder: Path, inputs: str, progress: Progress = SILENT) -> Path | None:
    """Return the newest checkpoint of the same training that can be read, or None if there is none at all.

    Args:
        folder: of the checkpoints of this training.
        inputs: see `save_checkpoint`.
        progress: is told which newer ones cannot be read.

    Raises:
        ArtifactError: there are some, and none can be read.
    """
    damaged: list[Path] = []
    for path in sorted(folder.glob(_STEPS), reverse=True):
        try:
            content = read_json(path / _STATE, "train")
            is_whole = content.get(_DIGEST) == sha256(path / _TENSORS)
        except (ArtifactError, OSError):
            is_whole = False
        if not is_whole:
            damaged.append(path)
        elif content.get("inputs") == inputs:
            if damaged:
                named = ", ".join(map(str, damaged))
                progress.say(f"{named} cannot be read: going on from {path.name}, before it")
            return path
    if damaged:
        raise ArtifactError(
            f"{', '.join(map(str, damaged))} cannot be read, and there is no other checkpoint to go on from: "
            "run `m2trec train --restart`"
        )
    return None


def best_epochs(folder: Path) -> set[int]:
    """Return the epochs that the checkpoints in a folder call the best; 0 where there was none yet."""
    found = set()
    for path in folder.glob(_STEPS):
        # Of what cannot be read, nothing goes on.
        with suppress(ArtifactError, KeyError):
            found.add(int(read_json(path / _STATE, "train")["progress"]["best_epoch"]))
    return found


def load_checkpoint(
    path: Path, model: nn.Module, optimizer: Optimizers, processes: Processes = ALONE
) -> TrainingState:
    """Put weights, optimiser and random number generators back; returns where training stood."""
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
