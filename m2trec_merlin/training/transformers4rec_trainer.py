"""Training of the same model with the `Trainer` of Transformers4Rec.

It is for pipelines built around that class (callbacks, experiment trackers, distributed set-ups of
HuggingFace). Our own trainer is the default; `trainer.py` says why.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import TrainingConfig
from m2trec_merlin.devices import choose
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.merlin_adapter import make_evaluation_work, training_arguments
from m2trec_merlin.model.m2trec import M2TRec, fit_before_training
from m2trec_merlin.sessions import Sessions, count_sessions, session_files, tells_targets
from m2trec_merlin.training.schedule import warm_up


def build_transformers4rec_trainer(
    model: M2TRec,
    catalogue: Catalogue,
    config: TrainingConfig,
    train: Path,
    validation: Path,
    output: Path,
    seed: int,
) -> Any:
    """Return a `transformers4rec.torch.Trainer`; call its `train()` and `evaluate()`.

    Args:
        model: the model to train; its expected popularity is fitted here.
        catalogue: catalogue of the model.
        config: epochs, batch size, learning rate and its warm-up, device. The warm-up takes at most half of
            the steps, as with our own trainer.
        train: folder of training sessions.
        validation: folder of validation sessions.
        output: folder for checkpoints.
        seed: seed of the shuffle and of dropout.

    Raises:
        ConfigError: events have attributes, not all may be targets, or late sessions are to be drawn more
            often, which this trainer does not support.
    """
    sessions = session_files(train)
    if config.recency:
        raise ConfigError("training.recency is for `m2trec train`: this trainer draws each session once")
    if model.events or tells_targets(sessions):
        raise ConfigError(
            "event_attributes and data.targets are for `m2trec train`: the trainer of Transformers4Rec is "
            "fed rows of items alone"
        )
    import transformers4rec.torch as tr

    fit_before_training(model, catalogue, lambda: Sessions.load(train))
    count = count_sessions(sessions)
    batch_size = config.batch_of(count)
    arguments = training_arguments(
        on_gpu=choose("training", config.device).device == "cuda",
        output_dir=str(output),
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=warm_up(config, config.epochs * math.ceil(count / batch_size)),
        max_grad_norm=config.clip_norm,
        per_device_train_batch_size=batch_size,
        per_device_eval_batch_size=batch_size,
        max_sequence_length=model.max_length,
        seed=seed,
        lr_scheduler_type=config.schedule,
    )
    trainer = tr.Trainer(
        model=model,
        args=arguments,
        schema=model.body.inputs.schema,
        train_dataset_or_path=[str(file) for file in sessions],
        eval_dataset_or_path=[str(file) for file in session_files(validation)],
        compute_metrics=False,
    )
    return make_evaluation_work(trainer)
