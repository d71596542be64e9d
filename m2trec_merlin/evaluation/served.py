"""What is served, as a scorer: the model mixed with neighbours by session and by words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.devices import choose
from m2trec_merlin.neighbours.mixture import Lifts, Mixture
from m2trec_merlin.neighbours.pasts import ItemPasts
from m2trec_merlin.neighbours.views import MixedView
from m2trec_merlin.neighbours.weights import VIEWS, Weights
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.runs import Run
from m2trec_merlin.sessions import Sessions

if TYPE_CHECKING:
    from m2trec_merlin.model.scoring import ModelScorer


def mixture_of(
    weights: Weights,
    catalogue: Catalogue,
    train: Sessions,
    model: ModelScorer,
    listed: np.ndarray | None = None,
) -> Mixture:
    """Mix a model with what the export writes beside it.

    Args:
        weights: of the views; those that count nothing are left out.
        catalogue: of the model.
        train: its training sessions.
        model: the model as a scorer.
        listed: bool [R], items that are taken for listed after training; default: none.
    """
    views = views_of(weights.views(), catalogue, train)
    lifts = Lifts(views, ItemPasts.of(catalogue, listed), weights)
    return Mixture(f"{model.name} mixed", model, lifts, model.model.max_length)


def views_of(names: Sequence[str], catalogue: Catalogue, train: Sessions) -> dict[str, MixedView]:
    """Return views by name, but for those that have nothing to say.

    Args:
        names: wanted, of `VIEWS`.
        catalogue: of the model.
        train: its training sessions.
    """
    found = {name: VIEWS[name].fit(catalogue, train) for name in names}
    return {name: view for name, view in found.items() if view is not None}


def model_scorer(run: Run, catalogue: Catalogue, progress: Progress = SILENT) -> ModelScorer:
    """Return the model of a run alone, on the device of `evaluation.device`."""
    from m2trec_merlin.model.scoring import ModelScorer
    from m2trec_merlin.model.storage import load_model

    choice = choose("evaluation", run.config.evaluation.device)
    progress.say(choice.line)
    return ModelScorer(load_model(run.model, catalogue).to(choice.device), run.config.variant_title)
