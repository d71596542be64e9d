"""Scorers that score as the server does: the model mixed with neighbours, and with new items boosted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.devices import choose
from m2trec_merlin.encoded import NO_ITEM
from m2trec_merlin.evaluation.known import Known
from m2trec_merlin.neighbours.mixture import Lifts, Mixture
from m2trec_merlin.neighbours.views import MixedView
from m2trec_merlin.neighbours.weights import VIEWS, Weights
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.runs import Run
from m2trec_merlin.scores import CategoryScorer, ItemScorer
from m2trec_merlin.sessions import Prefixes, Sessions

if TYPE_CHECKING:
    from m2trec_merlin.model.scoring import ModelScorer


class WithoutUnknown:
    """A scorer that reads sessions as a server does: without the items that its catalogue lacks.

    If no item is left, it recommends the items most frequent in training. See `as_served`.

    Args:
        scorer: the scorer to call with known items.
        catalogue: catalogue of the scorer's model.
    """

    def __init__(self, scorer: ItemScorer, catalogue: Catalogue) -> None:
        self.name, self.candidates = scorer.name, scorer.candidates
        self._scorer = scorer
        self._most_frequent = catalogue.train_counts.astype(np.float32)
        self._most_frequent[NO_ITEM] = -np.inf
        self._last: tuple[Prefixes, np.ndarray, Prefixes] | None = None

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """See `ItemScorer.score`."""
        usable, known = self._known_part(prefixes)
        if known is prefixes:
            return self._scorer.score(prefixes)
        scores = np.tile(self._most_frequent, (len(prefixes), 1))
        if len(usable):
            scores[usable] = self._scorer.score(known)
        return scores

    def _known_part(self, prefixes: Prefixes) -> tuple[np.ndarray, Prefixes]:
        """Return `_without_unknown`, the same objects for the same block, so that it is encoded once."""
        if self._last is None or self._last[0] is not prefixes:
            self._last = (prefixes, *_without_unknown(prefixes))
        return self._last[1:]


class CategoriesWithoutUnknown(WithoutUnknown):
    """`WithoutUnknown` for a scorer that also scores categories; if no item is left, it predicts none."""

    def category_scores(self, prefixes: Prefixes) -> dict[str, np.ndarray]:
        """See `CategoryScorer.category_scores`."""
        assert isinstance(self._scorer, CategoryScorer)
        usable, known = self._known_part(prefixes)
        asked = known if len(usable) else prefixes.take(usable)
        scores = {}
        for name, values in self._scorer.category_scores(asked).items():
            scores[name] = np.full((len(prefixes), values.shape[1]), -np.inf, np.float32)
            scores[name][usable] = values
        return scores


class Boosted:
    """A scorer that adds `serving.new_item_boost` to the scores of items without training occurrences.

    Args:
        scorer: the scorer whose scores are boosted.
        catalogue: catalogue of the scorer's model.
        boost: the number to add.
    """

    def __init__(self, scorer: ItemScorer, catalogue: Catalogue, boost: float) -> None:
        self.name, self.candidates = f"{scorer.name}, new items {boost:+g}", scorer.candidates
        self._scorer, self._boost = scorer, np.float32(boost)
        self._new = np.flatnonzero(catalogue.train_counts == 0)

    def score(self, prefixes: Prefixes) -> np.ndarray:
        """See `ItemScorer.score`."""
        scores = self._scorer.score(prefixes)
        scores[:, self._new] += self._boost
        return scores


def as_served(scorer: ItemScorer, catalogue: Catalogue) -> ItemScorer:
    """Wrap a scorer so that it reads sessions as a server does."""
    kind = CategoriesWithoutUnknown if isinstance(scorer, CategoryScorer) else WithoutUnknown
    return kind(scorer, catalogue)


def _without_unknown(prefixes: Prefixes) -> tuple[np.ndarray, Prefixes]:
    """Return the indices of prefixes that hold a known item, int64, and these without unknown items."""
    each = prefixes.sessions.cut(prefixes.sessions.offsets[prefixes.session], prefixes.length + 1)
    wanted = each.rows != NO_ITEM
    wanted[each.offsets[1:] - 1] = True  # targets
    if wanted.all():
        return np.arange(len(prefixes)), prefixes
    known = each.keep(wanted)
    usable = np.flatnonzero(known.lengths > 1)
    return usable, Prefixes(known, usable, known.lengths[usable] - 1)


def mixture_of(weights: Weights, catalogue: Catalogue, known: Known, model: ModelScorer) -> Mixture:
    """Mix a model with the views that an export would write.

    Args:
        weights: weights of the mixture; views of weight 0 are left out.
        catalogue: catalogue of the model.
        known: the sessions known before those that are scored.
        model: the model as a scorer.
    """
    views = views_of(weights.views(), catalogue, known.sessions)
    lifts = Lifts(views, known.pasts(catalogue), weights)
    return Mixture(f"{model.name} mixed", model, lifts, model.model.max_length)


def views_of(names: Sequence[str], catalogue: Catalogue, sessions: Sessions) -> dict[str, MixedView]:
    """Fit views; those that can score nothing are left out.

    Args:
        names: names of the views, as in `VIEWS`.
        catalogue: catalogue of the model.
        sessions: known sessions.
    """
    found = {name: VIEWS[name].fit(catalogue, sessions) for name in names}
    return {name: view for name, view in found.items() if view is not None}


def model_scorer(run: Run, catalogue: Catalogue, progress: Progress = SILENT) -> ModelScorer:
    """Return the model of a run as a scorer, without a mixture, on the device of `evaluation.device`."""
    from m2trec_merlin.model.scoring import ModelScorer
    from m2trec_merlin.model.storage import load_model

    choice = choose("evaluation", run.config.evaluation.device)
    progress.say(choice.line)
    return ModelScorer(load_model(run.model, catalogue).to(choice.device), run.config.variant_title)
