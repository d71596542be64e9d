"""What is served, as a scorer: the model mixed with neighbours by session and by words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.devices import choose
from m2trec_merlin.errors import DataError
from m2trec_merlin.neighbours.background import sessions_repeat_items
from m2trec_merlin.neighbours.content_knn import WordLikeness, fit_words
from m2trec_merlin.neighbours.item_lists import ItemLists
from m2trec_merlin.neighbours.metadata_knn import MetadataKnn
from m2trec_merlin.neighbours.mixture import Lifts, Mixture, View, Weights, trends_of
from m2trec_merlin.neighbours.session_knn import SessionKnn
from m2trec_merlin.neighbours.views import SessionView
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.runs import Run
from m2trec_merlin.sessions import Sessions

if TYPE_CHECKING:
    from m2trec_merlin.model.scoring import ModelScorer


def mixture_of(weights: Weights, catalogue: Catalogue, train: Sessions, model: ModelScorer) -> Mixture:
    """Mix a model with what the export writes beside it.

    Args:
        weights: of the views; those that count nothing are left out.
        catalogue: of the model.
        train: its training sessions.
        model: the model as a scorer.
    """
    views = views_of(weights.views(), catalogue, train)
    lifts = Lifts(views, catalogue.train_counts, weights, trends_of(catalogue))
    return Mixture(f"{model.name} mixed", model, lifts, model.model.max_length)


def views_of(views: Sequence[View], catalogue: Catalogue, train: Sessions) -> dict[View, SessionView]:
    """Return the scorers behind views, but for the words of items that have none.

    Args:
        views: wanted.
        catalogue: of the model.
        train: its training sessions.
    """
    found = {view: _scorer(view, catalogue, train) for view in views}
    return {view: scorer for view, scorer in found.items() if scorer is not None}


def _scorer(view: View, catalogue: Catalogue, train: Sessions) -> SessionView | None:
    if view == "by_id":
        return SessionKnn(catalogue, train)
    if view == "by_metadata":
        return MetadataKnn(catalogue, train)
    if view == "beside":
        return ItemLists(catalogue, train)
    try:
        return WordLikeness(fit_words(catalogue)[0], sessions_repeat_items(train))
    except DataError:
        return None


def model_scorer(run: Run, catalogue: Catalogue, progress: Progress = SILENT) -> ModelScorer:
    """Return the model of a run alone, on the device of `evaluation.device`."""
    from m2trec_merlin.model.scoring import ModelScorer
    from m2trec_merlin.model.storage import load_model

    choice = choose("evaluation", run.config.evaluation.device)
    progress.say(choice.line)
    return ModelScorer(load_model(run.model, catalogue).to(choice.device), run.config.variant_title)
