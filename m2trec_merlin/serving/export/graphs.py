"""Export of the model as ONNX graphs, each of which is compared with the original.

Shape legend: B sessions, L longest session, D model width, I item width, n items, V flat list values.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from m2trec_merlin.arrays import offsets_of
from m2trec_merlin.contract.version import EVENT_INPUT, HISTORY, ITEM_GRAPH, OTHER_INPUT, PLACES
from m2trec_merlin.encoded import FIRST_VALUE, EncodedColumn, Field, Layout
from m2trec_merlin.model.catalogue_tensors import CatalogueTensors, EncodedAttributes, on_device
from m2trec_merlin.model.item_vectors import ItemVectors
from m2trec_merlin.model.m2trec import M2TRec
from m2trec_merlin.serving.export.onnx_files import require_equal, write_graph
from m2trec_merlin.serving.runtime.answering.session_encoding import places_of
from m2trec_merlin.sessions import Sessions

_DYNAMIC = torch.export.Dim.DYNAMIC

#: Length of the longest session that a graph is tried on: memory of attention grows with its square, and
#: `data.max_session_length` may be far beyond the length of any real session.
_LONGEST_TRIED = 512

#: Outputs of the item graph: an item as an event of a session, and as a candidate.
ITEM_GRAPH_OUTPUTS = ["item_vectors", "candidate_vectors", "candidate_biases"]


class SessionGraph(nn.Module):
    """Graph from item vectors of sessions to queries and to probabilities of the next item's attributes."""

    def __init__(self, model: M2TRec) -> None:
        super().__init__()
        self.session_encoder = model.session_encoder
        self.next_item_head = model.next_item_head
        self.next_attributes = nn.ModuleList(model.next_attributes.values())

    def forward(self, vectors: Tensor, lengths: Tensor, counted: Tensor) -> tuple[Tensor, ...]:
        """Encode right-padded sessions.

        Args:
            vectors: float32 [B, L, I], item vectors.
            lengths: int64 [B], lengths of the sessions.
            counted: bool [B, L], true for the most recent event of each item, false for padding.

        Returns:
            Queries [B, D], then for each attribute the probabilities of its values [B, values], without the
            reserved ids at the front (padding, missing, other), which cannot be shown.
        """
        return self._answer(self.session_encoder.encode_last(vectors, lengths), vectors, lengths, counted)

    def _answer(
        self, session_BD: Tensor, vectors: Tensor, lengths: Tensor, counted: Tensor
    ) -> tuple[Tensor, ...]:
        shares = [output(session_BD)[:, FIRST_VALUE:].softmax(1) for output in self.next_attributes]
        return (self.next_item_head.queries_padded(session_BD, vectors, counted, lengths), *shares)


class EventSessionGraph(SessionGraph):
    """A `SessionGraph` for a model that reads attributes of events."""

    def forward(  # type: ignore[override]
        self, vectors: Tensor, lengths: Tensor, counted: Tensor, places: Tensor, attributes: EncodedAttributes
    ) -> tuple[Tensor, ...]:
        """Encode right-padded sessions; see `SessionGraph.forward`.

        Args:
            vectors: float32 [B, L, I].
            lengths: int64 [B].
            counted: bool [B, L].
            places: int64 [B, L], index of the event at each position; any index for padding.
            attributes: attributes of all events.
        """
        assert self.session_encoder.events is not None
        more_BLD = self.session_encoder.events(attributes)[places]
        session_BD = self.session_encoder.encode_last(vectors, lengths, more_BLD)
        return self._answer(session_BD, vectors, lengths, counted)


def session_graph(model: M2TRec) -> SessionGraph:
    """Return the session graph of a model, in evaluation mode."""
    return (EventSessionGraph(model) if model.events else SessionGraph(model)).eval()


def event_inputs(sessions: Sessions) -> dict[str, Any]:
    """Return the additional inputs of `EventSessionGraph`; none for sessions without attributes of events."""
    if not sessions.attributes:
        return {}
    places = torch.from_numpy(places_of(sessions.lengths))
    return {PLACES: places, "attributes": on_device(sessions.attributes)}


class ItemGraph(nn.Module):
    """Graph from encoded attributes and training histories of items to item vectors and candidates.

    Attributes are named as in `EncodedAttributes`, histories as in `NextItemHead.history`.
    """

    def __init__(self, model: M2TRec) -> None:
        super().__init__()
        self.item_encoder = model.item_encoder
        self.next_item_head = model.next_item_head

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs of `forward`."""
        return ITEM_GRAPH_OUTPUTS[: 3 if self.next_item_head.all_items else 1]

    def forward(self, attributes: EncodedAttributes, history: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """Return item vectors [n, I]; vectors [n, D] and biases [n] of candidates, if any item can be one."""
        items: ItemVectors = self.item_encoder(attributes)
        if not self.next_item_head.all_items:
            return (items.described,)
        return (items.described, *self.next_item_head.with_history(items, history))


def export_sessions(model: M2TRec, item_vectors: np.ndarray, path: Path) -> None:
    """Write the session graph.

    Args:
        model: the model, in evaluation mode, on the CPU.
        item_vectors: float32 [N, I], item vectors of the catalogue, to try the graph on.
        path: path of the ONNX file.

    Raises:
        ArtifactError: the graph's answers differ from the model's.
    """
    graph = session_graph(model)
    names = ["queries", *(f"next_{name}" for name in model.next_attributes)]
    example = _some_sessions(item_vectors, min(3, model.max_length), 3, model.events)
    both = {0: _DYNAMIC, 1: _DYNAMIC}
    dynamic: dict[str, Any] = {"vectors": both, "lengths": {0: _DYNAMIC}, "counted": both}
    if model.events:
        dynamic |= {PLACES: both, "attributes": {name: {0: _DYNAMIC} for name in example["attributes"]}}
    write_graph(graph, example, list(_feeds(example)), names, dynamic, path)
    # A graph may have kept a shape of its example, so others are tried: one event, the longest session.
    longest = min(model.max_length, _LONGEST_TRIED)
    for length, sessions in ((1, 1), (1, 4), (longest, 1), (longest, 5)):
        inputs = _some_sessions(item_vectors, length, sessions, model.events)
        with torch.inference_mode():
            expected = graph(**inputs)
        feeds = {name: tensor.numpy() for name, tensor in _feeds(inputs).items()}
        require_equal(path, feeds, [tensor.numpy() for tensor in expected])


def export_items(model: M2TRec, folder: Path) -> None:
    """Write the item graph and the training histories of the items, whose row 0 stands for no item.

    Args:
        model: the model, in evaluation mode, on the CPU.
        folder: folder to write to.

    Raises:
        ArtifactError: the graph's answers differ from the model's.
    """
    graph, n_rows, path = ItemGraph(model).eval(), model.next_item_task.n_rows, folder / ITEM_GRAPH
    for name, table in _history(model, torch.arange(model.next_item_head.n_seen + 1)).items():
        np.save(folder / HISTORY.format(name), table.numpy())
    example = _some_items(model, torch.arange(n_rows)[-3:] if n_rows > 3 else torch.tensor([0, 1, 1]))
    dynamic = {what: {name: {0: _DYNAMIC} for name in tensors} for what, tensors in example.items()}
    write_graph(graph, example, list(_item_feeds(example)), graph.outputs, dynamic, path)
    for rows in (torch.arange(min(n_rows, 1)), torch.arange(n_rows)[:100], torch.arange(n_rows)[-100:]):
        items = _some_items(model, rows)
        with torch.inference_mode():
            expected = graph(**items)
        require_equal(path, _item_feeds(items), [tensor.numpy() for tensor in expected])


def _some_items(model: M2TRec, rows: Tensor) -> dict[str, dict[str, Tensor]]:
    """Return the inputs of the item graph for catalogue rows; items of even rows are given no history."""
    catalogue: CatalogueTensors = model.body.inputs.catalogue
    return {"attributes": catalogue(rows), "history": _history(model, rows * (rows % 2))}


@torch.no_grad()
def _history(model: M2TRec, rows: Tensor) -> dict[str, Tensor]:
    return model.next_item_head.history(rows) if model.next_item_head.all_items else {}


def _item_feeds(items: dict[str, dict[str, Tensor]]) -> dict[str, np.ndarray]:
    """Return the inputs of the item graph by their names in the ONNX file."""
    history = {OTHER_INPUT.format(name): tensor for name, tensor in items["history"].items()}
    return {name: tensor.numpy() for name, tensor in {**items["attributes"], **history}.items()}


def _feeds(inputs: dict[str, Any]) -> dict[str, Tensor]:
    """Return the inputs of the session graph by their names in the ONNX file."""
    plain = {name: tensor for name, tensor in inputs.items() if name != "attributes"}
    attributes: EncodedAttributes = inputs.get("attributes", {})
    return plain | {EVENT_INPUT.format(name): tensor for name, tensor in attributes.items()}


def _some_sessions(
    item_vectors: np.ndarray, longest: int, sessions: int, fields: Sequence[Field]
) -> dict[str, Any]:
    """Draw inputs of the session graph: right-padded sessions of random lengths, the first the longest."""
    generator = np.random.default_rng(0)
    rows = generator.integers(0, len(item_vectors), (sessions, longest))
    lengths = generator.integers(1, longest + 1, sessions)
    lengths[0] = longest
    padding = np.arange(longest) >= lengths[:, None]
    vectors = np.where(padding[..., None], np.float32(0), item_vectors[rows])
    # Some events are treated as earlier events of a repeated item; the last event never is one.
    counted = ~padding & (generator.random(padding.shape) < 0.8)
    counted[np.arange(sessions), lengths - 1] = True
    inputs = {"vectors": vectors, "lengths": lengths, "counted": counted}
    drawn = {f.name: _some_values(f, int(lengths.sum()), generator) for f in fields}
    events = Sessions(rows[~padding], offsets_of(lengths), drawn)
    return {name: torch.from_numpy(array) for name, array in inputs.items()} | event_inputs(events)


def _some_values(field: Field, count: int, generator: np.random.Generator) -> EncodedColumn:
    """Draw random values of an attribute for `count` events."""
    lengths = generator.integers(1, 4, count) if field.layout is Layout.ID_LISTS else np.ones(count, np.int64)
    shape = (int(lengths.sum()), field.size) if field.layout is Layout.VECTORS else int(lengths.sum())
    ids = field.layout.has_vocabulary
    values = generator.integers(1, field.size, shape) if ids else generator.normal(size=shape)
    offsets = offsets_of(lengths) if field.layout is Layout.ID_LISTS else None
    return EncodedColumn(field, values.astype(field.layout.dtype), offsets)
