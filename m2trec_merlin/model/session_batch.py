"""A batch of sessions without padding, which states the sessions' lengths.

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
    """Sessions of catalogue rows, concatenated, on the device that computes.

    An event of an unknown item (NO_ITEM) is an event like any other: it has a position in the session, and
    the vector of an item whose attributes are all missing. It is never a target.

    Attributes:
        rows: catalogue rows of the events, int64 [E].
        lengths: events per session, at least one, int64 [B].
        longest: L, an upper bound of the lengths; on the host, so that reading it never waits for a GPU.
        n_pairs: M, the number of pairs over all prefixes with a next event, or an upper bound; None if the
            host does not know it.
        attributes: encoded attributes of the E events; empty where none are configured.
        fields: fields of `attributes`.
        is_target: whether each event may be a target, bool [E]; None if all may.
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
        """Move sessions, at least one, to a device."""
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
        """Number of prefixes that have a target, int64 scalar on the device, so that nothing waits for it."""
        return (self.targets != NO_ITEM).sum()

    @cached_property
    def packing(self) -> Packing:
        """The position of each event in its session."""
        return Packing.of(self.lengths, self.longest, len(self.rows))

    @cached_property
    def ends(self) -> Tensor:
        """The last event of every prefix that has a target, int64 [P]; the target is the event after it.

        On a GPU, counting the known targets would mean waiting: there every prefix with a next event is
        listed, and losses ignore the prefixes whose target is NO_ITEM.
        """
        n_sessions, n_ends = len(self.lengths), len(self.rows) - len(self.lengths)
        sessions = torch.arange(n_sessions, device=self.rows.device)
        session = torch.repeat_interleave(sessions, self.lengths - 1, output_size=n_ends)
        # Every earlier session has one event, its last, that ends no prefix.
        ends = torch.arange(n_ends, device=self.rows.device) + session
        return ends[self._target_after(ends) != NO_ITEM] if ends.device.type == "cpu" else ends

    @cached_property
    def targets(self) -> Tensor:
        """The catalogue row of each prefix's next item, int64 [P]; NO_ITEM means no target, see `ends`."""
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
    """List all (prefix, event) pairs: the prefix, and the event's distance from the prefix's end, int64 [M].

    Args:
        lengths: events of each prefix, int64 [P].
        n_pairs: M, where the host knows it. Surplus pairs belong to the last prefix and have a distance
            below 0. On a CPU the pairs are counted here, since prefixes without a target are left out.
    """
    if n_pairs is None or lengths.device.type == "cpu":
        n_pairs = int(lengths.sum())
    ends, places = lengths.cumsum(0), torch.arange(n_pairs, device=lengths.device)
    prefix = torch.searchsorted(ends, places, right=True).clamp(max=len(lengths) - 1)
    return prefix, ends[prefix] - 1 - places


def count_pairs(lengths: np.ndarray) -> int:
    """Return `SessionBatch.n_pairs`, the number of (prefix, event) pairs, for sessions of these lengths."""
    return int((lengths * (lengths - 1)).sum()) // 2
