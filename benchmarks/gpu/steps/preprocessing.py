"""Preprocess a million items and ten million events: ours on each device, stock NVTabular on the CPU."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import m2trec_merlin.workflows  # noqa: F401  (ahead of Merlin, which it sets up)

# isort: split
import nvtabular
import pandas as pd
import pyarrow.parquet as pq
from nvtabular import ops

from benchmarks.gpu.events import write_shop
from benchmarks.gpu.step import Step
from m2trec_merlin.config import Config
from m2trec_merlin.manifests import require_manifest
from m2trec_merlin.merlin_adapter import dataset_of_parts
from m2trec_merlin.preprocessing.parts import find_parts
from m2trec_merlin.preprocessing.run import preprocess
from m2trec_merlin.runs import Run

#: Items, events, parts; the largest last.
SIZES = ((575_000, 1_000_000, 2), (1_000_000, 10_000_000, 16))
REHEARSAL = ((200, 2_000, 2),)


def main(step: Step) -> None:
    """Measure each system on each size, the most important systems first."""
    cores = 2 if step.rehearsal else len(os.sched_getaffinity(0))
    systems: list[tuple[str, Callable[[Config, dict[str, int]], None]]] = [
        (f"ours, {step.device}", lambda config, of: ours(step, config, None, of, step.device)),
        ("ours, cpu", lambda config, of: ours(step, config, None, of, "cpu")),
        ("stock NVTabular", lambda config, of: stock(step, config, of)),
        ("processes", lambda config, of: ours(step, config, f"local:{cores}", of, "cpu")),
    ]
    with TemporaryDirectory() as folder:
        shops = [
            (write_shop(Path(folder) / str(n_events), n_items, n_events, n_parts), n_items, n_events)
            for n_items, n_events, n_parts in (REHEARSAL if step.rehearsal else SIZES)
        ]
        for name, measure in dict(systems).items():
            for config, n_items, n_events in shops:
                of = {"items": n_items, "events": n_events}
                step.attempt(name, partial(measure, config, of))


def ours(step: Step, config: Config, dask: str | None, of: dict[str, int], device: str) -> None:
    """Run `m2trec preprocess`, twice on a GPU, timed without imports and starting of processes."""
    preprocessing = config.preprocessing.model_copy(update={"device": device})
    config = config.model_copy(update={"preprocessing": preprocessing})
    for turn in range(2 if device == "cuda" else 1):
        folder = preprocess(config, dask, force=True)
        for name, seconds in require_manifest(folder, "preprocess")["seconds"].items():
            system = f"ours, {device}, {dask or 'one process'}"
            step.add(name, seconds, "s", system=system, turn=turn, **of)


def stock(step: Step, config: Config, of: dict[str, int]) -> None:
    """Run NVTabular's own operators on the same files, without titles, as it has no tokeniser.

    Both systems read, transform and write; titles take most of our time.
    """
    folders = Run(config)
    started = time.perf_counter()
    features = ["brand", "tags"] >> ops.Categorify(out_path=str(config.directory / "stock"))
    prices = ["price"] >> ops.LogOp() >> ops.Normalize() >> ops.FillMissing(0)
    items = nvtabular.Workflow(features + prices + ["item_id"])
    table = dataset_of_parts([folders.items], ["item_id", "brand", "tags", "price"])
    items.fit_transform(table).to_parquet(str(config.directory / "stock-items"))
    step.add("items", round(time.perf_counter() - started, 2), "s", system="stock NVTabular", **of)
    rows = pq.read_table(folders.items, columns=["item_id"]).to_pandas()
    rows = rows.assign(row=range(1, len(rows) + 1))
    parts = find_parts(folders.data, "train")
    started = time.perf_counter()
    sessions = nvtabular.Workflow(_stock_sessions(rows))
    events = dataset_of_parts(parts, ["session_id", "item_id", "position"])
    sessions.fit_transform(events).to_parquet(str(config.directory / "stock-sessions"))
    step.add("sessions", round(time.perf_counter() - started, 2), "s", system="stock NVTabular", **of)


def _stock_sessions(rows: pd.DataFrame) -> nvtabular.ColumnSelector:
    events = ["session_id", "item_id", "position"] >> ops.JoinExternal(rows, on="item_id", how="inner")
    grouped = events["session_id", "row", "position"] >> ops.Groupby(
        groupby_cols=["session_id"], sort_cols=["position"], aggs={"row": ["list", "count"]}
    )
    sliced = grouped["row_list"] >> ops.ListSlice(-50)
    joined = grouped["session_id", "row_count"] + sliced
    return joined >> ops.Filter(lambda frame: frame["row_count"] >= 2)


if __name__ == "__main__":
    main(Step.of())
