"""The verb `train`: from preprocessed data to a stored model."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from m2trec_merlin.artifacts import atomic_files, atomic_write, fingerprint, writing
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config, TrainingConfig
from m2trec_merlin.devices import choose
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.evaluation.ranking import scored_prefixes, why_none
from m2trec_merlin.manifests import write_manifest
from m2trec_merlin.model.storage import FORMAT, save_model
from m2trec_merlin.preprocessing.parts import unaltered_parts
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.runs import Run, Step
from m2trec_merlin.sessions import Sessions, count_sessions, session_files
from m2trec_merlin.tracking import Recording, recordings
from m2trec_merlin.training.captured_steps import cannot_capture
from m2trec_merlin.training.checkpoint import Checkpoints, TrainingState
from m2trec_merlin.training.continuing import continued, identity_of
from m2trec_merlin.training.hardware import choose_device
from m2trec_merlin.training.loader import SessionLoader
from m2trec_merlin.training.monitors import Monitors, ProgressMonitor, Recorded, TensorBoard
from m2trec_merlin.training.processes import Processes, join_processes
from m2trec_merlin.training.recency import recent_more_often
from m2trec_merlin.training.schedule import warm_up
from m2trec_merlin.training.start import TrainingStart, go_on, start_anew
from m2trec_merlin.training.trainer import Trainer

_LOGITS_IN_A_MIB = (1 << 20) // 4


def train(
    config: Config,
    *,
    earlier: Run | None = None,
    resume: bool = True,
    force: bool = False,
    progress: Progress = SILENT,
) -> Path:
    """Train the model that the configuration describes on preprocessed data.

    Under `torchrun`, its processes train together, each on batches of `training.batch_size` sessions; by
    default they divide the batch size of a single process.

    Args:
        config: configuration of the run.
        earlier: trained run to continue from (`training.continued`), as `preprocess` did.
        resume: whether to resume from the newest checkpoint of the same configuration and data.
        force: whether to train again even if the stored model is current, ignoring checkpoints.
        progress: receives each step and the record of each epoch.

    Returns:
        The folder of the model.

    Raises:
        ArtifactError: `preprocess` has not run, ran with other settings, or left no training sessions; the
            folder is not writable, or another process is working in it; or training cannot continue from
            the earlier run.
        MissingDependencyError: a package that `tracking` needs is not installed.
        TrackingError: the tracking service cannot be reached.
    """
    run = Run(config)
    with join_processes(config.training.device) as processes:
        if not processes.is_first:
            return _train(run, earlier, resume and not force, force, SILENT, processes, [])
        recorded = recordings(config, progress)
        with run.step("train").locked():
            folder = _train(run, earlier, resume and not force, force, progress, processes, recorded)
            for recording in recorded:
                recording.trained(run)
        return folder


def _train(
    run: Run,
    earlier: Run | None,
    resume: bool,
    force: bool,
    progress: Progress,
    processes: Processes,
    recorded: Sequence[Recording],
) -> Path:
    config, folder, step = run.config, run.model, run.step("train")
    run.step("preprocess").require()
    inputs = step.inputs(model_format=FORMAT)
    if earlier is not None:
        inputs |= {"from": identity_of(earlier), "continued": config.training.continued.model_dump()}
    if not force and step.is_current(inputs):
        progress.say(f"{folder} is up to date")
        return folder
    if config.training.threads:
        torch.set_num_threads(config.training.threads)
    started = time.perf_counter()
    catalogue = Catalogue.load(run.catalogue)
    torch.manual_seed(config.seed)
    device = choose_device(config.training.device, processes.local_rank)
    # The joint batch depends on the number of processes, so only the same number may resume.
    training = fingerprint([inputs, processes.count] if processes.count > 1 else inputs)
    if not resume and processes.is_first:
        shutil.rmtree(run.checkpoints(training), ignore_errors=True)
    if earlier is None:
        start = start_anew(run, catalogue)
    else:
        start = go_on(run, earlier, catalogue, training, processes, progress)
    start.bring_to(device, run)
    progress.say(choose("training", config.training.device).line)
    trainer = _trainer(run, start, device, training, progress, processes, recorded)
    precision = str(trainer.precision).removeprefix("torch.")
    parameters = f"{start.model.count_parameters():,} parameters"
    progress.say(f"{parameters}, {catalogue.n_seen:,} training items, {device}, {precision}")
    # Not earlier: a failure above must not leave a record of a running training.
    for recording in recorded:
        recording.begin(run, training)
    try:
        with writing(folder):
            state = trainer.train(config.seed, resume=resume)
    finally:
        trainer.monitor.close()
    if processes.is_first:
        if not start.drawn and (peak := _early_peak(state, config.training)):
            progress.say(peak)
        replaced = _training_of(step) or training
        hardware = {"device": str(device), "precision": precision, "processes": processes.count}
        facts = {**hardware, **start.facts, "seconds": round(time.perf_counter() - started, 1)}
        _store(run, trainer, state, inputs, facts)
        start.forget_drawn()
        if replaced != training:
            # The model of these checkpoints was replaced. Those of killed trainings stay: they may resume.
            shutil.rmtree(run.checkpoints(replaced), ignore_errors=True)
    return folder


def _trainer(
    run: Run,
    start: TrainingStart,
    device: torch.device,
    training: str,
    progress: Progress,
    processes: Processes,
    recorded: Sequence[Recording],
) -> Trainer:
    """Build the trainer, as configured; all processes but the first have a silent progress."""
    config, settings, model = run.config, run.config.training, start.model
    # By the number of all sessions, even if only some are drawn: a model continues with its batch size.
    batch_size = settings.batch_of(count_sessions(session_files(run.sessions("train"))), processes.count)
    each = f" in each of {processes.count} processes" if processes.count > 1 else ""
    progress.say(f"{batch_size} sessions a step{each}")
    if settings.logits_mib:
        model.next_item_task.logits_at_a_time = settings.logits_mib * _LOGITS_IN_A_MIB
    weights = None
    if settings.recency:
        parts, in_order = unaltered_parts(run, "train"), config.data.split.is_named
        weights = recent_more_often(session_files(start.sessions), parts, settings.recency, in_order)
    loader = SessionLoader(
        start.sessions, batch_size, config.seed, device, processes, settings.sessions_at_a_time, weights
    )
    if start.drawn:
        settings = continued(settings, len(loader))
    sessions = Sessions.load(run.sessions("valid"))
    validation = scored_prefixes(sessions, config, settings.validation_prefixes)
    if not len(validation):
        what = f"{run.sessions('valid')} has no prefix that tells which epoch is best"
        raise ArtifactError(f"{what}: {why_none(config)}")
    captured = False
    if settings.cuda_graphs:
        lacks = cannot_capture(model, device, processes, loader.says_more)
        captured = lacks is None
        progress.say("steps are CUDA graphs" if captured else f"steps are no CUDA graphs: {lacks}")
    monitor = Monitors(
        [ProgressMonitor(progress), TensorBoard(run.tensorboard), *map(Recorded, recorded)]
        if processes.is_first
        else []
    )
    trainer = Trainer(
        model,
        start.catalogue,
        loader,
        validation,
        settings,
        Checkpoints(run.checkpoints(training), training),
        monitor,
        processes,
        captured=captured,
        evaluation=config.evaluation,
        progress=progress,
    )
    if (rising := warm_up(settings, trainer.total_steps)) < settings.warmup_steps:
        progress.say(
            f"the learning rate rises for {rising:,} of {trainer.total_steps:,} steps: "
            f"training.warmup_steps {settings.warmup_steps:,} would leave less than half of them"
        )
    return trainer


def _early_peak(state: TrainingState, settings: TrainingConfig) -> str:
    """Say that validation was best before the end of a schedule that lowers the learning rate, if it was."""
    best, epochs = state.best_epoch, settings.epochs
    comes_down = settings.schedule != "constant" and settings.max_steps is None
    if not comes_down or not 0 < best < epochs:
        return ""
    return (
        f"validation was best in epoch {best} of {epochs}, whose weights are kept: with "
        f"training.epochs: {best} the learning rate comes down by then, in less time"
    )


def _training_of(step: Step) -> str | None:
    """Return the fingerprint of the training of the stored model; None if there is none or it is unknown."""
    try:
        return (step.found() or {}).get("training")
    except ArtifactError:
        return None


def _store(
    run: Run, trainer: Trainer, state: TrainingState, inputs: dict[str, Any], facts: Mapping[str, Any]
) -> None:
    """Write the trained model, its history, and its manifest."""
    with atomic_files(run.model) as new:
        save_model(trainer.model, new, run.config, trainer.catalogue)
        atomic_write(new / run.history.name, json.dumps(state.history, indent=2))
        write_manifest(
            new,
            "train",
            inputs,
            training=trainer.checkpoints.inputs,
            parameters=trainer.model.count_parameters(),
            best_epoch=state.best_epoch,
            best_hit_20=state.best_value if state.best_epoch else None,
            **facts,
        )
