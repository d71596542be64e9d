"""Stock Transformers4Rec on the same device, by its own `Trainer`: seconds, and HIT@20 after each epoch."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers import TrainerCallback

from benchmarks.frame.prepare import Prepared
from benchmarks.gpu.runs import runs_of
from benchmarks.gpu.step import Step
from benchmarks.runners.data import cut_prefixes, scorer
from benchmarks.runners.exchange import Exchange, Flat, Job, top_lists
from benchmarks.runners.run_transformers4rec import best_of, build, item_schema
from benchmarks.training.systems import SYSTEMS
from m2trec_merlin.merlin_adapter import training_arguments

SYSTEM = "Transformers4Rec, sampled softmax"
EPOCHS, PREFIXES = 3, 20_000


def main(step: Step) -> None:
    """Train on each run."""
    with runs_of(step) as runs:
        for data in runs:
            step.attempt(SYSTEM, lambda: measure(step, data))  # noqa: B023


def measure(step: Step, data: Prepared) -> None:
    """Train for some epochs, on the sessions that ours trains on."""
    import transformers4rec.torch as tr

    config, length = data.config, int(data.train.lengths.max())
    prefixes = data.prefixes("valid", PREFIXES)
    exchange = Exchange(
        Flat(data.train.rows, data.train.offsets).last(length), cut_prefixes(prefixes, length)
    )
    (system,) = (system for system in SYSTEMS if system.name == SYSTEM)
    settings = system.settings(config)
    job = Job("", "", "", length, data.catalogue.n_rows, 0, 0, 0, config.seed, settings)
    schema = item_schema(int(exchange.items.max()) + 1, length)
    torch.manual_seed(config.seed)
    model = build(job, schema).to(step.device)
    score = scorer(prefixes, data.catalogue)

    def quality() -> tuple[float, float]:
        model.eval()
        best = best_of(model, exchange.items, length)
        found = score(top_lists(exchange.known_prefixes(), best))
        model.train()
        return found

    with TemporaryDirectory() as folder:
        train = Path(folder) / "train.parquet"
        lists = pa.ListArray.from_arrays(
            pa.array(exchange.train.offsets, pa.int32()), pa.array(exchange.train.rows)
        )
        pq.write_table(pa.table({"item_id": lists}), train)
        arguments = training_arguments(
            on_gpu=step.device == "cuda",
            output_dir=f"{folder}/trainer",
            num_train_epochs=EPOCHS,
            learning_rate=settings["learning_rate"],
            lr_scheduler_type=settings["schedule"],
            per_device_train_batch_size=settings["batch_size"],
            max_sequence_length=length,
            seed=config.seed,
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        )
        trainer = tr.Trainer(
            model=model,
            args=arguments,
            schema=schema,
            train_dataset_or_path=str(train),
            compute_metrics=False,
            callbacks=[_Epochs(step, config.name, quality, exchange.n_targets)],
        )
        trainer.train()


class _Epochs(TrainerCallback):  # type: ignore[misc]
    """Adds each epoch to the figures, without the time of looking at the quality."""

    def __init__(self, step: Step, run: str, quality: Any, n_targets: int) -> None:
        self._step, self._run, self._quality, self._n_targets = step, run, quality, n_targets
        self._started, self._epoch = 0.0, 0

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._step.wait()
        seconds = time.perf_counter() - self._started
        self._epoch += 1
        hit, mrr = self._quality()
        epoch = {"epoch": self._epoch, "seconds": round(seconds, 3), "HIT@20": hit, "MRR@20": mrr}
        self._step.add("epoch", epoch, run=self._run)
        self._step.add("targets", round(self._n_targets / seconds), "1/s", run=self._run)


if __name__ == "__main__":
    main(Step.of())
