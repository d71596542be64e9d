"""Cells of our own models: variants by our trainer, alone or as served, and models without training.

Those are neighbours, popularity, and the paper's two heuristics for categories (Fig. 2).
"""

from __future__ import annotations

import time

from rich.console import Console

from benchmarks.frame.prepare import Prepared, served_mixture, train_model
from benchmarks.frame.publish import usable_cores
from experiments.paper.cells import Cell
from experiments.paper.results import CellResult, measure
from m2trec_merlin.artifacts import read_json
from m2trec_merlin.baselines import FrequentCategories, PredictedCategories, build_baseline
from m2trec_merlin.config import Config
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.model.storage import load_model
from m2trec_merlin.runs import Run
from m2trec_merlin.scores import CategoryScorer, ItemScorer
from m2trec_merlin.sessions import Prefixes


def variant_config(config: Config, cell: Cell) -> Config:
    """Return the configuration of a cell; other seeds than the configured one get their own folder."""
    changed = config.with_variant(cell.model)
    if cell.seed == config.seed:
        return changed
    return changed.model_copy(update={"seed": cell.seed, "variant": f"{cell.model}-seed{cell.seed}"})


def run_variant(cell: Cell, data: Prepared, prefixes: Prefixes, commit: str, console: Console) -> CellResult:
    """Train a cell's variant (or resume training), and measure it on the test prefixes, alone or as served.

    Raises:
        ConfigError: the cell is of kind "served", but `serving.mixture` serves the model alone.
    """
    config = variant_config(data.config, cell.trained)
    train_model(config, console)
    history = read_json(Run(config).history, "train")
    model = load_scorer(cell.trained, data)
    scorer: ItemScorer = model
    if cell.kind == "served":
        scorer = served_mixture(config, data, model, console)
        scorer.name = cell.title
    measured = measure(data.rank(scorer, prefixes), cell, data)
    seconds = sum(epoch["seconds"] for epoch in history)
    parameters = model.model.count_parameters()
    cores = config.training.threads or usable_cores()
    return CellResult(cell, commit, parameters, seconds, len(history), *measured, history, cores)


def load_scorer(cell: Cell, data: Prepared) -> ModelScorer:
    """Return the trained model of a cell as a scorer."""
    folder = Run(variant_config(data.config, cell)).model
    return ModelScorer(load_model(folder, data.catalogue), cell.title)


def run_fitted(cell: Cell, data: Prepared, prefixes: Prefixes, commit: str) -> CellResult:
    """Fit a baseline to the sessions known before test, and measure it on the test prefixes."""
    started = time.perf_counter()
    scorer = _build(cell, data)
    seconds = time.perf_counter() - started
    scorer.name = cell.title
    measured = measure(data.rank(scorer, prefixes), cell, data)
    return CellResult(cell, commit, None, seconds, None, *measured)


def _build(cell: Cell, data: Prepared) -> ItemScorer | CategoryScorer:
    if cell.kind == "baseline":
        return build_baseline(cell.model, data.known.as_training_counts(data.catalogue), data.known.sessions)
    attributes = data.config.model.predicted_attributes
    if cell.model == "frequent":
        return FrequentCategories(data.known.as_training_counts(data.catalogue), attributes)
    # As in the paper: the categories of the items that the single-task model ranks first.
    metrec = load_scorer(cell.trained, data)
    settings = data.config.evaluation
    places, exclude = max(settings.ks), settings.exclude_session_items
    return PredictedCategories(data.catalogue, attributes, metrec, places, exclude)
