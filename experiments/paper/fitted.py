"""Cells without training: neighbours, popularity, and the paper's two heuristics for categories (Fig. 2)."""

from __future__ import annotations

import time

from benchmarks.paper.cells import Cell
from benchmarks.paper.results import CellResult, measure
from benchmarks.paper.variants import load_recommender
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.evaluation.baselines import FrequentCategories, PredictedCategories, build_baseline
from m2trec_merlin.evaluation.ranking import evaluate
from m2trec_merlin.scores import CategoryScorer, ItemScorer
from m2trec_merlin.sessions import Prefixes, Sessions


def run_fitted(
    cell: Cell, config: Config, catalogue: Catalogue, train: Sessions, prefixes: Prefixes, commit: str
) -> CellResult:
    """Fit a baseline to the training sessions and measure it on the test prefixes."""
    started = time.perf_counter()
    recommender = _build(cell, config, catalogue, train)
    seconds = time.perf_counter() - started
    recommender.name = cell.title
    outcome = evaluate(recommender, prefixes, catalogue, config.evaluation)
    return CellResult(cell, commit, None, seconds, None, *measure(outcome, cell, catalogue, config))


def _build(cell: Cell, config: Config, catalogue: Catalogue, train: Sessions) -> ItemScorer | CategoryScorer:
    if cell.kind == "baseline":
        return build_baseline(cell.model, catalogue, train)
    attributes = [task.attribute for task in config.model.next_attributes]
    if cell.model == "frequent":
        return FrequentCategories(catalogue, attributes)
    # As the paper has it: the categories of the items that the single-task model ranks first.
    metrec = load_recommender(cell.trained, config, catalogue)
    return PredictedCategories(catalogue, attributes, metrec, max(config.evaluation.ks))
