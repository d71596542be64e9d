"""The two heuristics for the next item's category in the paper's comparison (its Fig. 2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.histories import events_before
from m2trec_merlin.scores import ItemScorer, best_rows
from m2trec_merlin.sessions import Prefixes


class FrequentCategories:
    """Personalised top-N frequent: the categories that the session's items had most often.

    More recent categories win ties. Categories that the session lacks follow, by occurrences of their items.

    Args:
        catalogue: the items.
        attributes: names of the categorical attributes to predict.
    """

    name = "top-N frequent"

    def __init__(self, catalogue: Catalogue, attributes: Sequence[str]) -> None:
        self.columns = {name: catalogue.attributes[name] for name in attributes}
        self.shares = {}
        for name, column in self.columns.items():
            sold = np.repeat(catalogue.train_counts, column.lengths)
            counts = np.bincount(column.values, weights=sold, minlength=column.field.size)
            self.shares[name] = counts / max(float(counts.sum()), 1.0)

    def category_scores(self, prefixes: Prefixes) -> dict[str, np.ndarray]:
        """Return count + recency / 2 + share of known events / 10,000, float32 [P, V] for each attribute.

        Recency is 1 / (1 + steps since the category's last event). Each term is too small to overrule the one
        before it.
        """
        events = events_before(prefixes)
        scores = {}
        for name, column in self.columns.items():
            shape = (len(prefixes), column.field.size)
            held = column.take(events.row)
            at = (np.repeat(events.prefix, held.lengths), held.values)
            count, recency = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
            np.add.at(count, at, 1)
            since = (1 / (1 + events.distance)).astype(np.float32)
            np.maximum.at(recency, at, np.repeat(since, held.lengths))
            scores[name] = (count + recency / 2 + self.shares[name] / 1e4).astype(np.float32)
        return scores


class PredictedCategories:
    """Top-N predicted: the categories of the items that a scorer ranks highest, in the order of the items.

    Args:
        catalogue: the items.
        attributes: names of the categorical attributes to predict.
        scorer: the scorer that ranks the items.
        items: number of best items to use.
        exclude_session_items: whether to leave out the session's own items.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        attributes: Sequence[str],
        scorer: ItemScorer,
        items: int,
        exclude_session_items: bool = False,
    ) -> None:
        self.name = f"top-N predicted ({scorer.name})"
        self.columns = {name: catalogue.attributes[name] for name in attributes}
        self.scorer = scorer
        self.items, self.exclude_session_items = items, exclude_session_items

    def category_scores(self, prefixes: Prefixes) -> dict[str, np.ndarray]:
        """Return 1 / rank of the best item of each category, float32 [P, V] for each attribute."""
        found = self.scorer.score(prefixes)
        if self.exclude_session_items:
            held = events_before(prefixes)
            found[held.prefix, held.row] = -np.inf
        best = [best_rows(line, self.items)[::-1] for line in found]
        scores = {}
        for name, column in self.columns.items():
            values = np.full((len(prefixes), column.field.size), -np.inf, np.float32)
            # From the worst rank to the best, since NumPy keeps the last value written.
            for prefix, rows in enumerate(best):
                ranked = column.take(rows)
                values[prefix, ranked.values] = np.repeat(1 / np.arange(len(rows), 0, -1), ranked.lengths)
            scores[name] = values
        return scores
