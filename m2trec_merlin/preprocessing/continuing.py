"""Take over vocabularies and session length of an earlier run, to continue from its trained weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nvtabular import Workflow

from m2trec_merlin.artifacts import read_json, reading
from m2trec_merlin.attributes import Attribute, parse_attribute
from m2trec_merlin.config import Config
from m2trec_merlin.data.session_length import longest_session
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.runs import Run, RunFolder
from m2trec_merlin.runs.settings import LONGEST_SESSION, differences
from m2trec_merlin.workflows.storage import SETTINGS, learning_operators


@dataclass(frozen=True)
class EarlierRun:
    """The results of an earlier run's preprocessing that another run continues from.

    Attributes:
        folder: the earlier run, whose workflows have the vocabularies that are extended.
        longest: the most events of its training sessions.
        identity: value that identifies this result, for manifests.
    """

    folder: RunFolder
    longest: int
    identity: Any

    @classmethod
    def of(cls, earlier: Run, run: Run, made_by: int) -> EarlierRun:
        """Return the results of an earlier run that a run can continue from.

        Args:
            earlier: the earlier run, preprocessed.
            run: the run to start from it.
            made_by: the current `FORMAT` of `preprocess`.

        Raises:
            ArtifactError: both are the same run, the earlier one is not preprocessed, or by another version,
                its sessions have another length, only one of the two has event attributes, or last events of
                sessions are held out otherwise.
        """
        run.require_other_than(earlier)
        step = earlier.step("preprocess")
        manifest = step.manifest()
        if manifest["settings"].get("format") != made_by:
            raise ArtifactError(
                f"{earlier.preprocessed} was written by another version: start anew without --from"
            )
        longest: int = manifest["sessions"]["train"][LONGEST_SESSION]
        wanted = run.config.data.max_session_length
        if wanted not in (None, longest):
            raise ArtifactError(
                f"data.max_session_length is {wanted}, and {longest} in {earlier.preprocessed}: configure "
                "the same, or start anew without --from"
            )
        if earlier.events_workflow.is_dir() != bool(run.config.event_attributes):
            raise ArtifactError(
                f"event_attributes are configured either here or in {earlier.directory}, not in both: "
                "configure the same, or start anew without --from"
            )
        if _held_out_ends(earlier) != _held_out_ends(run):
            raise ArtifactError(
                "data.split.kind and data.min_session_length say which last events of sessions are held out, "
                f"and are others in {earlier.directory}: configure the same, or start anew without --from"
            )
        return cls(earlier, longest, step.identity(manifest))


def _held_out_ends(run: Run) -> int | None:
    """Return the length that decides which sessions are divided; None if sessions stay whole."""
    return run.config.data.min_session_length if run.config.data.split.is_nested else None


def longest_training_session(config: Config, data: Path, start: EarlierRun | None) -> int:
    """Return how many events of a training session are kept: as before, or as in `longest_session`.

    Args:
        config: the run's configuration.
        data: folder that `m2trec data` wrote.
        start: results of an earlier run to continue from, if any.

    Raises:
        ArtifactError: an earlier version wrote the folder.
    """
    return longest_session(config, data) if start is None else start.longest


def start_from(workflow: Workflow, attributes: Sequence[Attribute], directory: Path) -> None:
    """Make the next fitting of a workflow extend what a saved one learned: every id keeps its value.

    Args:
        workflow: a workflow from `items_workflow` or `sessions_workflow`, its schema fitted.
        attributes: the attributes that it was composed of.
        directory: folder of the saved workflow.

    Raises:
        ArtifactError: a file is missing or damaged, or the saved workflow has other attributes.
    """
    content = read_json(directory / SETTINGS, "preprocess")
    with reading(directory / SETTINGS, "preprocess"):
        before = [parse_attribute(**settings) for settings in content["attributes"]]
    then, now = ({a.name: a.preprocessing_settings() for a in each} for each in (before, attributes))
    if unlike := [f"{name}: {old} there, {new} here" for name, old, new in differences(then, now)]:
        raise ArtifactError(
            f"{directory} was fitted to other attributes ({'; '.join(unlike)}): configure the same ones, or "
            "start anew without --from"
        )
    for operator, columns in learning_operators(workflow):
        for column in columns:
            operator.start_from(column, directory / type(operator).__name__)
