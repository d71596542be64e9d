"""The part of the query that comes from the session's own items.

Shape legend: P prefixes, M (prefix, item) pairs, U items, B sessions, L longest session, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.model.encoded_prefixes import History

#: Number of pairs whose vectors are held at a time: some 64 MiB for each of a handful of tensors. Pairs grow
#: with the square of the length of sessions, and a batch of long ones has millions.
PAIRS_AT_A_TIME = 1 << 17


class SessionItems(nn.Module):
    """Adds the vectors of a session's items to its session vector, weighted by attention.

    With s the session vector, v(i) the unit vectors of its items in the space of the candidates, and d(i)
    the number of events between item i and the end of the session:

        query = g s / |s| + sum over i of w(i) v(i),   w = softmax over i of b[d(i)] + c (A s / |A s|) . v(i)

    Items similar to those of the session are likely to come next. The encoder would have to learn a way back
    to the space of the candidates to express this; here it comes free. After CORE (Hou et al., SIGIR 2022),
    whose query is the weighted sum alone.
    """

    def __init__(self, width: int, max_length: int) -> None:
        super().__init__()
        self.distance_biases = nn.Parameter(torch.zeros(max_length))
        self.ask = nn.Linear(width, width, bias=False)
        self.sharpness = nn.Parameter(torch.ones(()))
        self.encoder_weight = nn.Parameter(torch.ones(()))

    def forward(self, session_vectors: Tensor, vectors_UD: Tensor, held: Tensor, history: History) -> Tensor:
        """Return the queries of prefixes, [P, D].

        Args:
            session_vectors: vectors of the prefixes, [P, D].
            vectors_UD: unit vectors of items.
            held: which of these items each pair of `history` is about, int64 [M].
            history: the items that each prefix holds, and their distances from its end.
        """
        blocks = _blocks(history.prefix, len(session_vectors))
        if len(blocks) == 1:
            return self._queries(session_vectors, vectors_UD, held, history)
        queries = []
        for prefixes, pairs in blocks:
            prefix = history.prefix[pairs] - prefixes.start
            part = History(prefix, history.rows[pairs], history.distance[pairs])
            block = (session_vectors[prefixes], vectors_UD, held[pairs], part)
            # Gradients compute a block again, rather than keep the vectors of all pairs.
            queries.append(checkpoint(self._queries, *block, use_reentrant=False, preserve_rng_state=False))
        return torch.cat(queries)

    def _queries(self, session_vectors: Tensor, vectors_UD: Tensor, held: Tensor, history: History) -> Tensor:
        items_MD = vectors_UD.index_select(0, held)
        asked_MD = self._asked(session_vectors).index_select(0, history.prefix)
        logits = self._logits((asked_MD * items_MD).sum(1), history.distance)
        logits = logits.masked_fill(history.rows == NO_ITEM, -torch.inf)
        lowest = torch.finfo(logits.dtype).min
        highest = torch.full_like(session_vectors[:, 0], lowest, dtype=logits.dtype)
        highest = highest.scatter_reduce(0, history.prefix, logits.detach(), "amax")
        weights = (logits - highest[history.prefix]).exp()
        # The highest weight of a prefix is 1, so only prefixes without an item have a smaller sum: 0.
        sums = torch.zeros_like(highest).index_add(0, history.prefix, weights).clamp(min=1)
        weighted_MD = items_MD * (weights / sums[history.prefix]).unsqueeze(1)
        pooled = torch.zeros_like(session_vectors, dtype=weighted_MD.dtype)
        return self._add(session_vectors, pooled.index_add(0, history.prefix, weighted_MD))

    def forward_padded(
        self, session_vectors: Tensor, items_BLD: Tensor, counted_BL: Tensor, lengths: Tensor
    ) -> Tensor:
        """Return the queries of right-padded sessions, [B, D]; for the exported graph.

        Args:
            session_vectors: vectors of the sessions, [B, D].
            items_BLD: unit vectors of the sessions' items.
            counted_BL: which events count, bool: each item's most recent one, and no padding.
            lengths: events per session, int64 [B].
        """
        steps = torch.arange(items_BLD.shape[1], device=lengths.device)
        distance_BL = (lengths.unsqueeze(1) - 1 - steps).clamp(min=0)
        asked_B1D = self._asked(session_vectors).unsqueeze(1)
        logits_BL = self._logits((asked_B1D * items_BLD).sum(2), distance_BL)
        weights_BL = logits_BL.masked_fill(~counted_BL, -torch.inf).softmax(1)
        return self._add(session_vectors, (items_BLD * weights_BL.unsqueeze(2)).sum(1))

    def _asked(self, session_vectors: Tensor) -> Tensor:
        return F.normalize(self.ask(session_vectors), dim=-1)

    def _logits(self, likeness: Tensor, distance: Tensor) -> Tensor:
        return self.sharpness * likeness + self.distance_biases[distance]

    def _add(self, session_vectors: Tensor, pooled: Tensor) -> Tensor:
        return self.encoder_weight * F.normalize(session_vectors, dim=-1) + pooled


def _blocks(pair_prefixes: Tensor, n_prefixes: int) -> list[tuple[slice, slice]]:
    """Divide prefixes into blocks of about `PAIRS_AT_A_TIME` pairs; return each block's prefixes and pairs.

    On a GPU there is one block: finding where others begin means waiting, in a step that may be a recorded
    graph.
    """
    if len(pair_prefixes) <= PAIRS_AT_A_TIME or pair_prefixes.is_cuda:
        return [(slice(0, n_prefixes), slice(0, len(pair_prefixes)))]
    starts = torch.unique_consecutive(pair_prefixes[::PAIRS_AT_A_TIME])
    starts[0] = 0
    firsts = [*torch.searchsorted(pair_prefixes, starts).tolist(), len(pair_prefixes)]
    bounds = [*starts.tolist(), n_prefixes]
    return [(slice(*bounds[k : k + 2]), slice(*firsts[k : k + 2])) for k in range(len(starts))]
