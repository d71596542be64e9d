"""What columns are called in every table that the product writes, and in requests."""

from __future__ import annotations

SESSION_ID, ITEM_ID, POSITION, TIMESTAMP, SPLIT = "session_id", "item_id", "position", "timestamp", "split"
#: Whether an event may be a target; in raw chunks the value that tells it.
TARGET = "target"

#: Of an encoded item: how often it occurred in training, and how often of late.
TRAIN_COUNT, RECENT_COUNT = "train_count", "recent_count"
KNOWN_COUNT, KNOWN_RECENT_COUNT = "known_count", "known_recent_count"
#: Of a raw item, since when it is listed; of an encoded one, whether that was too late for training to see it
#: sell. No column of a source and no attribute is called so.
LISTED = "@listed"
