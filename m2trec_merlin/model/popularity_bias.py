"""The bias for a candidate's popularity, from its training history and its metadata together.

Shape legend: C candidates.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.model.item_vectors import ItemVectors

#: Initial value of a, the weight of the expected occurrences; it is learned.
PRIOR_WEIGHT = 0.3


class PopularityBias(nn.Module):
    """Adds bias(i) = w log(n(i) + a mu(i)): one formula for items with much, little or no history.

    n(i) are the item's training occurrences, 0 without a history, and mu(i) the occurrences to expect given
    its metadata (`ExpectedPopularity`). If an item's rate comes from a Gamma distribution of mean mu and rate
    a, and its occurrences from a Poisson distribution of that rate, (n + a mu) / (1 + a) is the mean of the
    rate once n is known; the denominator is the same for all items. So an item that sold once is worth more
    than the same item that never sold, and items without a history are ranked by their expected occurrences.
    w and a are learned, a both on rare items and on items whose history is hidden.

    The item vectors are trained on the training items, so they tell more about their popularity than about
    that of new items. In training, where a history is hidden, a linear function of the vectors expresses this
    surplus; it is not used afterwards. Without it the vectors would express the surplus for new items, too.
    """

    def __init__(self, catalogue: Catalogue, item_width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.log_prior_weight = nn.Parameter(torch.tensor(PRIOR_WEIGHT).log())
        self.surplus = nn.Linear(item_width, 1, bias=False)
        nn.init.zeros_(self.surplus.weight)
        log_counts = torch.from_numpy(catalogue.train_counts).float().log()
        self.register_buffer("log_counts", log_counts, persistent=False)
        self.log_counts: Tensor

    def calibration_parameters(self) -> list[nn.Parameter]:
        """See `NextItemHead.calibration_parameters`."""
        return [self.weight, self.log_prior_weight]

    def forward(self, items: ItemVectors, log_counts: Tensor) -> Tensor:
        """Return the biases of candidates, [C].

        Args:
            items: item vectors of the candidates, with their expected popularity.
            log_counts: log n of the candidates, float32 [C]; -inf for those that show no history.
        """
        assert items.expected_popularity is not None
        log_expected = self.log_prior_weight + items.expected_popularity
        # log(n + a mu) in a form that neither overflows nor underflows, whatever training makes of a.
        biases: Tensor = self.weight * (log_expected + F.softplus(log_counts - log_expected))
        return biases

    def surplus_of_hidden(self, items: ItemVectors, rows: Tensor, shown: Tensor) -> Tensor:
        """Return the surplus to add, in training, to the biases of items whose history is hidden, [C].

        Args:
            items: item vectors of the candidates.
            rows: catalogue rows of the candidates, int64 [C].
            shown: which candidates show their history, bool [C].
        """
        surplus = self.surplus(items.described).squeeze(1)
        real = rows != NO_ITEM
        # Centred, so that leaving it out after training shifts no scores.
        mean = surplus.masked_fill(~real, 0).sum() / real.sum().clamp(min=1)
        return torch.where(shown, 0, surplus - mean)
