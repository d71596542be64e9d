"""JSON Schemas (draft 2020-12) of configurations, and of the rows of tables that a configuration expects.

A schema of rows cannot express that ids of items are unique and those of events known, that sessions are long
enough or that no split is empty: `m2trec check` checks this in the tables.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from m2trec_merlin.attributes import Attribute
from m2trec_merlin.column_names import ITEM_ID, POSITION, SESSION_ID, SPLIT, TARGET, TIMESTAMP
from m2trec_merlin.config import Config
from m2trec_merlin.readers import Origin
from m2trec_merlin.readers.canonical import SPLITS
from m2trec_merlin.readers.times import COUNTS, ISO_8601

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_ID = {"type": ["integer", "string"], "minLength": 1}
#: A number, also as text, because CSV has no types.
_NUMBER = {"type": ["number", "string"], "pattern": r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"}


def schemas(config: Config) -> dict[str, Any]:
    """Return the schemas of `configuration`, and of the rows of `interactions` and `items`.

    Columns have their names in the source; the configuration is one without `extends`.
    """
    source = config.open_source()
    return {
        "configuration": {"$schema": DIALECT, **Config.model_json_schema()},
        "interactions": _of_interactions(source.interactions_origin, source.time_format, config),
        "items": _of_items(source.items_origin, config),
    }


def _of_interactions(origin: Origin, time_format: str, config: Config) -> dict[str, Any]:
    of_session: dict[str, Any] = _ID
    if config.data.split.needs_whole_ids:
        of_session = {"type": ["integer", "string"], "pattern": r"^\s*[+-]?\d+\s*$"}
    pieces: dict[str, dict[str, Any]] = {
        SESSION_ID: {**of_session, "description": "the session of the event; with data.sessions, its user"},
        ITEM_ID: {**_ID, "description": f"the item; has a row in {config.name}'s items"},
        POSITION: {**_NUMBER, "description": "orders the events of a session"},
        TIMESTAMP: {**_time(time_format), "description": f"time of the event ({time_format})"},
        SPLIT: {"enum": list(SPLITS), "description": "equal for all events of a session"},
        TARGET: {"description": "tells which events may be targets"},
        **{a.name: _of_attribute(a, "event attribute") for a in config.event_attributes},
    }
    columns = [(own, pieces[canonical]) for canonical, own in origin.columns.items()]
    columns += [(own, {"description": "tells which events count"}) for own in config.data.columns_to_keep_by]
    return _table(origin, "an event: a session met an item", columns)


def _of_items(origin: Origin, config: Config) -> dict[str, Any]:
    columns = [(origin.column(ITEM_ID), {**_ID, "description": "unique"})]
    for attribute in config.attributes:
        columns.append((origin.column(attribute.source_column), _of_attribute(attribute, "attribute")))
    if (dates := config.data.listed) is not None:
        about = f"since when the item is listed ({dates.time_format})"
        one: dict[str, Any] = {
            "anyOf": [_time(dates.time_format), {"enum": [None, ""]}],
            "description": about,
        }
        columns.append((origin.column(dates.column), one))
    if config.serving.title_column is not None:
        columns.append((origin.column(config.serving.title_column), {"description": "what people read"}))
    return _table(origin, "an item and its metadata; null and empty text are missing values", columns)


def _of_attribute(attribute: Attribute, called: str) -> dict[str, Any]:
    piece = attribute.value_schema()
    meaning = inspect.cleandoc(type(attribute).__doc__ or "").split("\n")[0]
    description = f"{called} '{attribute.name}' of kind {attribute.kind}: {meaning}"
    return {**piece, "type": [*piece["type"], "null"], "description": description}


def _time(time_format: str) -> dict[str, Any]:
    if time_format in COUNTS:
        return _NUMBER
    return {"type": "string", **({"pattern": r"^\s*\d{4}"} if time_format == ISO_8601 else {"minLength": 1})}


def _table(origin: Origin, meaning: str, columns: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name, piece in columns:
        # A column may have several roles.
        known = properties.get(name)
        properties[name] = piece if known is None else {"allOf": [*known.get("allOf", [known]), piece]}
    return {
        "$schema": DIALECT,
        "title": f"a row of {origin.label}",
        "description": meaning,
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }
