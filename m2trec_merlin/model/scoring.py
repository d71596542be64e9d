"""The trained model as a scorer: scores of all items for prefixes of sessions.

Shape legend: B sessions, L longest session, E events, P prefixes, D width, I item width, R catalogue
rows, V values of an attribute, M (prefix, item) pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.histories import distinct_events_before
from m2trec_merlin.model.encoded_prefixes import History
from m2trec_merlin.model.item_vectors import ItemVectors
from m2trec_merlin.model.m2trec import M2TRec
from m2trec_merlin.model.session_batch import SessionBatch
from m2trec_merlin.model.twins import Twins, codes_of
from m2trec_merlin.sessions import Prefixes, Sessions

_ROWS_AT_A_TIME = 65_536


@dataclass(frozen=True)
class EncodedCatalogue:
    """The model's encoding of all catalogue rows; row NO_ITEM is no candidate.

    Attributes:
        items: item vectors.
        vectors: candidate vectors, [R, D].
        biases: candidate biases, [R].
        twins: rows for which all of this is equal.
    """

    items: ItemVectors
    vectors: Tensor
    biases: Tensor
    twins: Twins


@torch.inference_mode()
def encode_catalogue(model: M2TRec) -> EncodedCatalogue:
    """Encode all catalogue rows with a model in evaluation mode."""
    items, vectors, biases, codes = [], [], [], []
    inputs, head = model.body.inputs, model.next_item_head
    rows_R = torch.arange(model.next_item_task.n_rows, device=next(model.parameters()).device)
    for rows in rows_R.split(_ROWS_AT_A_TIME):
        attributes = inputs.catalogue(rows)
        items.append(inputs.item_encoder(attributes))
        candidate_vectors, candidate_biases = head.candidates(items[-1], rows)
        vectors.append(candidate_vectors)
        biases.append(candidate_biases)
        told_apart = head.told_apart(rows).masked_fill(rows == NO_ITEM, -1)
        codes.append(codes_of(inputs.catalogue.fields, attributes, told_apart))
    twins = Twins.of(torch.cat(codes))
    biases_R = twins.level(torch.cat(biases))
    biases_R[NO_ITEM] = -torch.inf
    joined = ItemVectors.join(items)
    twins.level(joined.joint)
    return EncodedCatalogue(joined, twins.level(torch.cat(vectors)), biases_R, twins)


class ModelScorer:
    """An `ItemScorer` and `CategoryScorer` that scores with a trained model.

    The constructor computes the item vectors of the whole catalogue, once.

    Args:
        model: trained model; it is switched to evaluation mode.
        name: name in reports.
    """

    def __init__(self, model: M2TRec, name: str = "M2TRec") -> None:
        self.name = name
        self.model = model.eval()
        self.device = next(model.parameters()).device
        self.candidates = "all catalogue items" if model.next_item_head.all_items else "training items"
        self._kept: Tensor | None = None
        self._encoded: tuple[Prefixes, Tensor] | None = None
        with torch.inference_mode():
            self._catalogue = encode_catalogue(self.model)
            self._items = self._catalogue.items
            self._own_vectors_RD = self.model.next_item_head.session_item_vectors(self._items.described)

    @torch.inference_mode()
    def score_tensor(self, prefixes: Prefixes) -> Tensor:
        """Return the scores of all catalogue rows, float32 [P, R]; -inf for rows that are no candidates.

        They are valid until the next call, which reuses their memory: it takes hundreds of megabytes.
        """
        history = recent_items(prefixes, self.model.max_length, self.device)
        head, own_RD = self.model.next_item_head, self._own_vectors_RD
        queries_PD = head.queries(self.session_vectors(prefixes), own_RD, history.rows, history)
        if self._kept is None or len(self._kept) < len(prefixes):
            self._kept = queries_PD.new_empty(len(prefixes), len(self._catalogue.biases))
        kept_PR = self._kept[: len(prefixes)]
        torch.addmm(self._catalogue.biases, queries_PD, self._catalogue.vectors.T, out=kept_PR)
        return head.with_repeats(self._catalogue.twins.level(kept_PR, dim=1), history)

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """Return the scores of all catalogue rows on the host; see `score_tensor`."""
        return self.score_tensor(prefixes).cpu().numpy()

    @torch.inference_mode()
    def category_tensors(self, prefixes: Prefixes) -> dict[str, Tensor]:
        """Return the logits of each next-attribute task, float32 [P, V]."""
        vectors_PD = self.session_vectors(prefixes)
        return {name: output(vectors_PD) for name, output in self.model.next_attributes.items()}

    def category_scores(self, prefixes: Prefixes) -> dict[str, np.ndarray]:
        """Return the logits of each next-attribute task on the host; see `category_tensors`."""
        return {name: logits.cpu().numpy() for name, logits in self.category_tensors(prefixes).items()}

    @torch.inference_mode()
    def session_vectors(self, prefixes: Prefixes) -> Tensor:
        """Return session vectors after each prefix, [P, D].

        They are cached until called with another block, since several tasks need them. In causal mode one
        pass over a session serves all its prefixes, except those longer than the model takes, of which only
        the last events are encoded.
        """
        if self._encoded is None or self._encoded[0] is not prefixes:
            self._encoded = prefixes, self._encode_prefixes(prefixes)
        return self._encoded[1]

    def _encode_prefixes(self, prefixes: Prefixes) -> Tensor:
        if not len(prefixes):
            return torch.empty((0, self.model.session_encoder.width), device=self.device)
        if not self.model.session_encoder.causal:
            return self._encode(_last_events(prefixes, self.model.max_length))
        short = prefixes.length <= self.model.max_length
        if short.all():
            return self._encode_in_one_pass(prefixes)
        vectors = torch.empty((len(prefixes), self.model.session_encoder.width), device=self.device)
        if short.any():
            vectors[torch.from_numpy(short)] = self._encode_in_one_pass(prefixes.take(np.flatnonzero(short)))
        long = prefixes.take(np.flatnonzero(~short))
        vectors[torch.from_numpy(~short)] = self._encode(_last_events(long, self.model.max_length))
        return vectors

    def _encode_in_one_pass(self, prefixes: Prefixes) -> Tensor:
        used, session = np.unique(prefixes.session, return_inverse=True)
        longest = np.zeros(len(used), np.int64)
        np.maximum.at(longest, session, prefixes.length)
        sessions = prefixes.sessions.cut(prefixes.sessions.offsets[used], longest)
        batch = SessionBatch.of(sessions, self.device)
        encoder, x_EI = self.model.session_encoder, self._items.take(batch.rows).described
        more_ED = encoder.encode_events(batch.attributes, len(batch.rows))
        x_ED = encoder.pool_prefixes(encoder(x_EI, batch.packing, more_ED), batch.packing)
        ends = np.cumsum(longest)[session] - longest[session] + prefixes.length - 1
        return x_ED[torch.from_numpy(ends).to(self.device)]

    def _encode(self, sessions: Sessions) -> Tensor:
        """Return the session vectors of whole sessions, [B, D], as the exported graph computes them."""
        batch = SessionBatch.of(sessions, self.device)
        x_BLI = self._items.take(batch.packing.pad(batch.rows)).described
        more_ED = self.model.session_encoder.encode_events(batch.attributes, len(batch.rows))
        more_BLD = None if more_ED is None else batch.packing.pad(more_ED)
        return self.model.session_encoder.encode_last(x_BLI, batch.lengths, more_BLD)


def _last_events(prefixes: Prefixes, max_length: int) -> Sessions:
    """Return a session per prefix that holds the prefix's last `max_length` events."""
    lengths = np.minimum(prefixes.length, max_length)
    ends = prefixes.sessions.offsets[prefixes.session] + prefixes.length
    return prefixes.sessions.cut(ends - lengths, lengths)


def recent_items(prefixes: Prefixes, max_length: int, device: torch.device) -> History:
    """List the items of each prefix's last `max_length` events, each once at its most recent occurrence."""
    events = distinct_events_before(prefixes)
    recent = events.distance < max_length
    fields = (events.prefix, events.row, events.distance)
    return History(*(torch.from_numpy(field[recent]).to(device) for field in fields))
