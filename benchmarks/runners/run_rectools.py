"""Runner of RecTools' eSASRec, which is SASRec with LiGR layers and a sampled softmax."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from rectools.models.nn.transformers.ligr import LiGRLayers

from benchmarks.runners.exchange import TOP, Exchange, Flat, Job, top_lists
from benchmarks.runners.meter import Meter, run


class MeterCallback(Callback):  # type: ignore[misc]
    """A callback that reports Lightning's training to the meter."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    def __deepcopy__(self, memo: dict[int, Any]) -> MeterCallback:
        # RecTools copies the trainer with its callbacks, but there must be only one meter.
        return self

    def on_train_start(self, trainer: Any, module: Any) -> None:
        self.meter.start()

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int) -> None:
        trainer.should_stop |= self.meter.step(len(batch["y"]), float((batch["y"] != 0).sum()))

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        trainer.should_stop |= self.meter.epoch()


def main(job: Job) -> None:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(job.threads)
    seed_everything(job.seed)
    exchange, settings = Exchange.load(Path(job.data)), job.settings
    prefixes = exchange.known_prefixes()
    interactions = pd.DataFrame(
        {
            Columns.User: exchange.train.owners,
            Columns.Item: exchange.train.rows,
            Columns.Weight: 1,
            # RecTools sorts by time; only the order within a session matters.
            Columns.Datetime: pd.Timestamp("2000-01-01")
            + pd.to_timedelta(np.arange(len(exchange.train.rows)), unit="s"),
        }
    )

    def rank() -> np.ndarray:
        network, ids = model.lightning_model.torch_model, model.data_preparator.item_id_map
        row_of = np.array([0, *ids.external_ids[1:]], np.int64)
        internal = np.zeros(job.n_rows, np.int64)
        internal[row_of[1:]] = np.arange(1, len(row_of))
        network.eval()
        with torch.inference_mode():
            items = network.item_model.get_all_embeddings()

            def best(block: Flat) -> np.ndarray:
                x = torch.from_numpy(internal[block.padded(job.max_length, left=True)])
                scores = network.encode_sessions({"x": x}, items)[:, -1] @ items.T
                scores[:, 0] = -torch.inf
                return row_of[scores.topk(min(TOP, len(row_of) - 1), dim=1).indices.numpy()]

            lists = top_lists(prefixes, best)
        network.train()
        return lists

    meter = Meter(job, rank)
    model = SASRecModel(
        n_factors=settings["width"],
        n_blocks=settings["layers"],
        n_heads=settings["heads"],
        session_max_len=job.max_length,
        batch_size=settings["batch_size"],
        loss="sampled_softmax",
        n_negatives=settings["negatives"],
        lr=settings["learning_rate"],
        transformer_layers_type=LiGRLayers,
        get_trainer_func=lambda: Trainer(
            max_epochs=settings["epochs"],
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[MeterCallback(meter)],
        ),
    )
    model.fit(Dataset.construct(interactions))
    meter.finish()


if __name__ == "__main__":
    run(main)
