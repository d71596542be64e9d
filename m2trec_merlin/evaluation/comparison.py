"""Comparison of scorers on the same prefixes, written to a folder as tables, plots and a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from m2trec_merlin.artifacts import atomic_directory
from m2trec_merlin.baselines import FrequentCategories, PredictedCategories, build_baseline
from m2trec_merlin.errors import ArtifactError, ConfigError, DataError, MissingDependencyError
from m2trec_merlin.evaluation.measurements import OURS, PROTOCOL, SCORED, Measurement, read_measurements
from m2trec_merlin.evaluation.outcomes import Outcome
from m2trec_merlin.evaluation.protocol import Setup, describe_protocol, empty_cut_offs
from m2trec_merlin.evaluation.ranking import evaluate, identify_prefixes, scored_prefixes, why_none
from m2trec_merlin.evaluation.results import write_results
from m2trec_merlin.manifests import is_current, require_manifest, write_manifest
from m2trec_merlin.progress import Progress
from m2trec_merlin.runs.definitions import STEPS
from m2trec_merlin.scores import CategoryScorer, ItemScorer

AnyScorer = ItemScorer | CategoryScorer
#: Key in the manifest for why baselines are left out, by name.
LEFT_OUT = "left_out"


def compare(
    setup: Setup,
    output: Path,
    scorers: Callable[[], Sequence[AnyScorer]],
    *,
    inputs: dict[str, Any],
    history: Path,
    force: bool,
    progress: Progress,
) -> list[Measurement]:
    """Evaluate scorers and baselines, and write metrics, tables, plots and a report.

    Args:
        setup: what to compare them on; its remarks are said, too.
        output: folder to write; replaced as a whole.
        scorers: function that returns our scorers, called only if something has to be computed. The items of
            the first one give the categories of the heuristic "top-N predicted".
        inputs: dependencies of the result (`Step.inputs`); if these and the settings of evaluation are
            unchanged, nothing is computed again.
        history: path of the training's history.json, for the learning curve; it may be missing.
        force: whether to compute in any case.
        progress: receives the progress of each scorer.

    Returns:
        The rows of metrics.json.

    Raises:
        ArtifactError: there is no prefix to score.
        ConfigError: two scorers have the same name.
    """
    for _, text in setup.remarks:
        progress.say(f"{setup.split} sessions: {text}")
    definition = STEPS["evaluate"]
    everything = {**inputs, **definition.settings_of(setup.config), "split": setup.split}
    if not force and is_current(output, everything, told=lambda found: definition.told(found, everything)):
        progress.say(f"{output} is up to date")
        for name, why in require_manifest(output, "evaluate").get(LEFT_OUT, {}).items():
            progress.say(f"{name} was left out ({why}): `m2trec evaluate --force` tries again")
        return read_measurements(output)
    with atomic_directory(output) as folder:
        ours = scorers()
        everyone, left_out = _with_baselines(ours, setup)
        for name, why in left_out.items():
            progress.say(f"{name} is left out: {why}")
        outcomes = _score(everyone, setup, progress)
        for text in empty_cut_offs(setup.config, setup.catalogue):
            progress.say(f"{text} (evaluation.ks)")
        protocol = describe_protocol(setup, outcomes)
        measurements = write_results(setup, outcomes, folder, history, protocol)
        scored = outcomes[0].prefixes
        facts = {
            "split": setup.split,
            "prefixes": len(scored),
            SCORED: identify_prefixes(scored, setup.catalogue),
            PROTOCOL: protocol,
            OURS: [each.name for each in ours],
            **({LEFT_OUT: left_out} if left_out else {}),
        }
        write_manifest(folder, "evaluate", everything, **facts)
    return measurements


def _with_baselines(ours: Sequence[AnyScorer], setup: Setup) -> tuple[list[AnyScorer], dict[str, str]]:
    """Return all scorers, and why each baseline that cannot be had is left out."""
    config, known = setup.config, setup.known
    everyone, left_out, told = list(ours), dict[str, str](), known.as_training_counts(setup.catalogue)
    for name in config.evaluation.baselines:
        try:
            everyone.append(build_baseline(name, told, known.sessions))
        except (DataError, MissingDependencyError) as error:
            # A baseline must not fail an evaluation after hours of training.
            left_out[name] = "; ".join(error.problems)
    if attributes := config.model.predicted_attributes:
        everyone.append(FrequentCategories(told, attributes))
        if ours and isinstance(ours[0], ItemScorer):
            places, exclude = max(config.evaluation.ks), config.evaluation.exclude_session_items
            everyone.append(PredictedCategories(setup.catalogue, attributes, ours[0], places, exclude))
    names = [scorer.name for scorer in everyone]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(f"scorers need different names; {repeated} occur more than once")
    return everyone, left_out


def _score(everyone: Sequence[AnyScorer], setup: Setup, progress: Progress) -> list[Outcome]:
    config = setup.config
    prefixes = scored_prefixes(setup.sessions, config, config.evaluation.max_prefixes)
    if not len(prefixes):
        raise ArtifactError(f"there is no prefix to score: {why_none(config)}")
    outcomes = []
    for scorer in everyone:
        outcomes.append(evaluate(scorer, prefixes, setup.catalogue, config.evaluation, progress=progress))
        rate = len(prefixes) / max(outcomes[-1].seconds, 1e-9)
        progress.say(f"{scorer.name}: {len(prefixes):,} prefixes, {rate:,.0f} a second")
    return outcomes
