"""The next-item heads, which score candidates for session vectors.

A head is a class in `HEADS`, under the name that the setting `model.next_item.head` selects it by.

Shape legend: P prefixes, C candidates, D width, n items, I item width, B sessions, L longest session,
M (prefix, item) pairs of a history, R catalogue rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import NextItemConfig
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.model.dropout import Dropout
from m2trec_merlin.model.encoded_prefixes import History
from m2trec_merlin.model.item_vectors import ItemVectors
from m2trec_merlin.model.popularity_bias import PopularityBias
from m2trec_merlin.model.session_items import SessionItems
from m2trec_merlin.model.sparse_table import SparseTable

#: Training occurrences at which an item's residual counts half; chosen on validation (docs/quality.md).
RESIDUAL_TRUST = 10.0


class NextItemHead(nn.Module):
    """Base class of the heads: score(prefix, item) = query(prefix) . vector(item) + bias(item) + repeat bias.

    Args:
        catalogue: catalogue with the training items and their occurrences.
        item_width: I.
        width: D.
        max_length: maximum session length.
        config: settings of the score.

    Attributes:
        all_items: whether items never seen in training can be candidates.
        repeat_biases: learned number per distance from the end of the session, added to the scores of items
            in it, float32 [max_length], or None. Positive where shoppers return, negative where they do not.
    """

    all_items: bool

    def __init__(
        self, catalogue: Catalogue, item_width: int, width: int, max_length: int, config: NextItemConfig
    ) -> None:
        super().__init__()
        self.n_seen = catalogue.n_seen
        self.repeat_biases = nn.Parameter(torch.zeros(max_length)) if config.repeat_bias else None
        self.session_items = SessionItems(width, max_length) if config.session_items else None
        # A head with an output per training item needs item vectors only for the session's own items.
        used = self.all_items or config.session_items
        self.project = nn.Linear(item_width, width) if used else None
        self.dropout = Dropout(config.candidate_dropout)

    def calibration_parameters(self) -> list[nn.Parameter]:
        """Return the few parameters that scale or shift whole groups of scores.

        They have to move by units where weights move by hundredths, so they get a learning rate of their own.
        """
        return [] if self.repeat_biases is None else [self.repeat_biases]

    def session_item_vectors(self, described: Tensor) -> Tensor:
        """Turn item vectors [..., I] into the unit vectors [..., D] that `queries` adds to session vectors.

        They depend on attributes alone, like everything on the input side, not on training histories. Without
        the setting `session_items` they have no columns, [..., 0].
        """
        if self.session_items is None or self.project is None:
            return described[..., :0]
        return F.normalize(self.project(described), dim=-1)

    def queries(self, session_vectors: Tensor, items: Tensor, held: Tensor, history: History) -> Tensor:
        """Return the query vectors of prefixes, [P, D].

        Args:
            session_vectors: vectors of the prefixes, [P, D].
            items: `session_item_vectors` of items, [n, D].
            held: which of these items each pair of `history` is about, int64 [M].
            history: the items that each prefix holds.
        """
        if self.session_items is not None:
            session_vectors = self.session_items(session_vectors, items, held, history)
        return self.scale(session_vectors)

    def queries_padded(
        self, session_vectors: Tensor, described: Tensor, counted: Tensor, lengths: Tensor
    ) -> Tensor:
        """Return the query vectors of right-padded sessions, [B, D]; for the exported graph.

        Args:
            session_vectors: vectors of the sessions, [B, D].
            described: item vectors of the sessions, [B, L, I].
            counted: which events count, bool [B, L]; see `SessionItems.forward_padded`.
            lengths: events per session, int64 [B].
        """
        if self.session_items is not None:
            items = self.session_item_vectors(described)
            session_vectors = self.session_items.forward_padded(session_vectors, items, counted, lengths)
        return self.scale(session_vectors)

    def with_repeats(self, scores: Tensor, history: History) -> Tensor:
        """Add the repeat biases of the prefixes' own items to scores of all catalogue rows, in place.

        Args:
            scores: query . vector + bias, [P, R].
            history: the items that each prefix holds.
        """
        if self.repeat_biases is not None:
            returning = self.repeat_biases[history.distance]
            scores.index_put_((history.prefix, history.rows), returning, accumulate=True)
        return scores

    def scale(self, session_vectors: Tensor) -> Tensor:
        """Scale session vectors to query vectors, [P, D]: the last step of `queries`."""
        raise NotImplementedError

    def candidate_vectors(self, items: ItemVectors, rows: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Return the vectors of candidates, [C, D].

        Args:
            items: item vectors of the candidates.
            rows: catalogue rows of the candidates, int64 [C]; NO_ITEM for items outside of the catalogue.
            hidden: which candidates are treated as items without a history, bool [C]; None for none.
        """
        raise NotImplementedError

    def candidate_biases(self, items: ItemVectors, rows: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Return the biases of candidates, [C]; -inf for items that this head has no output for.

        NO_ITEM stands for any item outside of the catalogue here; callers that score catalogue rows leave it
        out. Arguments as for `candidate_vectors`.
        """
        raise NotImplementedError

    def history(self, rows: Tensor) -> dict[str, Tensor]:
        """Return what training adds to the metadata of items, tensors by name, float32 [C, ...].

        Only heads with `all_items` have it; `with_history` takes it unchanged.

        Args:
            rows: catalogue rows, int64 [C]; NO_ITEM for items without a history.
        """
        raise NotImplementedError

    def with_history(self, items: ItemVectors, history: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return vectors [C, D] and biases [C] of candidates without look-ups by row; for the exported graph.

        Args:
            items: item vectors of the candidates.
            history: the result of `history` for the candidates.
        """
        raise NotImplementedError

    def candidates(self, items: ItemVectors, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return vectors and biases; training applies dropout and hides the same histories in both."""
        hidden = self.hide(rows) if self.training else None
        vectors = self.dropout(self.candidate_vectors(items, rows, hidden))
        return vectors, self.candidate_biases(items, rows, hidden)

    def hide(self, rows: Tensor) -> Tensor | None:
        """Draw the candidates whose history is hidden in a training step, bool [C]; None for none."""
        return None

    def told_apart(self, rows: Tensor) -> Tensor:
        """Return codes, int64 [C], equal for candidates that only their item vectors can tell apart."""
        return rows

    def is_known(self, rows: Tensor) -> Tensor:
        """Return which rows are training items, bool [C]."""
        return (rows > NO_ITEM) & (rows <= self.n_seen)


class MetadataHead(NextItemHead):
    """Scores by the cosine of session and item metadata at a learned temperature; any item can be scored.

    What metadata cannot tell (how popular an item is, what sets it apart from its near twins) comes from
    its training history: a residual vector and its occurrences (`PopularityBias`). Both are hidden at random
    in training, so that items without a history score on the same scale.
    """

    all_items = True

    def __init__(
        self, catalogue: Catalogue, item_width: int, width: int, max_length: int, config: NextItemConfig
    ) -> None:
        super().__init__(catalogue, item_width, width, max_length, config)
        self.cosine = config.similarity == "cosine"
        self.log_scale = nn.Parameter(torch.tensor(-math.log(config.temperature)))
        self.hidden_share = config.residual_dropout
        self.residual = SparseTable(self.n_seen + 1, width) if config.residual else None
        if self.residual is not None:
            nn.init.zeros_(self.residual.weight)
        counts = torch.from_numpy(catalogue.train_counts).float()
        self.register_buffer("trust", counts / (counts + RESIDUAL_TRUST), persistent=False)
        self.trust: Tensor
        self.popularity = PopularityBias(catalogue, item_width) if config.popularity_bias else None

    def calibration_parameters(self) -> list[nn.Parameter]:
        """Return repeat biases, temperature and the weights of known and expected popularity."""
        popularity = [] if self.popularity is None else self.popularity.calibration_parameters()
        return [*super().calibration_parameters(), self.log_scale, *popularity]

    def scale(self, session_vectors: Tensor) -> Tensor:
        """Return unit vectors times the learned scale, so that dot products are scaled cosines."""
        if not self.cosine:
            return session_vectors
        return F.normalize(session_vectors, dim=-1) * self.log_scale.exp()

    def candidate_vectors(self, items: ItemVectors, rows: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Return unit vectors of the projected metadata plus the residual, if the item shows its history."""
        residuals = None if self.residual is None else self._residuals(self._shown(rows, hidden))
        return self._vectors(items, residuals)

    def candidate_biases(self, items: ItemVectors, rows: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Return the popularity of items that show their history, and the expected one of all others."""
        if self.popularity is None:
            return torch.zeros(len(rows), device=rows.device)
        shown = self._shown(rows, hidden)
        biases: Tensor = self.popularity(items, self.popularity.log_counts[shown])
        if hidden is not None:
            biases = biases + self.popularity.surplus_of_hidden(items, rows, shown != NO_ITEM)
        return biases

    def history(self, rows: Tensor) -> dict[str, Tensor]:
        """Return `residual` [C, D] and `log_count` [C], as configured; zeros and -inf without a history."""
        shown, history = self._shown(rows), {}
        if self.residual is not None:
            history["residual"] = self._residuals(shown)
        if self.popularity is not None:
            history["log_count"] = self.popularity.log_counts[shown]
        return history

    def told_apart(self, rows: Tensor) -> Tensor:
        """Return the rows of items with a history, 0 for others; 0 for all if the head uses no history."""
        learns = self.residual is not None or self.popularity is not None
        return self._shown(rows) if learns else torch.zeros_like(rows)

    def with_history(self, items: ItemVectors, history: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return what `candidate_vectors` and `candidate_biases` return."""
        vectors = self._vectors(items, history.get("residual"))
        if self.popularity is None:
            return vectors, torch.zeros_like(vectors[:, 0])
        return vectors, self.popularity(items, history["log_count"])

    def hide(self, rows: Tensor) -> Tensor | None:
        """Draw a random share of the candidates."""
        return torch.rand(len(rows), device=rows.device) < self.hidden_share if self.hidden_share else None

    def _vectors(self, items: ItemVectors, residuals: Tensor | None) -> Tensor:
        assert self.project is not None
        vectors: Tensor = self.project(items.described)
        if residuals is not None:
            vectors = vectors + residuals
        return F.normalize(vectors, dim=-1) if self.cosine else vectors

    def _residuals(self, shown: Tensor) -> Tensor:
        assert self.residual is not None
        residuals: Tensor = self.residual(shown) * self.trust[shown].unsqueeze(1)
        return residuals

    def _shown(self, rows: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Replace the rows of items that do not show their history by NO_ITEM."""
        known = self.is_known(rows)
        return torch.where(known if hidden is None else known & ~hidden, rows, NO_ITEM)


class SoftmaxHead(NextItemHead):
    """The paper's head (Eq. 6): a fully connected layer with one output per training item.

    Similarity, temperature, residual and popularity are settings of the metadata head, without effect here.
    """

    all_items = False

    def __init__(
        self, catalogue: Catalogue, item_width: int, width: int, max_length: int, config: NextItemConfig
    ) -> None:
        super().__init__(catalogue, item_width, width, max_length, config)
        self.weight = SparseTable(self.n_seen + 1, width)
        nn.init.normal_(self.weight.weight, std=width**-0.5)
        self.bias = SparseTable(self.n_seen + 1, 1)
        nn.init.zeros_(self.bias.weight)

    def scale(self, session_vectors: Tensor) -> Tensor:
        """Return the session vectors unchanged."""
        return session_vectors

    def candidate_vectors(self, items: ItemVectors, rows: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Return the output layer's weights for the candidates; item vectors play no part."""
        return self.weight(self._output(rows))

    def candidate_biases(self, items: ItemVectors, rows: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Return the output layer's biases; -inf for items that it has no output for."""
        biases: Tensor = self.bias(self._output(rows)).squeeze(1)
        return biases.masked_fill(~self.is_known(rows), -math.inf)

    def _output(self, rows: Tensor) -> Tensor:
        return torch.where(rows <= self.n_seen, rows, NO_ITEM)


#: The heads, by their names in the configuration.
HEADS: dict[str, type[NextItemHead]] = {"metadata": MetadataHead, "softmax": SoftmaxHead}
