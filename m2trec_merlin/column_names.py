"""The names of columns in every table that the product writes, and in requests."""

from __future__ import annotations

SESSION_ID, ITEM_ID, POSITION, TIMESTAMP, SPLIT = "session_id", "item_id", "position", "timestamp", "split"
#: Whether an event may be a target; in raw chunks, the value that decides this.
TARGET = "target"

#: Occurrences of an encoded item in training, all and recent ones; KNOWN_ also counts validation sessions.
TRAIN_COUNT, RECENT_COUNT = "train_count", "recent_count"
KNOWN_COUNT, KNOWN_RECENT_COUNT = "known_count", "known_recent_count"
#: When a raw item was listed; whether an encoded one was listed too late to sell in training. No column of a
#: source and no attribute has this name.
LISTED = "@listed"
