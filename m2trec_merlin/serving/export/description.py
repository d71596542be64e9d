"""What an export says of itself: what both steps read, and what tables of items have to look like."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from m2trec_merlin.artifacts import fingerprint
from m2trec_merlin.attributes import Attribute
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.config import Config
from m2trec_merlin.contract.item_format import ItemFormat
from m2trec_merlin.contract.version import Description, RawAttribute
from m2trec_merlin.data.event_columns import canonical_attributes
from m2trec_merlin.derived import is_derived
from m2trec_merlin.errors import ArtifactError
from m2trec_merlin.manifests import require_manifest
from m2trec_merlin.model.heads import HEADS
from m2trec_merlin.model.m2trec import M2TRec
from m2trec_merlin.runs import Run
from m2trec_merlin.runs.folder import TIMES
from m2trec_merlin.serving.catalogue.shown import filter_attributes


def describe(run: Run, model: M2TRec, catalogue: Catalogue, mixture: dict[str, float]) -> Description:
    """Return the description of an export. It has attributes of raw items unless the model reads item ids.

    Args:
        run: the run as the model was trained.
        model: the trained model.
        catalogue: catalogue of the model.
        mixture: weights of the mixture by name; empty if the model is served alone.

    Raises:
        ArtifactError: the model reads times of events, but the manifest of data/ lacks their format.
    """
    config = run.config
    attributes = [] if ITEM_ID in config.inputs else [config.attribute(name) for name in config.inputs]
    raw = [
        RawAttribute(catalogue.attributes[a.name].field, a.source_column, _settings_of(a)) for a in attributes
    ]
    events, time = describe_events(run, model)
    return Description(
        max_length=model.max_length,
        attributes=tuple(raw),
        filters={each.name: each.decimal_mark for each in filter_attributes(config.attributes)},
        defaults={"top_k": config.serving.top_k, "new_item_boost": config.serving.new_item_boost},
        top_categories=config.serving.top_categories,
        repeat_biases=model.next_item_head.repeat_biases is not None,
        neighbours=bool(mixture),
        index=config.serving.index,
        mixture=mixture,
        items=fingerprint([str(item_id) for item_id in catalogue.item_ids[1:]]),
        widths=model.widths,
        events=events,
        time=time,
    )


def describe_events(run: Run, model: M2TRec) -> tuple[tuple[RawAttribute, ...], dict[str, str]]:
    """Return the attributes of events that a model reads, and column and format of times if it reads them.

    Requests have the column names of the interactions, while the workflow has the names of attributes.

    Raises:
        ArtifactError: see `describe`.
    """
    config = run.config
    attributes = canonical_attributes(config.event_attributes)
    raw = tuple(
        RawAttribute(field, configured.source_column, _settings_of(attribute))
        for field, configured, attribute in zip(
            model.events, config.event_attributes, attributes, strict=True
        )
    )
    if not any(is_derived(attribute.column) for attribute in raw):
        return raw, {}
    # From the manifest, not the source, which may have changed since or be out of reach.
    time: dict[str, str] | None = require_manifest(run.data, "data").get(TIMES)
    if not time:
        raise ArtifactError(f"{run.data} is of an earlier version: run `m2trec data --force`")
    return raw, time


def _settings_of(attribute: Attribute) -> dict[str, Any]:
    """Return all settings that decide how raw values are read, so that checks agree with the encoding."""
    return {name: each for name, each in attribute.preprocessing_settings().items() if name != "name"}


def describe_items(config: Config, version: Description, catalogue: Catalogue) -> ItemFormat:
    """Return the format of item tables that change the catalogue after the export."""
    unchangeable = ""
    if not version.attributes:
        unchangeable = "needs the id of each item (model.inputs), and knows those of its training"
    elif not HEADS[config.model.next_item.head].all_items:
        head = config.model.next_item.head
        unchangeable = f"has an output for each item of its training (model.next_item.head: {head})"
    return ItemFormat(
        config.open_source().items_origin.column(ITEM_ID),
        tuple(attribute.model_dump(mode="json") for attribute in config.attributes),
        config.serving.title_column,
        config.titles_from,
        asdict(config.data.items_dialect),
        np.issubdtype(catalogue.item_ids.dtype, np.integer),
        unchangeable,
    )
