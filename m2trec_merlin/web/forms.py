"""What can be filled in on the page, as JSON Schemas: it knows no attribute by name."""

from __future__ import annotations

from typing import Any

from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.contract.version import Description


def item_schema(version: Description) -> dict[str, Any] | None:
    """Return the JSON Schema of an item that is described by its raw attributes, by column.

    Attributes whose values people read are named in `attribute`, so that the page can suggest values.

    Returns:
        None if the model needs their ids.
    """
    properties: dict[str, Any] = {}
    for raw in version.attributes:
        attribute = parse_attribute(name=raw.field.name, **raw.settings)
        shown = {"attribute": attribute.name} if attribute.name in version.filters else {}
        # A column may serve twice: what the first attribute takes, the page asks for.
        properties.setdefault(raw.column, {**attribute.value_schema(), **shown})
    return {"type": "object", "properties": properties} if properties else None
