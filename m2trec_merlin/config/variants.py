"""The paper's variants (Table 3) and one of ours, each a change of the one model's configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from m2trec_merlin.attributes import ITEM_ID
from m2trec_merlin.config.loading import Config
from m2trec_merlin.config.sections import ModelConfig
from m2trec_merlin.errors import ConfigError


def _first_text(config: Config) -> str:
    for attribute in config.attributes:
        if attribute.gives_titles:
            return attribute.name
    raise ConfigError(
        f"{config.name}: the variant trec_title needs an attribute of kind 'text'; there is none"
    )


def _id_head(model: ModelConfig) -> dict[str, object]:
    # The paper's models of ids know a session by its encoder alone.
    head = model.next_item.model_copy(update={"head": "softmax", "session_items": False})
    return {"next_item": head, "inputs": [ITEM_ID]}


@dataclass(frozen=True)
class Variant:
    """A row of Table 3, or a model to hold beside it.

    Attributes:
        title: as tables call it.
        change: the settings of the model that differ from M2TRec's.
    """

    title: str
    change: Callable[[Config], dict[str, object]]


def _metadata_and_ids(config: Config) -> dict[str, object]:
    # The id is part of the item vector already, so that a residual would say the same twice.
    head = config.model.next_item.model_copy(update={"residual": False})
    return {"next_item": head, "inputs": list(dict.fromkeys([ITEM_ID, *config.inputs]))}


VARIANTS = {
    "m2trec": Variant("M2TRec", lambda config: {}),
    "metrec": Variant("MeTRec", lambda config: {"next_attributes": []}),
    "trec_title": Variant(
        "TRec_title", lambda config: {"next_attributes": [], "inputs": [_first_text(config)]}
    ),
    "trec_id": Variant("TRec_id", lambda config: {"next_attributes": [], **_id_head(config.model)}),
    "mutrec_id": Variant("MuTRec_id", lambda config: _id_head(config.model)),
    "m2trec_id": Variant("M2TRec + ids", _metadata_and_ids),
}


def apply_variant(config: Config, variant: str) -> Config:
    """Return the configuration of one of the paper's variants.

    Args:
        config: the configuration of M2TRec on some data.
        variant: `m2trec`, `metrec` (no auxiliary tasks), `trec_title` (title only), `trec_id` and
            `mutrec_id` (item ids only, with a softmax over training items); beyond the paper `m2trec_id` (ids
            beside the metadata, for items that training knows).

    Raises:
        ConfigError: unknown variant, or the data lack what it needs.
    """
    if variant not in VARIANTS:
        raise ConfigError(f"no variant '{variant}'; accepted: {', '.join(VARIANTS)}")
    if variant == "m2trec":
        return config
    model = config.model.model_copy(update=VARIANTS[variant].change(config))
    return config.model_copy(update={"model": model, "variant": variant})
