"""The verb `train`: from preprocessed data to a stored model."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from rich.console import Console

from m2trec_merlin.artifacts import atomic_write, fingerprint, is_current, require_manifest, write_manifest
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.evaluation.ranking import sample_prefixes
from m2trec_merlin.model.m2trec import build_model, fit_before_training
from m2trec_merlin.model.storage import FORMAT, save_model
from m2trec_merlin.sessions import Sessions
from m2trec_merlin.training.hardware import choose_device, choose_precision
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.monitors import Monitors, ProgressBar, TensorBoard
from m2trec_merlin.training.processes import Processes, join_processes
from m2trec_merlin.training.trainer import Trainer


def train(
    config: Config, *, resume: bool = True, force: bool = False, console: Console | None = None
) -> Path:
    """Train the model that the configuration describes on what `preprocess` wrote.

    Args:
        config: of the run.
        resume: go on from the newest checkpoint of the same configuration and data.
        force: train again even if the stored model is current; also ignores checkpoints.
        console: where progress is shown.

    Under `torchrun`, its processes train together, each on batches of `training.batch_size` sessions.

    Returns:
        The folder of the model.

    Raises:
        ArtifactError: `preprocess` has not run, or left no training sessions.
    """
    with join_processes(config.training.device) as processes:
        return _train(config, resume, force, console or Console(), processes)


def _train(config: Config, resume: bool, force: bool, console: Console, processes: Processes) -> Path:
    if not processes.is_first:
        console = Console(quiet=True)
    folder, data = config.model_directory / "model", config.directory / "preprocessed"
    inputs = {
        "model_format": FORMAT,
        "preprocessed": require_manifest(data, "preprocess")["inputs"],
        "attributes": [a.model_dump(mode="json") for a in config.attributes],
        "model": config.model.model_dump(mode="json"),
        "training": config.training.model_dump(
            mode="json", exclude={"device", "threads", "checkpoint_steps"}
        ),
        "seed": config.seed,
    }
    if not force and is_current(folder, inputs):
        console.print(f"{folder} is up to date")
        return folder
    if config.training.threads:
        torch.set_num_threads(config.training.threads)
    started = time.perf_counter()
    catalogue = Catalogue.load(data / "catalogue")
    torch.manual_seed(config.seed)
    device = choose_device(config.training.device, processes.local_rank)
    precision = str(choose_precision(config.training.precision, device)).removeprefix("torch.")
    model = build_model(config, catalogue)
    fit_before_training(model, catalogue)
    model.to(device)
    console.print(
        f"{model.count_parameters():,} parameters, {catalogue.n_seen:,} training items, {device}, {precision}"
    )
    if processes.count > 1:
        console.print(f"{processes.count} processes, {config.training.batch_size} sessions a step in each")
    loader = SessionLoader(
        data / "sessions" / "train", config.training.batch_size, config.seed, device, processes
    )
    validation = Sessions.load(data / "sessions" / "valid").prefixes()
    monitors: list[ProgressBar | TensorBoard] = []
    if processes.is_first:
        monitors = [ProgressBar(console), TensorBoard(folder / "tensorboard")]
    trainer = Trainer(
        model,
        catalogue,
        loader,
        sample_prefixes(validation, config.training.validation_prefixes, config.seed),
        config.training,
        folder / "checkpoints",
        # A batch of several processes is another batch, so their number is part of what may resume.
        fingerprint([inputs, processes.count] if processes.count > 1 else inputs),
        Monitors(monitors),
        processes,
    )
    try:
        progress = trainer.train(config.seed, resume=resume and not force)
    finally:
        for monitor in monitors:
            monitor.close()
    if not processes.is_first:
        return folder
    save_model(model, folder, config, catalogue)
    atomic_write(folder / "history.json", json.dumps(progress.history, indent=2))
    write_manifest(
        folder,
        "train",
        inputs,
        parameters=model.count_parameters(),
        device=str(device),
        precision=precision,
        processes=processes.count,
        best_epoch=progress.best_epoch,
        best_hit_20=progress.best_value if progress.best_epoch else None,
        seconds=round(time.perf_counter() - started, 1),
    )
    return folder
