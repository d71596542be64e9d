"""Scorers to compare with, built from the catalogue and the training sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.errors import ConfigError
from m2trec_merlin.evaluation.baselines.categories import FrequentCategories, PredictedCategories
from m2trec_merlin.evaluation.baselines.popularity import Popularity
from m2trec_merlin.neighbours.content_knn import ContentKnn
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.sessions import Sessions

__all__ = [
    "BASELINES",
    "FrequentCategories",
    "Popularity",
    "PredictedCategories",
    "build_baseline",
    "check_baselines",
]

#: By the name that the configuration uses (`evaluation.baselines`).
BASELINES: dict[str, Callable[[Catalogue, Sessions], ItemScorer]] = {
    "popularity": Popularity,
    "session_knn": SessionKnn,
    "content_knn": ContentKnn,
}


def check_baselines(names: Iterable[str]) -> None:
    """Refuse names that there are no baselines of; here, as the configuration lies below them.

    Raises:
        ConfigError: names all of them.
    """
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        known = ", ".join(BASELINES)
        raise ConfigError(f"evaluation.baselines: no baseline {str(unknown)[1:-1]}; accepted: {known}")


def build_baseline(name: str, catalogue: Catalogue, train: Sessions) -> ItemScorer:
    """Fit a baseline to the training sessions.

    Raises:
        ConfigError: there is none of that name.
        DataError: the data lack what it needs.
    """
    check_baselines([name])
    return BASELINES[name](catalogue, train)
