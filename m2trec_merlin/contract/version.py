"""What an exported version is: its description, and the names of its files.

The export writes the description into the version folders of both steps, the runtime reads it. Each folder is
sealed by checksums besides (`checksums.py`).
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

#: Of the first step.
CATALOGUE_IDS, ITEMS_WORKFLOW, EVENTS_WORKFLOW = "item_ids.parquet", "items_workflow", "events_workflow"

#: Of the second step.
ITEMS, CATEGORIES = "items.parquet", "categories.json"
#: Columns of the table of items that are there for every model; it is filtered by the others.
OWN_COLUMNS = (ITEM_ID, "title", TRAIN_COUNT)
ITEM_GRAPH, SESSION_GRAPH = "items.onnx", "sessions.onnx"
ITEM_VECTORS, CANDIDATE_VECTORS = "item_vectors.npy", "candidate_vectors.npy"
BIASES, REPEAT_BIASES = "biases.npy", "repeat_biases.npy"
#: Training sessions, where it is known which of their events may be targets, and what each item sold of late;
#: what views need besides is named in `neighbours`.
NEIGHBOUR_ROWS, NEIGHBOUR_OFFSETS = "neighbour_rows.npy", "neighbour_offsets.npy"
NEIGHBOUR_TARGETS = "neighbour_targets.npy"
NEIGHBOUR_TRENDS = "neighbour_trends.npy"
#: What training told of its items, a line each, by what the graph of items calls it.
HISTORY = "history_{}.npy"
#: What the server itself never reads: how tables of items are written, and what that of the run says.
ITEM_FORMAT, ITEMS_AS_GIVEN = "item_format.json", "items_as_given.parquet"
#: What inputs of a graph of items are called beside attributes, none of which can be called so.
OTHER_INPUT = "__{}"
#: What inputs of the session graph are called that hold attributes of events, and where these stand.
EVENT_INPUT, PLACES = "event_{}", "places"
#: Entries of a description that are left out where they say nothing.
_SELDOM = ("events", "time")


@dataclass(frozen=True)
class RawAttribute:
    """An attribute by which raw items are encoded.

    Attributes:
        field: what it encodes to.
        column: the raw column that it is made from.
        settings: on which it depends how raw values are read; none are checked without.
    """

    field: Field
    column: str
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Description:
    """An exported version, as far as files and graphs do not say it themselves.

    Attributes:
        max_length: events that the model takes of a session.
        attributes: those that raw items are encoded by; none if the model needs their ids.
        filters: columns that recommendations can be filtered by; of those of numbers what begins the fraction
            of one that is written as text, "." or ",", and of others "".
        defaults: values of request options, where they are not the options' own.
        top_categories: values of a predicted attribute in an answer.
        repeat_biases: whether items of the session have a bias of their own.
        neighbours: whether sessions are there, to be mixed with the model.
        index: how candidates are searched.
        model: fingerprint of the trained model; equal files, equal fingerprints.
        mixture: weights of the neighbours, see `neighbours.weights.Weights`; none without neighbours.
        items: fingerprint of the items' ids, in row order.
        widths: of the attributes in an item vector, in their order there.
        events: attributes of events; none in most exports.
        time: where an attribute is made of the time of events, which `column` of a request holds it, and
            in which `format`.
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
        """What rows and encoded items mean something to: the same of both steps of an export."""
        return f"{self.model}/{self.items}"

    @property
    def fields(self) -> list[Field]:
        """What raw items are encoded to."""
        return [attribute.field for attribute in self.attributes]

    @property
    def event_fields(self) -> list[Field]:
        """What attributes of events are encoded to."""
        return [attribute.field for attribute in self.events]

    def write(self, folder: Path) -> None:
        """Write into a version folder."""
        content = {name: value for name, value in asdict(self).items() if value or name not in _SELDOM}
        atomic_write(folder / DESCRIPTION, json.dumps(content, indent=2))

    @classmethod
    def open(cls, folder: Path) -> Description:
        """Read from a version folder, whose files are those that were exported.

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
