"""The whole model, composed of Transformers4Rec parts: body, tasks, head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import transformers4rec.torch as tr
from torch import Tensor, nn

from m2trec_merlin.attributes import Attribute
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.config import Config
from m2trec_merlin.encoded import EncodedColumn, Field
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.model.attribute_encoders import build_attribute_encoder
from m2trec_merlin.model.body import CatalogueInput, SessionBody
from m2trec_merlin.model.catalogue_tensors import CatalogueTensors, id_column
from m2trec_merlin.model.event_encoder import build_event_encoder
from m2trec_merlin.model.expected_popularity import ExpectedPopularity
from m2trec_merlin.model.heads import HEADS, NextItemHead
from m2trec_merlin.model.item_encoder import ItemEncoder
from m2trec_merlin.model.item_vectors import ItemVectors
from m2trec_merlin.model.session_batch import SessionBatch
from m2trec_merlin.model.session_encoder import SessionEncoder
from m2trec_merlin.model.tasks import NextAttribute, NextItem
from m2trec_merlin.model.transformers4rec_batches import input_schema, read_batch


class M2TRec(tr.Model):
    """A Transformers4Rec model whose items are rows of a catalogue.

    Built by `build_model`. Feed it a `SessionBatch`, or what Transformers4Rec's loaders make of one.
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
        """Return what every Transformers4Rec model does.

        Args:
            inputs: sessions; see `read_batch` for those of other loaders.
            targets: of the loader; left aside, since they come from the sessions.
            training: return `loss` alone, with `labels` for each task.
            testing: return `loss`, `labels` and `predictions` of each task, for every prefix.
            kwargs: of Transformers4Rec; left aside.

        Returns:
            Without `training` and `testing`, the predictions of each task after whole sessions. What is for
            each task is a dictionary where there are several.
        """
        batch = inputs if isinstance(inputs, SessionBatch) else read_batch(inputs, self.max_length)
        # The parent would pad the batch; all else that it does is to weigh heads, and there is one.
        outputs = self.heads[0](batch, call_body=True, training=training, testing=testing)
        if training or testing:
            return {name: _sole(output) for name, output in outputs.items()}
        return _sole(outputs)

    @property
    def body(self) -> SessionBody:
        """Sessions to session vectors."""
        body: SessionBody = self.heads[0].body
        return body

    @property
    def item_encoder(self) -> ItemEncoder:
        """Attributes to item vectors (Eq. 2 to 4)."""
        return self.body.inputs.item_encoder

    @property
    def session_encoder(self) -> SessionEncoder:
        """Item vectors to session vectors (Eq. 5)."""
        return self.body.session_encoder

    @property
    def next_item_task(self) -> NextItem:
        """The task that trains the next item."""
        task: NextItem = self.heads[0].prediction_task_dict["next_item"]
        return task

    @property
    def next_item_head(self) -> NextItemHead:
        """What a candidate's score is made of."""
        return self.next_item_task.scorer

    @property
    def next_attributes(self) -> dict[str, nn.Linear]:
        """Output layer of each next-attribute task, by attribute."""
        tasks = self.heads[0].prediction_task_dict.values()
        return {task.attribute: task.output for task in tasks if isinstance(task, NextAttribute)}

    @property
    def max_length(self) -> int:
        """Longest session the model takes; longer ones keep their last events."""
        return self.session_encoder.max_length

    def encode_rows(self, rows: Tensor) -> ItemVectors:
        """Item vectors of catalogue rows, int64 [n]."""
        items: ItemVectors = self.body.inputs(rows)
        return items

    @property
    def widths(self) -> dict[str, int]:
        """Length of each attribute's vectors, by name."""
        return self.item_encoder.widths

    @property
    def events(self) -> list[Field]:
        """What attributes of events are encoded to."""
        encoder = self.session_encoder.events
        return [] if encoder is None else encoder.fields

    @property
    def event_widths(self) -> dict[str, int]:
        """As `widths`, of the attributes of events."""
        encoder = self.session_encoder.events
        return {} if encoder is None else encoder.widths

    def count_parameters(self) -> int:
        """Trainable parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)


def _sole(outputs: Any) -> Any:
    """Unwrap what belongs to one task alone."""
    return next(iter(outputs.values())) if isinstance(outputs, dict) and len(outputs) == 1 else outputs


def build_model(
    config: Config,
    catalogue: Catalogue,
    max_length: int | None = None,
    widths: Mapping[str, int] | None = None,
    events: Sequence[Field] = (),
    event_widths: Mapping[str, int] | None = None,
) -> M2TRec:
    """Compose the model that a configuration describes.

    Args:
        config: attributes, model and session length.
        catalogue: encoded by the items workflow with the same attributes.
        max_length: of sessions, where `data.max_session_length` leaves it to the data.
        widths: of attributes' vectors, which follow the vocabularies otherwise.
        events: what attributes of events are encoded to.
        event_widths: as `widths`, of these.

    Raises:
        ArtifactError: the catalogue, or the sessions, lack an attribute that the configuration names.
    """
    model = config.model
    max_length = config.data.max_session_length or max_length
    assert max_length is not None, "neither the configuration nor the data say how long sessions are"
    columns = [_column(catalogue, name) for name in config.inputs]
    settled = widths or {}
    encoders = [
        build_attribute_encoder(c.field, _attribute(config, c.field.name), model, settled.get(c.field.name))
        for c in columns
    ]
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
    """Compose the regression of popularity on some attributes, with their configured options."""
    attributes = [_attribute(config, column.field.name) for column in columns]
    return ExpectedPopularity(columns, {a.name: a.embedding.pair_buckets for a in attributes if a})


def fit_before_training(model: M2TRec, catalogue: Catalogue) -> None:
    """Fit what is not learned step by step: the popularity that metadata let expect."""
    if model.item_encoder.popularity is not None:
        model.item_encoder.popularity.fit(catalogue)


def _attribute(config: Config, name: str) -> Attribute | None:
    return None if name == ITEM_ID else config.attribute(name)


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
