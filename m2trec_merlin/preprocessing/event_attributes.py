"""Fit the part of the sessions workflow that encodes attributes of events, on those of training sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from nvtabular import Workflow

from m2trec_merlin.attributes import Attribute
from m2trec_merlin.attributes.operators import load_operators
from m2trec_merlin.encoded import Field
from m2trec_merlin.preprocessing.starting import start_from
from m2trec_merlin.progress import Progress
from m2trec_merlin.runs.folder import EVENTS_WORKFLOW
from m2trec_merlin.workflows.storage import save_workflow

#: What the manifest calls the sizes of vocabularies of events.
EVENT_VOCABULARIES = "event_vocabularies"


def fit_events(
    workflow: Workflow,
    attributes: Sequence[Attribute],
    output: Path,
    fit: Callable[..., Workflow],
    start: Path | None,
    progress: Progress,
) -> list[Field]:
    """Fit and save a sessions workflow.

    Args:
        workflow: from `sessions_workflow`, its schema fitted.
        attributes: of events.
        output: the folder of sessions.
        fit: fits a workflow on the parts of training.
        start: where an earlier run saved such a workflow, whose vocabularies are extended.
        progress: is told about each part of the work.

    Returns:
        What the attributes are encoded to.

    Raises:
        ArtifactError: the earlier workflow has other attributes.
    """
    if start is not None:
        start_from(workflow, attributes, start)
    load_operators(workflow)
    fit(workflow, progress=progress)
    save_workflow(workflow, attributes, output / EVENTS_WORKFLOW)
    with TemporaryDirectory() as vocabularies:
        # Of items they are written for people; of events nobody is shown any.
        return [attribute.write_vocabulary(workflow, Path(vocabularies)) for attribute in attributes]
