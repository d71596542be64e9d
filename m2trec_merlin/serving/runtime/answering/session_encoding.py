"""From sessions to queries, by the exported graph.

Shape legend: B sessions, L longest session, I item width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from m2trec_merlin.contract.version import EVENT_INPUT, PLACES
from m2trec_merlin.encoded import EncodedItems, join_items, to_tensors
from m2trec_merlin.graphs import open_graph
from m2trec_merlin.histories import most_recent
from m2trec_merlin.serving.runtime.answering.length_groups import group_by_length


@dataclass(frozen=True)
class VectorSession:
    """A session with its item vectors.

    Attributes:
        rows: int64 [L], catalogue rows; negative for items outside of the catalogue.
        vectors: float32 [L, I], item vectors of these rows.
        events: encoded attributes of the events; empty if the model reads none.
    """

    rows: np.ndarray
    vectors: np.ndarray
    events: EncodedItems = field(default_factory=dict)

    def without(self, event: int) -> VectorSession:
        """Return the session without one of its events."""
        others = np.delete(np.arange(len(self.rows)), event)
        events = {name: column.take(others) for name, column in self.events.items()}
        return VectorSession(self.rows[others], self.vectors[others], events)


class QueryEncoder:
    """Encodes a batch of sessions, with one pass through the graph for each group of similar length.

    Args:
        path: path of the session graph.
    """

    def __init__(self, path: Path) -> None:
        self._graph = open_graph(path)

    def encode(self, sessions: Sequence[VectorSession]) -> list[np.ndarray]:
        """Return the outputs of the graph, in the order of the sessions: queries [B, D], then probabilities.

        Args:
            sessions: at least one session, none of them empty.
        """
        groups = group_by_length([len(session.rows) for session in sessions])
        parts = [self._graph.run(None, _inputs([sessions[place] for place in group])) for group in groups]
        places = np.argsort(np.concatenate(groups))
        return [np.concatenate(outputs)[places] for outputs in zip(*parts, strict=True)]


def _inputs(sessions: Sequence[VectorSession]) -> dict[str, np.ndarray]:
    """Return right-padded item vectors [B, L, I], lengths, and which events count."""
    lengths = np.array([len(session.rows) for session in sessions], np.int64)
    padded = np.zeros((len(sessions), lengths.max(), sessions[0].vectors.shape[1]), np.float32)
    counted = np.zeros(padded.shape[:2], dtype=bool)
    for index, session in enumerate(sessions):
        padded[index, : lengths[index]] = session.vectors
        counted[index, : lengths[index]] = most_recent(session.rows)
    events = _events(sessions, lengths) if sessions[0].events else {}
    return {"vectors": padded, "lengths": lengths, "counted": counted, **events}


def _events(sessions: Sequence[VectorSession], lengths: np.ndarray) -> dict[str, np.ndarray]:
    """Return the attributes of all events, concatenated, and which event is at each position, [B, L]."""
    joined = to_tensors(join_items([session.events for session in sessions]))
    named = {EVENT_INPUT.format(name): array for name, array in joined.items()}
    return {PLACES: places_of(lengths), **named}


def places_of(lengths: np.ndarray) -> np.ndarray:
    """Return the index of the event at each position, int64 [B, L], in all sessions joined; 0 for padding.

    Args:
        lengths: int64 [B], lengths of the sessions.
    """
    steps = np.arange(lengths.max())
    first = (np.cumsum(lengths) - lengths)[:, None]
    return np.where(steps < lengths[:, None], first + steps, 0)
