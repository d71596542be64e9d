"""The Transformer over a session (Eq. 5).

Shape legend: B sessions, L longest session, E events in all (packed), D width, H heads, I item width.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from m2trec_merlin.config import SessionEncoderConfig
from m2trec_merlin.model.catalogue_tensors import EncodedAttributes
from m2trec_merlin.model.dropout import Dropout
from m2trec_merlin.model.event_encoder import EventEncoder
from m2trec_merlin.model.packing import LengthGroup, Packing


class TransformerLayer(nn.Module):
    """Multi-head self-attention and a feed-forward network, each followed by residual and layer norm."""

    def __init__(self, width: int, config: SessionEncoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.causal = config.mode == "causal"
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width)
        self.feedforward = nn.Sequential(
            nn.Linear(width, config.feedforward),
            nn.ReLU() if config.activation == "relu" else nn.GELU(),
            Dropout(config.dropout),
            nn.Linear(config.feedforward, width),
        )
        self.feedforward_norm = nn.LayerNorm(width)
        self.dropout = Dropout(config.dropout)

    def attend(self, qkv_BL3D: Tensor, mask: Tensor | None) -> Tensor:
        """Apply scaled dot-product attention to padded sessions; returns [B, L, D].

        Args:
            qkv_BL3D: queries, keys and values.
            mask: which events each event may attend to, bool, broadcast to [B, L, L]. None means all up to
                itself, so that causal attention needs no mask: padding only follows a session's end, where
                no event looks.
        """
        q, k, v = qkv_BL3D.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mask_B1LL = None if mask is None else mask.unsqueeze(1)
        if q.device.type == "cpu":
            # The backward pass of bfloat16 attention took eight times as long as float32's on a CPU.
            q, k, v = q.float(), k.float(), v.float()
            with torch.autocast("cpu", enabled=False):
                attended_BHLd = F.scaled_dot_product_attention(
                    q, k, v, attn_mask=mask_B1LL, is_causal=mask is None
                )
        else:
            attended_BHLd = F.scaled_dot_product_attention(
                q, k, v, attn_mask=mask_B1LL, is_causal=mask is None
            )
        return attended_BHLd.transpose(1, 2).flatten(2)

    def forward(self, x_ED: Tensor, packing: Packing) -> Tensor:
        """Transform the events of packed sessions, [E, D]."""
        qkv = self.qkv(x_ED)
        attended = [
            self.attend(qkv[group.events], None if self.causal else _before_end(group))
            for group in packing.groups
        ]
        return self._transform(x_ED, packing.ungroup(attended))

    def forward_padded(self, x_BLD: Tensor, mask_BLL: Tensor) -> Tensor:
        """Transform the events of right-padded sessions, [B, L, D]: no indexing, for the exported graph."""
        return self._transform(x_BLD, self.attend(self.qkv(x_BLD), mask_BLL))

    def _transform(self, x: Tensor, attended: Tensor) -> Tensor:
        x = self.attention_norm(x + self.dropout(self.out(attended)))
        return self.feedforward_norm(x + self.dropout(self.feedforward(x)))


def _before_end(group: LengthGroup) -> Tensor:
    """Return which events of a group are not padding, bool [b, 1, l]."""
    steps = torch.arange(group.events.shape[1], device=group.lengths.device)
    return (steps < group.lengths.unsqueeze(1)).unsqueeze(1)


class SessionEncoder(nn.Module):
    """Turns the item vectors of sessions into session vectors.

    In `causal` mode an event sees itself and earlier events, so that one pass yields the vectors of
    all prefixes. In `bidirectional` mode (the paper) events see their whole session, so every prefix has to
    be given as a session of its own.

    Args:
        item_width: I.
        width: D.
        max_length: maximum session length.
        config: layers, heads, mode, pooling.
        events: encoder of event attributes; None if events have none.
    """

    def __init__(
        self,
        item_width: int,
        width: int,
        max_length: int,
        config: SessionEncoderConfig,
        events: EventEncoder | None = None,
    ) -> None:
        super().__init__()
        self.width = width
        self.max_length = max_length
        self.causal = config.mode == "causal"
        self.pooling = config.pooling
        self.project = nn.Linear(item_width, width)
        self.positions = nn.Embedding(max_length, width)
        nn.init.normal_(self.positions.weight, std=0.02)
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(TransformerLayer(width, config) for _ in range(config.layers))
        self.merge = nn.Linear(2 * width, width) if config.pooling == "mean_last" else None
        self.events = events

    def mask(self, lengths: Tensor, longest: int) -> Tensor:
        """Return the attention mask, bool [B, L, L], which hides padding, and the future in causal mode.

        All events, padding included, may attend to the first event: a softmax over nothing is undefined.
        """
        steps = torch.arange(longest, device=lengths.device)
        real_B1L = (steps < lengths.unsqueeze(1)).unsqueeze(1)
        allowed = real_B1L & (steps <= steps.unsqueeze(1)) if self.causal else real_B1L
        return (allowed | (steps == 0)).expand(lengths.shape[0], longest, longest)

    def encode_events(self, attributes: EncodedAttributes, count: int) -> Tensor | None:
        """Return the vectors to add for the attributes of `count` events, [E, D]; None if events have none.

        If `attributes` is empty although the model knows event attributes, all of them count as missing.
        """
        if self.events is None:
            return None
        return self.events(attributes or self.events.missing(count, self.positions.weight.device))

    def forward(self, x_EI: Tensor, packing: Packing, more_ED: Tensor | None = None) -> Tensor:
        """Encode packed sessions; returns contextual vectors of the events, [E, D].

        Args:
            x_EI: item vectors of the events.
            packing: positions of the events in their sessions.
            more_ED: the result of `encode_events` for these events.
        """
        x_ED = self._at_positions(x_EI, packing.position, more_ED)
        x_ED = self.dropout(self.norm(x_ED))
        for layer in self._layers():
            x_ED = layer(x_ED, packing)
        return x_ED

    def pool_prefixes(self, x_ED: Tensor, packing: Packing) -> Tensor:
        """Return the session vector after each event, [E, D]; for causal mode.

        Row i pools the events of its session up to and including event i (Eq. 5 for every prefix).
        """
        if self.pooling == "last":
            return x_ED
        sums_BLD = packing.pad(x_ED).cumsum(1)
        mean_ED = packing.pack(sums_BLD) / (packing.position + 1).unsqueeze(1)
        return self._merge(mean_ED, x_ED)

    def pool_sessions(self, x_BLD: Tensor, lengths: Tensor) -> Tensor:
        """Return the session vector of each padded session, [B, D] (Eq. 5)."""
        steps = torch.arange(x_BLD.shape[1], device=x_BLD.device)
        last_BD = (x_BLD * (steps == lengths.unsqueeze(1) - 1).unsqueeze(2)).sum(1)
        if self.pooling == "last":
            return last_BD
        real_BL1 = (steps < lengths.unsqueeze(1)).unsqueeze(2)
        mean_BD = (x_BLD * real_BL1).sum(1) / lengths.unsqueeze(1)
        return self._merge(mean_BD, last_BD)

    def encode_last(self, x_BLI: Tensor, lengths: Tensor, more_BLD: Tensor | None = None) -> Tensor:
        """Return the session vectors after the last event, as serving needs them.

        Args:
            x_BLI: item vectors of the sessions, right-padded.
            lengths: events per session, at least 1, int64 [B].
            more_BLD: the result of `encode_events` for the events, padded in the same way.

        Returns:
            float32 [B, D].
        """
        longest = x_BLI.shape[1]
        steps = torch.arange(longest, device=x_BLI.device)
        x_BLD = self.norm(self._at_positions(x_BLI, steps, more_BLD))
        mask_BLL = self.mask(lengths, longest)
        for layer in self._layers():
            x_BLD = layer.forward_padded(x_BLD, mask_BLL)
        return self.pool_sessions(x_BLD, lengths)

    def _at_positions(self, items: Tensor, positions: Tensor, more: Tensor | None) -> Tensor:
        placed = self.project(items) + self.positions(positions)
        return placed if more is None else placed + more

    def _layers(self) -> Iterator[TransformerLayer]:
        for layer in self.layers:
            assert isinstance(layer, TransformerLayer)
            yield layer

    def _merge(self, mean: Tensor, last: Tensor) -> Tensor:
        return mean if self.merge is None else self.merge(torch.cat([mean, last], dim=-1))
