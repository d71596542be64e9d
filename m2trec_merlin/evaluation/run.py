"""The verb `evaluate`: the trained model and the baselines on the test sessions."""

from __future__ import annotations

from pathlib import Path

from m2trec_merlin.artifacts import recover
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.evaluation.comparison import compare
from m2trec_merlin.evaluation.known import Known, known_before
from m2trec_merlin.evaluation.measurements import overview, read_measurements
from m2trec_merlin.evaluation.served import Boosted, mixture_of, model_scorer
from m2trec_merlin.evaluation.tuning.chosen import mixture_weights
from m2trec_merlin.evaluation.tuning.run import tune
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.runs import HeldOut, Run
from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.sessions import Sessions
from m2trec_merlin.tracking import recordings
from m2trec_merlin.version import __version__


def evaluate_model(
    config: Config, *, split: HeldOut = "test", force: bool = False, progress: Progress = SILENT
) -> Path:
    """Compare the model of a run with the baselines and write `evaluation/`, or `evaluation_valid/`.

    Args:
        config: of the run; the model and its data are taken as the model was trained.
        split: whose sessions are scored; what is chosen by hand is chosen on `valid`.
        force: measure again even if the result is current.
        progress: is told where the model was trained otherwise than configured, and how far scoring is.

    Returns:
        The folder of metrics, plots and report. Where a mixture is served (`serving.mixture`), it is measured
        beside the model alone.

    Raises:
        ArtifactError: `preprocess` or `train` has not run, or with settings that do not fit each other;
            nothing can be written there, or another process is at work there.
        MissingDependencyError: what `tracking` asks for is not installed.
    """
    from m2trec_merlin.model.trained_run import run_as_trained

    recorded = recordings(config, progress)
    tune(config, progress=progress)
    with Run(config).step("evaluate").at_work():
        run = run_as_trained(config, progress)
        folder = _evaluate(run, split, force, progress)
        for recording in recorded:
            recording.evaluated(run, split, overview(read_measurements(folder)))
    return folder


def _evaluate(run: Run, split: HeldOut, force: bool, progress: Progress) -> Path:
    output = run.evaluation_of(split)
    # The lock of the step is that of the evaluation on test sessions.
    recover(output)
    catalogue = Catalogue.load(run.catalogue)
    known = known_before(run, catalogue, split)
    compare(
        run.config,
        catalogue,
        known,
        Sessions.load(run.sessions(split)),
        output,
        lambda: our_scorers(run, catalogue, known, progress),
        inputs=run.step("evaluate").inputs(version=__version__),
        split=split,
        history=run.history,
        force=force,
        progress=progress,
    )
    return output


def our_scorers(
    run: Run, catalogue: Catalogue, known: Known, progress: Progress = SILENT
) -> list[ItemScorer]:
    """Return the model of a run, and last what is served: mixed with its neighbours, and new items boosted.

    The model is the only one where it is served alone.

    Args:
        run: as its model was trained.
        catalogue: of the run.
        known: among whose sessions neighbours are looked for.
        progress: is told on which device the model scores.

    Raises:
        ArtifactError: the model was not trained, or not on this catalogue.
    """
    model = model_scorer(run, catalogue, progress)
    weights = mixture_weights(run)
    served: ItemScorer = model if weights is None else mixture_of(weights, catalogue, known, model)
    if boost := run.config.serving.new_item_boost:
        served = Boosted(served, catalogue, boost)
    return [model] if served is model else [model, served]
