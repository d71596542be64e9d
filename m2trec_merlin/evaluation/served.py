"""What is served, as a scorer: the model mixed with neighbours, new items lifted by what is configured."""

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
    """A scorer that is handed sessions as a server reads them: without the items that its catalogue lacks.

    Where none is left, the items most frequent in training are recommended. See `as_served`.

    Args:
        scorer: of what is served.
        catalogue: of its model.
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
        """See `_without_unknown`: the same for all that is asked of a block, so that it is encoded once."""
        if self._last is None or self._last[0] is not prefixes:
            self._last = (prefixes, *_without_unknown(prefixes))
        return self._last[1:]


class CategoriesWithoutUnknown(WithoutUnknown):
    """The same of a scorer of categories, too: where no item is left, none is predicted."""

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
    """A scorer, with `serving.new_item_boost` added to the items that never sold in training.

    Args:
        scorer: of what is served otherwise.
        catalogue: of its model.
        boost: to add.
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
    """Return a scorer of a run, with sessions read as a server reads them."""
    kind = CategoriesWithoutUnknown if isinstance(scorer, CategoryScorer) else WithoutUnknown
    return kind(scorer, catalogue)


def _without_unknown(prefixes: Prefixes) -> tuple[np.ndarray, Prefixes]:
    """Return which prefixes hold a known item, int64, and these without the unknown ones."""
    each = prefixes.sessions.cut(prefixes.sessions.offsets[prefixes.session], prefixes.length + 1)
    wanted = each.rows != NO_ITEM
    wanted[each.offsets[1:] - 1] = True  # targets
    if wanted.all():
        return np.arange(len(prefixes)), prefixes
    known = each.keep(wanted)
    usable = np.flatnonzero(known.lengths > 1)
    return usable, Prefixes(known, usable, known.lengths[usable] - 1)


def mixture_of(weights: Weights, catalogue: Catalogue, known: Known, model: ModelScorer) -> Mixture:
    """Mix a model with what the export writes beside it.

    Args:
        weights: of the views; those that count nothing are left out.
        catalogue: of the model.
        known: when the sessions come that are scored.
        model: the model as a scorer.
    """
    views = views_of(weights.views(), catalogue, known.sessions)
    lifts = Lifts(views, known.pasts(catalogue), weights)
    return Mixture(f"{model.name} mixed", model, lifts, model.model.max_length)


def views_of(names: Sequence[str], catalogue: Catalogue, sessions: Sessions) -> dict[str, MixedView]:
    """Return views by name, but for those that have nothing to say.

    Args:
        names: wanted, of `VIEWS`.
        catalogue: of the model.
        sessions: that are known.
    """
    found = {name: VIEWS[name].fit(catalogue, sessions) for name in names}
    return {name: view for name, view in found.items() if view is not None}


def model_scorer(run: Run, catalogue: Catalogue, progress: Progress = SILENT) -> ModelScorer:
    """Return the model of a run alone, on the device of `evaluation.device`."""
    from m2trec_merlin.model.scoring import ModelScorer
    from m2trec_merlin.model.storage import load_model

    choice = choose("evaluation", run.config.evaluation.device)
    progress.say(choice.line)
    return ModelScorer(load_model(run.model, catalogue).to(choice.device), run.config.variant_title)
