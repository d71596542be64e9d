"""The verb `evaluate`: the trained model and the baselines on the test sessions."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from m2trec_merlin.artifacts import require_manifest
from m2trec_merlin.attributes import ITEM_ID
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import VARIANTS, Config
from m2trec_merlin.evaluation.comparison import compare
from m2trec_merlin.neighbours.metadata_knn import MetadataKnn
from m2trec_merlin.neighbours.mixture import Mixture
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.sessions import Sessions


def evaluate_model(config: Config, *, force: bool = False, console: Console | None = None) -> Path:
    """Compare the model of a run with the baselines and write `evaluation/`.

    Args:
        config: of the run.
        force: measure again even if the result is current.
        console: where progress and tables are shown.

    Returns:
        The folder of metrics, plots and report. With `serving.neighbours` our model is measured as it is
        served, mixed with its neighbours, and alone.

    Raises:
        ArtifactError: `preprocess` or `train` has not run.
    """
    from m2trec_merlin.model.scoring import ModelScorer
    from m2trec_merlin.model.storage import load_model

    data, folder = config.directory / "preprocessed", config.model_directory / "model"
    inputs = {
        "preprocessed": require_manifest(data, "preprocess")["inputs"],
        "model": require_manifest(folder, "train")["inputs"],
    }
    if config.serving.neighbours:
        inputs["neighbours"] = True
    catalogue = Catalogue.load(data / "catalogue")
    train = Sessions.load(data / "sessions" / "train")

    def ours() -> list[ItemScorer]:
        model = ModelScorer(load_model(folder, catalogue), VARIANTS[config.variant].title)
        if not config.serving.neighbours:
            return [model]
        near = SessionKnn if ITEM_ID in config.inputs else MetadataKnn
        neighbours = near(catalogue, train)
        return [model, Mixture(f"{model.name}, {neighbours.name}", model, neighbours)]

    output = config.model_directory / "evaluation"
    compare(
        config,
        catalogue,
        train,
        Sessions.load(data / "sessions" / "test"),
        output,
        ours,
        inputs=inputs,
        history=folder / "history.json",
        force=force,
        console=console,
    )
    return output
