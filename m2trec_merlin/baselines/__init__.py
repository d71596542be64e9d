"""Scorers to compare the model with, built from the catalogue and the known sessions."""

from __future__ import annotations

from collections.abc import Callable

from m2trec_merlin.baselines.als import Als
from m2trec_merlin.baselines.categories import FrequentCategories, PredictedCategories
from m2trec_merlin.baselines.content_knn import ContentKnn
from m2trec_merlin.baselines.ease import Ease
from m2trec_merlin.baselines.item_knn import ItemKnn
from m2trec_merlin.baselines.markov import Markov
from m2trec_merlin.baselines.popularity import Popularity
from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.sessions import Sessions

__all__ = [
    "BASELINES",
    "FrequentCategories",
    "Popularity",
    "PredictedCategories",
    "build_baseline",
]

#: The baselines by their names in the configuration. A new one is a module of its own and a line here.
BASELINES: dict[str, Callable[[Catalogue, Sessions], ItemScorer]] = {
    "popularity": Popularity,
    "markov": Markov,
    "item_knn": ItemKnn,
    "ease": Ease,
    "als": Als,
    "session_knn": SessionKnn.fit,
    "content_knn": ContentKnn,
}


def build_baseline(name: str, catalogue: Catalogue, sessions: Sessions) -> ItemScorer:
    """Fit a baseline to the sessions known before those that it will score.

    Args:
        name: a name in `BASELINES`.
        catalogue: the catalogue; its `train_counts` must be the occurrences in `sessions`.
        sessions: known sessions.

    Raises:
        DataError: the data lack something that the baseline needs.
        MissingDependencyError: a package that the baseline needs is not installed.
    """
    return BASELINES[name](catalogue, sessions)
