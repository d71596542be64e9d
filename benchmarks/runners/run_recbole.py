"""Runner of RecBole's sequential models; needs a separate environment."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from recbole.config import Config
from recbole.data import create_dataset
from recbole.data.dataloader import TrainDataLoader
from recbole.trainer import Trainer
from recbole.utils import get_model, init_seed
from torch.nn import functional as F

from benchmarks.runners.exchange import TOP, Exchange, Flat, Job, ranker
from benchmarks.runners.meter import BudgetSpent, Meter, run


def main(job: Job) -> None:
    torch.set_num_threads(job.threads)
    exchange = Exchange.load(Path(job.data))
    config, dataset = load(job, exchange)
    init_seed(job.seed, reproducibility=False)
    batches = TrainDataLoader(config, dataset, None, shuffle=True)
    model = get_model(job.settings["model"])(config, dataset)
    row_of = np.array([0, *map(int, dataset.field2id_token["item_id"][1:])], np.int64)
    internal = np.zeros(job.n_rows, np.int64)
    internal[row_of[1:]] = np.arange(1, len(row_of))
    prefixes = exchange.known_prefixes()

    @torch.inference_mode()
    def best(block: Flat) -> np.ndarray:
        x = torch.from_numpy(internal[block.padded(job.max_length)])
        scores = model.forward(x, torch.from_numpy(block.lengths)) @ model.item_embedding.weight.T
        scores[:, 0] = -torch.inf
        return row_of[scores.topk(min(TOP, len(row_of) - 1), dim=1).indices.numpy()]

    meter = Meter(job, ranker(model, prefixes, best))
    sessions_per_target = len(exchange.train) / len(dataset)
    negatives = job.settings.get("negatives")
    finished = 0

    def loss(interaction: Any) -> torch.Tensor:
        # RecBole's loop has no hook after a step, so a step counts when the next one asks for its loss.
        nonlocal finished
        if finished and meter.step(finished * sessions_per_target, finished):
            raise BudgetSpent
        finished = len(interaction)
        return sampled_loss(model, interaction, negatives) if negatives else model.calculate_loss(interaction)

    trainer = Trainer(config, model)
    meter.start(parameters=sum(p.numel() for p in model.parameters() if p.requires_grad))
    try:
        for epoch in range(job.settings["epochs"]):
            trainer._train_epoch(batches, epoch, loss_func=loss)
            if meter.step(finished * sessions_per_target, finished) or meter.epoch():
                break
            finished = 0
    except BudgetSpent:
        pass
    meter.finish()


def sampled_loss(model: Any, interaction: Any, negatives: int) -> torch.Tensor:
    """Return the cross-entropy over the batch's targets and `negatives` uniformly drawn, shared items.

    RecBole's own loss ranks all items, so that minutes on a CPU are only a fraction of an epoch. A drawn item
    also stands for items that were not drawn: its weight is one over the probability of being drawn.
    """
    own, target = interaction[model.POS_ITEM_ID].unique(return_inverse=True)
    drawn = torch.randint(1, model.n_items, (negatives,)).unique()
    others = drawn[~torch.isin(drawn, own)]
    queries = model.forward(interaction[model.ITEM_SEQ], interaction[model.ITEM_SEQ_LEN])
    log_share = np.log(-np.expm1(negatives * np.log1p(-1 / (model.n_items - 1))))
    logits = torch.cat(
        [queries @ model.item_embedding(own).T, queries @ model.item_embedding(others).T - log_share], dim=1
    )
    return F.cross_entropy(logits, target)


def load(job: Job, exchange: Exchange) -> tuple[Any, Any]:
    """Let RecBole read the sessions and make prefixes from them."""
    folder = Path(job.folder)
    data = folder / "sessions"
    data.mkdir(exist_ok=True)
    events = pd.DataFrame(
        {
            "session_id:token": exchange.train.owners,
            "item_id:token": exchange.train.rows,
            "timestamp:float": np.arange(len(exchange.train.rows))
            - exchange.train.offsets[exchange.train.owners],
        }
    )
    events.to_csv(data / "sessions.inter", sep="\t", index=False)
    settings = job.settings
    config = Config(
        model=settings["model"],
        dataset="sessions",
        config_dict={
            "data_path": str(folder),
            "checkpoint_dir": str(folder / "checkpoints"),
            "USER_ID_FIELD": "session_id",
            "load_col": {"inter": ["session_id", "item_id", "timestamp"]},
            "MAX_ITEM_LIST_LENGTH": job.max_length,
            "embedding_size": settings["width"],
            "hidden_size": settings["width"],
            "train_batch_size": settings["batch_size"],
            "learning_rate": settings.get("learning_rate", 0.001),
            "train_neg_sample_args": None,
            "use_gpu": False,
            "show_progress": False,
            "seed": job.seed,
            "reproducibility": False,
            "state": "WARNING",
            "eval_args": {"split": {"RS": [1.0, 0.0, 0.0]}, "group_by": None, "order": "TO", "mode": "full"},
        },
    )
    logging.getLogger().setLevel(logging.WARNING)
    dataset = create_dataset(config)
    dataset._change_feat_format()
    return config, dataset


if __name__ == "__main__":
    run(main)
