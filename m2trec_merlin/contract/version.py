"""The description of an export, and the names of the files in its version folders.

The export writes the description into the version folders of both steps, and the runtime reads it. Each
folder is also sealed by checksums (`checksums.py`).
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from m2trec_merlin.artifacts import atomic_write, read_json
from m2trec_merlin.column_names import ITEM_ID, TRAIN_COUNT
from m2trec_merlin.contract.checksums import require_sealed
from m2trec_merlin.encoded import Field

DESCRIPTION = "settings.json"

#: Files of the first step.
CATALOGUE_IDS, ITEMS_WORKFLOW, EVENTS_WORKFLOW = "item_ids.parquet", "items_workflow", "events_workflow"

#: Files of the second step.
ITEMS, CATEGORIES = "items.parquet", "categories.json"
#: Columns that the table of items always has; the others are filter columns.
OWN_COLUMNS = (ITEM_ID, "title", TRAIN_COUNT)
ITEM_GRAPH, SESSION_GRAPH = "items.onnx", "sessions.onnx"
ITEM_VECTORS, CANDIDATE_VECTORS = "item_vectors.npy", "candidate_vectors.npy"
BIASES, REPEAT_BIASES = "biases.npy", "repeat_biases.npy"
#: Sessions that neighbours are found among, which of their events may be targets where that is known, and
#: the trend of each item; further files that views need are named in `neighbours`.
NEIGHBOUR_ROWS, NEIGHBOUR_OFFSETS = "neighbour_rows.npy", "neighbour_offsets.npy"
NEIGHBOUR_TARGETS = "neighbour_targets.npy"
NEIGHBOUR_TRENDS = "neighbour_trends.npy"
#: Training history of the items, a row each; the name is that of an input of the item graph.
HISTORY = "history_{}.npy"
#: Files that the server itself never reads: the format of item tables, and the raw items of the run.
ITEM_FORMAT, ITEMS_AS_GIVEN = "item_format.json", "items_as_given.parquet"
#: Names of inputs of the item graph that are not attributes; no attribute can have such a name.
OTHER_INPUT = "__{}"
#: Names of inputs of the session graph: attributes of events, and the positions of these events.
EVENT_INPUT, PLACES = "event_{}", "places"
#: Entries of a description that are left out where they are empty.
_SELDOM = ("events", "time")


@dataclass(frozen=True)
class RawAttribute:
    """An attribute that raw items or events are encoded by.

    Attributes:
        field: the encoded field.
        column: name of the raw column that it is made from.
        settings: settings of how raw values are read; empty if raw values are not checked.
    """

    field: Field
    column: str
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Description:
    """Description of an export, as far as its files and graphs do not tell.

    Attributes:
        max_length: number of last events that the model takes of a session.
        attributes: attributes that raw items are encoded by; none if the model needs item ids.
        filters: columns that recommendations can be filtered by. The value is the decimal mark of numbers as
            text, "." or ",", for columns of numbers, and "" for others.
        defaults: default values of request options, where they differ from those of the options.
        top_categories: number of values of a predicted attribute in an answer.
        repeat_biases: whether items of the session have a bias of their own.
        neighbours: whether scores of neighbours are mixed with those of the model.
        index: name of the index that candidates are searched with.
        model: fingerprint of the trained model; equal files have equal fingerprints.
        mixture: weights of the neighbours, see `neighbours.weights.Weights`; none without neighbours.
        items: fingerprint of the items' ids, in row order.
        widths: width of each attribute in an item vector, in the vector's order.
        events: attributes of events; none in most exports.
        time: `column` and `format` of the time of events in a request, if an attribute is made of it.
    """

    max_length: int
    attributes: tuple[RawAttribute, ...]
    filters: dict[str, str]
    defaults: dict[str, Any]
    top_categories: int
    repeat_biases: bool
    neighbours: bool
    index: str
    model: str = ""
    mixture: dict[str, float] = dataclasses.field(default_factory=dict)
    items: str = ""
    widths: dict[str, int] = dataclasses.field(default_factory=dict)
    events: tuple[RawAttribute, ...] = ()
    time: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def made_of(self) -> str:
        """Fingerprint of what rows and encoded items refer to; the same in both steps of an export."""
        return f"{self.model}/{self.items}"

    @property
    def fields(self) -> list[Field]:
        """Fields that raw items are encoded to."""
        return [attribute.field for attribute in self.attributes]

    @property
    def event_fields(self) -> list[Field]:
        """Fields that attributes of events are encoded to."""
        return [attribute.field for attribute in self.events]

    def write(self, folder: Path) -> None:
        """Write into a version folder."""
        content = {name: value for name, value in asdict(self).items() if value or name not in _SELDOM}
        atomic_write(folder / DESCRIPTION, json.dumps(content, indent=2))

    @classmethod
    def open(cls, folder: Path) -> Description:
        """Read from a version folder, and check that its files are as they were exported.

        Raises:
            ArtifactError: files are missing, were added or altered, or are of another format.
        """
        require_sealed(folder)
        content = read_json(folder / DESCRIPTION, "export")
        attributes = tuple(_attribute(**each) for each in content.pop("attributes"))
        events = tuple(_attribute(**each) for each in content.pop("events", ()))
        return cls(attributes=attributes, events=events, **content)


def _attribute(field: dict[str, Any], column: str, settings: dict[str, Any]) -> RawAttribute:
    return RawAttribute(Field.from_json(field), column, settings)
