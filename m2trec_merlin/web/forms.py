"""JSON Schemas of the page's forms, since the page itself knows no attributes."""

from __future__ import annotations

from typing import Any

from m2trec_merlin.attributes import parse_attribute
from m2trec_merlin.contract.version import Description


def item_schema(version: Description) -> dict[str, Any] | None:
    """Return the JSON Schema of an item that is described by raw attributes, by column.

    For a shown attribute, the schema has its name in `attribute`, so that the page can suggest values.

    Returns:
        The schema; None if the model needs item ids.
    """
    properties: dict[str, Any] = {}
    for raw in version.attributes:
        attribute = parse_attribute(name=raw.field.name, **raw.settings)
        shown = {"attribute": attribute.name} if attribute.name in version.filters else {}
        # Several attributes may read a column; the form is that of the first.
        properties.setdefault(raw.column, {**attribute.value_schema(), **shown})
    return {"type": "object", "properties": properties} if properties else None
