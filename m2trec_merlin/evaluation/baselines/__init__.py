"""Scorers to compare with, built from the catalogue and the training sessions.

Each is imported when it is first used: configurations know them by name, and every command reads one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from m2trec_merlin.catalogue import Catalogue
    from m2trec_merlin.evaluation.baselines.categories import FrequentCategories, PredictedCategories
    from m2trec_merlin.evaluation.baselines.popularity import Popularity
    from m2trec_merlin.scores import ItemScorer
    from m2trec_merlin.sessions import Sessions

__all__ = [
    "BASELINES",
    "FrequentCategories",
    "Popularity",
    "PredictedCategories",
    "build_baseline",
]


def _popularity(catalogue: Catalogue, train: Sessions) -> ItemScorer:
    from m2trec_merlin.evaluation.baselines.popularity import Popularity

    return Popularity(catalogue, train)


def _markov(catalogue: Catalogue, train: Sessions) -> ItemScorer:
    from m2trec_merlin.evaluation.baselines.markov import Markov

    return Markov(catalogue, train)


def _item_knn(catalogue: Catalogue, train: Sessions) -> ItemScorer:
    from m2trec_merlin.evaluation.baselines.item_knn import ItemKnn

    return ItemKnn(catalogue, train)


def _ease(catalogue: Catalogue, train: Sessions) -> ItemScorer:
    from m2trec_merlin.evaluation.baselines.ease import Ease

    return Ease(catalogue, train)


def _als(catalogue: Catalogue, train: Sessions) -> ItemScorer:
    from m2trec_merlin.evaluation.baselines.als import Als

    return Als(catalogue, train)


def _session_knn(catalogue: Catalogue, train: Sessions) -> ItemScorer:
    from m2trec_merlin.neighbours.session_knn import SessionKnn

    return SessionKnn(catalogue, train)


def _content_knn(catalogue: Catalogue, train: Sessions) -> ItemScorer:
    from m2trec_merlin.neighbours.content_knn import ContentKnn

    return ContentKnn(catalogue, train)


#: By the name that the configuration uses. A new one is a module, a function above and a line here.
BASELINES: dict[str, Callable[[Catalogue, Sessions], ItemScorer]] = {
    "popularity": _popularity,
    "markov": _markov,
    "item_knn": _item_knn,
    "ease": _ease,
    "als": _als,
    "session_knn": _session_knn,
    "content_knn": _content_knn,
}


def build_baseline(name: str, catalogue: Catalogue, train: Sessions) -> ItemScorer:
    """Fit a baseline to the training sessions.

    Raises:
        DataError: the data lack what it needs.
        MissingDependencyError: a package that it needs is not installed.
    """
    return BASELINES[name](catalogue, train)


def __getattr__(name: str) -> object:
    if name == "Popularity":
        from m2trec_merlin.evaluation.baselines.popularity import Popularity

        return Popularity
    if name in __all__:
        from m2trec_merlin.evaluation.baselines import categories

        return getattr(categories, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
