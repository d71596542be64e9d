"""Prepare and save the part of the sessions workflow that encodes attributes of events."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from nvtabular import Workflow

from m2trec_merlin.attributes import Attribute
from m2trec_merlin.attributes.operators import load_operators
from m2trec_merlin.encoded import Field
from m2trec_merlin.preprocessing.continuing import start_from
from m2trec_merlin.runs.folder import EVENTS_WORKFLOW
from m2trec_merlin.workflows.storage import save_workflow

#: The manifest's name for the sizes of vocabularies of event attributes.
EVENT_VOCABULARIES = "event_vocabularies"


def start_events(workflow: Workflow, attributes: Sequence[Attribute], start: Path | None) -> None:
    """Make a sessions workflow ready to be fitted on training events.

    Args:
        workflow: a workflow from `sessions_workflow`, its schema fitted.
        attributes: the attributes of events.
        start: folder of an earlier run's workflow whose vocabularies are extended, if any.

    Raises:
        ArtifactError: the earlier workflow has other attributes.
    """
    if start is not None:
        start_from(workflow, attributes, start)
    load_operators(workflow)


def save_events(workflow: Workflow, attributes: Sequence[Attribute], output: Path) -> list[Field]:
    """Save a fitted sessions workflow into the folder of sessions; return the fields of the attributes."""
    save_workflow(workflow, attributes, output / EVENTS_WORKFLOW)
    with TemporaryDirectory() as vocabularies:
        # Vocabularies of items are kept for people to read; those of events are shown nowhere.
        return [attribute.write_vocabulary(workflow, Path(vocabularies)) for attribute in attributes]
