"""How popular a candidate is: known of training items, expected of all others.

Shape legend: C candidates.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.model.item_vectors import ItemVectors


class PopularityBias(nn.Module):
    """bias(i) = w log(1 + occurrences(i)) of an item with a history, w r(i) + b of one without.

    r is what the item's metadata let expect (`ExpectedPopularity`), of new items as much as of training
    items; w and b are learned, b on the training items whose history is hidden.

    The metadata of training items, which are trained on them, tell more of their popularity than those of a
    new item will. In training a linear function of the item vectors says this surplus where a history is
    hidden; it is never asked again. Without it the vectors would have to say it, and new items had it, too.
    """

    def __init__(self, catalogue: Catalogue, item_width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.no_history = nn.Parameter(torch.zeros(()))
        self.surplus = nn.Linear(item_width, 1, bias=False)
        nn.init.zeros_(self.surplus.weight)
        log_counts = torch.from_numpy(catalogue.train_counts).float().log1p()
        self.register_buffer("log_counts", log_counts, persistent=False)
        self.log_counts: Tensor

    def calibration_parameters(self) -> list[nn.Parameter]:
        """See `NextItemHead.calibration_parameters`."""
        return [self.weight, self.no_history]

    def forward(self, items: ItemVectors, rows: Tensor, known: Tensor, hiding: bool) -> Tensor:
        """Return biases, [C].

        Args:
            items: the candidates; what to expect of them included.
            rows: int64 [C], catalogue rows.
            known: bool [C], which show their history.
            hiding: whether those that do not are training items, most of them.
        """
        assert items.expected_popularity is not None
        expected = self.weight * items.expected_popularity + self.no_history
        if hiding:
            # Centred, so that leaving it out afterwards lifts no item and lowers none.
            surplus = self.surplus(items.described).squeeze(1)
            expected = expected + surplus - surplus.mean()
        return torch.where(known, self.weight * self.log_counts[rows], expected)
