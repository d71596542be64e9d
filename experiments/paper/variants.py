"""Cells that we train, by the trainer of `m2trec train`: variants of the paper, alone or with neighbours."""

from __future__ import annotations

from rich.console import Console

from benchmarks.frame.prepare import Prepared, train_model
from experiments.paper.cells import Cell
from experiments.paper.results import CellResult, measure
from m2trec_merlin.artifacts import read_json
from m2trec_merlin.config import Config
from m2trec_merlin.model.scoring import ModelScorer
from m2trec_merlin.model.storage import load_model
from m2trec_merlin.neighbours.metadata_knn import MetadataKnn
from m2trec_merlin.neighbours.mixture import Mixture
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.sessions import Prefixes

_NEIGHBOURS = {"metadata_knn": MetadataKnn, "session_knn": SessionKnn}


def variant_config(config: Config, cell: Cell) -> Config:
    """Return the configuration of a cell; seeds other than the configured one have a folder of their own."""
    changed = config.with_variant(cell.model)
    if cell.seed == config.seed:
        return changed
    return changed.model_copy(update={"seed": cell.seed, "variant": f"{cell.model}-seed{cell.seed}"})


def run_variant(cell: Cell, data: Prepared, prefixes: Prefixes, commit: str, console: Console) -> CellResult:
    """Train the variant of a cell, or go on with it, and measure it, or its blend, on the test prefixes."""
    folder = train_model(variant_config(data.config, cell.trained), console)
    history = read_json(folder / "history.json")
    model = load_recommender(cell.trained, data)
    recommender: ItemScorer = model
    if cell.kind == "blend":
        neighbours = _NEIGHBOURS[cell.model.partition("+")[2]]
        recommender = Mixture(cell.title, model, neighbours(data.catalogue, data.train))
    measured = measure(data.rank(recommender, prefixes), cell, data)
    seconds = sum(epoch["seconds"] for epoch in history)
    parameters = model.model.count_parameters()
    return CellResult(cell, commit, parameters, seconds, len(history), *measured, history)


def load_recommender(cell: Cell, data: Prepared) -> ModelScorer:
    """Return the trained model of a cell."""
    folder = variant_config(data.config, cell).model_directory / "model"
    return ModelScorer(load_model(folder, data.catalogue), cell.title)
