"""Three layouts of a batch of sessions, and conversions between them.

- Packed, [E, D]: events without padding. A batch arrives like this, and everything but attention uses it,
  since sessions are on average at most half as long as the longest one.
- Grouped, [b, l, D] per group: sessions of about the same length together, for attention.
- Padded, [B, L, D]: for operations along a session.

Shapes: B sessions, L longest session, E events in all, D width; of a group: b sessions, l longest session.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class LengthGroup:
    """Sessions of about the same length.

    Attributes:
        lengths: events per session, int64 [b].
        events: index of each session's events among the packed events, int64 [b, l]; padding repeats the
            last event.
        real: positions of all events that are not padding in the group flattened to [b * l], int64.
    """

    lengths: Tensor
    events: Tensor
    real: Tensor


@dataclass(frozen=True)
class Packing:
    """The positions of a batch's packed events in their sessions.

    Attributes:
        lengths: events per session, int64 [B].
        longest: L.
        flat: index of each event in the padded batch flattened to [B * L], int64 [E].
    """

    lengths: Tensor
    longest: int
    flat: Tensor

    @classmethod
    def of(cls, lengths: Tensor, longest: int, n_events: int | None = None) -> Packing:
        """Describe sessions by their lengths.

        Args:
            lengths: events per session, int64 [B].
            longest: L, at least the greatest length.
            n_events: E, where the host knows it; without it a GPU is waited for.
        """
        n_events = int(lengths.sum()) if n_events is None else n_events
        sessions = torch.arange(len(lengths), device=lengths.device)
        session = torch.repeat_interleave(sessions, lengths, output_size=n_events)
        before = (lengths.cumsum(0) - lengths)[session]
        position = torch.arange(n_events, device=lengths.device) - before
        return cls(lengths, longest, session * longest + position)

    @cached_property
    def session(self) -> Tensor:
        """The session of each event, int64 [E]."""
        return self.flat // self.longest

    @cached_property
    def position(self) -> Tensor:
        """The position of each event in its session, from 0, int64 [E]."""
        return self.flat % self.longest

    def pack(self, padded: Tensor) -> Tensor:
        """Convert padded [B, L, ...] to packed [E, ...]."""
        return padded.flatten(0, 1).index_select(0, self.flat)

    def pad(self, packed: Tensor) -> Tensor:
        """Convert packed [E, ...] to padded [B, L, ...], with zeros where there is no event."""
        padded = packed.new_zeros((len(self.lengths) * self.longest, *packed.shape[1:]))
        return padded.index_copy(0, self.flat, packed).unflatten(0, (len(self.lengths), self.longest))

    @cached_property
    def groups(self) -> list[LengthGroup]:
        """The sessions grouped by length, a group between one power of two and the next.

        The work of attention grows with the square of the padded length, and most sessions are far shorter
        than the longest. On a GPU there is one group: kernels are launched once, and the host waits for
        nothing.
        """
        firsts = self.lengths.cumsum(0) - self.lengths
        if self.lengths.device.type != "cpu":
            return [LengthGroup(self.lengths, _events(firsts, self.lengths, self.longest), self.flat)]
        powers = torch.log2(self.lengths.double()).ceil()
        members = ((powers == power).nonzero().squeeze(1) for power in powers.unique())
        return [_group(firsts[sessions], self.lengths[sessions]) for sessions in members]

    @cached_property
    def _from_groups(self) -> Tensor:
        """The position of each packed event among the real events of all groups, int64 [E]."""
        order = torch.cat([group.events.flatten()[group.real] for group in self.groups])
        return torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))

    def ungroup(self, grouped: list[Tensor]) -> Tensor:
        """Convert grouped, one tensor [b, l, ...] per group, to packed [E, ...]."""
        real = [
            x.flatten(0, 1).index_select(0, group.real) for x, group in zip(grouped, self.groups, strict=True)
        ]
        return real[0] if len(real) == 1 else torch.cat(real).index_select(0, self._from_groups)


def _group(firsts: Tensor, lengths: Tensor) -> LengthGroup:
    longest = int(lengths.max())
    real = torch.arange(longest) < lengths.unsqueeze(1)
    return LengthGroup(lengths, _events(firsts, lengths, longest), real.flatten().nonzero().squeeze(1))


def _events(firsts: Tensor, lengths: Tensor, longest: int) -> Tensor:
    """Return the packed index of each session's events, int64 [b, longest]; padding repeats the last one."""
    steps = torch.arange(longest, device=lengths.device)
    return firsts.unsqueeze(1) + torch.minimum(steps, lengths.unsqueeze(1) - 1)
