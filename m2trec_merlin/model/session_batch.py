"""A batch of sessions that knows their lengths: without padding there is nothing to guess them back from.

Shape legend: B sessions, L longest session, E events in all, P prefixes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.model.layout import Packing
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
    """

    rows: Tensor
    lengths: Tensor
    longest: int

    @classmethod
    def of(cls, sessions: Sessions, device: torch.device | str = "cpu") -> SessionBatch:
        """Take over sessions, one at least."""
        rows, lengths = torch.from_numpy(sessions.rows), torch.from_numpy(sessions.lengths)
        return cls(rows.to(device), lengths.to(device), int(sessions.lengths.max()))

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def n_targets(self) -> int:
        """Targets of known items only: every event but the first of its session."""
        return len(self.rows) - len(self.lengths)

    @cached_property
    def packing(self) -> Packing:
        """Where the events stand in their sessions."""
        return Packing.of(self.lengths, self.longest)

    @cached_property
    def ends(self) -> Tensor:
        """int64 [P], the last event of every prefix that has a target; the target is the event after it."""
        has_next = self.packing.position + 1 < self.lengths[self.packing.session]
        has_next[:-1] &= self.rows[1:] != NO_ITEM
        return has_next.nonzero().squeeze(1)

    @cached_property
    def targets(self) -> Tensor:
        """int64 [P], the known item that comes next after each prefix."""
        return self.rows[self.ends + 1]

    def prefixes(self) -> SessionBatch:
        """Make every prefix that has a target a session of its own (bidirectional mode, as in the paper)."""
        lengths = self.packing.position[self.ends] + 1
        shift = torch.repeat_interleave(self.ends + 1 - lengths.cumsum(0), lengths)
        events = torch.arange(len(shift), device=shift.device) + shift
        return SessionBatch(self.rows[events], lengths, self.longest - 1)
