"""What is served, as a scorer: the model mixed with neighbours by session and by words."""

from __future__ import annotations

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.devices import choose
from m2trec_merlin.errors import DataError
from m2trec_merlin.neighbours.background import sessions_repeat_items
from m2trec_merlin.neighbours.content_knn import WordLikeness, word_vectors
from m2trec_merlin.neighbours.metadata_knn import MetadataKnn
from m2trec_merlin.neighbours.mixture import Mixture, View, Weights
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.runs import Run
from m2trec_merlin.scores import ItemScorer
from m2trec_merlin.sessions import Sessions


def mixture_of(weights: Weights, catalogue: Catalogue, train: Sessions, model: ItemScorer) -> Mixture:
    """Mix a model with what the export writes beside it.

    Args:
        weights: of the views; those that count nothing are left out.
        catalogue: of the model.
        train: its training sessions.
        model: the model as a scorer.
    """
    views = {view: scorer for view in weights.views() if (scorer := view_of(view, catalogue, train))}
    return Mixture(f"{model.name}, mixed", model, views, catalogue.train_counts, weights)


def view_of(view: View, catalogue: Catalogue, train: Sessions) -> ItemScorer | None:
    """Return the scorer behind a view; None for the words of items that have none."""
    if view == "by_id":
        return SessionKnn(catalogue, train)
    if view == "by_metadata":
        return MetadataKnn(catalogue, train)
    try:
        return WordLikeness(word_vectors(catalogue), sessions_repeat_items(train))
    except DataError:
        return None


def model_scorer(run: Run, catalogue: Catalogue, progress: Progress = SILENT) -> ItemScorer:
    """Return the model of a run alone, on the device of `evaluation.device`; as a scorer."""
    from m2trec_merlin.model.scoring import ModelScorer
    from m2trec_merlin.model.storage import load_model

    choice = choose("evaluation", run.config.evaluation.device)
    progress.say(choice.line)
    return ModelScorer(load_model(run.model, catalogue).to(choice.device), run.config.variant_title)
