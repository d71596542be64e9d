"""The log of requests and recommendations: a folder of Parquet files, one row per answered request."""

from __future__ import annotations

import pyarrow as pa

#: Prefix and suffix of the names of complete files; other files are still being written.
PREFIX, SUFFIX = "shown-", ".parquet"

#: Columns that older logs lack, since requests could not have them yet.
LATER = frozenset({"event_attributes"})
#: Ids, attributes of items and events, and options are logged as the client sent them, or empty.
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
