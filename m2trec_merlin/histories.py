"""The events in each prefix of a block, and after it, as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from m2trec_merlin.arrays import ragged_positions
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.sessions import Prefixes


@dataclass(frozen=True)
class Events:
    """Events of a block of prefixes, concatenated.

    Attributes:
        prefix: index of the event's prefix in the block, rising, int64 [E].
        row: catalogue row of the event, int64 [E].
        distance: number of events between the event and the boundary of prefix and target, int64 [E]: 0 for
            the prefix's last event and for the target.
    """

    prefix: np.ndarray
    row: np.ndarray
    distance: np.ndarray


def events_before(prefixes: Prefixes) -> Events:
    """Return the events in the prefixes, in order of time."""
    starts = prefixes.sessions.offsets[prefixes.session]
    positions = ragged_positions(starts, prefixes.length)
    prefix = np.repeat(np.arange(len(prefixes)), prefixes.length)
    distance = (starts + prefixes.length - 1)[prefix] - positions
    return Events(prefix, prefixes.sessions.rows[positions], distance)


def distinct_events_before(prefixes: Prefixes) -> Events:
    """Return the known items of each prefix, each once at its last occurrence; sorted by prefix, then row."""
    events = events_before(prefixes)
    known = events.row != NO_ITEM
    prefix, row, distance = events.prefix[known], events.row[known], events.distance[known]
    order = np.lexsort((distance, row, prefix))
    prefix, row, distance = prefix[order], row[order], distance[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (prefix[1:] != prefix[:-1]) | (row[1:] != row[:-1])
    return Events(prefix[first], row[first], distance[first])


def events_after(prefixes: Prefixes) -> Events:
    """Return the events after each prefix that may be targets, the next item first."""
    starts = prefixes.sessions.offsets[prefixes.session] + prefixes.length
    lengths = prefixes.sessions.offsets[prefixes.session + 1] - starts
    positions = ragged_positions(starts, lengths)
    prefix = np.repeat(np.arange(len(prefixes)), lengths)
    if prefixes.sessions.is_target is not None:
        may_be = prefixes.sessions.is_target[positions]
        positions, prefix = positions[may_be], prefix[may_be]
    return Events(prefix, prefixes.sessions.rows[positions], positions - starts[prefix])


def most_recent(rows: np.ndarray) -> np.ndarray:
    """Tell which events of a session are the most recent ones of their items, bool [L].

    Args:
        rows: catalogue rows of the events, int64 [L]; negative for items outside of the catalogue.
    """
    last = dict(zip(rows.tolist(), range(len(rows)), strict=True))
    recent = np.zeros(len(rows), dtype=bool)
    recent[list(last.values())] = True
    return recent
