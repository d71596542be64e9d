"""The encoder of event attributes: one vector per event, added to the item vector at its position.

Shapes: E events, D width of the session encoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from m2trec_merlin.attributes import Attribute
from m2trec_merlin.config import ModelConfig
from m2trec_merlin.encoded import Field, missing_items
from m2trec_merlin.model.attribute_encoders import AttributeEncoder, build_attribute_encoder
from m2trec_merlin.model.catalogue_tensors import EncodedAttributes, on_device, take_ragged


class EventEncoder(nn.Module):
    """Encodes every attribute of an event and projects the results together to one vector.

    The projection starts at zero, so before training event attributes change nothing.

    Args:
        encoders: one encoder per attribute.
        fields: fields of the attributes, in the same order.
        width: D.
    """

    def __init__(self, encoders: Sequence[AttributeEncoder], fields: Sequence[Field], width: int) -> None:
        super().__init__()
        self.fields = list(fields)
        self.encoders = nn.ModuleList(encoders)
        self.project = nn.Linear(sum(encoder.width for encoder in encoders), width, bias=False)
        nn.init.zeros_(self.project.weight)

    @property
    def widths(self) -> dict[str, int]:
        """Vector length of each attribute, by name."""
        return {encoder.name: encoder.width for encoder in self._encoders()}

    def forward(self, attributes: EncodedAttributes) -> Tensor:
        """Return one vector per event, [E, D]."""
        return self.project(torch.cat([encoder(attributes) for encoder in self._encoders()], dim=1))

    def missing(self, count: int, device: torch.device) -> EncodedAttributes:
        """Return the encoded attributes of `count` events whose attributes are all missing."""
        return on_device(missing_items(self.fields, count), device)

    def _encoders(self) -> list[AttributeEncoder]:
        return [encoder for encoder in self.encoders if isinstance(encoder, AttributeEncoder)]


def build_event_encoder(
    fields: Sequence[Field],
    attributes: Sequence[Attribute],
    config: ModelConfig,
    widths: Mapping[str, int] | None,
) -> EventEncoder | None:
    """Build the encoder of event attributes; None if events have none.

    Args:
        fields: fields of the attributes.
        attributes: configured attributes, in the same order.
        config: model settings.
        widths: vector length by attribute; by default lengths follow from the sizes of the vocabularies.
    """
    if not fields:
        return None
    settled = widths or {}
    encoders = [
        build_attribute_encoder(field, attribute, config, settled.get(field.name))
        for field, attribute in zip(fields, attributes, strict=True)
    ]
    return EventEncoder(encoders, fields, config.width)


def take_events(attributes: EncodedAttributes, fields: Sequence[Field], events: Tensor) -> EncodedAttributes:
    """Return the attributes of the events at the indices `events`, int64 [n], in that order."""
    taken: EncodedAttributes = {}
    for field in fields:
        names = field.tensor_names
        if len(names) == 1:
            taken[names[0]] = attributes[names[0]].index_select(0, events)
        else:
            values, offsets = (attributes[name] for name in names)
            taken |= dict(zip(names, take_ragged(values, offsets, events), strict=True))
    return taken
