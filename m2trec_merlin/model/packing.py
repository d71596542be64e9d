"""Three layouts of a batch of sessions, and the ways between them.

Shapes: B sessions, L longest session, E events in all, D width; of a group: b sessions, l longest session.
Packed [E, D] is how a batch comes, without padding to compute on, and what everything but attention needs:
sessions average half of the longest one or less. Attention sees groups [b, l, D] of sessions of about the
same length. Padded [B, L, D] is for what runs along a session.
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
        lengths: int64 [b], events per session.
        events: int64 [b, l], packed events of each session; its last event again where it has ended.
        real: int64 [events of the group], where its events stand in the group seen as [b * l].
    """

    lengths: Tensor
    events: Tensor
    real: Tensor


@dataclass(frozen=True)
class Packing:
    """Where the packed events of a batch stand in their sessions.

    Attributes:
        lengths: int64 [B], events per session.
        longest: L.
        flat: int64 [E], index of each event in the padded batch seen as [B * L].
    """

    lengths: Tensor
    longest: int
    flat: Tensor

    @classmethod
    def of(cls, lengths: Tensor, longest: int, n_events: int | None = None) -> Packing:
        """Describe sessions of these lengths, int64 [B], none longer than `longest`.

        Args:
            lengths: of the sessions.
            longest: L.
            n_events: E, where the host knows it: a GPU need not be asked.
        """
        n_events = int(lengths.sum()) if n_events is None else n_events
        sessions = torch.arange(len(lengths), device=lengths.device)
        session = torch.repeat_interleave(sessions, lengths, output_size=n_events)
        before = (lengths.cumsum(0) - lengths)[session]
        position = torch.arange(n_events, device=lengths.device) - before
        return cls(lengths, longest, session * longest + position)

    @cached_property
    def session(self) -> Tensor:
        """int64 [E], the session of each event."""
        return self.flat // self.longest

    @cached_property
    def position(self) -> Tensor:
        """int64 [E], the position of each event in its session, from 0."""
        return self.flat % self.longest

    def pack(self, padded: Tensor) -> Tensor:
        """[B, L, ...] to [E, ...]."""
        return padded.flatten(0, 1).index_select(0, self.flat)

    def pad(self, packed: Tensor) -> Tensor:
        """[E, ...] to [B, L, ...], zeros where there is no event."""
        padded = packed.new_zeros((len(self.lengths) * self.longest, *packed.shape[1:]))
        return padded.index_copy(0, self.flat, packed).unflatten(0, (len(self.lengths), self.longest))

    @cached_property
    def groups(self) -> list[LengthGroup]:
        """The sessions by length, between one power of two and the next.

        The work of attention grows with the square of the padded length, and most sessions are far shorter
        than the longest. On a GPU everything is one group: kernels are launched once, and nothing is asked
        of the host.
        """
        firsts = self.lengths.cumsum(0) - self.lengths
        if self.lengths.device.type != "cpu":
            return [LengthGroup(self.lengths, _events(firsts, self.lengths, self.longest), self.flat)]
        powers = torch.log2(self.lengths.double()).ceil()
        members = ((powers == power).nonzero().squeeze(1) for power in powers.unique())
        return [_group(firsts[sessions], self.lengths[sessions]) for sessions in members]

    @cached_property
    def _from_groups(self) -> Tensor:
        """int64 [E], where each packed event stands among the real events of all groups."""
        order = torch.cat([group.events.flatten()[group.real] for group in self.groups])
        return torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))

    def ungroup(self, grouped: list[Tensor]) -> Tensor:
        """One tensor [b, l, ...] for each group to [E, ...]."""
        real = [
            x.flatten(0, 1).index_select(0, group.real) for x, group in zip(grouped, self.groups, strict=True)
        ]
        return real[0] if len(real) == 1 else torch.cat(real).index_select(0, self._from_groups)


def _group(firsts: Tensor, lengths: Tensor) -> LengthGroup:
    longest = int(lengths.max())
    real = torch.arange(longest) < lengths.unsqueeze(1)
    return LengthGroup(lengths, _events(firsts, lengths, longest), real.flatten().nonzero().squeeze(1))


def _events(firsts: Tensor, lengths: Tensor, longest: int) -> Tensor:
    """int64 [b, longest], where the events of each session stand, its last one again where it has ended."""
    steps = torch.arange(longest, device=lengths.device)
    return firsts.unsqueeze(1) + torch.minimum(steps, lengths.unsqueeze(1) - 1)
