"""How popular a candidate is: what its training history and its metadata say together.

Shape legend: C candidates.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.model.item_vectors import ItemVectors

#: Where `prior_weight` starts; it is learned.
PRIOR_WEIGHT = 0.3


class PopularityBias(nn.Module):
    """bias(i) = w log(n(i) + a mu(i)): one formula from no history to much.

    n are the training occurrences, 0 of an item without a history, and mu those that its metadata let expect
    (`ExpectedPopularity`). If an item's rate comes from a Gamma distribution of mean mu and rate a, and its
    occurrences from a Poisson distribution of that rate, (n + a mu) / (1 + a) is the mean of the rate once n
    is known; the denominator is the same for all. So an item that sold once is worth more than the same item
    that never sold, and items without a history are ranked by what is expected of them. w and a are learned,
    a on the training items whose history is hidden as much as on the rare ones.

    The metadata of training items, which are trained on them, tell more of their popularity than those of a
    new item will. In training a linear function of the item vectors says this surplus where a history is
    hidden; it is never asked again. Without it the vectors would have to say it, and new items had it, too.
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
        """Return biases, [C].

        Args:
            items: the candidates; what to expect of them included.
            log_counts: float32 [C], log n; -inf of those that show no history.
        """
        assert items.expected_popularity is not None
        log_expected = self.log_prior_weight + items.expected_popularity
        # The logarithm of the sum, which neither overflows nor ends at zero however far training goes.
        biases: Tensor = self.weight * (log_expected + F.softplus(log_counts - log_expected))
        return biases

    def surplus_of_hidden(self, items: ItemVectors, rows: Tensor, shown: Tensor) -> Tensor:
        """Return what is added in training to the biases of training items whose history is hidden, [C].

        Args:
            items: the candidates.
            rows: int64 [C], catalogue rows.
            shown: bool [C], which show their history.
        """
        surplus = self.surplus(items.described).squeeze(1)
        real = rows != NO_ITEM
        # Centred, so that leaving it out afterwards lifts no item and lowers none.
        mean = surplus.masked_fill(~real, 0).sum() / real.sum().clamp(min=1)
        return torch.where(shown, 0, surplus - mean)
