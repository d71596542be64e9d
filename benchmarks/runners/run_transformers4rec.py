"""Runner of stock Transformers4Rec 23.12: its `Trainer`, its blocks, its next-item task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from benchmarks.runners.exchange import TOP, Exchange, Flat, Job, ranker
from benchmarks.runners.meter import Meter, run
from m2trec_merlin.merlin_adapter import prepare_merlin, training_arguments

prepare_merlin()

import transformers4rec.torch as tr  # noqa: E402
from merlin.schema import ColumnSchema, Schema, Tags  # noqa: E402
from transformers import TrainerCallback  # noqa: E402


def item_schema(n_rows: int, max_length: int) -> Schema:
    """Return the schema of sessions of item ids."""
    return Schema(
        [
            ColumnSchema(
                "item_id",
                dtype="int64",
                is_list=True,
                is_ragged=True,
                tags=[Tags.ITEM_ID, Tags.CATEGORICAL, Tags.LIST],
                properties={
                    "domain": {"min": 0, "max": n_rows - 1, "name": "item_id"},
                    "value_count": {"min": 1, "max": max_length},
                },
            )
        ]
    )


def build(job: Job, schema: Schema) -> Any:
    """Return a model of the library's own blocks: causal language modelling with tied weights."""
    settings = job.settings
    width = settings["width"]
    inputs = tr.TabularSequenceFeatures.from_schema(
        schema,
        max_sequence_length=job.max_length,
        masking="causal",
        embedding_dims={"item_id": width},
        d_output=width,
    )
    shape = {"d_model": width, "n_head": settings["heads"], "n_layer": settings["layers"]}
    block = tr.XLNetConfig.build(**shape, total_seq_length=job.max_length, attn_type="uni")
    task = tr.NextItemPredictionTask(
        weight_tying=True,
        sampled_softmax=settings["sampled_softmax"],
        max_n_samples=settings.get("max_n_samples", 100),
    )
    return block.to_torch_model(inputs, task, max_sequence_length=job.max_length)


def best_of(model: Any, items: np.ndarray, max_length: int) -> Callable[[Flat], np.ndarray]:
    """Return a function that ranks the items of training after each prefix, on the model's device."""
    device = next(model.parameters()).device
    unknown = torch.ones(int(items.max()) + 1, dtype=torch.bool, device=device)
    unknown[torch.from_numpy(items).to(device)] = False

    @torch.inference_mode()
    def best(block: Flat) -> np.ndarray:
        padded = torch.from_numpy(block.padded(max_length)).to(device)
        scores = model({"item_id": padded}, training=False).masked_fill(unknown, -torch.inf)
        rows: np.ndarray = scores.topk(min(TOP, len(items)), dim=1).indices.cpu().numpy()
        return rows

    return best


class MeterCallback(TrainerCallback):  # type: ignore[misc]
    """A callback that reports the trainer's steps and epochs to the meter."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.sessions = self.targets = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.meter.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_training_stop |= self.meter.step(self.sessions, self.targets)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_training_stop |= self.meter.epoch()


def build_trainer(
    model: Any,
    schema: Schema,
    train: Flat,
    job: Job,
    epochs: int,
    folder: Path,
    callback: TrainerCallback,
    on_gpu: bool = False,
) -> Any:
    """Return the library's own `Trainer`.

    Args:
        model: a model from `build`.
        schema: a schema from `item_schema`.
        train: the training sessions, which are written into the folder.
        job: job with the settings, the longest session and the seed.
        epochs: number of epochs.
        folder: folder for files of the training.
        callback: callback for steps and epochs.
        on_gpu: whether to train on a GPU if there is one.
    """
    sessions = pa.ListArray.from_arrays(pa.array(train.offsets, pa.int32()), pa.array(train.rows))
    pq.write_table(pa.table({"item_id": sessions}), folder / "train.parquet")
    arguments = training_arguments(
        on_gpu,
        output_dir=str(folder / "trainer"),
        num_train_epochs=epochs,
        learning_rate=job.settings["learning_rate"],
        lr_scheduler_type=job.settings["schedule"],
        per_device_train_batch_size=job.settings["batch_size"],
        max_sequence_length=job.max_length,
        seed=job.seed,
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    return tr.Trainer(
        model=model,
        args=arguments,
        schema=schema,
        train_dataset_or_path=str(folder / "train.parquet"),
        compute_metrics=False,
        callbacks=[callback],
    )


def main(job: Job) -> None:
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    exchange = Exchange.load(Path(job.data))
    folder = Path(job.folder)
    # Items that training never saw need no place in the softmax.
    schema = item_schema(int(exchange.items.max()) + 1, job.max_length)
    model = build(job, schema)
    prefixes = exchange.known_prefixes()
    meter = Meter(job, ranker(model, prefixes, best_of(model, exchange.items, job.max_length)))
    callback = MeterCallback(meter)
    trainer = build_trainer(model, schema, exchange.train, job, job.settings["epochs"], folder, callback)
    steps = -(-len(exchange.train) // job.settings["batch_size"])
    callback.sessions, callback.targets = len(exchange.train) / steps, exchange.n_targets / steps
    trainer.train()
    meter.finish()


if __name__ == "__main__":
    run(main)
