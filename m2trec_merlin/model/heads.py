"""What makes a candidate's score: the seam between the session vector and the items.

Shape legend: P prefixes, C candidates, D width, I item width, N catalogue rows (row 0 is padding).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import NextItemConfig
from m2trec_merlin.model.dropout import Dropout
from m2trec_merlin.model.item_encoder import ItemProjection
from m2trec_merlin.model.popularity_bias import PopularityBias
from m2trec_merlin.model.session_items import SessionItems
from m2trec_merlin.model.sparse_table import SparseTable
from m2trec_merlin.model.states import History


class NextItemHead(nn.Module):
    """score(prefix, item) = query(prefix) . vector(item) + bias(item) + repeat bias.

    Attributes:
        repeat_biases: float32 [max_length] or None; added to items that stand in the session, by their
            distance from its end. Learned: positive where shoppers return, negative where they do not.
        all_items: whether items never seen in training can be candidates.
    """

    all_items: bool

    def __init__(
        self, catalogue: Catalogue, item_width: int, width: int, max_length: int, config: NextItemConfig
    ) -> None:
        super().__init__()
        self.n_seen = catalogue.n_seen
        self.repeat_biases = nn.Parameter(torch.zeros(max_length)) if config.repeat_bias else None
        self.session_items = SessionItems(width, max_length) if config.session_items else None
        # The softmax head has no other use for item vectors.
        used = self.all_items or config.session_items
        self.project = ItemProjection(item_width, width) if used else None
        self.dropout = Dropout(config.candidate_dropout)

    def calibration_parameters(self) -> list[nn.Parameter]:
        """The few numbers that scale whole groups of scores.

        They have to move by units where weights move by hundredths, so they get a learning rate of their own.
        """
        return [] if self.repeat_biases is None else [self.repeat_biases]

    def session_item_vectors(self, item_vectors: Tensor) -> Tensor:
        """Item vectors [n, I] to unit vectors [n, D], from which queries are made; without that, nothing.

        From attributes alone, like everything on the input side: no item's training history takes part.
        """
        if self.session_items is None or self.project is None:
            return item_vectors[:, :0]
        return F.normalize(self.project(item_vectors), dim=-1)

    def queries(self, session_vectors: Tensor, items: Tensor, history: History) -> Tensor:
        """Query vectors of prefixes, [P, D].

        Args:
            session_vectors: [P, D].
            items: [R, D], `session_item_vectors` of the items of `history`, pair by pair.
            history: the items that each prefix holds.
        """
        if self.session_items is not None:
            session_vectors = self.session_items(session_vectors, items, history)
        return self.scale(session_vectors)

    def queries_padded(
        self, session_vectors: Tensor, item_vectors: Tensor, counted: Tensor, lengths: Tensor
    ) -> Tensor:
        """Query vectors of right-padded sessions, [B, D]: for the exported graph.

        Args:
            session_vectors: [B, D].
            item_vectors: [B, L, I].
            counted: bool [B, L], see `SessionItems.forward_padded`.
            lengths: int64 [B].
        """
        if self.session_items is not None:
            items = self.session_item_vectors(item_vectors)
            session_vectors = self.session_items.forward_padded(session_vectors, items, counted, lengths)
        return self.scale(session_vectors)

    def scale(self, session_vectors: Tensor) -> Tensor:
        """The last step to query vectors, [P, D]."""
        raise NotImplementedError

    def candidate_vectors(self, item_vectors: Tensor, rows: Tensor) -> Tensor:
        """Vectors of candidates, [C, D].

        Args:
            item_vectors: [C, I], from the item encoder.
            rows: int64 [C], catalogue rows; 0 for items outside of the catalogue.
        """
        raise NotImplementedError

    def candidate_biases(self, item_vectors: Tensor, rows: Tensor) -> Tensor:
        """Biases of candidates, [C]; -inf for items that this head has no output for.

        Row 0 stands for any item outside of the catalogue here; whoever scores the whole catalogue
        leaves it out.
        """
        raise NotImplementedError

    def candidates(self, item_vectors: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors and biases together; in training with dropout, and the same items' histories hidden."""
        vectors = self.dropout(self.candidate_vectors(item_vectors, rows))
        return vectors, self.candidate_biases(item_vectors, rows)


class MetadataHead(NextItemHead):
    """Cosine of session and item metadata, at a learned temperature: any item can be recommended.

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
        self.popularity = PopularityBias(catalogue, item_width) if config.popularity_bias else None

    def calibration_parameters(self) -> list[nn.Parameter]:
        """Repeat biases, temperature and the weights of popularity, known and expected."""
        popularity = [] if self.popularity is None else self.popularity.calibration_parameters()
        return [*super().calibration_parameters(), self.log_scale, *popularity]

    def scale(self, session_vectors: Tensor) -> Tensor:
        """Unit vectors times the learned scale, so that dot products are scaled cosines."""
        if not self.cosine:
            return session_vectors
        return F.normalize(session_vectors, dim=-1) * self.log_scale.exp()

    def candidate_vectors(self, item_vectors: Tensor, rows: Tensor) -> Tensor:
        """Unit vectors of projected metadata, plus the residual where an item has one."""
        return self._vectors(item_vectors, rows)

    def candidate_biases(self, item_vectors: Tensor, rows: Tensor) -> Tensor:
        """Popularity of training items; of all others, row 0 included, what their metadata let expect."""
        return self._biases(item_vectors, rows)

    def candidates(self, item_vectors: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors and biases; in training, a random share of the items shows no history."""
        hidden = None
        if self.training and self.hidden_share:
            hidden = torch.rand(len(rows), device=rows.device) < self.hidden_share
        vectors = self.dropout(self._vectors(item_vectors, rows, hidden))
        return vectors, self._biases(item_vectors, rows, hidden)

    def _vectors(self, item_vectors: Tensor, rows: Tensor, hidden: Tensor | None = None) -> Tensor:
        assert self.project is not None
        vectors: Tensor = self.project(item_vectors)
        if self.residual is not None:
            known = self._known(rows, hidden)
            vectors = vectors + self.residual(torch.where(known, rows, 0))
        return F.normalize(vectors, dim=-1) if self.cosine else vectors

    def _biases(self, item_vectors: Tensor, rows: Tensor, hidden: Tensor | None = None) -> Tensor:
        if self.popularity is None:
            return torch.zeros(len(rows), device=rows.device)
        return self.popularity(item_vectors, rows, self._known(rows, hidden), hiding=hidden is not None)

    def _known(self, rows: Tensor, hidden: Tensor | None) -> Tensor:
        """Which items show their training history."""
        known = (rows >= 1) & (rows <= self.n_seen)
        return known if hidden is None else known & ~hidden


class SoftmaxHead(NextItemHead):
    """The paper's head (Eq. 6): a fully connected layer with one output per training item."""

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
        """The session vectors themselves."""
        return session_vectors

    def candidate_vectors(self, item_vectors: Tensor, rows: Tensor) -> Tensor:
        """Columns of the output layer; item vectors play no part."""
        return self.weight(self._output(rows))

    def candidate_biases(self, item_vectors: Tensor, rows: Tensor) -> Tensor:
        """Biases of the output layer; -inf for items that it has no output for."""
        known = (rows >= 1) & (rows <= self.n_seen)
        return self.bias(self._output(rows)).squeeze(1).masked_fill(~known, -math.inf)

    def _output(self, rows: Tensor) -> Tensor:
        return torch.where(rows <= self.n_seen, rows, 0)
