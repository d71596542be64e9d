"""The popularity to expect of an item given its metadata, fitted once before training.

Shape legend: n items, F features of the regression.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional as F

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.column_names import ITEM_ID
from m2trec_merlin.encoded import EncodedColumn, Layout
from m2trec_merlin.model.attribute_encoders import AttributeEncoder
from m2trec_merlin.model.catalogue_tensors import CatalogueTensors, EncodedAttributes, lists_of
from m2trec_merlin.model.lists import Lists, hashed_pairs

#: L2 penalty of the regression, and the length that vectors are scaled to: chosen by cross-validation over
#: items (docs/quality.md).
PENALTY, VECTOR_LENGTH = 0.01, 5.0
#: Standard deviations at which numbers are clipped: a linear term means nothing far outside the fitted range.
FARTHEST = 5.0

_PAIRS = "__pairs"


class ExpectedPopularity(AttributeEncoder):
    """Predicts the logarithm of an item's training occurrences from its attributes.

    log E[occurrences] = c + sum over the item's values v of w[v] / sqrt(number of values of that attribute)

    where values are categories, tokens, hashed pairs of neighbouring tokens of a text, normalised numbers,
    and the numbers of vectors scaled to one length. The constant c and the weights w are fitted by a Poisson
    regression with an L2 penalty on all training items, and do not change in training: learned with the
    rest of the model they would fit the training items too closely to rank new ones.

    Args:
        columns: attributes of the input; an item id among them is ignored.
        pair_buckets: number of hash buckets for pairs, by name of the list attribute; 0 for none.
    """

    def __init__(self, columns: Sequence[EncodedColumn], pair_buckets: Mapping[str, int]) -> None:
        super().__init__("expected_popularity", width=1)
        self.layouts = {c.field.name: c.field.layout for c in columns if c.field.name != ITEM_ID}
        self.pair_buckets = {name: buckets for name, buckets in pair_buckets.items() if buckets}
        self.sizes = {c.field.name: c.field.size for c in columns if c.field.name in self.layouts}
        self.sizes |= {f"{name}{_PAIRS}": buckets for name, buckets in self.pair_buckets.items()}
        for name, size in self.sizes.items():
            self.register_buffer(f"{name}__weights", torch.zeros(size, 1))
        self.register_buffer("constant", torch.zeros(()))
        self.constant: Tensor

    def forward(self, attributes: EncodedAttributes) -> Tensor:
        """Return the expected log occurrences, float32 [n, 1]; zeros before `fit`."""
        if not self.layouts:
            some = next(iter(attributes.values()))
            return self.constant.expand(len(some), 1)
        terms = []
        for name, values in self._features(attributes):
            weights = self.get_buffer(f"{name}__weights")
            if isinstance(values, Lists):
                terms.append(values.pool(weights, "mean") * values.lengths.float().sqrt().unsqueeze(1))
            elif values.is_floating_point():
                terms.append(values @ weights)
            else:
                terms.append(weights[values])
        return torch.stack(terms).sum(0) + self.constant

    def fit(self, catalogue: Catalogue, rows: np.ndarray | None = None, penalty: float = PENALTY) -> None:
        """Fit the constant and the weights to the training items of a catalogue.

        Args:
            catalogue: catalogue with the columns that this module was built with.
            rows: catalogue rows of the training items to fit to; default: all.
            penalty: L2 penalty, scikit-learn's `alpha`.
        """
        seen = np.arange(1, catalogue.n_seen + 1) if rows is None else rows
        occurrences = catalogue.train_counts[seen]
        mean = float(occurrences.mean())
        self.constant.fill_(math.log(mean))
        if not self.layouts:
            return
        # Importing it takes a second, which loading a model should not cost.
        from sklearn.linear_model import PoissonRegressor

        held = CatalogueTensors([catalogue.attributes[name] for name in self.layouts])
        regression = PoissonRegressor(alpha=penalty, max_iter=1000)
        regression.fit(self.design(held(torch.from_numpy(seen))), occurrences / mean)
        self.constant.add_(float(regression.intercept_))
        weights = torch.from_numpy(regression.coef_).float().split(list(self.sizes.values()))
        for name, fitted in zip(self.sizes, weights, strict=True):
            self.get_buffer(f"{name}__weights").copy_(fitted.unsqueeze(1))

    def design(self, attributes: EncodedAttributes) -> sparse.csr_matrix:
        """Return the features that `forward` sums with weights, float32 [n, F], in blocks as in `sizes`."""
        blocks = {}
        for name, values in self._features(attributes):
            if isinstance(values, Tensor) and values.is_floating_point():
                blocks[name] = sparse.csr_matrix(values.numpy())
                continue
            lists = values if isinstance(values, Lists) else Lists(values, torch.arange(len(values) + 1))
            assert lists.offsets is not None, "what is fitted is fitted on the CPU"
            counts = lists.lengths.numpy()
            shares = np.repeat(1 / np.sqrt(counts), counts).astype(np.float32)
            blocks[name] = sparse.csr_matrix(
                (shares, lists.values.numpy(), lists.offsets.numpy()), (len(counts), self.sizes[name])
            )
        return sparse.hstack([blocks[name] for name in self.sizes]).tocsr()

    def _features(self, attributes: EncodedAttributes) -> Iterator[tuple[str, Tensor | Lists]]:
        """Yield each name in `sizes` with ids to look up, [n] or `Lists`, or numbers to weigh, [n, size]."""
        for name, layout in self.layouts.items():
            if layout is not Layout.ID_LISTS:
                values = attributes[name]
                if layout is Layout.VECTORS:
                    values = VECTOR_LENGTH * F.normalize(values, dim=1)
                elif layout is Layout.NUMBERS:
                    values = values.clamp(-FARTHEST, FARTHEST).unsqueeze(1)
                yield name, values
                continue
            lists = lists_of(attributes, name)
            yield name, lists
            if name in self.pair_buckets:
                yield f"{name}{_PAIRS}", hashed_pairs(lists, self.pair_buckets[name])
