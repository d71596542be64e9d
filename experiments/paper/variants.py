"""Cells that we train, by the trainer of `m2trec train`: variants of the paper, alone or with neighbours."""

from __future__ import annotations

from rich.console import Console

from benchmarks.paper.cells import Cell
from benchmarks.paper.results import CellResult, measure
from m2trec_merlin.artifacts import read_json
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config, apply_variant
from m2trec_merlin.evaluation.ranking import evaluate
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.model.storage import load_model
from m2trec_merlin.neighbours.metadata_knn import MetadataKnn
from m2trec_merlin.neighbours.mixture import Mixture
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.sessions import Prefixes, Sessions
from m2trec_merlin.training.run import train

_NEIGHBOURS = {"metadata_knn": MetadataKnn, "session_knn": SessionKnn}


def variant_config(config: Config, cell: Cell) -> Config:
    """Return the configuration of a cell; seeds other than the configured one have a folder of their own."""
    changed = apply_variant(config, cell.model)
    if cell.seed == config.seed:
        return changed
    return changed.model_copy(update={"seed": cell.seed, "variant": f"{cell.model}-seed{cell.seed}"})


def run_variant(
    cell: Cell,
    config: Config,
    catalogue: Catalogue,
    sessions: Sessions,
    prefixes: Prefixes,
    commit: str,
    console: Console,
) -> CellResult:
    """Train the variant of a cell, or go on with it, and measure it, or its blend, on the test prefixes."""
    folder = train(variant_config(config, cell.trained), console=console)
    history = read_json(folder / "history.json")
    model = load_recommender(cell.trained, config, catalogue)
    recommender: ItemScorer = model
    if cell.kind == "blend":
        neighbours = _NEIGHBOURS[cell.model.partition("+")[2]]
        recommender = Mixture(cell.title, model, neighbours(catalogue, sessions))
    outcome = evaluate(recommender, prefixes, catalogue, config.evaluation)
    measurements, occurrences = measure(outcome, cell, catalogue, config)
    return CellResult(
        cell,
        commit,
        model.model.count_parameters(),
        sum(epoch["seconds"] for epoch in history),
        len(history),
        measurements,
        occurrences,
        history,
    )


def load_recommender(cell: Cell, config: Config, catalogue: Catalogue) -> ModelScorer:
    """Return the trained model of a cell."""
    folder = variant_config(config, cell).model_directory / "model"
    return ModelScorer(load_model(folder, catalogue), cell.title)
