"""The part of the sessions workflow that encodes attributes of events, fitted on those of training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from nvtabular import Workflow

from m2trec_merlin.attributes import Attribute
from m2trec_merlin.attributes.operators import load_operators
from m2trec_merlin.encoded import Field
from m2trec_merlin.preprocessing.starting import start_from
from m2trec_merlin.runs.folder import EVENTS_WORKFLOW
from m2trec_merlin.workflows.storage import save_workflow

#: What the manifest calls the sizes of vocabularies of events.
EVENT_VOCABULARIES = "event_vocabularies"


def start_events(workflow: Workflow, attributes: Sequence[Attribute], start: Path | None) -> None:
    """Make a sessions workflow ready to be fitted.

    Args:
        workflow: from `sessions_workflow`, its schema fitted.
        attributes: of events.
        start: where an earlier run saved such a workflow, whose vocabularies are extended.

    Raises:
        ArtifactError: the earlier workflow has other attributes.
    """
    if start is not None:
        start_from(workflow, attributes, start)
    load_operators(workflow)


def save_events(workflow: Workflow, attributes: Sequence[Attribute], output: Path) -> list[Field]:
    """Save a fitted sessions workflow into the folder of sessions; return what attributes are encoded to."""
    save_workflow(workflow, attributes, output / EVENTS_WORKFLOW)
    with TemporaryDirectory() as vocabularies:
        # Of items they are written for people; of events nobody is shown any.
        return [attribute.write_vocabulary(workflow, Path(vocabularies)) for attribute in attributes]
