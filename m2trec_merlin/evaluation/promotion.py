"""Decides whether a candidate is better than the served model, by a paired comparison on the same sessions.

They are the candidate's test sessions. Its epoch and mixture were chosen on its validation sessions, where it
would look better than an equally good model chosen on others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.config.serving import ServingConfig
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.errors import ArtifactError, ConfigError
from m2trec_merlin.evaluation.bootstrap import session_intervals
from m2trec_merlin.evaluation.known import Known, known_before, known_without
from m2trec_merlin.evaluation.metrics import MetricAt
from m2trec_merlin.evaluation.outcomes import Outcome
from m2trec_merlin.evaluation.ranking import evaluate, scored_prefixes
from m2trec_merlin.evaluation.run import our_scorers
from m2trec_merlin.evaluation.served import WithoutUnknown
from m2trec_merlin.preprocessing.rereading import encode_with_run
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.runs import HeldOut, Run
from m2trec_merlin.sessions import Sessions

#: Least number of sessions for which an interval says anything about other sessions.
FEWEST_SESSIONS = 20


@dataclass(frozen=True)
class Verdict:
    """The result of a comparison of two models.

    Attributes:
        metric: name of the metric, with its cut-off.
        candidate: mean of the candidate.
        current: mean of the served model.
        difference: mean of candidate minus served model.
        low: lower end of the difference's 95 % interval.
        high: upper end.
        prefixes: number of prefixes.
        unknown: share of events whose item the served catalogue lacks, among events that the candidate's
            catalogue knows.
        margin: difference by which the candidate may be worse and still take over.
        sessions: number of sessions with these prefixes.
    """

    metric: str
    candidate: float
    current: float
    difference: float
    low: float
    high: float
    prefixes: int
    unknown: float = 0.0
    margin: float = 0.0
    sessions: int = 0

    @property
    def is_of_few(self) -> bool:
        """Whether there are too few sessions for the interval to say anything about others."""
        return self.sessions < FEWEST_SESSIONS

    @property
    def takes_over(self) -> bool:
        """Whether the whole interval of the difference is above 0, or above minus the margin.

        With too few sessions the current model stays.
        """
        return self.low > -self.margin and not self.is_of_few


def open_run(path: Path, progress: Progress = SILENT) -> Run:
    """Return a run with the settings that it is served with.

    Args:
        path: folder of the run, a link to it, or its configuration file.
        progress: receives differences between the file and the settings of the training.

    Raises:
        ArtifactError: there is no trained and exported model, or it was trained again since the export.
        ConfigError: the file is not a configuration.
    """
    from m2trec_merlin.model.trained_run import config_of_run, run_as_trained

    config = config_of_run(path)
    export = Run(config).step("export")
    manifest = export.manifest()
    exported = manifest["settings"]
    if "model" in export.outdated():
        raise ArtifactError(f"{export.folder} was made before the model was trained: run `m2trec export`")
    settings = {name: value for name, value in exported.items() if name in ServingConfig.model_fields}
    if weights := manifest.get("weights"):
        # Not the run's current mixture, which may have been chosen after the export.
        settings["mixture"] = {"kind": "fixed", **weights}
    serving = ServingConfig.model_validate({**dict(config.serving), **settings})
    return run_as_trained(config.model_copy(update={"serving": serving}), progress)


def judge(
    candidate: Run,
    current: Run,
    metric: str = "HIT@20",
    progress: Progress = SILENT,
    margin: float = 0.0,
    split: HeldOut = "test",
) -> Verdict:
    """Compare two runs on sessions of the candidate, with the candidate's settings of evaluation.

    Args:
        candidate: the run that may be promoted.
        current: served run, with all sessions that it knows apart from those compared on; if it was
            trained on some of these, the comparison favours it.
        metric: name and cut-off of the metric, as in HIT@20.
        progress: receives the progress of scoring.
        margin: difference by which the candidate may be worse and still take over.
        split: split of the candidate's sessions to compare on; `valid` favours the candidate.

    Raises:
        ArtifactError: there are no such sessions, the served catalogue has none of their items, or the
            served model reads event attributes that the candidate's data lack.
        ConfigError: the metric is unknown, its cut-off spans the catalogue, or intervals are turned off.
    """
    measured = MetricAt.parse(metric)
    evaluation = candidate.config.evaluation.model_copy(update={"ks": [measured.k]})
    config = candidate.config.model_copy(update={"evaluation": evaluation})
    if not evaluation.bootstrap_samples:
        raise ConfigError("evaluation.bootstrap_samples is 0: to promote a model takes intervals")
    ours, theirs = Catalogue.load(candidate.catalogue), Catalogue.load(current.catalogue)
    if measured.k >= (fewest := min(ours.n_rows, theirs.n_rows) - 1):
        raise ConfigError(
            f"metric '{metric}': any model finds all of {fewest:,} items: take a smaller cut-off"
        )
    sessions = Sessions.load(candidate.sessions(split))
    if not len(sessions):
        raise ArtifactError(
            f"{candidate.sessions(split)} holds no sessions: data.split has to leave some for {split}"
        )
    # Each run's workflow has its own ids of values.
    of_events = encode_with_run(candidate, ours, split, current)
    translated = replace(translate(sessions, ours, theirs), attributes=of_events)
    lacking = translated.rows[sessions.rows != NO_ITEM] == NO_ITEM
    if lacking.all():
        raise ArtifactError(
            f"{current.catalogue} has no item of the sessions in {candidate.sessions(split)}: is it the same "
            "shop?"
        )
    known = known_before(candidate, ours, split)
    known_to_current = known_without(current, theirs, candidate, split)
    verdict = weigh(
        _outcome(candidate, ours, known, sessions, config, progress),
        _outcome(current, theirs, known_to_current, translated, config, progress),
        measured,
        evaluation.bootstrap_samples,
        config.seed,
    )
    return replace(verdict, unknown=float(lacking.mean()), margin=margin)


def _outcome(
    run: Run, catalogue: Catalogue, known: Known, sessions: Sessions, config: Config, progress: Progress
) -> Outcome:
    prefixes = scored_prefixes(sessions, config, config.evaluation.max_prefixes)
    # For items only: a promotion never depends on categories.
    served = WithoutUnknown(our_scorers(run, catalogue, known)[-1], catalogue)
    return evaluate(served, prefixes, catalogue, config.evaluation, progress=progress)


def weigh(candidate: Outcome, current: Outcome, metric: MetricAt, samples: int, seed: int) -> Verdict:
    """Compare two outcomes on the same prefixes, by resampling sessions with the values of both.

    Raises:
        ArtifactError: there is no prefix.
    """
    if not len(candidate.prefixes):
        raise ArtifactError("there is no prefix to compare on: no session has one")
    ours, theirs = metric.values(candidate), metric.values(current)
    difference = ours - theirs
    low, high = session_intervals(difference[:, None], candidate.prefixes.session, samples, seed)
    return Verdict(
        metric=str(metric),
        candidate=float(ours.mean()),
        current=float(theirs.mean()),
        difference=float(difference.mean()),
        low=float(low[0]),
        high=float(high[0]),
        prefixes=len(difference),
        sessions=len(np.unique(candidate.prefixes.session)),
    )


def translate(sessions: Sessions, of: Catalogue, to: Catalogue) -> Sessions:
    """Return sessions with the rows of another catalogue; NO_ITEM for items that it lacks."""
    return replace(sessions, rows=of.rows_in(to)[sessions.rows])
