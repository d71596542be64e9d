"""The variants of the paper (Table 3) and one of ours, each defined by changes of the model's settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from m2trec_merlin.attributes import Attribute
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.config.model import ModelConfig


def _id_head(model: ModelConfig) -> dict[str, object]:
    # The paper's id models represent an item by its id alone, and a session by its encoder.
    head = model.next_item.model_copy(update={"head": "softmax", "session_items": False})
    return {"next_item": head, "inputs": [ITEM_ID], "id_dropout": 0.0, "near_items": 0}


def _title_only(model: ModelConfig, attributes: Sequence[Attribute]) -> dict[str, object]:
    for attribute in attributes:
        if attribute.gives_titles:
            return {"next_attributes": [], "inputs": [attribute.name]}
    raise ValueError("the variant trec_title needs an attribute of kind 'text'; there is none")


def _metadata_and_ids(model: ModelConfig, attributes: Sequence[Attribute]) -> dict[str, object]:
    # The id is part of the item vector, so a residual would be redundant.
    head = model.next_item.model_copy(update={"residual": False})
    inputs = model.inputs or [attribute.name for attribute in attributes]
    return {"next_item": head, "inputs": list(dict.fromkeys([ITEM_ID, *inputs]))}


@dataclass(frozen=True)
class Variant:
    """A row of Table 3, or a model to compare with it.

    Attributes:
        title: the name of the variant in tables.
        change: function from M2TRec's model settings and the attributes to the settings that differ;
            idempotent. Raises ValueError if the variant needs attributes that are missing.
    """

    title: str
    change: Callable[[ModelConfig, Sequence[Attribute]], dict[str, object]]


#: The variant that all others are derived from.
M2TREC = "m2trec"

VARIANTS = {
    M2TREC: Variant("M2TRec", lambda model, attributes: {}),
    # No auxiliary tasks.
    "metrec": Variant("MeTRec", lambda model, attributes: {"next_attributes": []}),
    "trec_title": Variant("TRec_title", _title_only),
    # Item ids only, with a softmax over training items; MuTRec_id adds the category tasks.
    "trec_id": Variant("TRec_id", lambda model, attributes: {"next_attributes": [], **_id_head(model)}),
    "mutrec_id": Variant("MuTRec_id", lambda model, attributes: _id_head(model)),
    # Beyond the paper: metadata and ids, for items that training knows.
    "m2trec_id": Variant("M2TRec + ids", _metadata_and_ids),
}


def require_variant(variant: str) -> str:
    """Return the variant if there is one of this name, with or without a suffix.

    Raises:
        ValueError: there is none, or its suffix cannot name a folder.
    """
    named, dash, suffix = variant.partition("-")
    if named not in VARIANTS:
        raise ValueError(f"no variant '{variant}'; accepted: {', '.join(VARIANTS)}")
    if dash and not re.fullmatch(r"\w[\w.-]*", suffix):
        raise ValueError(f"'{variant}': only letters, digits, '_', '.', '-' may follow {named}-")
    return variant


def kind_of(variant: str) -> str:
    """Return the variant's name without a suffix: `trec_id` for `trec_id-again`."""
    return variant.partition("-")[0]
