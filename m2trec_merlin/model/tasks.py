"""The tasks, as Transformers4Rec prediction tasks: the next item and its attributes (Eq. 6 and 7).

Shape legend: P prefixes, C candidates, D width, U distinct rows of the batch, R catalogue rows,
V values of an attribute.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers4rec.torch.model.base import PredictionTask

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import NextItemConfig
from m2trec_merlin.encoded import FIRST_VALUE, NO_ITEM, EncodedColumn
from m2trec_merlin.model.catalogue_tensors import CatalogueTensors, lists_of
from m2trec_merlin.model.distinct_rows import distinct_rows, once, without
from m2trec_merlin.model.encoded_prefixes import EncodedPrefixes
from m2trec_merlin.model.heads import NextItemHead
from m2trec_merlin.model.item_vectors import ItemVectors
from m2trec_merlin.model.losses import candidate_cross_entropy

#: A function that returns the item vectors of catalogue rows, int64 [n].
RowEncoder = Callable[[Tensor], ItemVectors]


class NextItem(PredictionTask):
    """Predicts the next item.

    Args:
        head: the head that scores candidates.
        catalogue: the catalogue, for the number of items.
        encode_rows: function that applies the item encoder to catalogue rows.
        config: loss and number of negatives.

    Attributes:
        logits_at_a_time: number of logits that the loss holds at a time; None: by the device.
    """

    def __init__(
        self, head: NextItemHead, catalogue: Catalogue, encode_rows: RowEncoder, config: NextItemConfig
    ) -> None:
        super().__init__(loss=nn.CrossEntropyLoss(), metrics=[], task_name="next_item")
        # The name is part of the names of stored weights.
        self.scorer = head
        # A plain function, so that the encoder's parameters are not registered a second time.
        self.encode_rows = encode_rows
        self.sampled = config.loss == "sampled"
        self.negatives = config.negatives
        self.logits_at_a_time: int | None = None
        self.n_seen = catalogue.n_seen
        self.n_rows = self.target_dim = catalogue.n_rows

    def forward(  # type: ignore[override]
        self, inputs: EncodedPrefixes, targets: Any = None, training: bool = False, testing: bool = False
    ) -> Any:
        """Return the loss in training, loss and scores [P, R] in testing, scores alone otherwise."""
        if training and not testing:
            loss = self.training_loss(inputs)
            empty = inputs.vectors.new_empty(0)
            return {"loss": loss, "labels": inputs.targets, "predictions": empty}
        scores = self.score(inputs)
        if not testing:
            return scores
        reachable = scores.gather(1, inputs.targets.unsqueeze(1)).squeeze(1).isfinite()
        loss = F.cross_entropy(scores[reachable], inputs.targets[reachable])
        return {"loss": loss, "labels": inputs.targets, "predictions": scores}

    def training_loss(self, prefixes: EncodedPrefixes) -> Tensor:
        """Return the cross-entropy over all training items, or over a sample that all prefixes share."""
        rows, items = self._candidates(prefixes)
        # The batch's own rows come first and are sorted, so bisection finds targets and histories.
        n_own = len(prefixes.rows)
        candidate_vectors, biases = self.scorer.candidates(items, rows)
        biases = biases.masked_fill(rows == NO_ITEM, -torch.inf)
        history, repeat = prefixes.history, self.scorer.repeat_biases
        held = torch.searchsorted(prefixes.rows, history.rows)
        pairs = slice(0, len(held) if repeat is not None else 0)
        repeated = prefixes.vectors.new_empty(0) if repeat is None else repeat[history.distance]
        return candidate_cross_entropy(
            self._queries(prefixes, held),
            candidate_vectors,
            biases,
            torch.searchsorted(prefixes.rows, prefixes.targets),
            history.prefix[pairs],
            held[pairs],
            repeated.masked_fill(history.rows[pairs] == NO_ITEM, 0),
            self._log_inclusion(biases, n_own) if self.sampled else None,
            prefixes.targets != NO_ITEM,
            self.logits_at_a_time,
        )

    def score(self, prefixes: EncodedPrefixes) -> Tensor:
        """Score every catalogue row for every prefix, [P, R]; NO_ITEM gets -inf."""
        rows = torch.arange(self.n_rows, device=prefixes.vectors.device)
        vectors, biases = self.scorer.candidates(self.encode_rows(rows), rows)
        held = torch.searchsorted(prefixes.rows, prefixes.history.rows)
        scores = torch.addmm(biases, self._queries(prefixes, held), vectors.T)
        scores = self.scorer.with_repeats(scores, prefixes.history)
        scores[:, NO_ITEM] = -torch.inf
        return scores

    def _queries(self, prefixes: EncodedPrefixes, held: Tensor) -> Tensor:
        """Return query vectors [P, D]; `held` are positions of the history's items in the batch's rows."""
        items = self.scorer.session_item_vectors(prefixes.items.described)
        return self.scorer.queries(prefixes.vectors, items, held, prefixes.history)

    def _candidates(self, prefixes: EncodedPrefixes) -> tuple[Tensor, ItemVectors]:
        """Return rows and item vectors of the candidates, the batch's own first."""
        device = prefixes.rows.device
        if self.sampled:
            drawn = torch.randint(1, self.n_seen + 1, (self.negatives,), device=device)
            other = once(distinct_rows(drawn))
        else:
            other = torch.arange(1, self.n_seen + 1, device=device)
        other = without(other, prefixes.rows)
        items = ItemVectors.join([prefixes.items, self.encode_rows(other)])
        return torch.cat([once(prefixes.rows), other]), items

    def _log_inclusion(self, biases: Tensor, n_own: int) -> Tensor:
        """Return each candidate's log probability of being one, given the batch, whose items always are.

        Given the batch, not over all batches: a rare item of the batch would otherwise stand for all the
        batches that lack it, and outweigh the one prefix whose target it is.
        """
        drawn = math.log(-math.expm1(self.negatives * math.log1p(-1 / max(self.n_seen, 2))))
        log_inclusion = torch.full_like(biases, drawn)
        log_inclusion[:n_own] = 0
        return log_inclusion


class NextAttribute(PredictionTask):
    """Predicts an attribute of the next item that has a vocabulary, such as its category or its tags.

    For items with one value this is Eq. 7 of the paper; for items with several, the loss is the mean over the
    values, each of which should get an equal share of the probability. An item without a known value adds 0
    to a mean over all next items, so that several processes weigh their losses alike
    (`training/processes.py`).

    Args:
        column: the encoded attribute of all catalogue rows.
        width: D.
    """

    def __init__(self, column: EncodedColumn, width: int) -> None:
        super().__init__(
            loss=nn.CrossEntropyLoss(),
            metrics=[],
            target_name=column.field.name,
            task_name=f"next_{column.field.name}",
        )
        self.attribute = column.field.name
        self.target_dim = column.field.size
        self.output = nn.Linear(width, column.field.size)
        self.values = CatalogueTensors([column])

    def forward(  # type: ignore[override]
        self, inputs: EncodedPrefixes, targets: Any = None, training: bool = False, testing: bool = False
    ) -> Any:
        """Return loss, labels and logits [P, V] in training and testing, logits otherwise."""
        logits = self.output(inputs.vectors)
        if not training and not testing:
            return logits
        labels = lists_of(self.values(inputs.targets), self.attribute)
        # Predicting "missing" or "unknown" would be of no use.
        known = labels.values >= FIRST_VALUE
        prefix = labels.spread(torch.arange(len(logits), device=logits.device))
        losses = -F.log_softmax(logits, dim=1)[prefix, labels.values]
        n_known = labels.total(known.long())
        mean = labels.total(losses.masked_fill(~known, 0)) / n_known.clamp(min=1)
        loss = mean.sum() / (inputs.targets != NO_ITEM).sum().clamp(min=1)
        return {"loss": loss, "labels": labels.values, "predictions": logits}
