"""Scorers to compare with, built from the catalogue and the sessions that are known."""

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

#: By the name that the configuration uses. A new one is a module of its own and a line here.
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
    """Fit a baseline to the sessions that are known when those come that it scores.

    Args:
        name: of `BASELINES`.
        catalogue: with what these sessions tell of its items, in the place of what training told.
        sessions: that are known.

    Raises:
        DataError: the data lack what it needs.
        MissingDependencyError: a package that it needs is not installed.
    """
    return BASELINES[name](catalogue, sessions)
