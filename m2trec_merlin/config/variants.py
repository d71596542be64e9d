"""The paper's variants (Table 3) and one of ours, each a change of the one model's configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from m2trec_merlin.attributes import Attribute
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.config.model import ModelConfig


def _id_head(model: ModelConfig) -> dict[str, object]:
    # The paper's models of ids know a session by its encoder alone.
    head = model.next_item.model_copy(update={"head": "softmax", "session_items": False})
    return {"next_item": head, "inputs": [ITEM_ID]}


def _title_only(model: ModelConfig, attributes: Sequence[Attribute]) -> dict[str, object]:
    for attribute in attributes:
        if attribute.gives_titles:
            return {"next_attributes": [], "inputs": [attribute.name]}
    raise ValueError("the variant trec_title needs an attribute of kind 'text'; there is none")


def _metadata_and_ids(model: ModelConfig, attributes: Sequence[Attribute]) -> dict[str, object]:
    # The id is part of the item vector already, so that a residual would say the same twice.
    head = model.next_item.model_copy(update={"residual": False})
    inputs = model.inputs or [attribute.name for attribute in attributes]
    return {"next_item": head, "inputs": list(dict.fromkeys([ITEM_ID, *inputs]))}


@dataclass(frozen=True)
class Variant:
    """A row of Table 3, or a model to hold beside it.

    Attributes:
        title: as tables call it.
        change: from M2TRec's model and the attributes to the settings of the model that differ; changing a
            model twice changes nothing more. Raises ValueError where the attributes lack what it needs.
    """

    title: str
    change: Callable[[ModelConfig, Sequence[Attribute]], dict[str, object]]


#: The variant that all others are changes of.
M2TREC = "m2trec"

VARIANTS = {
    M2TREC: Variant("M2TRec", lambda model, attributes: {}),
    # No auxiliary tasks.
    "metrec": Variant("MeTRec", lambda model, attributes: {"next_attributes": []}),
    "trec_title": Variant("TRec_title", _title_only),
    # Item ids only, with a softmax over training items; beside it with tasks.
    "trec_id": Variant("TRec_id", lambda model, attributes: {"next_attributes": [], **_id_head(model)}),
    "mutrec_id": Variant("MuTRec_id", lambda model, attributes: _id_head(model)),
    # Beyond the paper: ids beside the metadata, for items that training knows.
    "m2trec_id": Variant("M2TRec + ids", _metadata_and_ids),
}


def kind_of(variant: str) -> str:
    """Return which of the paper's variants one is, without what keeps several of it apart (trec_id-again)."""
    return variant.partition("-")[0]
