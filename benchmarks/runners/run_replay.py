"""Runner of RePlay's SasRec with its sampled cross-entropy; needs a separate environment."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from replay.data import FeatureHint, FeatureSource, FeatureType
from replay.data.nn import ParquetModule, TensorFeatureInfo, TensorFeatureSource, TensorSchema
from replay.nn.lightning import LightningModule
from replay.nn.lightning.optimizer import OptimizerFactory
from replay.nn.loss import CESampled
from replay.nn.sequential import SasRec
from replay.nn.sequential.length_bucket import LengthBucketedQueryEncoder
from replay.nn.transform import UniformNegativeSamplingTransform
from replay.nn.transform.template import make_default_sasrec_transforms

from benchmarks.runners.exchange import TOP, Exchange, Flat, Job, ranker
from benchmarks.runners.meter import Meter, run


class MeterCallback(lightning.Callback):  # type: ignore[misc]
    """A callback that reports Lightning's training to the meter."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    def on_train_start(self, trainer: Any, module: Any) -> None:
        self.meter.start(parameters=sum(p.numel() for p in module.parameters()))

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int) -> None:
        # RePlay also predicts a session's first item, from nothing; such items are not next items.
        known = batch["padding_mask"]
        trainer.should_stop |= self.meter.step(len(known), float(known.sum()))

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        trainer.should_stop |= self.meter.epoch()


def main(job: Job) -> None:
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    torch.set_num_threads(job.threads)
    lightning.seed_everything(job.seed)
    exchange, settings = Exchange.load(Path(job.data)), job.settings
    # RePlay numbers items from 0, and pads with the number after the last item.
    row_of, padding = exchange.items, len(exchange.items)
    internal = np.full(job.n_rows, padding, np.int64)
    internal[row_of] = np.arange(padding)
    item = TensorFeatureInfo(
        "item_id",
        feature_type=FeatureType.CATEGORICAL,
        is_seq=True,
        feature_hint=FeatureHint.ITEM_ID,
        feature_sources=[TensorFeatureSource(FeatureSource.INTERACTIONS, "item_id")],
        cardinality=padding,
        padding_value=padding,
        embedding_dim=settings["width"],
    )
    schema = TensorSchema([item])
    # A session's last event is only a target, never an input.
    longest = job.max_length - 1
    model = SasRec.from_params(
        schema,
        embedding_dim=settings["width"],
        num_heads=settings["heads"],
        num_blocks=settings["layers"],
        max_sequence_length=longest,
        dropout=settings["dropout"],
    )
    if settings.get("bucket"):
        model.body.encoder = LengthBucketedQueryEncoder(model.body.encoder, settings["bucket"])
    model.loss = CESampled(ignore_index=padding)
    model.loss.logits_callback = model.get_logits
    transforms = make_default_sasrec_transforms(schema)
    transforms["train"].append(UniformNegativeSamplingTransform(padding, settings["negatives"]))

    @torch.inference_mode()
    def best(block: Flat) -> np.ndarray:
        x = torch.from_numpy(internal[block.last(longest).padded(longest, left=True)])
        logits = model({"item_id": x}, x != padding)["logits"]
        return row_of[logits.topk(min(TOP, padding), dim=1).indices.numpy()]

    meter = Meter(job, ranker(model, exchange.known_prefixes(), best))
    trainer = lightning.Trainer(
        max_epochs=settings["epochs"],
        accelerator="cpu",
        devices=1,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[MeterCallback(meter)],
    )
    data = ParquetModule(
        batch_size=settings["batch_size"],
        metadata={"train": {"item_id": {"shape": job.max_length, "padding": padding}}},
        transforms={"train": transforms["train"]},
        train_path=str(write(exchange.train, internal, Path(job.folder))),
    )
    rate = OptimizerFactory(learning_rate=settings["learning_rate"])
    trainer.fit(LightningModule(model, rate), data)
    meter.finish()


def write(train: Flat, internal: np.ndarray, folder: Path) -> Path:
    """Write sessions of RePlay's item numbers, one row per session."""
    lists = pa.ListArray.from_arrays(pa.array(train.offsets, pa.int32()), pa.array(internal[train.rows]))
    path = folder / "sessions.parquet"
    pq.write_table(pa.table({"item_id": lists}), path)
    return path


if __name__ == "__main__":
    run(main)
