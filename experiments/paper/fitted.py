"""Cells without training: neighbours, popularity, and the paper's two heuristics for categories (Fig. 2)."""

from __future__ import annotations

import time

from benchmarks.frame.prepare import Prepared
from experiments.paper.cells import Cell
from experiments.paper.results import CellResult, measure
from experiments.paper.variants import load_recommender
from m2trec_merlin.evaluation.baselines import FrequentCategories, PredictedCategories, build_baseline
from m2trec_merlin.scores import CategoryScorer, ItemScorer
from m2trec_merlin.sessions import Prefixes


def run_fitted(cell: Cell, data: Prepared, prefixes: Prefixes, commit: str) -> CellResult:
    """Fit a baseline to the training sessions and measure it on the test prefixes."""
    started = time.perf_counter()
    recommender = _build(cell, data)
    seconds = time.perf_counter() - started
    recommender.name = cell.title
    measured = measure(data.rank(recommender, prefixes), cell, data)
    return CellResult(cell, commit, None, seconds, None, *measured)


def _build(cell: Cell, data: Prepared) -> ItemScorer | CategoryScorer:
    if cell.kind == "baseline":
        return build_baseline(cell.model, data.catalogue, data.train)
    attributes = [task.attribute for task in data.config.model.next_attributes]
    if cell.model == "frequent":
        return FrequentCategories(data.catalogue, attributes)
    # As the paper has it: the categories of the items that the single-task model ranks first.
    metrec = load_recommender(cell.trained, data)
    return PredictedCategories(data.catalogue, attributes, metrec, max(data.config.evaluation.ks))
