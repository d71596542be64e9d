"""The log of what was asked and shown: a folder of Parquet files, one row a request that was answered."""

from __future__ import annotations

import pyarrow as pa

#: Names of complete files begin and end like this; others are still being written.
PREFIX, SUFFIX = "shown-", ".parquet"

#: What logs lack that were written before requests could say it.
LATER = frozenset({"event_attributes"})
#: As the client sent it: ids, attributes of items and events, and options; empty where there was none.
SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("ms", tz="UTC")),
        ("request_id", pa.string()),
        ("model", pa.string()),
        ("item_ids", pa.list_(pa.string())),
        ("item_attributes", pa.list_(pa.string())),
        ("event_attributes", pa.list_(pa.string())),
        ("options", pa.string()),
        ("recommended_ids", pa.list_(pa.string())),
        ("scores", pa.list_(pa.float32())),
    ]
)
