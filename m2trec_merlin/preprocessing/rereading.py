"""Encode the event attributes of one run with the workflow of another run, to compare their models."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from m2trec_merlin.artifacts import reading
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.data.event_columns import EventColumns, canonical_attributes
from m2trec_merlin.encoded import NO_ITEM, EncodedItems
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.merlin_adapter import dataset_of_parts
from m2trec_merlin.preprocessing.parts import unaltered_parts
from m2trec_merlin.preprocessing.sessions import SessionsWriter
from m2trec_merlin.runs import Run
from m2trec_merlin.runs.settings import differences
from m2trec_merlin.sessions import Sessions, event_fields, session_files
from m2trec_merlin.workflows.sessions import EVENT_COLUMNS, sessions_workflow
from m2trec_merlin.workflows.storage import read_learned


def encode_with_run(run: Run, catalogue: Catalogue, split: str, by: Run) -> EncodedItems:
    """Return the attributes of a split's events, in the order of its sessions, as another run encodes them.

    Columns derived from times are computed again without the events of items that the other run does not
    know. The result is empty if the other run has no event attributes.

    Args:
        run: the run that the events belong to.
        catalogue: the catalogue of this run.
        split: the split of the sessions.
        by: the other run, preprocessed.

    Raises:
        ArtifactError: the run lacks an attribute that the other one reads, or reads it differently; or a file
            of the events was altered.
    """
    if not by.config.event_attributes:
        return {}
    there, here = ({a.name: a.reading_settings() for a in each.config.event_attributes} for each in (by, run))
    found = {name: here[name] for name in there if name in here}
    if unlike := [name for name, *_ in differences(there, found)]:
        raise ArtifactError(
            f"{by.directory} reads event attributes that {run.directory} lacks or reads otherwise "
            f"({', '.join(unlike)}): configure them in both to compare the two"
        )
    attributes = canonical_attributes(by.config.event_attributes)
    columns = [*EVENT_COLUMNS, *there]
    rows = {ITEM_ID: catalogue.item_ids[1:], "row": np.arange(1, catalogue.n_rows, dtype=np.int64)}
    parts = unaltered_parts(run, split)
    with TemporaryDirectory() as folder:
        shortest = run.config.data.min_session_length
        workflow = sessions_workflow(pd.DataFrame(rows), shortest, None, attributes, (), Path(folder))
        with reading(parts[0], "data"):
            workflow.fit_schema(dataset_of_parts(parts[:1], columns).schema)
        read_learned(workflow, by.events_workflow)
        writer = SessionsWriter(workflow, event_fields(session_files(by.sessions("train"))))
        files = [Path(folder) / part.name for part in parts]
        made = EventColumns(by.config)
        known_there = Catalogue.load(by.catalogue) if made.derived else None
        for part, file in zip(parts, files, strict=True):
            source = part
            if known_there is not None:
                source = _made_again(part, made, known_there, Path(folder) / "events.parquet")
            writer.write(source, file)
        return Sessions.read(files).attributes


def _made_again(part: Path, columns: EventColumns, catalogue: Catalogue, target: Path) -> Path:
    """Write a part whose derived columns are computed from events of items in a catalogue only."""
    with reading(part, "data"):
        events = pd.read_parquet(part)
    known = catalogue.rows_of(events[ITEM_ID].tolist()) != NO_ITEM
    for name, values in columns.derive(events, known).items():
        events[name] = values
    events.to_parquet(target, index=False)
    return target
