"""How much items count that are listed after training: chosen as if some training items were listed anew.

Most items that never sold in training are dead stock, which says little of an item that was listed this
morning. So training items are taken out of the catalogue and listed again, without a history, as
`m2trec catalog add` lists them; and their weight is as high as validation sessions let it be.

Shape legend: R catalogue rows, m rows that are listed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from m2trec_merlin.catalogue import Catalogue
from m2trec_merlin.encoded import NO_ITEM, EncodedColumn
from m2trec_merlin.evaluation.tuning.mixtures import ENOUGH_OF_A_PART, Point, Trials
from m2trec_merlin.evaluation.tuning.samples import Parts, affordable, draw_of
from m2trec_merlin.evaluation.tuning.shortlists import Judges, Shortlists, shortlist
from m2trec_merlin.neighbours.views import MixedView, Relisting, SessionView
from m2trec_merlin.neighbours.weights import Weights
from m2trec_merlin.progress import SILENT, Progress
from m2trec_merlin.sessions import Prefixes

#: One of so many training items is listed anew in each draw: one popular item can decide a single one.
ONE_IN, DRAWS = 20, 4
#: Weights that are tried.
TRIED = tuple(np.arange(-8, 8.5, 0.5).tolist())
#: Of what may be given over all for rare and new items, the part that may be given for newly listed ones.
SHARE_OF_LOSS = 0.5


def listing_settings() -> list[object]:
    """Return what decides how newly listed items are weighed: another choice is due once it changes."""
    return [ONE_IN, DRAWS, TRIED, SHARE_OF_LOSS]


@dataclass(frozen=True)
class ListedAnew:
    """A catalogue of which some items were taken out, and listed again behind the others.

    Attributes:
        before: the catalogue, R rows.
        rows: int64 [m], of the items.
    """

    before: Catalogue
    rows: np.ndarray

    @classmethod
    def draw(cls, catalogue: Catalogue, rng: np.random.Generator) -> ListedAnew:
        """Draw a share of the training items, one at least."""
        seen = catalogue.n_seen
        return cls(catalogue, 1 + np.sort(rng.choice(seen, max(seen // ONE_IN, 1), replace=False)))

    @cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue with all items, R + m rows; those of `rows` stand there still."""
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
        """bool [R + m], which items the catalogue has."""
        has = np.ones(self.before.n_rows + len(self.rows), bool)
        has[self.rows] = False
        return has

    def prefixes(self, prefixes: Prefixes) -> Prefixes:
        """Return prefixes of sessions with these items."""
        row_of = np.arange(self.before.n_rows)
        row_of[self.rows] = self.before.n_rows + np.arange(len(self.rows))
        sessions = prefixes.sessions
        return replace(prefixes, sessions=replace(sessions, rows=row_of[sessions.rows]))

    def views(self, views: Mapping[str, MixedView]) -> dict[str, SessionView]:
        """Return views of the catalogue as it was, to which items that were listed anew are titles alone."""
        origins = np.concatenate([np.arange(self.before.n_rows), np.full(len(self.rows), NO_ITEM)])

        def titles(rows: np.ndarray) -> Sequence[str]:
            shown = self.before.display()["title"].fillna("").to_numpy()
            return [str(title) for title in shown[self.rows[rows - self.before.n_rows] - 1]]

        return {name: view.relisted(Relisting(origins, titles)) for name, view in views.items()}


def _without(counts: np.ndarray, more: int) -> np.ndarray:
    return np.concatenate([counts, np.zeros(more, counts.dtype)])


def listing_points(
    valid: Prefixes,
    catalogue: Catalogue,
    judges_of: Callable[[ListedAnew], Judges],
    weights: Weights,
    size: int,
    seed: int,
    progress: Progress = SILENT,
) -> list[Point]:
    """Return what each weight of newly listed items is worth beside the other weights of a mixture.

    Args:
        valid: validation prefixes.
        catalogue: of the model.
        judges_of: the model and its views over a catalogue that has more items.
        weights: of the others.
        size: prefixes wanted, over all draws.
        seed: of the draws.
        progress: is told how many draws are done.

    Returns:
        A point for each of `TRIED`; `new` is HIT@20 over targets that were listed anew. None where there are
        hardly any.
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
    """Return the point of the highest weight that keeps what it must of the best over all.

    Args:
        points: of different weights, one at least.
        loss: share of the best HIT@20 and MRR@20 that may be given for rare and new items, a part of it for
            newly listed ones.
    """
    best = max(point.hit for point in points), max(point.mrr for point in points)
    kept = [point for point in points if point.kept(*best) >= 1 - SHARE_OF_LOSS * loss]
    if not kept:
        return max(points, key=lambda point: point.kept(*best))
    return max(kept, key=lambda point: point.weights["listed"])
