"""The verb `evaluate`: the trained model and the baselines on the test sessions."""

from __future__ import annotations

from pathlib import Path

from m2trec_merlin import __version__
from m2trec_merlin.attributes import ITEM_ID
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.devices import choose
from m2trec_merlin.evaluation.comparison import compare
from m2trec_merlin.neighbours.metadata_knn import MetadataKnn
from m2trec_merlin.neighbours.mixture import Mixture
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.runs import Run
from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.sessions import Sessions


def evaluate_model(config: Config, *, force: bool = False, progress: Progress = SILENT) -> Path:
    """Compare the model of a run with the baselines and write `evaluation/`.

    Args:
        config: of the run; the model and its data are taken as the model was trained.
        force: measure again even if the result is current.
        progress: is told where the model was trained otherwise than configured, and how far scoring is.

    Returns:
        The folder of metrics, plots and report. With `serving.neighbours` our model is measured as it is
        served, mixed with its neighbours, and alone.

    Raises:
        ArtifactError: `preprocess` or `train` has not run, or with settings that do not fit each other;
            nothing can be written there, or another process is at work there.
    """
    from m2trec_merlin.model.storage import run_as_trained

    with Run(config).step("evaluate").at_work():
        return _evaluate(run_as_trained(config, progress), force, progress)


def _evaluate(run: Run, force: bool, progress: Progress) -> Path:
    from m2trec_merlin.model.scoring import ModelScorer
    from m2trec_merlin.model.storage import load_model

    config = run.config
    catalogue = Catalogue.load(run.catalogue)
    train = Sessions.load(run.sessions("train"))

    def ours() -> list[ItemScorer]:
        choice = choose("evaluation", config.evaluation.device)
        progress.say(choice.line)
        model = ModelScorer(load_model(run.model, catalogue).to(choice.device), config.variant_title)
        if not config.serving.neighbours:
            return [model]
        near = SessionKnn if ITEM_ID in config.inputs else MetadataKnn
        neighbours = near(catalogue, train)
        return [model, Mixture(f"{model.name}, {neighbours.name}", model, neighbours)]

    compare(
        config,
        catalogue,
        train,
        Sessions.load(run.sessions("test")),
        run.evaluation,
        ours,
        inputs=run.step("evaluate").inputs(version=__version__),
        history=run.history,
        force=force,
        progress=progress,
    )
    return run.evaluation
