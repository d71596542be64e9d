"""The choice of the weight of items listed after training, by pretending that training items are listed anew.

Most items that never sold in training are dead stock, which says little about an item that was listed this
morning. So some training items are taken out of the catalogue and listed again, without a history, as
`m2trec catalog add` does; and their weight is set as high as quality on validation sessions allows.

Shape legend: R catalogue rows, m rows that are listed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM, EncodedColumn
from m2trec_merlin.evaluation.tuning.mixtures import ENOUGH_OF_A_PART, LISTED, Point, Trials
from m2trec_merlin.evaluation.tuning.samples import Parts, affordable, draw_of
from m2trec_merlin.evaluation.tuning.shortlists import Scorers, Shortlists, shortlist
from m2trec_merlin.neighbours.views import MixedView, Relisting, SessionView
from m2trec_merlin.neighbours.weights import Weights
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.sessions import Prefixes

#: Each draw lists one in ONE_IN training items anew; there are several draws, since one popular item can
#: decide a single one.
ONE_IN, DRAWS = 20, 4
#: Weights that are tried.
TRIED = tuple(np.arange(-8, 8.5, 0.5).tolist())
#: Share of the loss allowed for rare and new items (`choose`) that may be spent on newly listed ones.
SHARE_OF_LOSS = 0.5


def listing_settings() -> list[object]:
    """Return all constants that the choice depends on: if one changes, it has to be made again."""
    return [ONE_IN, DRAWS, TRIED, SHARE_OF_LOSS]


@dataclass(frozen=True)
class ListedAnew:
    """A catalogue from which some items were taken out, and listed again after all others.

    Attributes:
        before: original catalogue, R rows.
        rows: original rows of these items, int64 [m].
    """

    before: Catalogue
    rows: np.ndarray

    @classmethod
    def draw(cls, catalogue: Catalogue, rng: np.random.Generator) -> ListedAnew:
        """Draw one in ONE_IN training items, at least one."""
        seen = catalogue.n_seen
        return cls(catalogue, 1 + np.sort(rng.choice(seen, max(seen // ONE_IN, 1), replace=False)))

    @cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue with the appended rows, R + m rows; the original `rows` are still in it."""
        before, rows = self.before, self.rows
        return replace(
            before,
            item_ids=np.concatenate([before.item_ids, before.item_ids[rows]]),
            train_counts=_without(before.train_counts, len(rows)),
            attributes={
                name: EncodedColumn.join([column, column.take(rows)])
                for name, column in before.attributes.items()
            },
            recent_counts=None if before.recent_counts is None else _without(before.recent_counts, len(rows)),
            listed=np.concatenate([before.newly_listed, np.ones(len(rows), bool)]),
            known_counts=None,
            known_recent_counts=None,
        )

    @property
    def candidates(self) -> np.ndarray:
        """Which rows may be recommended, bool [R + m]: all but the original `rows`."""
        has = np.ones(self.before.n_rows + len(self.rows), bool)
        has[self.rows] = False
        return has

    def prefixes(self, prefixes: Prefixes) -> Prefixes:
        """Return prefixes with the new rows of these items in the place of the original ones."""
        row_of = np.arange(self.before.n_rows)
        row_of[self.rows] = self.before.n_rows + np.arange(len(self.rows))
        sessions = prefixes.sessions
        return replace(prefixes, sessions=replace(sessions, rows=row_of[sessions.rows]))

    def views(self, views: Mapping[str, MixedView]) -> dict[str, SessionView]:
        """Return the original catalogue's views, relisted: of the new rows they only know the titles."""
        before = np.arange(self.before.n_rows)
        origins = np.concatenate([before, np.full(len(self.rows), NO_ITEM)])
        titles_of = np.concatenate([before, self.rows])

        def titles(rows: np.ndarray) -> Sequence[str]:
            return [str(title) for title in self._titles.iloc[titles_of[rows] - 1]]

        def titled(titles: Sequence[str]) -> np.ndarray:
            return 1 + np.flatnonzero(self._titles.isin(titles))

        relisting = Relisting(origins, self.candidates, titles, titled)
        return {name: view.relisted(relisting) for name, view in views.items()}

    @cached_property
    def _titles(self) -> pd.Series:
        return self.before.display()["title"].fillna("").astype(str)


def _without(counts: np.ndarray, more: int) -> np.ndarray:
    return np.concatenate([counts, np.zeros(more, counts.dtype)])


def listing_points(
    valid: Prefixes,
    catalogue: Catalogue,
    judges_of: Callable[[ListedAnew], Scorers],
    weights: Weights,
    size: int,
    seed: int,
    progress: Progress = SILENT,
) -> list[Point]:
    """Measure each weight of newly listed items, with the other weights of a mixture fixed.

    Args:
        valid: validation prefixes.
        catalogue: catalogue of the model.
        judges_of: function that returns model and views for a catalogue with items listed anew.
        weights: the other weights.
        size: number of prefixes wanted, over all draws.
        seed: seed of the draws.
        progress: receives the number of finished draws.

    Returns:
        A point for each weight in `TRIED`, where `new` is HIT@20 over targets that were listed anew; none if
        there are hardly any.
    """
    rng = np.random.default_rng(seed)
    lists: list[Shortlists] = []
    drawn: list[Parts] = []
    for done in range(1, DRAWS + 1):
        anew = ListedAnew.draw(catalogue, rng)
        prefixes = anew.prefixes(valid)
        new = prefixes.targets >= catalogue.n_rows
        rare = np.zeros(len(new), bool)
        some, parts = draw_of(prefixes, rare, new, affordable(size, catalogue) // DRAWS, rng)
        lists.append(shortlist(some, judges_of(anew)))
        drawn.append(parts)
        progress.advance("listing items anew", done, DRAWS)
    joined = Parts.join(drawn)
    if joined.new.sum() < ENOUGH_OF_A_PART:
        return []
    trials = Trials(Shortlists.join(lists), joined)
    return [trials.at(weights.but(listed=listed)) for listed in TRIED]


def choose_listed(points: Sequence[Point], loss: float) -> Point:
    """Choose the point with the highest weight that loses no more over all than it may.

    Args:
        points: points of different weights, at least one.
        loss: share of the best HIT@20 and MRR@20 that may be lost for rare and new items; SHARE_OF_LOSS of
            it may be lost for newly listed ones.
    """
    best = max(point.hit for point in points), max(point.mrr for point in points)
    kept = [point for point in points if point.kept(*best) >= 1 - SHARE_OF_LOSS * loss]
    if not kept:
        return max(points, key=lambda point: point.kept(*best))
    return max(kept, key=lambda point: point.weights[LISTED])


def bounded_listed(trials: Trials, weights: Weights, loss: float) -> Weights:
    """Return weights whose `listed` loses no more on a sample than `choose_listed` allows, and is no higher.

    Args:
        trials: mixtures tried on the sample; if it holds items listed after training, these are in their
            places.
        weights: the chosen weights.
        loss: see `choose_listed`.
    """
    if LISTED not in trials.names:
        return weights
    lower = [each for each in TRIED if each <= weights[LISTED]]
    points = [trials.at(weights.but(listed=each)) for each in lower]
    return weights.but(listed=choose_listed(points, loss).weights[LISTED])
