"""What is served, as a scorer: the model alone, or mixed with neighbours by session and by words."""

from __future__ import annotations

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.config import Config
from m2trec_merlin.errors import DataError
from m2trec_merlin.neighbours.content_knn import WordLikeness, word_vectors
from m2trec_merlin.neighbours.metadata_knn import MetadataKnn
from m2trec_merlin.neighbours.mixture import Mixture, Weights
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.sessions import Sessions


def mixture_of(config: Config, catalogue: Catalogue, train: Sessions, model: ItemScorer) -> Mixture:
    """Mix a model with what `serving.neighbours` exports beside it.

    Args:
        config: of the run.
        catalogue: of the model.
        train: its training sessions.
        model: the model as a scorer.
    """
    neighbours = (SessionKnn if config.neighbours_by_id else MetadataKnn)(catalogue, train)
    try:
        content = WordLikeness(word_vectors(catalogue))
    except DataError:
        content = None
    weights = Weights(**config.serving.mixture.weights())
    name = f"{model.name}, {neighbours.name}"
    return Mixture(name, model, neighbours, content, catalogue.train_counts, weights)
