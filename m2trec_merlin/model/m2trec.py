"""The whole model, composed of Transformers4Rec parts: body, tasks, head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import transformers4rec.torch as tr
from torch import Tensor, nn

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.config import Config
from m2trec_merlin.encoded import EncodedColumn, Field
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.model.attribute_encoders import AttributeEncoder, build_attribute_encoder
from m2trec_merlin.model.body import CatalogueInput, SessionBody
from m2trec_merlin.model.catalogue_tensors import CatalogueTensors, id_column
from m2trec_merlin.model.event_encoder import build_event_encoder
from m2trec_merlin.model.expected_popularity import ExpectedPopularity
from m2trec_merlin.model.heads import HEADS, NextItemHead
from m2trec_merlin.model.item_encoder import ItemEncoder
from m2trec_merlin.model.item_ids import ItemIdEncoder, NearItems
from m2trec_merlin.model.item_vectors import ItemVectors
from m2trec_merlin.model.session_batch import SessionBatch
from m2trec_merlin.model.session_encoder import SessionEncoder
from m2trec_merlin.model.tasks import NextAttribute, NextItem
from m2trec_merlin.model.transformers4rec_batches import input_schema, read_batch
from m2trec_merlin.sessions import Sessions


class M2TRec(tr.Model):
    """A Transformers4Rec model whose items are rows of a catalogue.

    `build_model` builds it. Its input is a `SessionBatch`, or a batch of one of Transformers4Rec's loaders.
    """

    def __init__(self, body: SessionBody, tasks: list[tr.PredictionTask], weights: list[float]) -> None:
        # Eq. 7 sums the tasks' losses; Transformers4Rec would take their mean.
        head = tr.Head(body, tasks, task_weights=weights, loss_reduction="sum")
        super().__init__(head, max_sequence_length=body.session_encoder.max_length)

    def forward(
        self,
        inputs: SessionBatch | Mapping[str, Tensor],
        targets: object = None,
        training: bool = False,
        testing: bool = False,
        **kwargs: object,
    ) -> Any:
        """Compute losses or predictions, as every Transformers4Rec model does.

        Args:
            inputs: sessions; see `read_batch` for batches of other loaders.
            targets: ignored, since targets come from the sessions.
            training: return `loss`, and `labels` of each task, without predictions of the next item.
            testing: return `loss`, `labels` and `predictions` of each task, for every prefix.
            kwargs: ignored.

        Returns:
            Without `training` and `testing`, the predictions of each task after whole sessions. With several
            tasks, everything that each task has is a dictionary by task.
        """
        batch = inputs if isinstance(inputs, SessionBatch) else read_batch(inputs, self.max_length)
        # The parent class would pad the batch. Apart from that it only weighs heads, and there is just one.
        outputs = self.heads[0](batch, call_body=True, training=training, testing=testing)
        if training or testing:
            return {name: _sole(output) for name, output in outputs.items()}
        return _sole(outputs)

    @property
    def body(self) -> SessionBody:
        """The body, which turns sessions into session vectors."""
        body: SessionBody = self.heads[0].body
        return body

    @property
    def item_encoder(self) -> ItemEncoder:
        """The encoder of attributes to item vectors (Eq. 2 to 4)."""
        return self.body.inputs.item_encoder

    @property
    def session_encoder(self) -> SessionEncoder:
        """The encoder of item vectors to session vectors (Eq. 5)."""
        return self.body.session_encoder

    @property
    def next_item_task(self) -> NextItem:
        """The task that predicts the next item."""
        task: NextItem = self.heads[0].prediction_task_dict["next_item"]
        return task

    @property
    def next_item_head(self) -> NextItemHead:
        """The head that scores candidates."""
        return self.next_item_task.scorer

    @property
    def next_attributes(self) -> dict[str, nn.Linear]:
        """The output layer of each next-attribute task, by attribute."""
        tasks = self.heads[0].prediction_task_dict.values()
        return {task.attribute: task.output for task in tasks if isinstance(task, NextAttribute)}

    @property
    def max_length(self) -> int:
        """The longest session the model takes; longer ones keep their last events."""
        return self.session_encoder.max_length

    def encode_rows(self, rows: Tensor) -> ItemVectors:
        """Return the item vectors of catalogue rows, int64 [n]."""
        items: ItemVectors = self.body.inputs(rows)
        return items

    @property
    def widths(self) -> dict[str, int]:
        """Vector length of each item attribute, by name."""
        return self.item_encoder.widths

    @property
    def events(self) -> list[Field]:
        """Fields of the encoded event attributes."""
        encoder = self.session_encoder.events
        return [] if encoder is None else encoder.fields

    @property
    def event_widths(self) -> dict[str, int]:
        """Vector length of each event attribute, by name."""
        encoder = self.session_encoder.events
        return {} if encoder is None else encoder.widths

    def count_parameters(self) -> int:
        """Return the number of trainable parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)


def _sole(outputs: Any) -> Any:
    """Unwrap a dictionary that has an entry for one task only."""
    return next(iter(outputs.values())) if isinstance(outputs, dict) and len(outputs) == 1 else outputs


def build_model(
    config: Config,
    catalogue: Catalogue,
    max_length: int | None = None,
    widths: Mapping[str, int] | None = None,
    events: Sequence[Field] = (),
    event_widths: Mapping[str, int] | None = None,
) -> M2TRec:
    """Build the model that a configuration describes.

    Args:
        config: configuration of attributes, model and session length.
        catalogue: catalogue encoded with the same attributes.
        max_length: maximum session length, if `data.max_session_length` leaves it to the data.
        widths: vector length by item attribute; by default lengths follow from the vocabularies.
        events: fields of the event attributes.
        event_widths: vector length by event attribute; by default as for `widths`.

    Raises:
        ArtifactError: the catalogue lacks an attribute that the configuration names, or the event attributes
            of the sessions are not the configured ones.
    """
    model = config.model
    max_length = config.data.max_session_length or max_length
    assert max_length is not None, "neither the configuration nor the data say how long sessions are"
    columns = [_column(catalogue, name) for name in config.inputs]
    settled = widths or {}
    encoders = [_encoder(config, column.field, settled.get(column.field.name)) for column in columns]
    popularity = build_expected_popularity(config, columns) if model.next_item.expects_popularity else None
    item_encoder = ItemEncoder(encoders, popularity)
    inputs = CatalogueInput(
        CatalogueTensors(columns), item_encoder, input_schema(catalogue.n_rows, max_length)
    )
    of_events = build_event_encoder(_of_events(config, events), config.event_attributes, model, event_widths)
    encoder = SessionEncoder(item_encoder.width, model.width, max_length, model.session, of_events)
    body = SessionBody(inputs, encoder)
    build_head = HEADS[model.next_item.head]
    head = build_head(catalogue, item_encoder.width, model.width, max_length, model.next_item)
    tasks: list[tr.PredictionTask] = [
        NextItem(head, catalogue, inputs.forward, model.next_item),
        *(NextAttribute(_column(catalogue, t.attribute), model.width) for t in model.next_attributes),
    ]
    return M2TRec(body, tasks, [model.next_item.weight, *(t.weight for t in model.next_attributes)])


def build_expected_popularity(config: Config, columns: Sequence[EncodedColumn]) -> ExpectedPopularity:
    """Build the regression of popularity on some attributes, with their configured options."""
    attributes = [config.attribute(c.field.name) for c in columns if c.field.name != ITEM_ID]
    return ExpectedPopularity(columns, {a.name: a.embedding.pair_buckets for a in attributes})


def fit_before_training(model: M2TRec, catalogue: Catalogue, known: Callable[[], Sessions]) -> None:
    """Fit what is not learned step by step: the expected popularity, and which items are near each other.

    Args:
        model: the model, on the CPU.
        catalogue: catalogue of the model.
        known: returns all training sessions; called only if the model learns from them here.
    """
    if model.item_encoder.popularity is not None:
        model.item_encoder.popularity.fit(catalogue)
    for part in model.item_encoder.modules():
        if isinstance(part, NearItems):
            part.fit(known())


def _encoder(config: Config, field: Field, width: int | None) -> AttributeEncoder:
    if field.name == ITEM_ID:
        return ItemIdEncoder(field, config.model)
    return build_attribute_encoder(field, config.attribute(field.name), config.model, width)


def _of_events(config: Config, fields: Sequence[Field]) -> Sequence[Field]:
    wanted, found = [a.name for a in config.event_attributes], [field.name for field in fields]
    if found != wanted:
        raise ArtifactError(
            f"the sessions have the event attributes {found} and the configuration {wanted}: run "
            "`m2trec preprocess` with this configuration"
        )
    return fields


def _column(catalogue: Catalogue, name: str) -> EncodedColumn:
    if name == ITEM_ID:
        return id_column(catalogue)
    if name not in catalogue.attributes:
        raise ArtifactError(
            f"the catalogue has no attribute '{name}' (it has {', '.join(catalogue.attributes)}): "
            "run `m2trec preprocess` with this configuration"
        )
    return catalogue.attributes[name]
