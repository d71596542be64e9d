"""A batch of sessions that knows their lengths: without padding there is nothing to guess them back from.

Shape legend: B sessions, L longest session, E events in all, P prefixes, M pairs of a prefix and an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from m2trec_merlin.encoded import NO_ITEM, Field
from m2trec_merlin.model.catalogue_tensors import EncodedAttributes, on_device
from m2trec_merlin.model.event_encoder import take_events
from m2trec_merlin.model.packing import Packing
from m2trec_merlin.sessions import Sessions


@dataclass(frozen=True)
class SessionBatch:
    """Sessions of catalogue rows, one behind the other, on the device that computes.

    An event of an unknown item (NO_ITEM) is an event like any other: it has its place in the session, and
    the vector of an item of which nothing is known. It is never a target.

    Attributes:
        rows: int64 [E], catalogue rows.
        lengths: int64 [B], events per session, one at least.
        longest: L, no session is longer; a number of the host's, so that a GPU need not be asked.
        n_pairs: M, pairs of all prefixes with a next event, or more; None if the host does not know.
        attributes: of the E events, encoded; empty where none are configured.
        fields: what they are encoded to.
        is_target: bool [E], which events may be targets; None for all.
    """

    rows: Tensor
    lengths: Tensor
    longest: int
    n_pairs: int | None = None
    attributes: EncodedAttributes = field(default_factory=dict)
    fields: Sequence[Field] = ()
    is_target: Tensor | None = None

    @classmethod
    def of(cls, sessions: Sessions, device: torch.device | str = "cpu") -> SessionBatch:
        """Take over sessions, one at least."""
        rows, lengths = torch.from_numpy(sessions.rows), torch.from_numpy(sessions.lengths)
        told = sessions.is_target
        return cls(
            rows.to(device),
            lengths.to(device),
            int(sessions.lengths.max()),
            count_pairs(sessions.lengths),
            on_device(sessions.attributes, device),
            [column.field for column in sessions.attributes.values()],
            None if told is None else torch.from_numpy(told).to(device),
        )

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def n_targets(self) -> Tensor:
        """How many prefixes have a target, int64 scalar: where the events are, so that a GPU is not asked."""
        return (self.targets != NO_ITEM).sum()

    @cached_property
    def packing(self) -> Packing:
        """Where the events stand in their sessions."""
        return Packing.of(self.lengths, self.longest, len(self.rows))

    @cached_property
    def ends(self) -> Tensor:
        """int64 [P], the last event of every prefix that has a target; the target is the event after it.

        A GPU is not asked how many next items are known: there every prefix with a next event is listed, and
        losses leave out those whose target is NO_ITEM.
        """
        n_sessions, n_ends = len(self.lengths), len(self.rows) - len(self.lengths)
        sessions = torch.arange(n_sessions, device=self.rows.device)
        session = torch.repeat_interleave(sessions, self.lengths - 1, output_size=n_ends)
        # Each session before has one event that ends no prefix.
        ends = torch.arange(n_ends, device=self.rows.device) + session
        return ends[self._target_after(ends) != NO_ITEM] if ends.device.type == "cpu" else ends

    @cached_property
    def targets(self) -> Tensor:
        """int64 [P], the item that comes next after each prefix; NO_ITEM is no target, see `ends`."""
        return self._target_after(self.ends)

    def _target_after(self, ends: Tensor) -> Tensor:
        rows = self.rows[ends + 1]
        return rows if self.is_target is None else rows.where(self.is_target[ends + 1], NO_ITEM)

    def prefixes(self) -> SessionBatch:
        """Make every prefix that has a target a session of its own (bidirectional mode, as in the paper)."""
        lengths = self.packing.position[self.ends] + 1
        prefix, distance = prefix_pairs(lengths, self.n_pairs)
        events = self.ends[prefix] - distance
        return SessionBatch(
            self.rows[events],
            lengths,
            self.longest - 1,
            attributes=take_events(self.attributes, self.fields, events),
            fields=self.fields,
        )


def prefix_pairs(lengths: Tensor, n_pairs: int | None) -> tuple[Tensor, Tensor]:
    """Return (prefix, event) pairs in order of time: the prefix, and the distance from its end, int64 [M].

    Args:
        lengths: int64 [P], events of each prefix.
        n_pairs: M, where the host knows it. If there are fewer, the last ones are of the last prefix, with a
            distance below 0. On a CPU they are counted here: prefixes without a target are left out.
    """
    if n_pairs is None or lengths.device.type == "cpu":
        n_pairs = int(lengths.sum())
    ends, places = lengths.cumsum(0), torch.arange(n_pairs, device=lengths.device)
    prefix = torch.searchsorted(ends, places, right=True).clamp(max=len(lengths) - 1)
    return prefix, ends[prefix] - 1 - places


def count_pairs(lengths: np.ndarray) -> int:
    """Return the number of (prefix, event) pairs of sessions of these lengths: see `SessionBatch.n_pairs`."""
    return int((lengths * (lengths - 1)).sum()) // 2
