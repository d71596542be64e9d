"""The verb `evaluate`: the trained model and the baselines on the test sessions."""

from __future__ import annotations

from pathlib import Path

from m2trec_merlin.artifacts import read_json, recover
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.evaluation.comparison import compare
from m2trec_merlin.evaluation.known import Known, known_before
from m2trec_merlin.evaluation.measurements import overview, read_measurements
from m2trec_merlin.evaluation.protocol import Entry, Setup
from m2trec_merlin.evaluation.served import Boosted, mixture_of, model_scorer
from m2trec_merlin.evaluation.tuning.chosen import mixture_weights
from m2trec_merlin.evaluation.tuning.run import tune
from m2trec_merlin.manifests import require_manifest
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.runs import HeldOut, Run
from m2trec_merlin.runs.folder import TRAINED_BEFORE
from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.sessions import Sessions
from m2trec_merlin.tracking import recordings
from m2trec_merlin.version import __version__


def evaluate_model(
    config: Config, *, split: HeldOut = "test", force: bool = False, progress: Progress = SILENT
) -> Path:
    """Compare the model of a run with the baselines and write `evaluation/`, or `evaluation_valid/`.

    If a mixture is served (`serving.mixture`), it is measured in addition to the model alone.

    Args:
        config: configuration of the run; data and model are taken as the model was trained.
        split: the split to score; use `valid` for choices made by hand.
        force: whether to measure again even if the result is current.
        progress: receives differences from the settings of the training, and the progress of scoring.

    Returns:
        The folder of metrics, plots and report.

    Raises:
        ArtifactError: `preprocess` or `train` has not run, or they ran with settings that do not fit each
            other; or the folder is not writable, or another process is working in it.
        MissingDependencyError: a package that `tracking` needs is not installed.
    """
    from m2trec_merlin.model.trained_run import run_as_trained

    recorded = recordings(config, progress)
    choice = tune(config, progress=progress)
    # Of too few prefixes, nothing is chosen.
    is_tuned = choice is not None and bool(choice.frontier)
    with Run(config).step("evaluate").locked():
        run = run_as_trained(config, progress)
        folder = _evaluate(run, split, is_tuned, force, progress)
        for recording in recorded:
            recording.evaluated(run, split, overview(read_measurements(folder)))
    return folder


def _evaluate(run: Run, split: HeldOut, is_tuned: bool, force: bool, progress: Progress) -> Path:
    output = run.evaluation_of(split)
    # Locking the step recovers `evaluation/` only.
    recover(output)
    catalogue = Catalogue.load(run.catalogue)
    known = known_before(run, catalogue, split)
    sessions, remarks = Sessions.load(run.sessions(split)), remarks_on(run, split, is_tuned)
    compare(
        Setup(run.config, catalogue, known, split, sessions, remarks),
        output,
        lambda: our_scorers(run, catalogue, known, progress),
        inputs=run.step("evaluate").inputs(version=__version__),
        history=run.history,
        force=force,
        progress=progress,
    )
    return output


def remarks_on(run: Run, split: HeldOut, is_tuned: bool) -> list[Entry]:
    """Say how far the model of a run knows the sessions of a split, for the report.

    Args:
        run: the trained run.
        split: the split to be scored.
        is_tuned: whether the weights of the mixture were chosen on validation sessions.

    Raises:
        ArtifactError: `preprocess` or `train` has not run.
    """
    remarks = []
    sessions = require_manifest(run.preprocessed, "preprocess")["sessions"][split]
    if trained := sessions.get(TRAINED_BEFORE):
        text = f"{trained:,} hold targets that earlier training saw (train --from): they are left out"
        remarks.append(("Trained on before", text))
    if split == "valid":
        several_epochs = len(read_json(run.history, "train")) > 1
        chosen = {"the epoch of the model": several_epochs, "the weights of its mixture": is_tuned}
        if named := " and ".join(name for name, is_chosen in chosen.items() if is_chosen):
            text = f"they chose {named}, so that it looks better on them than on others"
            remarks.append(("Chosen on these", text))
    return remarks


def our_scorers(
    run: Run, catalogue: Catalogue, known: Known, progress: Progress = SILENT
) -> list[ItemScorer]:
    """Return the model of a run and, unless it is served alone, the served mixture with boosted new items.

    Args:
        run: run with the settings that its model was trained with.
        catalogue: catalogue of the run.
        known: known sessions, among which neighbours are searched.
        progress: receives the device that the model scores on.

    Raises:
        ArtifactError: the model was not trained, or not on this catalogue.
    """
    model = model_scorer(run, catalogue, progress)
    weights = mixture_weights(run)
    served: ItemScorer = model if weights is None else mixture_of(weights, catalogue, known, model)
    if boost := run.config.serving.new_item_boost:
        served = Boosted(served, catalogue, boost)
    return [model] if served is model else [model, served]
